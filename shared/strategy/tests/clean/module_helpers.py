from __future__ import annotations

import math
from typing import Final

import pandas as pd

from freqtrade.strategy import IStrategy

GOLDEN: Final = (1 + math.sqrt(5)) / 2


def typical_price(candles: pd.DataFrame) -> pd.Series:
    return (candles["high"] + candles["low"] + candles["close"]) / 3


def above_for(series: pd.Series, other: pd.Series, candles: int) -> pd.Series:
    """True where the series was above the other one for the given number of candles."""
    return (series > other).rolling(candles).sum() == candles


class ModuleHelpers(IStrategy):
    timeframe = "1h"
    stoploss = -0.1

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
        dataframe["typical"] = typical_price(dataframe)
        dataframe["slow"] = dataframe["typical"].ewm(span=int(GOLDEN * 20), adjust=False).mean()
        dataframe["steady"] = above_for(dataframe["typical"], dataframe["slow"], 5)
        return dataframe

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
        dataframe.loc[dataframe["steady"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict) -> pd.DataFrame:
        dataframe.loc[dataframe["typical"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
