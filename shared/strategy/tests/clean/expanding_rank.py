from pandas import DataFrame

from freqtrade.strategy import IStrategy


class ExpandingRank(IStrategy):
    timeframe = "4h"
    stoploss = -0.1

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        turnover = dataframe["volume"] * dataframe["close"]
        dataframe["turnover_rank"] = turnover.rolling(60).rank(pct=True)
        dataframe["all_time_high"] = dataframe["high"].expanding().max()
        dataframe["cum_high"] = dataframe["high"].cummax()
        dataframe["drawdown"] = dataframe["close"] / dataframe["all_time_high"] - 1
        dataframe["quartile"] = dataframe["close"].rolling(60).quantile(0.25)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[(dataframe["drawdown"] > -0.1) & (dataframe["turnover_rank"] > 0.8), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["quartile"], "exit_long"] = 1
        return dataframe
