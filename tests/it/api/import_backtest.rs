//! `POST /strategies/{strategy_id}/backtests`

use std::io::{Cursor, Write};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use nofomo_analytics::{HistoricalMetrics, Record, Settings, Side, Trade};
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::support::database::{Database, FREE, PRO, Session, workspace};
use crate::support::world::{Answer, World};

/// Spot, of 455 trades in four pairs; freqtrade took 6 seconds.
const SPOT: &str = "backtest-result-2026-11-22_10-29-03.zip";
const NO_TRADES: &str = "backtest-result-2026-11-22_10-30-33.zip";
/// One trade, that won.
const ONE_TRADE: &str = "backtest-result-2026-11-22_10-30-38.zip";
/// Two strategies, short and long, with several entries and exits.
const FUTURES: &str = "backtest-result-2026-11-22_23-11-31.zip";
/// Plain JSON of freqtrade 2024.10.
const OLD: &str = "backtest-result-2026-11-22_23-25-27.json";

const EXPORTS: [(&str, &str); 6] = [
    (SPOT, "ProbeSpot"),
    (NO_TRADES, "ProbeNone"),
    (ONE_TRADE, "ProbeSpot"),
    (FUTURES, "ProbeFutures"),
    (FUTURES, "ProbeScalper"),
    (OLD, "ProbeDetail"),
];

/// A strategy of the user `pro`, and one of `enterprise` that is in the marketplace.
const OVERSOLD_RSI: &str = "0190e000-0000-7000-8000-000000000001";
const EMA_CROSS: &str = "0190e000-0000-7000-8000-000000000002";

/// Above what an upload may have.
const UPLOAD_LIMIT: usize = 4 * 1024 * 1024;

fn export(file: &str) -> Vec<u8> {
    std::fs::read(workspace().join("shared/freqtrade/fixtures").join(file)).unwrap()
}

/// The result in it, to the byte.
fn json_text(file: &str) -> String {
    let bytes = export(file);
    match file.strip_suffix(".zip") {
        Some(stem) => {
            let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
            std::io::read_to_string(archive.by_name(&format!("{stem}.json")).unwrap()).unwrap()
        }
        None => String::from_utf8(bytes).unwrap(),
    }
}

/// The export of one trade, of which a test changes what it is about.
fn one_trade(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut export: Value = serde_json::from_str(&json_text(ONE_TRADE)).unwrap();
    change(&mut export["strategy"]["ProbeSpot"]);
    export.to_string().into_bytes()
}

/// A run that begins when no other does, and takes so long.
fn run_of(start: i64, seconds: i64) -> Vec<u8> {
    one_trade(|probe| {
        probe["backtest_run_start_ts"] = json!(start);
        probe["backtest_run_end_ts"] = json!(start + seconds);
    })
}

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let deflated = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        archive.start_file(*name, deflated).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

async fn import(world: &World, token: &str, strategy: &str, upload: Vec<u8>) -> Answer {
    import_as(world, token, &format!("/strategies/{strategy}/backtests"), "application/zip", upload).await
}

async fn import_as(world: &World, token: &str, path: &str, content_type: &str, upload: Vec<u8>) -> Answer {
    let headers = [("authorization", format!("Bearer {token}")), ("content-type", content_type.into())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.send_bytes(Method::POST, path, &headers, upload).await
}

async fn new_strategy(owner: &Session, user: &str) -> String {
    let insert = "insert into public.strategies (user_id, name, strategy_type) values ($1::uuid, 'Mine', 'custom') returning id::text";
    owner.rows(insert, &[&user]).await.unwrap()[0].get(0)
}

/// What is wrong, if that is one thing.
fn wrong(answer: &Answer) -> String {
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, "invalid"), "{answer:?}");
    let errors = answer.json()["errors"].take();
    let [error] = errors.as_array().unwrap().as_slice() else { panic!("{errors}") };
    error["detail"].as_str().unwrap().to_owned()
}

/// A decimal of an answer, which is text.
fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap_or_else(|| panic!("{value}")).parse().unwrap()
}

/// Whether an answer has it, as the column rounds it.
fn assert_is(value: &Value, expected: impl Into<Option<f64>>, digits: usize) {
    let expected = expected.into().map(|number| format!("{number:.digits$}"));
    assert_eq!(value.as_str(), expected.as_deref());
}

/// Our figures, of the trades as they are kept.
async fn metrics(owner: &Session, id: &str) -> HistoricalMetrics {
    let period = "select initial_balance::text, to_jsonb(start_date) #>> '{}', to_jsonb(greatest(end_date, max(exit_time))) #>> '{}'
        from public.backtest_results left join private.backtest_trades on backtest_id = id where id = $1::uuid group by id";
    let period = owner.rows(period, &[&id]).await.unwrap();
    let time = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
    let rows = "select trading_pair::text, side::text, amount::text, price::text, fee::text, profit::text,
        to_jsonb(entry_time) #>> '{}', to_jsonb(exit_time) #>> '{}' from private.backtest_trades where backtest_id = $1::uuid order by position";
    let rows = owner.rows(rows, &[&id]).await.unwrap();
    let trades: Vec<Trade<'_>> = rows
        .iter()
        .map(|row| {
            let number = |column: usize| row.get::<_, &str>(column).parse().unwrap();
            Trade {
                pair: row.get(0),
                side: if row.get::<_, &str>(1) == "buy" { Side::Buy } else { Side::Sell },
                amount: number(2),
                price: number(3),
                fee: number(4),
                profit: number(5),
                entry_time: time(row.get(6)),
                exit_time: time(row.get(7)),
                range: None,
            }
        })
        .collect();
    let settings = Settings {
        period_start: Some(time(period[0].get(1))),
        period_end: Some(time(period[0].get(2))),
        ..Settings::new(period[0].get::<_, &str>(0).parse().unwrap())
    };
    Record::new(&trades, settings).unwrap().metrics().historical
}

#[tokio::test]
async fn each_export_becomes_a_row_whose_figures_are_ours_and_agree_with_freqtrades() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    for (file, strategy) in EXPORTS {
        let path = format!("/strategies/{EMA_CROSS}/backtests?strategy={strategy}");
        let content_type = if file == OLD { "application/json" } else { "application/zip" };
        let answer = import_as(&world, &token, &path, content_type, export(file)).await;
        assert_eq!(answer.status, 201, "{strategy}: {answer:?}");
        let row = answer.json();
        let id = row["id"].as_str().unwrap();
        assert_eq!(answer.headers["location"], format!("/backtests/{id}"));
        assert_eq!(row["strategy_id"], EMA_CROSS);

        let file: Value = serde_json::from_str(&json_text(file)).unwrap();
        let theirs = &file["strategy"][strategy];
        let number = |key: &str| theirs[key].as_f64().unwrap();
        assert_is(&row["initial_balance"], number("starting_balance"), 8);
        assert_is(&row["final_balance"], number("final_balance"), 8);
        assert_is(&row["total_return"], number("profit_total_abs"), 8);
        assert_is(&row["total_return_percentage"], number("profit_total") * 100.0, 4);
        // Until 2025 freqtrade left out a fall from the initial balance.
        if strategy != "ProbeDetail" {
            assert_is(&row["max_drawdown"], number("max_relative_drawdown") * 100.0, 4);
        }
        assert_is(&row["win_rate"], number("winrate") * 100.0, 2);
        for (column, key) in [
            ("total_trades", "total_trades"),
            ("winning_trades", "wins"),
            ("losing_trades", "losses"),
            ("timeframe", "timeframe"),
        ] {
            assert_eq!(row[column], theirs[key], "{strategy}: {column}");
        }
        for (column, key) in [("start_date", "backtest_start_ts"), ("end_date", "backtest_end_ts")] {
            let time: DateTime<Utc> = row[column].as_str().unwrap().parse().unwrap();
            assert_eq!(time.timestamp_millis(), theirs[key].as_i64().unwrap(), "{strategy}: {column}");
        }

        let ours = metrics(&owner, id).await;
        assert_is(&row["sharpe_ratio"], ours.daily.sharpe, 4);
        assert_is(&row["sortino_ratio"], ours.daily.sortino, 4);
        assert_is(&row["calmar_ratio"], ours.daily.calmar, 4);
        assert_is(&row["profit_factor"], ours.trades.profit_factor, 4);
        assert_is(&row["max_drawdown"], ours.balance.max_drawdown * 100.0, 4);
        for (column, expected) in [
            ("final_balance", Some(ours.balance.final_balance)),
            ("total_return", Some(ours.trades.net_profit)),
            ("best_trade", Some(ours.trades.best_trade.unwrap_or_default())),
            ("worst_trade", Some(ours.trades.worst_trade.unwrap_or_default())),
        ] {
            assert_eq!(Some(decimal(&row[column])), expected.map(|number| number.round_dp(8)), "{strategy}: {column}");
        }
        // Freqtrade counts in the order in which it writes, which is not always that of the exits.
        assert_eq!(row["max_consecutive_wins"], ours.trades.max_consecutive_wins);
        assert_eq!(row["max_consecutive_losses"], ours.trades.max_consecutive_losses);
        let mean = ours.trades.expectancy.map(|mean| format!("{:.8}", mean.round_dp(8)));
        assert_eq!(row["avg_trade"].as_str(), mean.as_deref());

        let metadata = &row["metadata"];
        assert_eq!((&metadata["strategy"], &metadata["stake_currency"]), (&json!(strategy), &theirs["stake_currency"]));
        assert_eq!(metadata["trading_mode"], theirs["trading_mode"]);
        assert_eq!(metadata["notes"], json!(ours.notes));
        let scalars = theirs.as_object().unwrap().iter().filter(|(_, value)| !value.is_array() && !value.is_object());
        let own = metadata["freqtrade"].as_object().unwrap();
        assert_eq!(own.len(), scalars.clone().count());
        for (key, value) in scalars {
            match value.as_f64() {
                Some(number) => assert!((own[key].as_f64().unwrap() - number).abs() <= number.abs() * 1e-15, "{key}"),
                None => assert_eq!(&own[key], value, "{key}"),
            }
        }
    }
}

#[tokio::test]
async fn every_trade_is_kept_to_the_last_digit() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    for (file, strategy) in EXPORTS {
        let path = format!("/strategies/{EMA_CROSS}/backtests?strategy={strategy}");
        let answer = import_as(&world, &token, &path, "application/octet-stream", export(file)).await.json();
        let id = answer["id"].as_str().unwrap();
        // PostgreSQL reads the file's digits itself.
        let same = "select
                count(*),
                coalesce(bool_and(
                    kept.profit = (trade ->> 'profit_abs')::numeric
                    and kept.trading_pair = trade ->> 'pair'
                    and kept.side = case when (trade ->> 'is_short')::boolean then 'sell' else 'buy' end
                    and kept.entry_time = (trade ->> 'open_date')::timestamptz
                    and kept.exit_time = (trade ->> 'close_date')::timestamptz
                    and abs(kept.amount * kept.price - entries.worth) < 1e-12
                    and kept.amount = entries.amount
                    and abs(kept.exit_price - exits.worth / exits.amount) < 1e-12
                    and abs(kept.fee - entries.worth * (trade ->> 'fee_open')::numeric
                        - exits.worth * (trade ->> 'fee_close')::numeric) < 1e-12
                ), true)::text
            from jsonb_array_elements($2::jsonb -> 'strategy' -> $3 -> 'trades') with ordinality as file (trade, position)
            cross join lateral (
                select
                    sum((leg ->> 'amount')::numeric) as amount,
                    sum((leg ->> 'amount')::numeric * (leg ->> 'safe_price')::numeric) as worth
                from jsonb_array_elements(trade -> 'orders') as leg where (leg ->> 'ft_is_entry')::boolean
            ) as entries
            cross join lateral (
                select
                    sum((leg ->> 'amount')::numeric) as amount,
                    sum((leg ->> 'amount')::numeric * (leg ->> 'safe_price')::numeric) as worth
                from jsonb_array_elements(trade -> 'orders') as leg where not (leg ->> 'ft_is_entry')::boolean
            ) as exits
            full join private.backtest_trades as kept on kept.position = file.position and kept.backtest_id = $1::uuid
            where trade is not null or kept.backtest_id = $1::uuid";
        let rows = owner.rows(same, &[&id, &json_text(file), &strategy]).await.unwrap();
        let (count, is_same): (i64, &str) = (rows[0].get(0), rows[0].get(1));
        assert_eq!((Some(count), is_same), (answer["total_trades"].as_i64(), "true"), "{strategy}");
    }
}

#[tokio::test]
async fn orders_that_were_never_filled_are_none_and_old_exports_have_none() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let unfilled = json!({
        "amount": 7.0, "safe_price": 1.0, "ft_order_side": "buy", "ft_is_entry": true, "order_filled_timestamp": null
    });
    for (orders, start) in [(json!([]), 1_795_000_001), (json!([unfilled.clone()]), 1_795_000_002)] {
        let upload = one_trade(|probe| {
            probe["backtest_run_start_ts"] = json!(start);
            probe["backtest_run_end_ts"] = json!(start);
            probe["trades"][0]["orders"] = orders;
        });
        let answer = import(&world, &token, OVERSOLD_RSI, upload).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let kept = format!(
            "select concat_ws(' ', amount, price, exit_price, fee) from private.backtest_trades where backtest_id = '{}'",
            answer.json()["id"].as_str().unwrap()
        );
        // The worth of both legs is 599.5822176, and a thousandth of it the fee.
        assert_eq!(owner.text(&kept).await, "0.00324 92435.59 92620.65 0.5995822176");
    }
    let more = one_trade(|probe| probe["trades"][0]["orders"].as_array_mut().unwrap().insert(0, unfilled));
    let answer = import(&world, &token, OVERSOLD_RSI, more).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let amounts = "select string_agg(distinct amount::text, ' ') from private.backtest_trades";
    assert_eq!(owner.text(amounts).await, "0.00324");
}

#[tokio::test]
async fn what_no_trade_defines_is_null_and_a_note_says_why() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let none = import(&world, &token, OVERSOLD_RSI, export(NO_TRADES)).await.json();
    let one = import(&world, &token, OVERSOLD_RSI, export(ONE_TRADE)).await.json();
    let ratios = |row: &Value| {
        ["sharpe_ratio", "sortino_ratio", "calmar_ratio", "profit_factor"].map(|column| row[column].clone())
    };
    assert_eq!(json!(ratios(&none)), json!([null, null, null, null]));
    // Of two days there is a deviation.
    assert_eq!(json!(ratios(&one)), json!(["13.5093", null, null, null]));
    let figures = |row: &Value| {
        ["win_rate", "best_trade", "worst_trade", "avg_trade", "max_drawdown"].map(|column| row[column].clone())
    };
    assert_eq!(json!(figures(&none)), json!(["0.00", "0.00000000", "0.00000000", null, "0.0000"]));
    assert_eq!(json!(figures(&one)), json!(["100.00", "0.00001218", "0.00001218", "0.00001218", "0.0000"]));
    assert_eq!(none["trading_pair"], "0 pairs");
    assert_eq!(one["trading_pair"], "BTC/USDT");
    assert!(none["metadata"]["notes"].as_array().unwrap().contains(&json!("no_trades")), "{none}");
    assert!(one["metadata"]["notes"].as_array().unwrap().contains(&json!("no_losses")), "{one}");
    let spot = import(&world, &token, OVERSOLD_RSI, export(SPOT)).await.json();
    assert_eq!((&spot["trading_pair"], &spot["metadata"]["run_seconds"]), (&json!("4 pairs"), &json!(6)));
}

#[tokio::test]
async fn a_ratio_that_no_column_holds_is_null_and_a_balance_that_none_holds_is_refused() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let two = |loss: f64| {
        one_trade(|probe| {
            let mut second = probe["trades"][0].clone();
            second["profit_abs"] = json!(loss);
            probe["trades"][0]["profit_abs"] = json!(100.0);
            probe["trades"].as_array_mut().unwrap().push(second);
            probe["total_trades"] = json!(2);
        })
    };
    let kept = import(&world, &token, OVERSOLD_RSI, two(-0.010_001)).await.json();
    assert_eq!((&kept["profit_factor"], &kept["losing_trades"]), (&json!("9999.0001"), &json!(1)), "{kept}");
    let beyond = import(&world, &token, OVERSOLD_RSI, two(-0.01)).await.json();
    assert_eq!((&beyond["profit_factor"], &beyond["losing_trades"]), (&Value::Null, &json!(1)), "{beyond}");
    let edge = import(&world, &token, OVERSOLD_RSI, two(-0.010_000_000_04)).await.json();
    assert_eq!((&edge["profit_factor"], &edge["losing_trades"]), (&Value::Null, &json!(1)), "{edge}");

    for (key, value) in [("starting_balance", json!(1_000_000_000_000_i64)), ("starting_balance", json!(1e-12))] {
        let answer = import(&world, &token, OVERSOLD_RSI, one_trade(|probe| probe[key] = value)).await;
        assert_eq!(wrong(&answer), "has a value that cannot be stored, such as a number out of range");
    }
    let century = one_trade(|probe| probe["backtest_end"] = json!("2226-01-06 00:00:00"));
    assert!(wrong(&import(&world, &token, OVERSOLD_RSI, century).await).starts_with("cannot be judged: the period"));
}

#[tokio::test]
async fn what_is_open_at_the_end_may_be_closed_on_the_day_after() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let daily = one_trade(|probe| {
        probe["timeframe"] = json!("1d");
        probe["trades"][0]["close_date"] = json!("2026-01-07 00:00:00+00:00");
        probe["trades"][0]["exit_reason"] = json!("force_exit");
    });
    let answer = import(&world, &token, OVERSOLD_RSI, daily).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["end_date"], "2026-01-06T00:00:00+00:00");
}

#[tokio::test]
async fn one_run_is_one_row_whichever_file_it_comes_in_and_how_often() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let plain = format!("/strategies/{OVERSOLD_RSI}/backtests");

    let answers = join_all((0..5).map(|_| import(&world, &token, OVERSOLD_RSI, export(SPOT)))).await;
    let created: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    let [created] = created.as_slice() else { panic!("{answers:?}") };
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 201)), "{answers:?}");

    let compact: Value = serde_json::from_str(&json_text(SPOT)).unwrap();
    for (content_type, upload) in [
        ("application/zip", export(SPOT)),
        ("application/json", json_text(SPOT).into_bytes()),
        ("text/plain", compact.to_string().into_bytes()),
        ("application/octet-stream", zipped(&[("renamed.json", json_text(SPOT).as_bytes())])),
    ] {
        let again = import_as(&world, &token, &plain, content_type, upload).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!((again.json(), &again.headers["location"]), (created.json(), &created.headers["location"]));
    }
    let counts = "select concat_ws(' ', count(*), (select count(*) from private.backtest_trades),
        (select sum(run_seconds) from private.backtest_runs)) from public.backtest_results
        where metadata ? 'freqtrade'";
    assert_eq!(owner.text(counts).await, "1 455 6");

    // Another run, and another strategy, are others.
    let later = one_trade(|probe| probe["backtest_run_start_ts"] = json!(1_795_343_000));
    for upload in [export(ONE_TRADE), later] {
        assert_eq!(import(&world, &token, OVERSOLD_RSI, upload).await.status, 201);
    }
    let second = new_strategy(&owner, PRO).await;
    let elsewhere = import(&world, &token, &second, export(SPOT)).await;
    assert_eq!(elsewhere.status, 201, "{elsewhere:?}");
    assert_ne!(elsewhere.json()["id"], created.json()["id"]);
    assert_eq!(owner.text(counts).await, "4 912 450");
}

#[tokio::test]
async fn of_several_strategies_one_is_named() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let answer = import(&world, &token, OVERSOLD_RSI, export(FUTURES)).await;
    let detail = r#"the export has several strategies ("ProbeFutures", "ProbeScalper"); name one of them"#;
    assert_eq!(wrong(&answer), detail);
    assert_eq!(answer.json()["errors"], json!([{"parameter": "strategy", "detail": detail}]));
    for (query, file) in [("?strategy=Other", FUTURES), ("?strategy=", FUTURES), ("?strategy=probespot", SPOT)] {
        let path = format!("/strategies/{OVERSOLD_RSI}/backtests{query}");
        let answer = import_as(&world, &token, &path, "application/zip", export(file)).await;
        assert!(wrong(&answer).starts_with("the export has no strategy of that name, but \"Probe"), "{answer:?}");
    }
    let mut ids = Vec::new();
    for strategy in ["ProbeFutures", "ProbeScalper"] {
        let path = format!("/strategies/{OVERSOLD_RSI}/backtests?strategy={strategy}");
        let answer = import_as(&world, &token, &path, "application/zip", export(FUTURES)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["metadata"]["strategy"]), (201, &json!(strategy)));
        ids.push(answer.json()["id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

fn is_quota(answer: &Answer) -> bool {
    answer.status == 403 && answer.problem() == "quota"
}

#[tokio::test]
async fn a_plan_allows_so_many_minutes_of_runs_a_month() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let strategy = new_strategy(&owner, FREE).await;
    let minutes = async |start, minutes: i64| import(&world, &token, &strategy, run_of(start, minutes * 60)).await;
    let first = minutes(1_795_000_001, 20).await;
    assert_eq!(first.status, 201, "{first:?}");
    let refused = minutes(1_795_000_002, 11).await;
    assert!(is_quota(&refused), "{refused:?}");
    let problem = refused.json();
    assert_eq!((&problem["limit"], &problem["plan"]), (&json!(30), &json!("Free")));
    assert_eq!(
        problem["detail"],
        "The Free plan allows 30 minutes of backtests per month. Wait until next month or upgrade."
    );
    let kept = "select count(*) from public.backtest_results where metadata ? 'freqtrade'";
    assert_eq!(owner.text(kept).await, "1");
    // To the last second.
    assert_eq!(minutes(1_795_000_003, 10).await.status, 201);
    let untimed = one_trade(|probe| {
        probe["backtest_run_start_ts"] = json!(null);
        probe["backtest_run_end_ts"] = json!(null);
    });
    assert!(is_quota(&import(&world, &token, &strategy, untimed.clone()).await), "used up");
    // What is there is there.
    assert_eq!(minutes(1_795_000_001, 20).await.status, 200);

    // A strategy that is deleted gives no minutes back; the next month does.
    owner.run(&format!("delete from public.strategies where id = '{strategy}'")).await.unwrap();
    let strategy = new_strategy(&owner, FREE).await;
    assert!(is_quota(&import(&world, &token, &strategy, untimed.clone()).await));
    let month =
        "update private.backtest_runs set imported_at = date_trunc('month', now(), 'UTC') - interval '1 second'";
    owner.run(month).await.unwrap();
    let untimed = import(&world, &token, &strategy, untimed).await;
    assert_eq!((untimed.status.as_u16(), &untimed.json()["metadata"]["run_seconds"]), (201, &Value::Null));

    // None at all, and without end.
    let plan = async |minutes: &str| {
        let set = format!("update public.plans set backtest_minutes_per_month = {minutes} where name = 'Free'");
        owner.run(&set).await.unwrap();
    };
    for none in ["0", "null"] {
        plan(none).await;
        let refused = import(&world, &token, &strategy, run_of(1_795_000_004, 0)).await;
        assert_eq!((is_quota(&refused), &refused.json()["limit"]), (true, &json!(0)), "{refused:?}");
    }
    plan("-1").await;
    let years = import(&world, &token, &strategy, run_of(1_795_000_005, 90_000_000_000)).await;
    assert_eq!((years.status.as_u16(), &years.json()["metadata"]["run_seconds"]), (201, &json!(i32::MAX)));
    assert_eq!(import(&world, &token, &strategy, run_of(1_795_000_006, 90_000_000_000)).await.status, 201);
}

#[tokio::test]
async fn of_two_runs_at_once_only_one_takes_the_last_minutes() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let strategies = [new_strategy(&owner, FREE).await, new_strategy(&owner, FREE).await];
    let imports = (0..6).map(|n| import(&world, &token, &strategies[n % 2], run_of(1_795_000_001 + n as i64, 1_000)));
    let answers = join_all(imports).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| is_quota(answer)).count();
    assert_eq!((created, refused), (1, 5), "{answers:?}");
}

/// The same, with the one that came first slower than any other.
#[tokio::test]
async fn a_run_is_counted_after_those_that_came_before_it() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let (owner, first) = (world.database.owner().await, world.database.owner().await);
    let strategy = new_strategy(&owner, FREE).await;
    first
        .run(&format!(
            "begin; select pg_advisory_xact_lock(hashtextextended('limits of {FREE}', 0));
             insert into private.backtest_runs values (gen_random_uuid(), '{FREE}', 1800)"
        ))
        .await
        .unwrap();
    let ending = async {
        first.blocks(1).await;
        first.run("commit").await.unwrap();
    };
    let (answer, ()) = tokio::join!(import(&world, &token, &strategy, export(ONE_TRADE)), ending);
    assert!(is_quota(&answer), "{answer:?}");
}

#[tokio::test]
async fn what_freqtrade_has_not_written_is_refused_and_nothing_is_kept() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let text = json_text(ONE_TRADE);
    let truncated = export(SPOT)[..300_000].to_vec();
    let bomb = zipped(&[("result.json", &vec![b' '; 65 << 20])]);
    let names: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let many = zipped(&names.iter().map(|name| (name.as_str(), [].as_slice())).collect::<Vec<_>>());
    let trade = |key: &'static str, value: Value| one_trade(|probe| probe["trades"][0][key] = value);
    for (upload, expected) in [
        (Vec::new(), "the file is neither a zip archive nor JSON"),
        (b"--boundary\r\n".to_vec(), "the file is neither a zip archive nor JSON"),
        (b"{}".to_vec(), "there is no backtest result in it: no JSON that has `strategy` at its top"),
        (truncated, "the archive is damaged or incomplete"),
        (bomb, "the backtest result has more than 64 MiB"),
        (many, "the archive has more than 1000 entries"),
        (
            zipped(&[("../result.json", text.as_bytes())]),
            "the archive's entry \"../result.json\" has a path that leads out of the archive",
        ),
        (
            zipped(&[("result.zip", &export(ONE_TRADE))]),
            "the archive's entry \"result.zip\" is an archive itself; send that one",
        ),
        (
            text.replace("\"close_rate\":92620.65", "\"close_rate\":NaN").into_bytes(),
            "strategy.ProbeSpot.trades[0].close_rate is NaN, which is no number",
        ),
        (trade("close_rate", json!(-1)), "strategy.ProbeSpot.trades[0].close_rate must be a positive number"),
        (
            trade("close_date", json!("2026-01-05 00:00:00+00:00")),
            "strategy.ProbeSpot.trades[0].close_date must not be before open_date",
        ),
        (
            one_trade(|probe| {
                probe.as_object_mut().unwrap().remove("timeframe");
            }),
            "strategy.ProbeSpot.timeframe is missing",
        ),
    ] {
        let answer = import(&world, &token, OVERSOLD_RSI, upload).await;
        assert_eq!(wrong(&answer), expected);
        assert_eq!(answer.json()["errors"][0]["pointer"], "");
    }
    let kept = "select concat_ws(' ', count(*), (select count(*) from private.backtest_trades),
        (select count(*) from private.backtest_runs)) from public.backtest_results where metadata ? 'freqtrade'";
    assert_eq!(world.database.owner().await.text(kept).await, "0 0 0");
    assert_eq!(import(&world, &token, OVERSOLD_RSI, text.into_bytes()).await.status, 201);
}

#[tokio::test]
async fn an_upload_may_have_four_mebibytes() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let mut padded = json_text(ONE_TRADE).into_bytes();
    padded.resize(UPLOAD_LIMIT, b' ');
    let path = format!("/strategies/{OVERSOLD_RSI}/backtests");
    // As text, and as bytes that API Gateway encodes.
    for (content_type, status) in [("application/json", 201), ("application/octet-stream", 200)] {
        let answer = import_as(&world, &token, &path, content_type, padded.clone()).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    padded.push(b' ');
    for content_type in ["application/json", "application/octet-stream"] {
        let answer = import_as(&world, &token, &path, content_type, padded.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (413, "too-large"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_backtest_is_for_a_strategy_of_ones_own() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    // Also of one in the marketplace, that he may see.
    for strategy in [EMA_CROSS, "0190e000-0000-7000-8000-00000000ffff", "none"] {
        let answer = import(&world, &token, strategy, export(ONE_TRADE)).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (404, "not-found"), "{strategy}: {answer:?}");
    }
    let path = format!("/strategies/{OVERSOLD_RSI}/backtests");
    let nobody = world.send_bytes(Method::POST, &path, &[("content-type", "application/zip")], export(ONE_TRADE)).await;
    assert_eq!(nobody.status, 401);
    owner.run(&format!("update public.users set is_active = false where id = '{PRO}'")).await.unwrap();
    let deactivated = import(&world, &token, OVERSOLD_RSI, export(ONE_TRADE)).await;
    assert_eq!((deactivated.status.as_u16(), deactivated.problem().as_str()), (403, "deactivated"));
    let kept = "select count(*) from public.backtest_results where metadata ? 'freqtrade'";
    assert_eq!(owner.text(kept).await, "0");
}

#[tokio::test]
async fn the_strategys_performance_and_the_marketplaces_averages_follow() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    let performance = async || {
        let select = format!("select performance - 'last_backtest_at' from public.strategies where id = '{EMA_CROSS}'");
        serde_json::from_str::<Value>(&owner.text(&select).await).unwrap()
    };
    let stranger = world.database.session("nofomo_api").await;
    let offered = async || {
        stranger.become_user(FREE).await;
        let select =
            "select concat_ws(' ', round(avg_return_percentage, 4), backtest_count, performance ->> 'backtests')
            from public.strategy_marketplace";
        let offered = stranger.text(select).await;
        stranger.rollback().await;
        offered
    };
    let sample = json!({
        "backtests": 2, "average_return_percentage": "6.2500", "average_max_drawdown": "13.5500", "total_trades": 172
    });
    assert_eq!((performance().await, offered().await.as_str()), (sample.clone(), "6.2500 2 2"));

    let row = import(&world, &token, EMA_CROSS, export(SPOT)).await.json();
    assert_eq!(row["total_return_percentage"], "-63.5060");
    let expected = json!({
        "backtests": 3, "average_return_percentage": "-17.0020", "average_max_drawdown": "30.8601", "total_trades": 627
    });
    assert_eq!((performance().await, offered().await.as_str()), (expected.clone(), "-17.0020 3 3"));
    let last = format!("select performance ->> 'last_backtest_at' from public.strategies where id = '{EMA_CROSS}'");
    assert_eq!(owner.text(&last).await, row["created_at"].as_str().unwrap());

    // The same file once more changes nothing; whoever else changes a row does.
    assert_eq!(import(&world, &token, EMA_CROSS, export(SPOT)).await.status, 200);
    assert_eq!(performance().await, expected);
    let id = row["id"].as_str().unwrap();
    let of = |assignment: &str| format!("update public.backtest_results set {assignment} where id = '{id}'");
    owner.run(&of("total_return_percentage = 0")).await.unwrap();
    assert_eq!(offered().await, "4.1667 3 3");
    assert_eq!(performance().await["average_return_percentage"], "4.1667");
    owner.run(&of(&format!("strategy_id = '{OVERSOLD_RSI}'"))).await.unwrap();
    assert_eq!(performance().await, sample);
    let moved = format!("select performance ->> 'backtests' from public.strategies where id = '{OVERSOLD_RSI}'");
    assert_eq!(owner.text(&moved).await, "2");
    owner.run(&of(&format!("strategy_id = '{EMA_CROSS}'"))).await.unwrap();
    owner.run(&format!("delete from public.backtest_results where id = '{id}'")).await.unwrap();
    assert_eq!((performance().await, offered().await.as_str()), (sample, "6.2500 2 2"));
    assert_eq!(import(&world, &token, EMA_CROSS, export(SPOT)).await.status, 201);
    owner.run(&format!("delete from public.backtest_results where strategy_id = '{EMA_CROSS}'")).await.unwrap();
    assert_eq!(performance().await, json!({}));
}

/// Each would otherwise leave out the other, of which it sees nothing yet.
#[tokio::test]
async fn two_backtests_at_once_are_both_counted() {
    let database = Database::new().await;
    let (one, two) = (database.owner().await, database.owner().await);
    let delete =
        |n: u8| format!("delete from public.backtest_results where id = '01910000-0000-7000-8000-00000000000{n}'");
    one.run(&format!("begin; {}", delete(1))).await.unwrap();
    let other = delete(2);
    let waiting = two.run(&other);
    let ending = async {
        one.blocks(1).await;
        one.run("commit").await
    };
    let (waited, ended) = tokio::join!(waiting, ending);
    waited.unwrap();
    ended.unwrap();
    let performance = format!("select performance from public.strategies where id = '{EMA_CROSS}'");
    assert_eq!(one.text(&performance).await, "{}");
}
