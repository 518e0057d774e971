from pandas import DataFrame

import freqtrade.vendor.qtpylib.indicators as qtpylib
from freqtrade.strategy import IStrategy


class HeikinAshi(IStrategy):
    timeframe = "1h"
    stoploss = -0.1

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        candles = qtpylib.heikinashi(dataframe)
        dataframe["ha_open"] = candles["open"]
        dataframe["ha_close"] = candles["close"]
        dataframe["ha_green"] = (dataframe["ha_close"] > dataframe["ha_open"]).astype("int")
        dataframe["ha_run"] = dataframe["ha_green"].rolling(3).sum()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["ha_run"].eq(3), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["ha_run"].eq(0), "exit_long"] = 1
        return dataframe
