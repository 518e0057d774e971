import numpy as np
import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import DecimalParameter, IStrategy


class RegressionChannel(IStrategy):
    INTERFACE_VERSION: int = 3
    timeframe: str = "1h"
    stoploss: float = -0.1
    can_short: bool = False
    width = DecimalParameter(1.0, 3.0, default=2.0, decimals=1, space="buy", load=True)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["fit"] = ta.LINEARREG(dataframe, timeperiod=50)
        dataframe["error"] = (dataframe["close"] - dataframe["fit"]).rolling(50).apply(lambda part: np.sqrt(np.mean(part**2)), raw=True)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        floor = dataframe["fit"] - self.width.value * dataframe["error"]
        dataframe.loc[dataframe["close"] < floor, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] > dataframe["fit"], "exit_long"] = 1
        return dataframe
