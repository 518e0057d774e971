import talib.abstract as ta
from pandas import DataFrame

from freqtrade.strategy import IStrategy, informative


class InformativeDecorator(IStrategy):
    timeframe = "5m"
    stoploss = -0.06
    startup_candle_count = 200

    @informative("1h")
    @informative("4h")
    def populate_indicators_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["ema"] = ta.EMA(dataframe, timeperiod=50)
        return dataframe

    @informative("1h", "BTC/{stake}", "{base}_{column}_{timeframe}")
    def populate_indicators_bitcoin(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["ema_fast"] = ta.EMA(dataframe, timeperiod=9)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[
            (dataframe["close"] > dataframe["ema_1h"])
            & (dataframe["ema_1h"] > dataframe["ema_4h"])
            & (dataframe["close"] > dataframe["ema_fast"]),
            "enter_long",
        ] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["ema_1h"], "exit_long"] = 1
        return dataframe
