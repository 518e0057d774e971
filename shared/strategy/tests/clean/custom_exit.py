from datetime import datetime, timedelta

from pandas import DataFrame

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy


class CustomExit(IStrategy):
    timeframe = "15m"
    stoploss = -0.1

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["mean"] = dataframe["close"].rolling(window=30, min_periods=30).mean()
        dataframe["deviation"] = dataframe["close"].rolling(window=30, min_periods=30).std()
        dataframe["score"] = (dataframe["close"] - dataframe["mean"]) / dataframe["deviation"]
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["score"] < -2, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[:, "exit_long"] = 0
        return dataframe

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, current_profit: float, **kwargs
    ) -> str | bool | None:
        match current_profit:
            case profit if profit > 0.02:
                return "took_profit"
            case _ if current_time - trade.open_date_utc > timedelta(hours=12):
                return "took_too_long"
            case _:
                return None
