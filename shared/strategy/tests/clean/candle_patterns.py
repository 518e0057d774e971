import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy

PATTERNS = {"hammer": ta.CDLHAMMER, "engulfing": ta.CDLENGULFING, "morning_star": ta.CDLMORNINGSTAR}


class CandlePatterns(IStrategy):
    timeframe = "1d"
    stoploss = -0.15

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        for name, pattern in PATTERNS.items():
            dataframe[name] = pattern(dataframe)
        dataframe["bullish"] = (dataframe[[*PATTERNS]] > 0).sum(axis=1)
        dataframe["bearish"] = (dataframe["engulfing"] < 0).astype(int)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["bullish"] >= 1, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["bearish"] > 0, "exit_long"] = 1
        return dataframe
