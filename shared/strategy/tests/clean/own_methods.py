import logging
from datetime import datetime

import talib.abstract as ta
from pandas import DataFrame, Series

from freqtrade.strategy import IStrategy

logger = logging.getLogger(__name__)


class OwnMethods(IStrategy):
    timeframe = "5m"
    stoploss = -0.04
    _calls: int = 0

    def __init__(self, config: dict) -> None:
        super().__init__(config)
        self.entered: dict[str, datetime] = {}

    def version(self) -> str:
        return "1.4"

    @staticmethod
    def _is_green(dataframe: DataFrame) -> Series:
        return dataframe["close"] > dataframe["open"]

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        self._calls += 1
        logger.debug("Indicators of %s, call %d", metadata["pair"], self._calls)
        stochastic = ta.STOCHF(dataframe, fastk_period=5, fastd_period=3)
        dataframe["fastk"] = stochastic["fastk"]
        dataframe["fastd"] = stochastic["fastd"]
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[self._is_green(dataframe) & (dataframe["fastk"] < 20), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["fastd"] > 80, "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(
        self,
        pair: str,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        current_time: datetime,
        entry_tag: str | None,
        side: str,
        **kwargs,
    ) -> bool:
        last = self.entered.get(pair)
        if last is not None and (current_time - last).total_seconds() < 3600:
            return False
        self.entered[pair] = current_time
        return True
