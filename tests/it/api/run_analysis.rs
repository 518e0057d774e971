//! `POST /analyses`.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use nofomo_analytics::AnalysisType;
use serde_json::{Value, json};

use crate::support::analyses::{
    analytics_fixture, closed_trade_row, insert_similar_backtest, insert_trades, only_block, run_analysis,
    world_with_trades,
};
use crate::support::database::{ENTERPRISE, PRO};
use crate::support::world::{World, new_bot};

/// Bot of the sample user `pro`.
const BTC_SWING: &str = "0190f000-0000-7000-8000-000000000002";
/// Bot of the sample user `enterprise`.
const SOL_MOMENTUM: &str = "0190f000-0000-7000-8000-000000000004";

/// Compares `ours` with `theirs` and appends each difference to `differences`. Counts, codes and times must be equal;
/// money and ratios may differ by a relative 1e-9, p-values by 1e-8. Each key of `ours` must be in `theirs`.
fn compare(path: &str, ours: &Value, theirs: &Value, differences: &mut Vec<String>) {
    let near = |ours: f64, theirs: f64| {
        let relative = if path.ends_with("p_value_two_sided") { 1e-8 } else { 1e-9 };
        (ours - theirs).abs() <= relative * theirs.abs()
    };
    let same = match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in ours {
                compare(&format!("{path}.{key}"), value, theirs.get(key).unwrap_or(&json!("no such key")), differences);
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
        differences.push(format!("{path} is {ours}, not {theirs}"));
    }
}

#[tokio::test]
async fn every_figure_of_every_analysis_type_equals_the_reference() {
    let reference: Value = serde_json::from_str(&analytics_fixture("metrics.json")).unwrap();
    for (set, score) in [("main", "0.17"), ("ruin", "0.00"), ("all_wins", "0.32"), ("one_win", "0.00")] {
        let (world, token, bot) = world_with_trades(set).await;
        let theirs = &reference["sets"][set];
        insert_similar_backtest(&world, &bot).await;
        for (kind, of) in [
            ("performance", AnalysisType::Performance),
            ("risk", AnalysisType::Risk),
            ("optimization", AnalysisType::Optimization),
            ("backtest", AnalysisType::Backtest),
        ] {
            let analysis = run_analysis(&world, &token, json!({"analysis_type": kind, "bot_id": bot})).await;
            let block = only_block(&analysis);
            let mut differences = Vec::new();
            compare(set, &block["metrics"], theirs, &mut differences);
            let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            let mut shown = names(theirs);
            shown.retain(|name| of.shows(name));
            assert_eq!(names(&block["metrics"]), shown, "{kind} of {set}");
            compare("confidence", &block["confidence"], &theirs["confidence"], &mut differences);
            compare("notes", &block["notes"], &theirs["notes"], &mut differences);
            assert!(differences.is_empty(), "{kind}: {}", differences.join("\n"));
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
async fn the_stored_row_holds_the_request_and_a_hash_of_its_trades() {
    let (world, token, bot) = world_with_trades("main").await;
    let body = json!({"analysis_type": "performance", "bot_id": bot});
    let first = run_analysis(&world, &token, body.clone()).await;
    let input_data = &first["input_data"];
    assert_eq!(
        (&input_data["trades"], &input_data["bots"], &input_data["narrative"]),
        (&json!(1000), &json!(1), &json!(false))
    );
    assert_eq!(
        (&input_data["bot_id"], &input_data["from"], &input_data["to"]),
        (&json!(bot), &Value::Null, &Value::Null)
    );
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

    // The hash depends on the trades alone.
    let again = run_analysis(&world, &token, json!({"analysis_type": "risk", "bot_id": bot})).await;
    assert_eq!(again["input_data"]["trades_sha256"], input_data["trades_sha256"]);
    assert_eq!(input_data["trades_sha256"].as_str().unwrap().len(), 64);
    let changed =
        "update public.trades set fee = fee + 0.00000001 where id = (select id from public.trades where bot_id = '";
    owner.run(&format!("{changed}{bot}' limit 1)")).await.unwrap();
    let other = run_analysis(&world, &token, body).await;
    assert_ne!(other["input_data"]["trades_sha256"], input_data["trades_sha256"]);
}

#[tokio::test]
async fn a_time_range_covers_its_own_trades_and_starts_with_the_balance_at_its_start() {
    let (world, token, bot) = world_with_trades("main").await;
    let owner = world.database.owner().await;
    let (from, to) = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
    let analysis =
        run_analysis(&world, &token, json!({"analysis_type": "performance", "bot_id": bot, "from": from, "to": to}))
            .await;
    let block = only_block(&analysis);
    let sum = |aggregate: &str, bounds: &str| {
        format!("select {aggregate} from public.trades where bot_id = '{bot}' and {bounds}")
    };
    let within = format!("exit_time >= '{from}' and exit_time < '{to}'");
    let before = owner.text(&sum("1000 + sum(profit)", &format!("exit_time < '{from}'"))).await;
    assert_eq!(block["initial_balance"], before);
    assert_eq!(block["metrics"]["trades"].to_string(), owner.text(&sum("count(*)", &within)).await);
    assert_eq!(block["metrics"]["net_profit"], owner.text(&sum("sum(profit)", &within)).await);
    assert_eq!(block["metrics"]["days"], 31, "every day of March, with or without a closed trade");
    assert_eq!(analysis["input_data"]["from"], from);

    let empty = json!({"analysis_type": "risk", "bot_id": bot, "from": "2030-01-01T00:00:00Z"});
    let analysis = run_analysis(&world, &token, empty).await;
    let block = only_block(&analysis);
    assert_eq!((&block["notes"], &block["confidence"]["reason"]), (&json!(["no_trades"]), &json!("no_trades")));
    assert_eq!(analysis["recommendations"], json!(["No change recommended: 0 trades were closed."]));
    assert_eq!(analysis["confidence_score"], "0.00");
}

#[tokio::test]
async fn each_currency_is_analysed_separately() {
    let (world, token, _) = world_with_trades("all_wins").await;
    let owner = world.database.owner().await;
    owner.run(&format!("delete from public.bots where id = '{SOL_MOMENTUM}'")).await.unwrap();
    let mut idr = new_bot("rupiah");
    idr["trading_pair"] = json!("BTC/IDR");
    idr["initial_balance"] = json!("5000000");
    idr["stop_loss"] = json!("10");
    let idr = world.post("/bots", &token, &idr).await.json()["id"].as_str().unwrap().to_owned();
    let trade = |day: u32, profit: i32| {
        let (entry, exit) = (format!("2026-02-0{day}T01:00:00Z"), format!("2026-02-0{day}T02:00:00Z"));
        closed_trade_row(&idr, ENTERPRISE, "BTC/IDR", "buy", &format!("0.001, 900000000, 100, {profit}"), &entry, &exit)
    };
    insert_trades(&owner, &[trade(1, 50_000), trade(2, -20_000), trade(3, 4_000)]).await;
    let analysis = run_analysis(&world, &token, json!({"analysis_type": "performance"})).await;
    let blocks = analysis["results"]["blocks"].as_array().unwrap();
    let shown: Vec<_> = blocks.iter().map(|block| (&block["currency"], &block["metrics"]["net_profit"])).collect();
    assert_eq!(shown, [(&json!("IDR"), &json!("34000.00000000")), (&json!("USDT"), &json!("38.63028929"))]);
    assert_eq!(blocks[0]["confidence"]["assumed_max_loss"], 0.1, "the bot's stop-loss");
    assert_eq!(blocks[1]["confidence"]["assumed_max_loss"], 0.25, "without a stop-loss");
    assert_eq!(blocks[0]["initial_balance"], "5000000.00000000");
    assert_eq!(analysis["confidence_score"], "0.00", "the lower of both; the other one is 0.32");
    assert_eq!((&analysis["input_data"]["bots"], &analysis["input_data"]["trades"]), (&json!(2), &json!(53)));
    for advice in analysis["recommendations"].as_array().unwrap() {
        let text = advice.as_str().unwrap();
        assert!(text.starts_with("IDR: ") || text.starts_with("USDT: "), "{text}");
    }
}

#[tokio::test]
async fn a_strategy_is_analysed_over_the_bots_that_run_it_by_name() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let ema_cross = "0190e000-0000-7000-8000-000000000002";
    let of_strategy = run_analysis(&world, &token, json!({"analysis_type": "risk", "strategy_id": ema_cross})).await;
    let of_bot = run_analysis(&world, &token, json!({"analysis_type": "risk", "bot_id": BTC_SWING})).await;
    let of_all = run_analysis(&world, &token, json!({"analysis_type": "risk"})).await;
    let trades = |analysis: &Value| analysis["input_data"]["trades"].as_u64().unwrap();
    assert_eq!((trades(&of_strategy), trades(&of_bot), trades(&of_all)), (30, 30, 60));
    assert_eq!(of_strategy["results"]["blocks"], of_bot["results"]["blocks"]);
    assert_eq!(of_strategy["strategy_id"], ema_cross);
}

#[tokio::test]
async fn another_users_objects_are_not_found_and_invalid_fields_are_named() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    for body in [
        json!({"analysis_type": "risk", "bot_id": SOL_MOMENTUM}),
        json!({"analysis_type": "risk", "strategy_id": "0190e000-0000-7000-8000-000000000003"}),
        json!({"analysis_type": "risk", "bot_id": "0190f000-0000-7000-8000-00000000ffff"}),
    ] {
        assert_eq!(
            world.post("/analyses", &token, &body).await.status_and_problem(),
            (404, "not-found".into()),
            "{body}"
        );
    }
    let invalid = json!({"analysis_type": "luck", "bot_id": BTC_SWING, "strategy_id": BTC_SWING, "narrative": "yes",
        "from": "2026-02-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "depth": 3});
    let answer = world.post("/analyses", &token, &invalid).await;
    assert_eq!(answer.status, 422);
    let errors = answer.json()["errors"].clone();
    let pointers: Vec<_> = errors.as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/analysis_type", "/narrative", "/strategy_id", "/to", "/depth"]);
    let unknown = world.post("/analyses", "none", &json!({"analysis_type": "risk"})).await;
    assert_eq!(unknown.status_and_problem(), (401, "unauthenticated".into()));
    let count = format!("select count(*) from private.ai_requests where user_id = '{PRO}'");
    assert_eq!(owner.text(&count).await, "1", "only the sample analysis is counted");

    owner.run(&format!("update public.users set is_active = false where id = '{PRO}'")).await.unwrap();
    let answer = world.post("/analyses", &token, &json!({"analysis_type": "risk"})).await;
    assert_eq!(answer.status_and_problem(), (403, "deactivated".into()));
    assert_eq!(owner.text(&count).await, "1");
}

#[tokio::test]
async fn one_of_two_concurrent_requests_is_refused_when_the_quota_allows_one() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    // The sample data contain one request of this month.
    owner.run("update public.plans set ai_requests_per_month = 2 where name = 'Pro'").await.unwrap();
    let body = json!({"analysis_type": "risk", "bot_id": BTC_SWING}).to_string();
    let keyed = async |key: &str| world.post_with("/analyses", &token, &[("idempotency-key", key)], &body).await;
    let answers = join_all([keyed("one"), keyed("two")]).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403], "{answers:?}");
    let (created, refusal) = if answers[0].status == 201 { (0, 1) } else { (1, 0) };
    assert_eq!(answers[refusal].status_and_problem(), (403, "quota".into()));
    assert_eq!((&answers[refusal].json()["limit"], &answers[refusal].json()["plan"]), (&json!(2), &json!("Pro")));
    let count = format!("select count(*) from public.ai_analyses where user_id = '{PRO}'");
    assert_eq!(owner.text(&count).await, "2");

    // A repeated key returns the same row at no cost; with another body it is refused.
    let key = ["one", "two"][created];
    let again = keyed(key).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, answers[created].json()));
    let other = json!({"analysis_type": "performance", "bot_id": BTC_SWING}).to_string();
    let answer = world.post_with("/analyses", &token, &[("idempotency-key", key)], &other).await;
    assert_eq!(answer.status_and_problem(), (409, "key-reused".into()));
    assert_eq!(world.get("/portfolio", &token).await.json()["user"]["usage"]["ai_requests"], 2);

    // A charged request whose analysis was not stored is repeated without a second charge.
    owner
        .run(&format!(
            "delete from public.ai_analyses where id = '{}'",
            answers[created].json()["id"].as_str().unwrap()
        ))
        .await
        .unwrap();
    assert_eq!(keyed(key).await.status, 201);
    assert_eq!(world.get("/portfolio", &token).await.json()["user"]["usage"]["ai_requests"], 2);

    // Requests of the previous month do not count; a quota of 0 allows none, and -1 any number.
    owner.run(&format!("update private.ai_requests set requested_at = date_trunc('month', now(), 'UTC') - interval '1 second' where user_id = '{PRO}'")).await.unwrap();
    assert_eq!(world.post_with("/analyses", &token, &[], &body).await.status, 201);
    owner.run("update public.plans set ai_requests_per_month = 0 where name = 'Pro'").await.unwrap();
    assert_eq!(world.post_with("/analyses", &token, &[], &body).await.status_and_problem(), (403, "quota".into()));
    owner.run("update public.plans set ai_requests_per_month = -1 where name = 'Pro'").await.unwrap();
    assert_eq!(world.post_with("/analyses", &token, &[], &body).await.status, 201);
}

/// Both requests wait for the lock of the user, so neither can finish before the other has started.
#[tokio::test]
async fn concurrent_requests_that_wait_for_the_same_lock_are_counted_one_by_one() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let (owner, holder) = (world.database.owner().await, world.database.owner().await);
    let body = json!({"analysis_type": "risk", "bot_id": BTC_SWING}).to_string();
    for round in 0..3 {
        // The quota leaves one request.
        let limit = format!(
            "update public.plans set ai_requests_per_month = 1 + (select private.ai_requests_this_month('{PRO}')) where name = 'Pro'"
        );
        owner.run(&limit).await.unwrap();
        let lock = format!("begin; select pg_advisory_xact_lock(hashtextextended('limits of {PRO}', 0))");
        holder.run(&lock).await.unwrap();
        let requests = join_all((0..2).map(|_| world.post_with("/analyses", &token, &[], &body)));
        let release = async {
            holder.wait_until_blocking(2).await;
            holder.run("commit").await.unwrap();
        };
        let (answers, ()) = tokio::join!(requests, release);
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403], "round {round}: {answers:?}");
    }
}

#[tokio::test]
async fn trades_read_in_several_chunks_are_each_counted_once() {
    let (world, token, bot) = world_with_trades("no_trades").await;
    // Inserts groups of 1,000 trades with the same exit time, which span the boundaries of the chunks.
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
    let analysis = run_analysis(&world, &token, json!({"analysis_type": "performance", "bot_id": bot})).await;
    let metrics = &only_block(&analysis)["metrics"];
    assert_eq!((&metrics["trades"], &metrics["draws"]), (&json!(120_000), &json!(40_000)));
    assert_eq!(metrics["wins"], metrics["losses"]);
    assert_eq!(metrics["net_profit"].as_str().unwrap().parse::<f64>().unwrap(), 0.0);
}
