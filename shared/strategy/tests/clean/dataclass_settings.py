from dataclasses import dataclass, field

import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy


@dataclass(frozen=True)
class Band:
    low: float = 30.0
    high: float = 70.0
    tags: list[str] = field(default_factory=list)

    def width(self) -> float:
        return self.high - self.low


class DataclassSettings(IStrategy):
    timeframe = "30m"
    stoploss = -0.09
    band = Band(tags=["rsi"])

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe)
        dataframe["place"] = (dataframe["rsi"] - self.band.low) / self.band.width()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["place"] < 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["place"] > 1, "exit_long"] = 1
        return dataframe
