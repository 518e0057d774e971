import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy


class RsiTurn(IStrategy):
    """Buys when the RSI crosses 30 from below."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    minimal_roi = {"60": 0.01, "30": 0.02, "0": 0.04}
    stoploss = -0.10
    startup_candle_count: int = 30
    process_only_new_candles = True

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        turned = (dataframe["rsi"] > 30) & (dataframe["rsi"].shift(1) <= 30)
        dataframe.loc[turned & (dataframe["volume"] > 0), ["enter_long", "enter_tag"]] = (1, "rsi_turn")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[(dataframe["rsi"] > 70), "exit_long"] = 1
        return dataframe
