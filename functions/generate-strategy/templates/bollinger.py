import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy


class BollingerReversion(IStrategy):
    """Buys when the close crosses back above the lower Bollinger band ({{ deviations }} deviations), sells at the middle band."""

    INTERFACE_VERSION = 3
    timeframe = "{{ common.timeframe }}"
    can_short = False
    startup_candle_count = {{ period * 2 }}

    stoploss = -{{ common.stoploss }}
    minimal_roi = {"0": {{ common.roi }}}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        bands = ta.BBANDS(dataframe, timeperiod={{ period }}, nbdevup={{ deviations }}, nbdevdn={{ deviations }})
        dataframe["lower"] = bands["lowerband"]
        dataframe["middle"] = bands["middleband"]
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        is_above = dataframe["close"] > dataframe["lower"]
        was_below = dataframe["close"].shift(1) <= dataframe["lower"].shift(1)
        dataframe.loc[is_above & was_below & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] >= dataframe["middle"], "exit_long"] = 1
        return dataframe
