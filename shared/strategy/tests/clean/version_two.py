import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy.interface import IStrategy


class VersionTwo(IStrategy):
    INTERFACE_VERSION = 2
    timeframe = "30m"
    stoploss = -0.1
    minimal_roi = {"0": 0.03}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["adx"] = ta.ADX(dataframe)
        return dataframe

    def populate_buy_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["adx"] > 25, "buy"] = 1
        return dataframe

    def populate_sell_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["adx"] < 15, "sell"] = 1
        return dataframe
