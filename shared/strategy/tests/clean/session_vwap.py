from pandas import DataFrame

from freqtrade.strategy import IStrategy


class SessionVwap(IStrategy):
    timeframe = "5m"
    stoploss = -0.03
    minimal_roi = {"0": 0.015}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        typical = (dataframe["high"] + dataframe["low"] + dataframe["close"]) / 3
        session = dataframe["date"].dt.date
        traded = (typical * dataframe["volume"]).groupby(session).cumsum()
        dataframe["vwap"] = traded / dataframe["volume"].groupby(session).cumsum()
        dataframe["since_start"] = dataframe.groupby(session).cumcount()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        is_above = dataframe["close"] > dataframe["vwap"]
        was_below = dataframe["close"].shift(1) < dataframe["vwap"].shift(1)
        dataframe.loc[is_above & was_below & (dataframe["since_start"] > 12), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["vwap"], "exit_long"] = 1
        return dataframe
