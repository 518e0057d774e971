from pandas import DataFrame
from technical import qtpylib
from technical.indicators import ichimoku, vwma

from freqtrade.strategy import IStrategy


class TechnicalLibrary(IStrategy):
    timeframe = "4h"
    stoploss = -0.1
    startup_candle_count = 120

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["vwma"] = vwma(dataframe, 20)
        cloud = ichimoku(dataframe)
        dataframe["span_a"] = cloud["senkou_span_a"]
        dataframe["span_b"] = cloud["senkou_span_b"]
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[
            (dataframe["close"] > dataframe["span_a"])
            & (dataframe["close"] > dataframe["span_b"])
            & qtpylib.crossed_above(dataframe["close"], dataframe["vwma"]),
            "enter_long",
        ] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["vwma"], "exit_long"] = 1
        return dataframe
