import freqtrade.strategy as fs
import talib.abstract as ta


class ModuleBase(fs.IStrategy):
    timeframe = "4h"
    stoploss = -0.2

    def populate_indicators(self, dataframe, metadata):
        dataframe["mfi"] = ta.MFI(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["mfi"] < 20, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["mfi"] > 80, "exit_long"] = 1
        return dataframe
