from enum import Enum, auto

import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy


class Regime(Enum):
    CALM = auto()
    WILD = auto()


class EnumStates(IStrategy):
    timeframe = "1h"
    stoploss = -0.1
    tags = {Regime.CALM: "calm", Regime.WILD: "wild"}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["natr"] = ta.NATR(dataframe, timeperiod=14)
        dataframe["regime"] = dataframe["natr"].apply(lambda value: self.tags[Regime.WILD if value > 3 else Regime.CALM])
        dataframe["ema"] = ta.EMA(dataframe, timeperiod=30)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        is_calm = dataframe["regime"] == self.tags[Regime.CALM]
        dataframe.loc[is_calm & (dataframe["close"] > dataframe["ema"]), ["enter_long", "enter_tag"]] = (1, "calm")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["ema"], ["exit_long", "exit_tag"]] = (1, "below")
        return dataframe
