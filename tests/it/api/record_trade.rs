//! `POST /bots/{bot_id}/trades`

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use local_database::postgres::Postgres;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::{Database, ENTERPRISE, PRO, Session, at_full_size, migrate_template, run_directory};
use crate::support::statistics::{BOTS_WITH_WRONG_STATISTICS, assert_statistics_equal_recount};
use crate::support::world::{Answer, World, new_bot};

/// A user and an empty bot of his.
async fn with_bot(world: &World) -> (String, String) {
    let token = world.sign_in("enterprise@nofomo.test").await;
    let mut bot = new_bot("reporter");
    bot["initial_balance"] = json!("100000");
    let bot = world.post("/bots", &token, &bot).await.json();
    (token, bot["id"].as_str().unwrap().to_owned())
}

fn open() -> Value {
    json!({"side": "buy", "order_type": "limit", "amount": "2", "price": "100", "entry_time": "2026-01-01T00:00:00Z"})
}

fn closed(exit_price: &str) -> Value {
    let mut trade = open();
    trade["status"] = json!("closed");
    trade["exit_time"] = json!("2026-01-01T05:30:00Z");
    trade["exit_price"] = json!(exit_price);
    trade
}

fn with(mut trade: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        trade[name] = value.clone();
    }
    trade
}

async fn trades(world: &World, bot: &str) -> String {
    world.database.owner().await.text(&format!("select count(*) from public.trades where bot_id = '{bot}'")).await
}

#[tokio::test]
async fn a_trade_is_recorded_with_what_the_bot_is_and_counted() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let sent = with(
        closed("110"),
        json!({"fee": "0.5", "exchange_order_id": "o-1", "exchange_trade_id": "t-1", "signal_price": "99.9",
        "stop_loss_price": 95, "take_profit_price": "120", "metadata": {"why": "rsi"}}),
    );
    let answer = world.post(&path, &token, &sent).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let trade = answer.json();
    let bot_id = Uuid::parse_str(&bot).unwrap();
    assert_eq!(
        trade,
        json!({
            "id": Uuid::new_v5(&bot_id, b"o-1"), "bot_id": bot, "exchange": "binance", "trading_pair": "BTC/USDT", "side": "buy",
            "order_type": "limit", "status": "closed", "is_paper_trade": true, "amount": "2.00000000", "price": "100.00000000",
            "exit_price": "110.00000000", "fee": "0.50000000", "profit": "19.50000000", "profit_percentage": "9.7500",
            "entry_time": "2026-01-01T00:00:00+00:00", "exit_time": "2026-01-01T05:30:00+00:00", "holding_seconds": 19800,
            "exchange_order_id": "o-1", "exchange_trade_id": "t-1", "signal_price": "99.90000000",
            "stop_loss_price": "95.00000000", "take_profit_price": "120.00000000", "metadata": {"why": "rsi"},
            "created_at": trade["created_at"], "updated_at": trade["updated_at"],
        })
    );
    let owner = world.database.owner().await;
    let figures = format!(
        "select (total_trades, winning_trades, losing_trades, profit, current_balance, profit_percentage) from public.bots where id = '{bot}'"
    );
    assert_eq!(owner.text(&figures).await, "(1,1,0,19.50000000,100019.50000000,0.0195)");
    // The same again, and an opening that comes after its close.
    for again in [sent.clone(), with(open(), json!({"exchange_order_id": "o-1"}))] {
        let answer = world.post(&path, &token, &again).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, trade.clone()));
    }
    assert_eq!(owner.text(&figures).await, "(1,1,0,19.50000000,100019.50000000,0.0195)");
}

#[tokio::test]
async fn profit_is_computed_exactly_and_rounded_half_away_from_zero() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    for (changes, profit, percentage) in [
        (json!({"exit_price": "110"}), "20.00000000", "10.0000"),
        (json!({"exit_price": "110", "side": "sell"}), "-20.00000000", "-10.0000"),
        (json!({"exit_price": "90", "side": "sell"}), "20.00000000", "10.0000"),
        (json!({"exit_price": "90", "side": "sell", "fee": "1.25"}), "18.75000000", "9.3750"),
        (json!({"exit_price": "100"}), "0.00000000", "0.0000"),
        (json!({"exit_price": "100", "fee": "0.2"}), "-0.20000000", "-0.1000"),
        // 0.00000001 × 0.5 = 0.000000005: half, away from zero, in both directions.
        (json!({"exit_price": "100.00000001", "amount": "0.5"}), "0.00000001", "0.0000"),
        (json!({"exit_price": "99.99999999", "amount": "0.5"}), "-0.00000001", "0.0000"),
        (json!({"exit_price": "100.0005", "amount": "1"}), "0.00050000", "0.0005"),
        (json!({"price": "3", "amount": "1", "exit_price": "4"}), "1.00000000", "33.3333"),
        (json!({"price": "200", "amount": "1", "exit_price": "200.0001"}), "0.00010000", "0.0001"),
        (json!({"profit": "-7.5"}), "-7.50000000", "-3.7500"),
        (json!({"profit": "7.5", "profit_percentage": "1.5"}), "7.50000000", "1.5000"),
        (
            json!({"amount": "999999999999.99999999", "price": "1", "exit_price": "1.00000001"}),
            "10000.00000000",
            "0.0000",
        ),
    ] {
        let mut trade = with(closed("1"), changes.clone());
        if changes.get("exit_price").is_none() {
            trade.as_object_mut().unwrap().remove("exit_price");
        }
        let answer = world.post(&path, &token, &trade).await;
        assert_eq!(answer.status, 201, "{changes}: {answer:?}");
        assert_eq!(
            (&answer.json()["profit"], &answer.json()["profit_percentage"]),
            (&json!(profit), &json!(percentage)),
            "{changes}"
        );
    }
    assert_statistics_equal_recount(&world.database.owner().await).await;
}

#[tokio::test]
async fn what_no_column_holds_is_refused_by_name_and_nothing_of_the_batch_is_kept() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let most = "999999999999.99999999";
    for (changes, field) in [
        (json!({"amount": most, "price": "1", "exit_price": "3"}), "profit"),
        (json!({"amount": most, "price": most, "exit_price": "1"}), "profit"),
        (json!({"amount": "1", "price": "0.00000001", "exit_price": "1000"}), "profit_percentage"),
    ] {
        let unfit = with(closed("1"), changes);
        let answer = world.post(&path, &token, &unfit).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"));
        let answer = world.post(&path, &token, &json!([closed("110"), unfit])).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/1/{field}"));
    }
    // Each fits, their sum does not.
    let large = with(closed("1"), json!({"profit": most}));
    assert_eq!(world.post(&path, &token, &large).await.status, 422, "the bot's percentage would not fit");
    assert_eq!(world.post(&path, &token, &json!([large, large])).await.status, 422);
    assert_eq!(trades(&world, &bot).await, "0");
    assert_statistics_equal_recount(&world.database.owner().await).await;
}

#[tokio::test]
async fn every_field_names_what_is_wrong_with_it() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let wrong = [
        ("id", json!("x")),
        ("side", json!("long")),
        ("order_type", json!("stop")),
        ("amount", json!(0)),
        ("amount", json!("NaN")),
        ("amount", json!("0.000000001")),
        ("price", json!("-1")),
        ("price", json!("1000000000000")),
        ("status", json!("done")),
        ("entry_time", json!("yesterday")),
        ("entry_time", json!("2026-01-01 00:00:00")),
        ("exit_time", json!("2025-12-31T23:59:59Z")),
        ("exit_time", json!(null)),
        ("entry_time", json!("0000-01-01T00:00:00Z")),
        ("exit_price", json!("0")),
        ("exit_price", json!(null)),
        ("fee", json!("-0.1")),
        ("profit", json!("much")),
        ("profit_percentage", json!("1000000")),
        ("exchange_order_id", json!("")),
        ("exchange_order_id", json!("x".repeat(256))),
        ("signal_price", json!("0")),
        ("metadata", json!([])),
        ("proft", json!(1)),
        ("trading_pair", json!("ETH/USDT")),
    ];
    for (field, value) in &wrong {
        let answer = world.post(&path, &token, &with(closed("110"), json!({*field: value}))).await;
        assert_eq!(answer.status, 422, "{field}: {value}: {answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"), "{value}: {answer:?}");
    }
    for field in ["exit_time", "exit_price", "profit", "profit_percentage"] {
        let answer = world
            .post(&path, &token, &with(open(), json!({field: closed("110")[field].as_str().unwrap_or("1")})))
            .await;
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"), "{answer:?}");
    }
    // All of a batch at once, each with its index; and a batch has its limits.
    let batch =
        json!([open(), with(open(), json!({"side": "x", "price": 0})), 7, with(open(), json!({"amount": null}))]);
    let answer = world.post(&path, &token, &batch).await;
    let pointers: Vec<_> =
        answer.json()["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(answer.status, 422);
    assert_eq!(json!(pointers), json!(["/1/side", "/1/price", "/2", "/3/amount"]));
    for size in [0, 1001] {
        let answer = world.post(&path, &token, &Value::Array(vec![open(); size])).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("")), "{size}");
    }
    assert_eq!(trades(&world, &bot).await, "0");
}

#[tokio::test]
async fn a_trade_is_known_by_its_id_its_order_or_the_key() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let bot_id = Uuid::parse_str(&bot).unwrap();
    let id = Uuid::new_v4();
    for (trade, key, expected) in [
        (with(open(), json!({"id": id, "exchange_order_id": "a"})), Some("k"), id),
        (with(open(), json!({"exchange_order_id": "b"})), Some("k"), Uuid::new_v5(&bot_id, b"b")),
        (open(), Some("k"), Uuid::new_v5(&bot_id, b"key:k")),
        // An order that is called as a key was is another trade.
        (with(open(), json!({"exchange_order_id": "k"})), None, Uuid::new_v5(&bot_id, b"k")),
    ] {
        let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        for status in [201, 200] {
            let answer = world.post_with(&path, &token, &headers, &trade.to_string()).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["id"].as_str().unwrap()),
                (status, expected.to_string().as_str())
            );
        }
    }
    let new = [world.post(&path, &token, &open()).await, world.post(&path, &token, &open()).await];
    assert!(new.iter().all(|answer| answer.status == 201) && new[0].json()["id"] != new[1].json()["id"]);
    assert_eq!(trades(&world, &bot).await, "6");
}

#[tokio::test]
async fn an_id_of_another_bots_trade_is_refused_and_nothing_is_told_or_changed() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let owner = world.database.owner().await;
    let theirs =
        owner.text(&format!("select id from public.trades where user_id = '{PRO}' and status = 'open' limit 1")).await;
    let before = owner.text(&format!("select trades from public.trades where id = '{theirs}'")).await;
    let batch = json!([closed("110"), with(closed("110"), json!({"id": theirs}))]);
    let answer = world.post(&format!("/bots/{bot}/trades"), &token, &batch).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("/1/id")), "{answer:?}");
    assert_eq!(owner.text(&format!("select trades from public.trades where id = '{theirs}'")).await, before);
    assert_eq!(trades(&world, &bot).await, "0");
    // Nor does anybody report for a bot that is not his.
    let neighbour = world.sign_in("pro@nofomo.test").await;
    for path in [format!("/bots/{bot}/trades"), format!("/bots/{}/trades", Uuid::new_v4()), "/bots/x/trades".into()] {
        let answer = world.post(&path, &neighbour, &open()).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not-found".into()), "{path}");
    }
}

/// One report of a trade's life.
#[derive(Clone, Debug)]
struct Report {
    order: u8,
    stage: u8,
}

fn body_of(report: &Report) -> Value {
    let entry: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let entry = entry + TimeDelta::hours(i64::from(report.order) * 7);
    let trade = with(
        open(),
        json!({
            "exchange_order_id": format!("order-{}", report.order),
            "entry_time": entry,
            "side": if report.order.is_multiple_of(3) { "sell" } else { "buy" },
            "amount": format!("{}.{}", report.order + 1, report.order),
        }),
    );
    match report.stage {
        0 => trade,
        // Every fourth trade is cancelled, the others are closed, some at the price of their entry.
        _ if report.order % 4 == 3 => with(trade, json!({"status": "cancelled"})),
        _ => with(
            trade,
            json!({"status": "closed", "exit_time": entry + TimeDelta::hours(5), "fee": "0",
            "exit_price": (95 + u32::from(report.order) * 5 % 12).to_string()}),
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_reports_in_any_order_from_any_number_of_clients_end_in_the_same_rows() {
    let world = World::new().await;
    let (token, _) = with_bot(&world).await;
    let rows = async |bot: &str| {
        let sql = "select string_agg(concat_ws(' ', exchange_order_id, side, status, amount, price, exit_price, profit, profit_percentage,
            entry_time, exit_time), ';' order by exchange_order_id) from public.trades where bot_id = ";
        world.database.owner().await.text(&format!("{sql} '{bot}'")).await
    };
    let reports =
        proptest::collection::vec((0..12_u8, 0..2_u8).prop_map(|(order, stage)| Report { order, stage }), 1..40);
    let case = (reports, proptest::collection::vec(0..1000_u16, 40), 1..5_usize, 1..9_usize);
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner.run(&case, |(reports, shuffle, clients, batch)| {
            runtime.block_on(async {
                // In order, one by one…
                let new = async |name: &str| {
                    let bot = world
                        .post("/bots", &token, &with(new_bot(name), json!({"initial_balance": "100000"})))
                        .await
                        .json();
                    bot["id"].as_str().unwrap().to_owned()
                };
                let (expected, tried) = (new("in order").await, new("in disorder").await);
                let bodies: Vec<Value> = reports.iter().map(body_of).collect();
                for body in &bodies {
                    let answer = world.post(&format!("/bots/{expected}/trades"), &token, body).await;
                    prop_assert!(answer.status.is_success(), "{answer:?}");
                }
                // …and shuffled, some of them twice, in batches, from several clients at once.
                let mut disorder: Vec<(u16, Value)> = Vec::new();
                for (index, body) in bodies.iter().enumerate() {
                    disorder.push((shuffle[index], body.clone()));
                    if shuffle[index] % 3 == 0 {
                        disorder.push((1000 - shuffle[index], body.clone()));
                    }
                }
                disorder.sort_by_key(|(place, _)| *place);
                let batches: Vec<Value> =
                    disorder.chunks(batch).map(|chunk| chunk.iter().map(|(_, body)| body.clone()).collect()).collect();
                let path = format!("/bots/{tried}/trades");
                let answers = join_all((0..clients).map(|client| {
                    let own: Vec<&Value> = batches.iter().skip(client).step_by(clients).collect();
                    let (world, token, path) = (&world, &token, &path);
                    async move {
                        let mut answers: Vec<Answer> = Vec::new();
                        for batch in own {
                            answers.push(world.post(path, token, batch).await);
                        }
                        answers
                    }
                }))
                .await;
                prop_assert!(answers.iter().flatten().all(|answer| answer.status == 200), "{answers:?}");
                prop_assert_eq!(rows(&expected).await, rows(&tried).await);
                prop_assert_eq!(world.database.owner().await.text(BOTS_WITH_WRONG_STATISTICS).await, "");
                Ok(())
            })
        })
    })
    .unwrap();
}

#[tokio::test]
async fn a_thousand_trades_from_eight_clients_at_once_all_land_once() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let batch = |client: usize| -> Value {
        // Half of each batch is the client's own, half is everybody's, in another order for each.
        let own = (0..500).map(|n| format!("client-{client}-{n}"));
        let mut shared: Vec<_> = (0..500).map(|n| format!("shared-{n}")).collect();
        shared.rotate_left(client * 61);
        own.chain(shared).map(|order| with(closed("101"), json!({"exchange_order_id": order}))).collect()
    };
    let answers = join_all((0..8).map(|client| {
        let (world, token, path, batch) = (&world, &token, &path, batch(client));
        async move { world.post(path, token, &batch).await }
    }))
    .await;
    let mut created = 0;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        let results = answer.json()["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), 1000);
        created += results.iter().filter(|result| result["outcome"] == "created").count();
    }
    assert_eq!(created, 8 * 500 + 500);
    assert_eq!(trades(&world, &bot).await, "4500");
    assert_statistics_equal_recount(&world.database.owner().await).await;
}

#[tokio::test]
async fn one_trade_and_a_thousand_cost_one_round_trip() {
    let (world, proxy) = World::behind_proxy().await;
    let (token, bot) = with_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    assert_eq!(world.post(&path, &token, &open()).await.status, 201);
    proxy.take_round_trips();
    assert_eq!(world.post(&path, &token, &closed("110")).await.status, 201);
    assert_eq!(proxy.take_round_trips(), 1, "one trade");
    assert_eq!(world.post(&path, &token, &Value::Array(vec![closed("110"); 1000])).await.status, 200);
    assert_eq!(proxy.take_round_trips(), 1, "a thousand trades");
    assert_eq!(trades(&world, &bot).await, "1002");
}

fn fill(bot: &str, count: u32) -> String {
    format!(
        "insert into public.trades (bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, profit, status, entry_time, exit_time)
         select id, user_id, exchange, trading_pair, 'buy', 'market', 1, 1, 0.01, 'closed',
             timestamptz '2020-01-01' + n * interval '1 second', timestamptz '2020-01-01' + n * interval '2 seconds'
         from public.bots, generate_series(1, {count}) as n where id = '{bot}'"
    )
}

/// The pages that a report of one more trade reads and writes.
async fn pages(session: &Session, bot: &str) -> (u64, u64) {
    let id = Uuid::now_v7();
    let trade = with(closed("110"), json!({"id": id, "fee": "0", "exchange_order_id": id.to_string()}));
    let report = json!({"bot_id": bot, "trades": [trade]});
    let claims = json!({"sub": ENTERPRISE, "role": "authenticated"});
    session.pages(&format!("select private.record_trade('{claims}', '{report}')")).await
}

/// Counted in database pages, which do not depend on the machine.
#[tokio::test]
async fn a_trade_of_a_bot_with_a_hundred_thousand_costs_what_one_of_a_bot_with_ten_does() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let (token, small) = with_bot(&world).await;
    let large = world.post("/bots", &token, &with(new_bot("large"), json!({"initial_balance": "100000"}))).await.json();
    let large = large["id"].as_str().unwrap().to_owned();
    owner.run(&fill(&small, 10)).await.unwrap();
    let many = if at_full_size() { 1_000_000 } else { 100_000 };
    owner.run(&fill(&large, many)).await.unwrap();
    for sql in ["vacuum analyze public.trades", "vacuum public.bots"] {
        owner.run(sql).await.unwrap();
    }
    let mut measured = Vec::new();
    for bot in [&small, &large] {
        let session = world.database.session("nofomo_api").await;
        // Once to plan, once to measure.
        pages(&session, bot).await;
        measured.push(pages(&session, bot).await);
    }
    let [(small_read, small_written), (large_read, large_written)] = measured[..] else { panic!("{measured:?}") };
    // A B-tree over a hundred thousand rows is a level or two higher, in each of the few indexes.
    assert!(large_read <= small_read + 40, "{measured:?}");
    assert!(large_written <= small_written + 20, "{measured:?}");
    assert!(small_read > 0 && small_read < 2000, "{measured:?}");
}

/// A plan is kept: one that was made for a small table must do for a large one, until PostgreSQL has analysed it.
#[tokio::test]
async fn a_trade_costs_the_same_before_the_table_was_analysed_again() {
    for analysed in ["", "analyze public.trades"] {
        let world = World::new().await;
        let owner = world.database.owner().await;
        let (_, bot) = with_bot(&world).await;
        owner.run("alter table public.trades set (autovacuum_enabled = false)").await.unwrap();
        owner.run(analysed).await.unwrap();
        let session = world.database.session("nofomo_api").await;
        pages(&session, &bot).await;
        let (before, _) = pages(&session, &bot).await;
        owner.run(&fill(&bot, 50_000)).await.unwrap();
        // The first may have to read the catalog again.
        let after = [pages(&session, &bot).await.0, pages(&session, &bot).await.0].into_iter().min().unwrap();
        assert!(after <= before + 40, "{analysed}: {before} pages before, {after} after");
    }
}

#[tokio::test]
async fn a_database_killed_under_reports_loses_none_that_was_acknowledged_and_counts_none_twice() {
    let mut postgres = Postgres::start(&run_directory("postgres-killed-trades"), None).await.unwrap();
    migrate_template(&postgres).await;
    let world = World::on(Database::template_of(&postgres), BTreeMap::new()).await;
    let (token, bot) = with_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let answered = AtomicUsize::new(0);
    let report = |order: String| {
        let (world, token, path, answered) = (&world, &token, &path, &answered);
        async move {
            let body = with(closed("101"), json!({"exchange_order_id": order})).to_string();
            let answer = world.post_with(path, token, &[], &body).await;
            answered.fetch_add(1, Ordering::SeqCst);
            (order, answer)
        }
    };
    assert!(
        join_all((0..50).map(|n| report(format!("warm-{n}")))).await.iter().all(|(_, answer)| answer.status == 201)
    );
    // In the midst of them: some are acknowledged, some are on their way.
    answered.store(0, Ordering::SeqCst);
    let killing = async {
        while answered.load(Ordering::SeqCst) < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        postgres.kill().unwrap();
    };
    let (answers, ()) = tokio::join!(join_all((0..50).map(|n| report(format!("met-{n}")))), killing);
    postgres.restart().await.unwrap();
    let acknowledged = answers.iter().filter(|(_, answer)| answer.status == 201).count();
    assert!(acknowledged >= 10, "{acknowledged} of 50 before the kill");
    let owner = world.database.owner().await;
    for (order, answer) in &answers {
        assert!(answer.status == 201 || answer.status == 503, "{order}: {answer:?}");
        let stored =
            owner.text(&format!("select count(*) from public.trades where exchange_order_id = '{order}'")).await;
        assert!(stored == "1" || (stored == "0" && answer.status == 503), "{order}: {stored}: {answer:?}");
    }
    assert_statistics_equal_recount(&world.database.owner().await).await;
    // Everybody sends again what he got no answer for.
    for (order, _) in answers {
        let (_, answer) = report(order).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    assert_eq!(trades(&world, &bot).await, "100");
    assert_statistics_equal_recount(&world.database.owner().await).await;
}

/// A few bytes that PostgreSQL writes as many.
#[tokio::test]
async fn metadata_is_bounded_as_it_is_kept_and_not_as_it_is_sent() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let numbers = vec!["1e308"; 1000].join(",");
    let body = open().to_string().replacen('{', &format!("{{\"metadata\": {{\"x\": [{numbers}]}}, "), 1);
    let answer = world.post_with(&path, &token, &[], &body).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid".into()), "{answer:?}");
    let long = with(open(), json!({"metadata": {"x": "x".repeat(8 * 1024)}}));
    assert_eq!(world.post(&path, &token, &long).await.json()["errors"][0]["pointer"], "/metadata");
    assert_eq!(trades(&world, &bot).await, "0");
    assert_eq!(world.get("/portfolio", &token).await.status, 200);
}

#[tokio::test]
async fn an_id_that_another_bot_takes_in_this_moment_is_refused_and_its_trade_is_not_shown() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let id = Uuid::new_v4();
    let other = world.database.owner().await;
    other
        .run(&format!(
            "begin; insert into public.trades (id, bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, entry_time, metadata)
             select '{id}', id, user_id, exchange, trading_pair, 'buy', 'market', 1, 1, now(), '{{\"planted\": 1}}'
             from public.bots where user_id = '{PRO}' limit 1"
        ))
        .await
        .unwrap();
    let (path, batch) = (format!("/bots/{bot}/trades"), json!([open(), with(open(), json!({"id": id}))]));
    let reporting = world.post(&path, &token, &batch);
    let committing = async {
        other.blocks(1).await;
        other.run("commit").await.unwrap();
    };
    let (answer, ()) = tokio::join!(reporting, committing);
    assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("/1/id")), "{answer:?}");
    assert!(!answer.text.contains("planted"));
    assert_eq!(trades(&world, &bot).await, "0");
}

#[tokio::test]
async fn a_bot_that_is_deleted_in_this_moment_is_no_mistake_of_ours() {
    let world = World::new().await;
    let (token, bot) = with_bot(&world).await;
    let owner = world.database.owner().await;
    owner.run(&format!("begin; delete from public.bots where id = '{bot}'")).await.unwrap();
    let (path, trade) = (format!("/bots/{bot}/trades"), open());
    let reporting = world.post(&path, &token, &trade);
    let committing = async {
        owner.blocks(1).await;
        owner.run("commit").await.unwrap();
    };
    let (answer, ()) = tokio::join!(reporting, committing);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(world.post(&path, &token, &trade).await.status, 404);
}
