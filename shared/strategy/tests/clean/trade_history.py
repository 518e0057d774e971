from datetime import datetime, timedelta, timezone

import talib.abstract as ta
from pandas import DataFrame

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy


class TradeHistory(IStrategy):
    timeframe = "1h"
    stoploss = -0.1
    loss_limit = 3

    def bot_start(self, **kwargs) -> None:
        self.started_at = datetime.now(timezone.utc)

    def bot_loop_start(self, current_time: datetime, **kwargs) -> None:
        self.looped_at = current_time

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["rsi"] < 25, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["rsi"] > 75, "exit_long"] = 1
        return dataframe

    def confirm_trade_exit(
        self,
        pair: str,
        trade: Trade,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        exit_reason: str,
        current_time: datetime,
        **kwargs,
    ) -> bool:
        recent = Trade.get_trades_proxy(pair=pair, is_open=False, close_date=current_time - timedelta(days=1))
        losses = [closed for closed in recent if (closed.close_profit or 0) < 0]
        return not (exit_reason == "exit_signal" and len(losses) >= self.loss_limit)
