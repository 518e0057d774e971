from abc import abstractmethod

import talib.abstract as ta
from pandas import DataFrame, Series

from freqtrade.strategy import IStrategy


class Signal:
    """Trading signal, independent of the strategy that uses it."""

    def __init__(self, period: int = 14) -> None:
        self.period = period

    @abstractmethod
    def of(self, dataframe: DataFrame) -> Series: ...


class Momentum(Signal):
    def of(self, dataframe: DataFrame) -> Series:
        return ta.MOM(dataframe, timeperiod=self.period)


class GenericBase(IStrategy):
    timeframe = "1h"
    stoploss = -0.1
    signal = Momentum(10)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe.assign(momentum=self.signal.of(dataframe))

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe.assign(enter_long=(dataframe["momentum"] > 0).astype(int))

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe.assign(exit_long=(dataframe["momentum"] < 0).astype(int))
