"""Backtests each strategy of a list with freqtrade on generated candles; prints a line of JSON for each.

Only the exchange is simulated: an HTTP server describes one market, and the candles are a seeded random walk with waves.
"""

import json
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.exchange import timeframe_to_minutes
from freqtrade.optimize.backtesting import Backtesting

PAIR = "BTC/USDT"
CANDLES = 1200

MARKET = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8, "quoteAsset": "USDT",
    "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
    "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS_LIMIT"], "icebergAllowed": True, "ocoAllowed": True,
    "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "permissions": ["SPOT"],
    "permissionSets": [["SPOT"]],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": True},
    ],
}


class Binance(BaseHTTPRequestHandler):
    def do_GET(self):
        is_markets_request = "exchangeInfo" in self.path
        body = {"timezone": "UTC", "serverTime": 0, "rateLimits": [], "symbols": [MARKET]} if is_markets_request else {}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


def candles(timeframe: str) -> pd.DataFrame:
    minutes = timeframe_to_minutes(timeframe)
    random = np.random.default_rng(7)
    steps = np.arange(CANDLES)
    size = 0.004 * np.sqrt(minutes / 60)
    moves = random.normal(0, size, CANDLES) + size * np.sin(steps / 20)
    close = 30000 * np.exp(np.cumsum(moves))
    opened = np.concatenate([[30000], close[:-1]])
    wick = np.abs(random.normal(0, size / 2, CANDLES))
    start = datetime(2025, 1, 1, tzinfo=UTC)
    return pd.DataFrame(
        {
            "date": pd.to_datetime([start + timedelta(minutes=minutes) * int(step) for step in steps], utc=True),
            "open": opened,
            "high": np.maximum(opened, close) * (1 + wick),
            "low": np.minimum(opened, close) * (1 - wick),
            "close": close,
            "volume": random.uniform(10, 100, CANDLES),
        }
    )


def backtest(request: dict, port: int) -> dict:
    user_data = Path(tempfile.mkdtemp())
    data = user_data / "data"
    data.mkdir()
    get_datahandler(data, "feather").ohlcv_store(PAIR, request["timeframe"], candles(request["timeframe"]), CandleType.SPOT)
    url = f"http://127.0.0.1:{port}/api/v3"
    exchange = {
        "name": "binance",
        "key": "",
        "secret": "",
        "pair_whitelist": [PAIR],
        "pair_blacklist": [],
        "ccxt_config": {
            "urls": {"api": {"public": url, "private": url, "v1": url, "sapi": url}},
            "options": {"fetchMarkets": ["spot"]},
        },
        "ccxt_async_config": {},
    }
    config = {
        "runmode": RunMode.BACKTEST,
        "strategy": request["class_name"],
        "strategy_path": request["directory"],
        "user_data_dir": user_data,
        "datadir": data,
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "exportfilename": None,
        "export": "none",
        "exchange": exchange,
        "pairlists": [{"method": "StaticPairList"}],
        "pairs": [PAIR],
        "stake_currency": "USDT",
        "stake_amount": 100,
        "dry_run_wallet": 1000,
        "max_open_trades": 1,
        "trading_mode": "spot",
        "candle_type_def": CandleType.SPOT,
        "dry_run": True,
        "fee": 0.001,
        "entry_pricing": {"price_side": "same", "use_order_book": False},
        "exit_pricing": {"price_side": "same", "use_order_book": False},
        "backtest_cache": "none",
        "timerange": None,
    }
    backtesting = Backtesting(config)
    backtesting.start()
    [result] = backtesting.results["strategy"].values()
    return {"trades": result["total_trades"], "timeframe": result["timeframe"]}


server = ThreadingHTTPServer(("127.0.0.1", 0), Binance)
threading.Thread(target=server.serve_forever, daemon=True).start()
for request in json.load(sys.stdin):
    try:
        answer = backtest(request, server.server_port)
    except BaseException as error:
        answer = {"error": repr(error)}
    print("RESULT " + json.dumps({"class_name": request["class_name"], **answer}), flush=True)
