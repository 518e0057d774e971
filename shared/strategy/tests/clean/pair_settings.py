from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import ClassVar

import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy

PERIODS = (5, 13, 34)


class PairSettings(IStrategy):
    timeframe = "1h"
    stoploss = -0.1
    thresholds: ClassVar[dict[str, Decimal]] = defaultdict(lambda: Decimal("0.5"), {"BTC/USDT": Decimal("0.2")})

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        for period in PERIODS:
            dataframe[f"ema_{period}"] = ta.EMA(dataframe, timeperiod=period)
        dataframe["aligned"] = True
        for fast, slow in pairwise(PERIODS):
            dataframe["aligned"] &= dataframe[f"ema_{fast}"] > dataframe[f"ema_{slow}"]
        dataframe["roc"] = ta.ROC(dataframe, timeperiod=10)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        threshold = float(self.thresholds[metadata["pair"]])
        dataframe.loc[dataframe["aligned"] & (dataframe["roc"] > threshold), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[~dataframe["aligned"], "exit_long"] = 1
        return dataframe
