import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy


class Breakout(IStrategy):
    """Buys above the highest high of {{ entry }} candles, sells below the lowest low of {{ exit }}."""

    INTERFACE_VERSION = 3
    timeframe = "{{ common.timeframe }}"
    can_short = False
    startup_candle_count = {{ entry * 2 }}

    stoploss = -{{ common.stoploss }}
    minimal_roi = {"0": {{ common.roi }}}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        # The signals shift these by one candle: no close is above a channel that includes it.
        dataframe["highest"] = ta.MAX(dataframe["high"], timeperiod={{ entry }})
        dataframe["lowest"] = ta.MIN(dataframe["low"], timeperiod={{ exit }})
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        broke_out = dataframe["close"] > dataframe["highest"].shift(1)
        dataframe.loc[broke_out & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["lowest"].shift(1), "exit_long"] = 1
        return dataframe
