import numpy as np
import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IntParameter, IStrategy


class SupertrendVectorised(IStrategy):
    timeframe = "1h"
    stoploss = -0.1
    multiplier = IntParameter(1, 7, default=3, space="buy")
    period = IntParameter(7, 21, default=10, space="buy")

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        middle = (dataframe["high"] + dataframe["low"]) / 2
        reach = self.multiplier.value * ta.ATR(dataframe, timeperiod=self.period.value)
        upper, lower = middle + reach, middle - reach
        rose = dataframe["close"] > upper.shift(1)
        fell = dataframe["close"] < lower.shift(1)
        dataframe["direction"] = np.where(rose, 1.0, np.where(fell, -1.0, np.nan))
        dataframe["direction"] = dataframe["direction"].ffill().fillna(0)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        turned = dataframe["direction"].gt(0) & dataframe["direction"].shift(1).le(0)
        dataframe.loc[turned, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["direction"].lt(0), "exit_long"] = 1
        return dataframe
