from datetime import datetime

import talib.abstract as ta
from pandas import DataFrame

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, timeframe_to_minutes


class RoiByTime(IStrategy):
    timeframe = "15m"
    timeframe_minutes = timeframe_to_minutes(timeframe)
    minimal_roi = {
        str(timeframe_minutes * 3): 0.02,
        str(timeframe_minutes * 6): 0.01,
        "0": 0.05,
    }
    stoploss = -0.1

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["tema"] = ta.TEMA(dataframe, timeperiod=9)
        dataframe["sar"] = ta.SAR(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        pair = metadata.get("pair", "")
        if (quote := pair.partition("/")[2]) and quote.startswith("USD"):
            dataframe.loc[dataframe["sar"] < dataframe["low"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["sar"] > dataframe["high"], "exit_long"] = 1
        return dataframe

    def custom_roi(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        trade_duration: int,
        entry_tag: str | None,
        side: str,
        **kwargs,
    ) -> float | None:
        return 0.03 if trade_duration > 240 else None
