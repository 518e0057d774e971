import talib.abstract as ta
from pandas import DataFrame, to_datetime

from freqtrade.strategy import CategoricalParameter, IStrategy


class WeekdayFilter(IStrategy):
    timeframe = "1h"
    stoploss = -0.1
    day = CategoricalParameter([0, 1, 2, 3, 4], default=0, space="buy")

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        when = to_datetime(dataframe["date"], utc=True)
        dataframe["weekday"] = when.dt.dayofweek
        dataframe["hour"] = when.dt.hour
        dataframe["obv"] = ta.OBV(dataframe)
        dataframe["obv_mean"] = dataframe["obv"].rolling(48).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        is_time = dataframe["weekday"].eq(self.day.value) & dataframe["hour"].between(8, 16)
        dataframe.loc[is_time & (dataframe["obv"] > dataframe["obv_mean"]), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["weekday"].isin([5, 6]), "exit_long"] = 1
        return dataframe
