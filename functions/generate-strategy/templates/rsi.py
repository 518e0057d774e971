import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy


class RsiReversion(IStrategy):
    """Buys when the RSI rises above {{ buy }} and the trend is not falling, sells when it is above {{ sell }}."""

    INTERFACE_VERSION = 3
    timeframe = "{{ common.timeframe }}"
    can_short = False
    startup_candle_count = {{ trend }}

    stoploss = -{{ common.stoploss }}
    minimal_roi = {"0": {{ common.roi }}}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod={{ period }})
        dataframe["trend"] = ta.EMA(dataframe, timeperiod={{ trend }})
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        turned_up = (dataframe["rsi"] > {{ buy }}) & (dataframe["rsi"].shift(1) <= {{ buy }})
        not_down = dataframe["trend"] >= dataframe["trend"].shift(3) * 0.995
        dataframe.loc[turned_up & not_down & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["rsi"] > {{ sell }}, "exit_long"] = 1
        return dataframe
