//! Rows of `ai_analyses` as run-analysis writes them, computed from the fixtures of `shared/analytics`.

use chrono::{DateTime, TimeDelta, Utc};
use nofomo_analytics::{AnalysisType, Record, Settings, Side, Trade};
use rust_decimal::{Decimal, dec};
use serde_json::{Map, Value, json};

pub(crate) const TYPES: [AnalysisType; 4] =
    [AnalysisType::Performance, AnalysisType::Risk, AnalysisType::Optimization, AnalysisType::Backtest];

/// Reads the trades of a fixture: `main`, `no_trades`, `one_win`, `all_wins` or `ruin`. The names of pairs are leaked,
/// because trades borrow them.
pub(crate) fn trades(set: &str) -> Vec<Trade<'static>> {
    let path = format!("{}/../../shared/analytics/fixtures/trades-{set}.csv", env!("CARGO_MANIFEST_DIR"));
    let mut rows = csv::Reader::from_path(path).unwrap();
    let header = rows.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|header| header == name).unwrap();
    let columns = ["entry_time", "exit_time", "side", "pair", "amount", "price", "fee", "profit"].map(column);
    let rows = rows.records().map(|row| {
        let row = row.unwrap();
        let [entry_time, exit_time, side, pair, amount, price, fee, profit] = columns.map(|column| &row[column]);
        Trade {
            entry_time: entry_time.parse().unwrap(),
            exit_time: exit_time.parse().unwrap(),
            side: if side == "buy" { Side::Buy } else { Side::Sell },
            pair: pair.to_owned().leak(),
            amount: amount.parse().unwrap(),
            price: price.parse().unwrap(),
            fee: fee.parse().unwrap(),
            profit: profit.parse().unwrap(),
            range: None,
        }
    });
    rows.collect()
}

/// One trade per day, with a notional of 100.
pub(crate) fn one_a_day(profits: &[Decimal]) -> Vec<Trade<'static>> {
    let first: DateTime<Utc> = "2026-01-01T06:00:00Z".parse().unwrap();
    let trades = (0..).zip(profits).map(|(day, &profit)| Trade {
        entry_time: first + TimeDelta::days(day),
        exit_time: first + TimeDelta::days(day) + TimeDelta::hours(12),
        side: Side::Buy,
        pair: "BTC/USDT",
        amount: dec!(0.002),
        price: dec!(50000),
        fee: dec!(0.1),
        profit,
        range: None,
    });
    trades.collect()
}

pub(crate) fn block(kind: AnalysisType, currency: &str, trades: &[Trade<'_>]) -> Value {
    block_of(kind, currency, trades, Settings::new(dec!(1000)))
}

pub(crate) fn block_of(kind: AnalysisType, currency: &str, trades: &[Trade<'_>], settings: Settings) -> Value {
    let initial_balance = settings.initial_balance;
    let record = Record::new(trades, settings).unwrap();
    let Value::Object(mut all) = json!(record.metrics()) else { unreachable!() };
    let notes = all.remove("notes").unwrap();
    let confidence = all.remove("confidence").unwrap();
    let metrics: Map<_, _> = all.into_iter().filter(|(name, _)| kind.shows(name)).collect();
    let mut block = json!({
        "currency": currency,
        "initial_balance": initial_balance,
        "metrics": metrics,
        "notes": notes,
        "confidence": confidence,
        "slices": if matches!(kind, AnalysisType::Performance | AnalysisType::Optimization) { json!(record.slices()) } else { json!([]) },
    });
    if kind != AnalysisType::Optimization {
        block["series"] = json!(record.series());
    } else {
        block["series"] = json!({});
    }
    if kind == AnalysisType::Backtest {
        block["halves"] = json!(record.halves());
        block["stress"] = json!(record.stress());
    }
    block
}

pub(crate) fn row(kind: AnalysisType, blocks: Vec<Value>) -> Value {
    json!({
        "id": "01911000-0000-7000-8000-000000000001",
        "analysis_type": kind,
        "subject": "EMA cross on four pairs",
        "created_at": "2026-07-02T09:14:05.123456+00:00",
        "input_data": {
            "from": "2026-01-01", "to": "2026-06-29T23:59:59Z", "trades": 1000, "bots": 2,
            "trades_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        },
        "results": { "blocks": blocks },
        "recommendations": [
            "No case for a larger position size: the lower bound of Kelly's multiple is -2.88.",
            "Reduce trading costs: fees take 70.6 % of the profit before fees; at 1.42 times the current fees the net profit would be zero.",
        ],
        "confidence_score": 0.17,
        "model_used": "nofomo-quant-1",
        "processing_time_ms": 41,
    })
}

/// Comparison of live trades with the first trades of a backtest, at slightly worse prices.
pub(crate) fn comparison() -> Value {
    let trades = trades("main");
    let pairings = trades.iter().take(60).enumerate().map(|(place, trade)| {
        let outcome = match place % 12 {
            5 => "missing",
            9 => "extra",
            _ => "matched",
        };
        let (live, backtest) = (outcome != "missing", outcome != "extra");
        let matched = outcome == "matched";
        json!({
            "pair": trade.pair, "side": trade.side, "entry_time": trade.entry_time, "outcome": outcome,
            "live_profit": live.then(|| trade.profit - dec!(0.05)), "backtest_profit": backtest.then_some(trade.profit),
            "entry_slippage": matched.then_some(0.00042), "exit_slippage": matched.then_some(-0.00011),
        })
    });
    json!({
        "backtest": {
            "id": "01911000-0000-7000-8000-000000000002", "strategy": "EMA cross", "pair": "BTC/USDT",
            "timeframe": "1h", "start_date": "2026-01-01T00:00:00Z", "end_date": "2026-06-01T00:00:00Z",
            "imported_at": "2026-06-20T10:00:00Z", "runs": 5,
        },
        "matched": 50, "missing": 5, "extra": 5,
        "entry_slippage": { "mean": 0.00042, "median": 0.0004, "worst": 0.0031 },
        "exit_slippage": { "mean": -0.00011, "median": -0.0001, "worst": 0.0012 },
        "profit_difference": "-12.34567891",
        "live": { "trades": 55, "net_profit": "18.42", "win_rate": 0.5455, "sharpe": 1.21, "profit_factor": null },
        "backtest_metrics": { "trades": 55, "net_profit": "30.77", "win_rate": 0.5636, "sharpe": 1.93, "profit_factor": 1.4 },
        "backtest_confidence": { "trials": 5, "assumed_max_loss": 0.25, "score": 0.04, "reason": "short_track_record" },
        "inside_band": true,
        "trades": pairings.collect::<Vec<_>>(),
    })
}
