import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy, merge_informative_pair


class InformativePairs(IStrategy):
    timeframe = "15m"
    informative_timeframe = "1d"
    stoploss = -0.12
    minimal_roi = {"0": 0.06, "120": 0.03}

    def informative_pairs(self):
        if not self.dp:
            return []
        return [(pair, self.informative_timeframe) for pair in self.dp.current_whitelist()]

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        if self.dp:
            daily = self.dp.get_pair_dataframe(pair=metadata["pair"], timeframe=self.informative_timeframe)
            daily["sma"] = ta.SMA(daily, timeperiod=20)
            dataframe = merge_informative_pair(
                dataframe, daily, self.timeframe, self.informative_timeframe, ffill=True
            )
        dataframe["sma_short"] = ta.SMA(dataframe, timeperiod=10)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        if "sma_1d" in dataframe.columns:
            dataframe.loc[dataframe["sma_short"] > dataframe["sma_1d"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["sma_short"], "exit_long"] = 1
        return dataframe
