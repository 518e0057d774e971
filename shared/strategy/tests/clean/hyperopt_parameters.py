from functools import reduce

import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import BooleanParameter, CategoricalParameter, DecimalParameter, IntParameter, IStrategy


class HyperoptParameters(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.25
    minimal_roi = {"0": 0.2}

    buy_rsi = IntParameter(10, 40, default=30, space="buy")
    buy_use_ema = BooleanParameter(default=True, space="buy")
    buy_trigger = CategoricalParameter(["close", "low"], default="close", space="buy")
    sell_rsi = DecimalParameter(60.0, 90.0, decimals=1, default=70.0, space="sell", optimize=True)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        for period in (9, 14, 21):
            dataframe[f"rsi_{period}"] = ta.RSI(dataframe, timeperiod=period)
        dataframe["ema"] = ta.EMA(dataframe, timeperiod=100)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        conditions = [dataframe["rsi_14"] < self.buy_rsi.value]
        if self.buy_use_ema.value:
            conditions.append(dataframe[self.buy_trigger.value] > dataframe["ema"])
        if conditions:
            dataframe.loc[reduce(lambda left, right: left & right, conditions), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["rsi_14"] > self.sell_rsi.value, "exit_long"] = 1
        return dataframe
