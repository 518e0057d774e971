"""Loads each strategy of a directory with freqtrade's resolver; prints a line of JSON for each."""

import json
import sys
import tempfile
from pathlib import Path

from freqtrade.resolvers import StrategyResolver

for request in json.load(sys.stdin):
    futures = request["can_short"]
    config = {
        "strategy": request["class_name"],
        "strategy_path": request["directory"],
        "user_data_dir": Path(tempfile.mkdtemp()),
        "stake_currency": "USDT",
        "trading_mode": "futures" if futures else "spot",
        "candle_type_def": "futures" if futures else "spot",
    }
    try:
        strategy = StrategyResolver.load_strategy(config)
        answer = {"timeframe": strategy.timeframe, "can_short": strategy.can_short, "version": strategy.INTERFACE_VERSION}
    except BaseException as error:
        answer = {"error": repr(error)}
    print("RESULT " + json.dumps({"class_name": request["class_name"], **answer}), flush=True)
