import numpy as np
import talib
from pandas import DataFrame, Series

from freqtrade.strategy import IStrategy


class NumpySignals(IStrategy):
    timeframe = "15m"
    stoploss = -0.05

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        close = dataframe["close"].astype(np.float64)
        dataframe["kama"] = talib.KAMA(close, timeperiod=30)
        dataframe["slope"] = Series(dataframe["kama"]).diff(3).fillna(0.0)
        dataframe["state"] = np.select([dataframe["slope"] > 0, dataframe["slope"] < 0], [1, -1], default=0)
        dataframe["body"] = np.abs(dataframe["close"] - dataframe["open"])
        dataframe["extreme"] = dataframe[["open", "close"]].max(axis=1)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["enter_long"] = np.where((dataframe["state"] == 1) & (dataframe["state"].shift(1) < 1), 1, 0)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["exit_long"] = np.where(dataframe["state"] == -1, 1, 0)
        return dataframe
