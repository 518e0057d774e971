import numpy as np
from pandas import DataFrame

from freqtrade.strategy import IStrategy


class TrailingStop(IStrategy):
    timeframe = "1d"
    stoploss = -0.2
    trailing_stop = True
    trailing_stop_positive = 0.02
    trailing_stop_positive_offset = 0.04
    trailing_only_offset_is_reached = True

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["change"] = np.log(dataframe["close"] / dataframe["close"].shift(1))
        dataframe["volatility"] = dataframe["change"].ewm(span=20).std() * np.sqrt(365)
        dataframe["trend"] = np.where(dataframe["close"] > dataframe["close"].ewm(span=50).mean(), 1, -1)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[(dataframe["trend"] == 1) & (dataframe["volatility"] < 1.0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["trend"] == -1, "exit_long"] = 1
        return dataframe
