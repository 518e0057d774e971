import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy


class EmaCross(IStrategy):
    """Buys when the EMA of {{ fast }} candles crosses above the EMA of {{ slow }}, sells when it is below."""

    INTERFACE_VERSION = 3
    timeframe = "{{ common.timeframe }}"
    can_short = False
    startup_candle_count = {{ slow * 3 }}

    stoploss = -{{ common.stoploss }}
    minimal_roi = {"0": {{ common.roi }}}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["fast"] = ta.EMA(dataframe, timeperiod={{ fast }})
        dataframe["slow"] = ta.EMA(dataframe, timeperiod={{ slow }})
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        is_above = dataframe["fast"] > dataframe["slow"]
        was_below = dataframe["fast"].shift(1) <= dataframe["slow"].shift(1)
        dataframe.loc[is_above & was_below & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
