//! `POST /analyses`

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use nofomo_analytics::AnalysisType;
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::matchers::{bearer_token, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::api::show_report::backtest;
use crate::support::database::{ENTERPRISE, FREE, PRO, Session, workspace};
use crate::support::world::{Answer, World, new_bot};

const BTC_SWING: &str = "0190f000-0000-7000-8000-000000000002";
const SOL_MOMENTUM: &str = "0190f000-0000-7000-8000-000000000004";

fn fixture(file: &str) -> String {
    std::fs::read_to_string(workspace().join("shared/analytics/fixtures").join(file)).unwrap()
}

/// The enterprise user, with a bot of 1000 USDT that has made the trades of a reference set.
pub(crate) async fn with_trades(set: &str) -> (World, String, String) {
    with_trades_and(set, BTreeMap::new()).await
}

async fn with_trades_and(set: &str, settings: BTreeMap<String, String>) -> (World, String, String) {
    let world = World::with(settings).await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let bot = world.post("/bots", &token, &new_bot("Secret name")).await.json()["id"].as_str().unwrap().to_owned();
    let csv = fixture(&format!("trades-{set}.csv"));
    let rows: Vec<String> = csv
        .lines()
        .skip(1)
        .map(|line| {
            let [entry, exit, side, pair, amount, price, fee, profit, _] =
                <[&str; 9]>::try_from(line.split(',').collect::<Vec<_>>()).unwrap();
            closed(&bot, ENTERPRISE, pair, side, &format!("{amount}, {price}, {fee}, {profit}"), entry, exit)
        })
        .collect();
    insert(&world.database.owner().await, &rows).await;
    (world, token, bot)
}

/// A row; figures are amount, price, fee and profit.
fn closed(bot: &str, user: &str, pair: &str, side: &str, figures: &str, entry: &str, exit: &str) -> String {
    format!("('{bot}', '{user}', 'binance', '{pair}', '{side}', 'market', {figures}, 'closed', '{entry}', '{exit}')")
}

async fn insert(owner: &Session, rows: &[String]) {
    if !rows.is_empty() {
        let columns = "bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, fee, profit, status, entry_time, exit_time";
        owner.run(&format!("insert into public.trades ({columns}) values {}", rows.join(","))).await.unwrap();
    }
}

async fn analysis(world: &World, token: &str, body: Value) -> Value {
    let answer = world.post("/analyses", token, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let analysis = answer.json();
    assert_eq!(answer.headers["location"], format!("/analyses/{}", analysis["id"].as_str().unwrap()));
    analysis
}

fn only_block(analysis: &Value) -> &Value {
    let blocks = analysis["results"]["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    &blocks[0]
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.problem())
}

/// Counts, codes and times exactly, money and ratios to 1e-9, p-values to 1e-8. Every key of ours must be one of theirs.
fn compare(path: &str, ours: &Value, theirs: &Value, wrong: &mut Vec<String>) {
    let near = |ours: f64, theirs: f64| {
        let relative = if path.ends_with("p_value_two_sided") { 1e-8 } else { 1e-9 };
        (ours - theirs).abs() <= relative * theirs.abs()
    };
    let same = match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in ours {
                compare(&format!("{path}.{key}"), value, theirs.get(key).unwrap_or(&json!("no such key")), wrong);
            }
            true
        }
        (Value::String(ours), Value::Number(theirs)) => {
            ours.parse::<f64>().is_ok_and(|ours| near(ours, theirs.as_f64().unwrap()))
        }
        (Value::Number(ours), Value::Number(theirs)) => near(ours.as_f64().unwrap(), theirs.as_f64().unwrap()),
        (ours, theirs) => ours == theirs,
    };
    if !same {
        wrong.push(format!("{path} is {ours}, not {theirs}"));
    }
}

#[tokio::test]
async fn every_figure_that_a_type_shows_is_that_of_the_reference_also_by_way_of_the_database() {
    let reference: Value = serde_json::from_str(&fixture("metrics.json")).unwrap();
    for (set, score) in [("main", "0.17"), ("ruin", "0.00"), ("all_wins", "0.32"), ("one_win", "0.00")] {
        let (world, token, bot) = with_trades(set).await;
        let theirs = &reference["sets"][set];
        backtest(&world, &bot).await;
        for (kind, of) in [
            ("performance", AnalysisType::Performance),
            ("risk", AnalysisType::Risk),
            ("optimization", AnalysisType::Optimization),
            ("backtest", AnalysisType::Backtest),
        ] {
            let analysis = analysis(&world, &token, json!({"analysis_type": kind, "bot_id": bot})).await;
            let block = only_block(&analysis);
            let mut wrong = Vec::new();
            compare(set, &block["metrics"], theirs, &mut wrong);
            let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            let mut shown = names(theirs);
            shown.retain(|name| of.shows(name));
            assert_eq!(names(&block["metrics"]), shown, "{kind} of {set}");
            compare("confidence", &block["confidence"], &theirs["confidence"], &mut wrong);
            compare("notes", &block["notes"], &theirs["notes"], &mut wrong);
            assert!(wrong.is_empty(), "{kind}: {}", wrong.join("\n"));
            assert_eq!((&block["currency"], &block["initial_balance"]), (&json!("USDT"), &json!("1000.00000000")));
            assert_eq!(analysis["confidence_score"], score, "{set}");
        }
        assert!(
            world.database.owner().await.text("select count(*) from private.ai_requests").await.parse::<u32>().unwrap()
                >= 4
        );
    }
}

#[tokio::test]
async fn the_row_says_what_was_asked_and_of_what() {
    let (world, token, bot) = with_trades("main").await;
    let body = json!({"analysis_type": "performance", "bot_id": bot});
    let first = analysis(&world, &token, body.clone()).await;
    let asked = &first["input_data"];
    assert_eq!((&asked["trades"], &asked["bots"], &asked["narrative"]), (&json!(1000), &json!(1), &json!(false)));
    assert_eq!((&asked["bot_id"], &asked["from"], &asked["to"]), (&json!(bot), &Value::Null, &Value::Null));
    assert_eq!((&first["model_used"], &first["tokens_used"]), (&json!("nofomo-quant-1"), &json!(0)));
    assert!(first["processing_time_ms"].as_u64().unwrap() > 0);
    assert_eq!((&first["bot_id"], &first["strategy_id"]), (&json!(bot), &Value::Null));
    let block = only_block(&first);
    assert_eq!(block["series"]["equity"].as_array().unwrap().len(), 1001);
    assert!(block["slices"].as_array().unwrap().iter().any(|slice| slice["key"] == "ETH/USDT"));
    let advice = first["recommendations"].as_array().unwrap();
    assert!(advice.iter().any(|text| text.as_str().unwrap().contains("fees take 70.6 %")), "{advice:?}");

    let owner = world.database.owner().await;
    let stored = format!(
        "select private.analysis_json(ai_analyses) from public.ai_analyses where user_id = '{ENTERPRISE}' and id = '{}'",
        first["id"].as_str().unwrap()
    );
    assert_eq!(serde_json::from_str::<Value>(&owner.text(&stored).await).unwrap(), first);

    // The same trades have the same hash, others another one.
    let again = analysis(&world, &token, json!({"analysis_type": "risk", "bot_id": bot})).await;
    assert_eq!(again["input_data"]["trades_sha256"], asked["trades_sha256"]);
    assert_eq!(asked["trades_sha256"].as_str().unwrap().len(), 64);
    let changed =
        "update public.trades set fee = fee + 0.00000001 where id = (select id from public.trades where bot_id = '";
    owner.run(&format!("{changed}{bot}' limit 1)")).await.unwrap();
    let other = analysis(&world, &token, body).await;
    assert_ne!(other["input_data"]["trades_sha256"], asked["trades_sha256"]);
}

#[tokio::test]
async fn a_window_has_its_own_trades_and_begins_with_the_balance_of_its_start() {
    let (world, token, bot) = with_trades("main").await;
    let owner = world.database.owner().await;
    let (from, to) = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
    let analysis =
        analysis(&world, &token, json!({"analysis_type": "performance", "bot_id": bot, "from": from, "to": to})).await;
    let block = only_block(&analysis);
    let sum =
        |what: &str, bounds: &str| format!("select {what} from public.trades where bot_id = '{bot}' and {bounds}");
    let within = format!("exit_time >= '{from}' and exit_time < '{to}'");
    let before = owner.text(&sum("1000 + sum(profit)", &format!("exit_time < '{from}'"))).await;
    assert_eq!(block["initial_balance"], before);
    assert_eq!(block["metrics"]["trades"].to_string(), owner.text(&sum("count(*)", &within)).await);
    assert_eq!(block["metrics"]["net_profit"], owner.text(&sum("sum(profit)", &within)).await);
    assert_eq!(block["metrics"]["days"], 31, "every day of March, whether or not a trade was closed on it");
    assert_eq!(analysis["input_data"]["from"], from);

    let empty = json!({"analysis_type": "risk", "bot_id": bot, "from": "2030-01-01T00:00:00Z"});
    let analysis = self::analysis(&world, &token, empty).await;
    let block = only_block(&analysis);
    assert_eq!((&block["notes"], &block["confidence"]["reason"]), (&json!(["no_trades"]), &json!("no_trades")));
    assert_eq!(analysis["recommendations"], json!(["No case for a change: 0 trades were closed."]));
    assert_eq!(analysis["confidence_score"], "0.00");
}

#[tokio::test]
async fn each_currency_has_a_block_of_its_own() {
    let (world, token, _) = with_trades("all_wins").await;
    let owner = world.database.owner().await;
    owner.run(&format!("delete from public.bots where id = '{SOL_MOMENTUM}'")).await.unwrap();
    let mut idr = new_bot("rupiah");
    idr["trading_pair"] = json!("BTC/IDR");
    idr["initial_balance"] = json!("5000000");
    idr["stop_loss"] = json!("10");
    let idr = world.post("/bots", &token, &idr).await.json()["id"].as_str().unwrap().to_owned();
    let trade = |day: u32, profit: i32| {
        let (entry, exit) = (format!("2026-02-0{day}T01:00:00Z"), format!("2026-02-0{day}T02:00:00Z"));
        closed(&idr, ENTERPRISE, "BTC/IDR", "buy", &format!("0.001, 900000000, 100, {profit}"), &entry, &exit)
    };
    insert(&owner, &[trade(1, 50_000), trade(2, -20_000), trade(3, 4_000)]).await;
    let analysis = analysis(&world, &token, json!({"analysis_type": "performance"})).await;
    let blocks = analysis["results"]["blocks"].as_array().unwrap();
    let shown: Vec<_> = blocks.iter().map(|block| (&block["currency"], &block["metrics"]["net_profit"])).collect();
    assert_eq!(shown, [(&json!("IDR"), &json!("34000.00000000")), (&json!("USDT"), &json!("38.63028929"))]);
    assert_eq!(blocks[0]["confidence"]["assumed_max_loss"], 0.1, "the bot's stop-loss");
    assert_eq!(blocks[1]["confidence"]["assumed_max_loss"], 0.25, "none");
    assert_eq!(blocks[0]["initial_balance"], "5000000.00000000");
    assert_eq!(analysis["confidence_score"], "0.00", "the lowest of both, and the other one has 0.32");
    assert_eq!((&analysis["input_data"]["bots"], &analysis["input_data"]["trades"]), (&json!(2), &json!(53)));
    for advice in analysis["recommendations"].as_array().unwrap() {
        let text = advice.as_str().unwrap();
        assert!(text.starts_with("IDR: ") || text.starts_with("USDT: "), "{text}");
    }
}

#[tokio::test]
async fn a_strategys_bots_are_those_that_run_it_by_its_name() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let ema_cross = "0190e000-0000-7000-8000-000000000002";
    let of_strategy = analysis(&world, &token, json!({"analysis_type": "risk", "strategy_id": ema_cross})).await;
    let of_bot = analysis(&world, &token, json!({"analysis_type": "risk", "bot_id": BTC_SWING})).await;
    let of_all = analysis(&world, &token, json!({"analysis_type": "risk"})).await;
    let trades = |analysis: &Value| analysis["input_data"]["trades"].as_u64().unwrap();
    assert_eq!((trades(&of_strategy), trades(&of_bot), trades(&of_all)), (30, 30, 60));
    assert_eq!(of_strategy["results"]["blocks"], of_bot["results"]["blocks"]);
    assert_eq!(of_strategy["strategy_id"], ema_cross);
}

#[tokio::test]
async fn what_is_another_users_is_not_there_and_what_is_wrong_is_told() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    for body in [
        json!({"analysis_type": "risk", "bot_id": SOL_MOMENTUM}),
        json!({"analysis_type": "risk", "strategy_id": "0190e000-0000-7000-8000-000000000003"}),
        json!({"analysis_type": "risk", "bot_id": "0190f000-0000-7000-8000-00000000ffff"}),
    ] {
        assert_eq!(refused(&world.post("/analyses", &token, &body).await), (404, "not-found".into()), "{body}");
    }
    let wrong = json!({"analysis_type": "luck", "bot_id": BTC_SWING, "strategy_id": BTC_SWING, "narrative": "yes",
        "from": "2026-02-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "depth": 3});
    let answer = world.post("/analyses", &token, &wrong).await;
    assert_eq!(answer.status, 422);
    let errors = answer.json()["errors"].clone();
    let pointers: Vec<_> = errors.as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/analysis_type", "/narrative", "/strategy_id", "/to", "/depth"]);
    let unknown = world.post("/analyses", "none", &json!({"analysis_type": "risk"})).await;
    assert_eq!(refused(&unknown), (401, "unauthenticated".into()));
    let count = format!("select count(*) from private.ai_requests where user_id = '{PRO}'");
    assert_eq!(owner.text(&count).await, "1", "nothing of this counts; the sample analysis does");

    owner.run(&format!("update public.users set is_active = false where id = '{PRO}'")).await.unwrap();
    let answer = world.post("/analyses", &token, &json!({"analysis_type": "risk"})).await;
    assert_eq!(refused(&answer), (403, "deactivated".into()));
    assert_eq!(owner.text(&count).await, "1");
}

#[tokio::test]
async fn of_two_at_once_with_one_request_left_one_is_refused() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    // The sample data hold one of this month.
    owner.run("update public.plans set ai_requests_per_month = 2 where name = 'Pro'").await.unwrap();
    let body = json!({"analysis_type": "risk", "bot_id": BTC_SWING}).to_string();
    let keyed = async |key: &str| world.post_with("/analyses", &token, &[("idempotency-key", key)], &body).await;
    let answers = join_all([keyed("one"), keyed("two")]).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403], "{answers:?}");
    let (made, refusal) = if answers[0].status == 201 { (0, 1) } else { (1, 0) };
    assert_eq!(refused(&answers[refusal]), (403, "quota".into()));
    assert_eq!((&answers[refusal].json()["limit"], &answers[refusal].json()["plan"]), (&json!(2), &json!("Pro")));
    let count = format!("select count(*) from public.ai_analyses where user_id = '{PRO}'");
    assert_eq!(owner.text(&count).await, "2");

    // The same again is the same row, and costs nothing; another body under its key is refused.
    let key = ["one", "two"][made];
    let again = keyed(key).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, answers[made].json()));
    let other = json!({"analysis_type": "performance", "bot_id": BTC_SWING}).to_string();
    let answer = world.post_with("/analyses", &token, &[("idempotency-key", key)], &other).await;
    assert_eq!(refused(&answer), (409, "key-reused".into()));
    assert_eq!(world.get("/portfolio", &token).await.json()["user"]["usage"]["ai_requests"], 2);

    // What was reserved and lost on the way is done again, and not charged again.
    owner
        .run(&format!("delete from public.ai_analyses where id = '{}'", answers[made].json()["id"].as_str().unwrap()))
        .await
        .unwrap();
    assert_eq!(keyed(key).await.status, 201);
    assert_eq!(world.get("/portfolio", &token).await.json()["user"]["usage"]["ai_requests"], 2);

    // A new month begins anew, and no quota is none.
    owner.run(&format!("update private.ai_requests set requested_at = date_trunc('month', now(), 'UTC') - interval '1 second' where user_id = '{PRO}'")).await.unwrap();
    assert_eq!(world.post_with("/analyses", &token, &[], &body).await.status, 201);
    owner.run("update public.plans set ai_requests_per_month = 0 where name = 'Pro'").await.unwrap();
    assert_eq!(refused(&world.post_with("/analyses", &token, &[], &body).await), (403, "quota".into()));
    owner.run("update public.plans set ai_requests_per_month = -1 where name = 'Pro'").await.unwrap();
    assert_eq!(world.post_with("/analyses", &token, &[], &body).await.status, 201);
}

/// The same, where neither can be done before the other one looks: both wait for the user's lock when it is let go.
#[tokio::test]
async fn each_of_many_at_once_counts_those_before_it() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let (owner, holder) = (world.database.owner().await, world.database.owner().await);
    let body = json!({"analysis_type": "risk", "bot_id": BTC_SWING}).to_string();
    for round in 0..3 {
        // One left.
        let left = format!(
            "update public.plans set ai_requests_per_month = 1 + (select private.ai_requests_this_month('{PRO}')) where name = 'Pro'"
        );
        owner.run(&left).await.unwrap();
        let lock = format!("begin; select pg_advisory_xact_lock(hashtextextended('limits of {PRO}', 0))");
        holder.run(&lock).await.unwrap();
        let asked = join_all((0..2).map(|_| world.post_with("/analyses", &token, &[], &body)));
        let let_go = async {
            holder.blocks(2).await;
            holder.run("commit").await.unwrap();
        };
        let (answers, ()) = tokio::join!(asked, let_go);
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403], "round {round}: {answers:?}");
    }
}

#[tokio::test]
async fn trades_that_come_in_several_parts_are_all_there_and_each_once() {
    let (world, token, bot) = with_trades("no_trades").await;
    // Groups of 1,000 that are closed in one and the same moment, across the ends of the parts.
    world
        .database
        .owner()
        .await
        .run(&format!(
            "insert into public.trades (bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, fee, profit, status,
                 entry_time, exit_time)
             select '{bot}', '{ENTERPRISE}', 'binance', 'BTC/USDT', 'buy', 'market', 0.001, 50000, 0.01, (n % 3 - 1) * 0.01, 'closed',
                 '2026-01-01T00:00:00Z'::timestamptz + (n - n % 1000) * interval '1 second',
                 '2026-01-01T01:00:00Z'::timestamptz + (n - n % 1000) * interval '1 second'
             from generate_series(500, 120499) as n"
        ))
        .await
        .unwrap();
    let analysis = analysis(&world, &token, json!({"analysis_type": "performance", "bot_id": bot})).await;
    let metrics = &only_block(&analysis)["metrics"];
    assert_eq!((&metrics["trades"], &metrics["draws"]), (&json!(120_000), &json!(40_000)));
    assert_eq!(metrics["wins"], metrics["losses"]);
    assert_eq!(metrics["net_profit"].as_str().unwrap().parse::<f64>().unwrap(), 0.0);
}

/// A backtest of the enterprise user's "EMA cross", as an import leaves it.
async fn import(owner: &Session, pair: &str, created_at: &str, trades: &[(&str, &str, &str, &str, &str)]) -> String {
    let id = Uuid::new_v4().to_string();
    owner
        .run(&format!(
            "insert into public.backtest_results (id, strategy_id, user_id, trading_pair, timeframe, start_date, end_date, initial_balance,
                 final_balance, total_return, total_return_percentage, max_drawdown, win_rate, total_trades, winning_trades, losing_trades,
                 best_trade, worst_trade, avg_trade, created_at)
             values ('{id}', '0190e000-0000-7000-8000-000000000002', '{ENTERPRISE}', '{pair}', '1h', '2026-05-01', '2026-05-31', 1000, 1000,
                 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{created_at}')"
        ))
        .await
        .unwrap();
    for (position, (side, prices, profit, entry, exit)) in trades.iter().enumerate() {
        owner
            .run(&format!(
                "insert into private.backtest_trades (backtest_id, position, trading_pair, side, amount, price, exit_price, fee, profit,
                     entry_time, exit_time)
                 values ('{id}', {position}, 'BTC/USDT', '{side}', 0.01, {prices}, 0.1, {profit}, '{entry}', '{exit}')"
            ))
            .await
            .unwrap();
    }
    id
}

#[tokio::test]
async fn a_live_bot_is_compared_with_the_newest_backtest_of_its_strategy_trade_by_trade() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    let bot = world.post("/bots", &token, &new_bot("live")).await.json()["id"].as_str().unwrap().to_owned();
    let body = json!({"analysis_type": "backtest", "bot_id": bot});
    let answer = world.post("/analyses", &token, &body).await;
    assert_eq!(refused(&answer), (409, "no-backtest".into()), "the sample backtests have no trades");

    let live = |side: &str, figures: &str, entry: &str, exit: &str| {
        let time = |time: &str| format!("2026-05-{time}Z");
        closed(&bot, ENTERPRISE, "BTC/USDT", side, figures, &time(entry), &time(exit))
    };
    insert(
        &owner,
        &[
            // Before the backtest, and so in none of the counts.
            live("buy", "0.01, 50000, 0.1, 3.0", "01T00:00:00", "01T03:00:00").replace("2026-05-01", "2026-04-30"),
            live("buy", "0.01, 50050, 0.1, 4.0", "02T10:00:07", "02T15:30:00"),
            live("sell", "0.01, 49950, 0.1, 5.0", "03T10:59:59", "03T15:00:00"),
            // The candle after that of the backtest's trade.
            live("buy", "0.01, 50000, 0.1, -2.0", "04T11:00:00", "04T12:00:00"),
            live("buy", "0.01, 50000, 0.1, 1.0", "09T01:00:00", "09T02:00:00"),
        ],
    )
    .await;
    owner
        .run(&format!("update public.trades set exit_price = 50440 where bot_id = '{bot}' and price = 50050"))
        .await
        .unwrap();
    let trades = [
        ("buy", "50000, 50500", "4.9", "2026-05-02T10:00:00Z", "2026-05-02T15:00:00Z"),
        ("sell", "50000, 49000", "9.9", "2026-05-03T10:00:00Z", "2026-05-03T15:00:00Z"),
        ("buy", "50000, 49900", "-1.1", "2026-05-04T10:00:00Z", "2026-05-04T12:00:00Z"),
        ("buy", "50000, 49900", "-1.1", "2026-05-05T10:00:00Z", "2026-05-05T12:00:00Z"),
        // After the last live trade, when the bot had stopped.
        ("buy", "50000, 50100", "0.9", "2026-05-20T10:00:00Z", "2026-05-20T12:00:00Z"),
    ];
    import(&owner, "BTC/USDT", "2026-06-01", &trades[..1]).await;
    let newest = import(&owner, "BTC/USDT", "2026-06-02", &trades).await;
    import(&owner, "ETH/USDT", "2026-06-03", &trades[..1]).await;

    let analysis = analysis(&world, &token, body).await;
    let comparison = &analysis["results"]["comparison"];
    let backtest = &comparison["backtest"];
    assert_eq!(
        (&backtest["id"], &backtest["strategy"], &backtest["pair"]),
        (&json!(newest), &json!("EMA cross"), &json!("BTC/USDT"))
    );
    assert_eq!(backtest["runs"], 5, "with the two of the sample data: each one was a try");
    assert_eq!(comparison["backtest_confidence"]["trials"], 5);
    assert_eq!(
        (&comparison["matched"], &comparison["missing"], &comparison["extra"]),
        (&json!(2), &json!(2), &json!(2))
    );
    assert_eq!(comparison["profit_difference"], "-5.80000000");
    let near = |value: &Value, expected: f64| {
        assert!((value.as_f64().unwrap() - expected).abs() < 1e-12, "{value} is not {expected}");
    };
    // 50 dearer bought, 50 cheaper sold; sold again 60 cheaper, bought back at 49950 - 5.1 / 0.01.
    near(&comparison["entry_slippage"]["mean"], 0.001);
    near(&comparison["entry_slippage"]["worst"], 0.001);
    near(&comparison["exit_slippage"]["worst"], (49440.0 - 49000.0) / 49000.0);
    near(&comparison["exit_slippage"]["median"], f64::midpoint(60.0 / 50500.0, 440.0 / 49000.0));
    assert_eq!((&comparison["live"]["trades"], &comparison["backtest_metrics"]["trades"]), (&json!(5), &json!(5)));
    assert_eq!(comparison["backtest_metrics"]["net_profit"].as_str().unwrap().parse::<f64>().unwrap(), 13.5);
    assert_eq!(comparison["inside_band"], true);
    let outcomes: Vec<_> =
        comparison["trades"].as_array().unwrap().iter().map(|trade| trade["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["matched", "matched", "missing", "extra", "missing", "extra"]);
    assert_eq!(comparison["trades"][3]["live_profit"], "-2.00000000");
    assert_eq!(comparison["trades"][3]["backtest_profit"], Value::Null);
    let block = only_block(&analysis);
    assert_eq!((block["stress"].as_array().unwrap().len(), &block["halves"]["first"]["days"]), (3, &json!(5)));
    let advice = analysis["recommendations"].to_string();
    assert!(advice.contains("2 trades match, 2 are missing, 2 are extra"), "{advice}");

    // A live record that the backtest makes unlikely.
    owner.run(&format!("update public.trades set profit = -40 where bot_id = '{bot}'")).await.unwrap();
    let analysis = self::analysis(&world, &token, json!({"analysis_type": "backtest", "bot_id": bot})).await;
    assert_eq!(analysis["results"]["comparison"]["inside_band"], false);

    // Nobody else is compared with it, though his bot runs a strategy of that name.
    let pro = world.sign_in("pro@nofomo.test").await;
    let answer = world.post("/analyses", &pro, &json!({"analysis_type": "backtest", "bot_id": BTC_SWING})).await;
    assert_eq!(refused(&answer), (409, "no-backtest".into()));
}

/// What a model says.
fn completion(content: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "words-2026-01",
        "usage": {"prompt_tokens": 1200, "completion_tokens": 34, "total_tokens": 1234},
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
    }))
}

async fn model() -> (MockServer, BTreeMap<String, String>) {
    let model = MockServer::start().await;
    let settings = BTreeMap::from([
        ("LANGUAGE_MODEL_URL".into(), format!("{}/v1", model.uri())),
        ("LANGUAGE_MODEL_KEY".into(), "key-of-the-model".into()),
        ("LANGUAGE_MODEL_NAME".into(), "words".into()),
    ]);
    (model, settings)
}

async fn answers(model: &MockServer, answer: ResponseTemplate) {
    model.reset().await;
    let asked = Mock::given(method("POST")).and(path("/v1/chat/completions")).and(bearer_token("key-of-the-model"));
    asked.respond_with(answer).mount(model).await;
}

#[tokio::test]
async fn a_model_that_keeps_to_the_figures_is_heard_and_hears_figures_alone() {
    let (model, settings) = model().await;
    let (world, token, bot) = with_trades_and("main", settings).await;
    let said = json!({"text": "It won 56.2 % of 1,000 trades.\n\nThe confidence is 0.17.",
        "recommendations": ["Trade less often: fees take 70.6 % of the gain."]});
    answers(&model, completion(&said.to_string())).await;
    let told =
        analysis(&world, &token, json!({"analysis_type": "performance", "bot_id": bot, "narrative": true})).await;
    assert_eq!(told["results"]["narrative"], json!({"text": said["text"], "model": "words-2026-01"}));
    assert_eq!(told["results"].get("narrative_error"), None);
    assert_eq!((&told["model_used"], &told["tokens_used"]), (&json!("words-2026-01"), &json!(1234)));
    assert!(told["recommendations"].as_array().unwrap().contains(&said["recommendations"][0]));

    let requests = model.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    let heard = String::from_utf8(requests[0].body.clone()).unwrap();
    assert!(heard.contains("profit_factor") && heard.contains("json_schema"));
    for secret in [bot.as_str(), ENTERPRISE, "Secret name", "enterprise@nofomo.test", "Eka", "EMA cross", &token] {
        assert!(!heard.contains(secret), "{secret}: {heard}");
    }

    // Not asked for, not asked.
    let silent = analysis(&world, &token, json!({"analysis_type": "performance", "bot_id": bot})).await;
    assert_eq!((silent["results"].get("narrative"), silent["results"].get("narrative_error")), (None, None));
    assert_eq!(model.received_requests().await.unwrap().len(), 1);
    assert_eq!(silent["results"]["blocks"], told["results"]["blocks"]);
}

#[tokio::test]
async fn whatever_else_a_model_does_the_analysis_stands() {
    let (model, settings) = model().await;
    let (world, token, bot) = with_trades_and("main", settings).await;
    let body = json!({"analysis_type": "performance", "bot_id": bot, "narrative": true});
    let invented = json!({"text": "A Sharpe ratio of 4.14 and 56.2 % wins.", "recommendations": []}).to_string();
    let mut expected: Option<Value> = None;
    for (answer, reason, tokens) in [
        (completion(&invented), "the figure 4.14", 1234),
        (completion("Your bot is great!"), "the form", 1234),
        (ResponseTemplate::new(503).set_body_string("down"), "503", 0),
        (ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 10_000_000]), "more than 262144 bytes", 0),
        (completion("{}").set_delay(Duration::from_secs(25)), "within 20 s", 0),
    ] {
        answers(&model, answer).await;
        let analysis = analysis(&world, &token, body.clone()).await;
        let error = analysis["results"]["narrative_error"].as_str().unwrap();
        assert!(error.contains(reason), "{reason}: {error}");
        assert_eq!(analysis["results"].get("narrative"), None);
        assert_eq!((&analysis["model_used"], &analysis["tokens_used"]), (&json!("nofomo-quant-1"), &json!(tokens)));
        let block = only_block(&analysis).clone();
        assert_eq!(*expected.get_or_insert(block.clone()), block);
        assert_eq!(model.received_requests().await.unwrap().len(), 1, "{reason}: asked once");
    }
    drop(model);
    let gone = analysis(&world, &token, body).await;
    assert!(gone["results"]["narrative_error"].as_str().unwrap().contains("no answer"), "{gone}");
    assert!(!world.log().contains("key-of-the-model"));
    assert_eq!(only_block(&gone), &expected.unwrap());
}

#[tokio::test]
async fn without_a_model_the_analysis_says_so() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let before: DateTime<Utc> = Utc::now();
    let analysis = analysis(&world, &token, json!({"analysis_type": "optimization", "narrative": true})).await;
    assert_eq!(analysis["results"]["narrative_error"], "There is no narrative: no language model is configured.");
    assert!(
        analysis["created_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap()
            >= before - chrono::TimeDelta::seconds(5)
    );
    let owner = world.database.owner().await;
    assert_eq!(owner.text(&format!("select count(*) from public.ai_analyses where user_id = '{FREE}'")).await, "1");
}
