from pandas import DataFrame

from freqtrade.strategy import IStrategy


class Protections(IStrategy):
    timeframe = "1h"
    stoploss = -0.07
    plot_config = {"main_plot": {"highest": {"color": "green"}}, "subplots": {"Width": {"width": {"color": "red"}}}}

    @property
    def protections(self):
        return [
            {"method": "CooldownPeriod", "stop_duration_candles": 2},
            {
                "method": "StoplossGuard",
                "lookback_period_candles": 24,
                "trade_limit": 4,
                "stop_duration_candles": 12,
                "only_per_pair": False,
            },
        ]

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["highest"] = dataframe["high"].rolling(24).max()
        dataframe["lowest"] = dataframe["low"].rolling(24).min()
        dataframe["width"] = dataframe["highest"] - dataframe["lowest"]
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["high"] >= dataframe["highest"].shift(), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["low"] <= dataframe["lowest"].shift(), "exit_long"] = 1
        return dataframe
