//! `POST /bots/{bot_id}/trades`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::{ENTERPRISE, PRO, Session, is_full_size_run};
use crate::support::statistics::assert_statistics_equal_recount;
use crate::support::trades::{closed_trade, count_trades, create_empty_bot, open_trade, with_fields};
use crate::support::world::{World, new_bot};

#[tokio::test]
async fn a_trade_is_recorded_with_the_values_of_its_bot_and_counted() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let sent = with_fields(
        closed_trade("110"),
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
    // Sends the same report again, and a report of the opening that arrives after the report of the close.
    for again in [sent.clone(), with_fields(open_trade(), json!({"exchange_order_id": "o-1"}))] {
        let answer = world.post(&path, &token, &again).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, trade.clone()));
    }
    assert_eq!(owner.text(&figures).await, "(1,1,0,19.50000000,100019.50000000,0.0195)");
}

#[tokio::test]
async fn profit_is_computed_exactly_and_rounded_half_away_from_zero() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
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
        let mut trade = with_fields(closed_trade("1"), changes.clone());
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
async fn a_value_out_of_range_is_named_and_its_batch_is_not_stored() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let largest = "999999999999.99999999";
    for (changes, field) in [
        (json!({"amount": largest, "price": "1", "exit_price": "3"}), "profit"),
        (json!({"amount": largest, "price": largest, "exit_price": "1"}), "profit"),
        (json!({"amount": "1", "price": "0.00000001", "exit_price": "1000"}), "profit_percentage"),
    ] {
        let out_of_range = with_fields(closed_trade("1"), changes);
        let answer = world.post(&path, &token, &out_of_range).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"));
        let answer = world.post(&path, &token, &json!([closed_trade("110"), out_of_range])).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/1/{field}"));
    }
    // The profit of each trade fits its column, but not that of the bot.
    let large = with_fields(closed_trade("1"), json!({"profit": largest}));
    assert_eq!(world.post(&path, &token, &large).await.status, 422, "the bot's percentage is out of range");
    assert_eq!(world.post(&path, &token, &json!([large, large])).await.status, 422);
    assert_eq!(count_trades(&world, &bot).await, "0");
    assert_statistics_equal_recount(&world.database.owner().await).await;
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let invalid = [
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
    for (field, value) in &invalid {
        let answer = world.post(&path, &token, &with_fields(closed_trade("110"), json!({*field: value}))).await;
        assert_eq!(answer.status, 422, "{field}: {value}: {answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"), "{value}: {answer:?}");
    }
    for field in ["exit_time", "exit_price", "profit", "profit_percentage"] {
        let answer = world
            .post(
                &path,
                &token,
                &with_fields(open_trade(), json!({field: closed_trade("110")[field].as_str().unwrap_or("1")})),
            )
            .await;
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"), "{answer:?}");
    }
    // All errors of a batch are reported with their index; a batch has 1 to 1,000 trades.
    let batch = json!([
        open_trade(),
        with_fields(open_trade(), json!({"side": "x", "price": 0})),
        7,
        with_fields(open_trade(), json!({"amount": null}))
    ]);
    let answer = world.post(&path, &token, &batch).await;
    let pointers: Vec<_> =
        answer.json()["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(answer.status, 422);
    assert_eq!(json!(pointers), json!(["/1/side", "/1/price", "/2", "/3/amount"]));
    for size in [0, 1001] {
        let answer = world.post(&path, &token, &Value::Array(vec![open_trade(); size])).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("")), "{size}");
    }
    assert_eq!(count_trades(&world, &bot).await, "0");
}

#[tokio::test]
async fn a_trade_is_identified_by_its_id_its_order_id_or_the_idempotency_key() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let bot_id = Uuid::parse_str(&bot).unwrap();
    let id = Uuid::new_v4();
    for (trade, key, expected) in [
        (with_fields(open_trade(), json!({"id": id, "exchange_order_id": "a"})), Some("k"), id),
        (with_fields(open_trade(), json!({"exchange_order_id": "b"})), Some("k"), Uuid::new_v5(&bot_id, b"b")),
        (open_trade(), Some("k"), Uuid::new_v5(&bot_id, b"key:k")),
        // An order id equal to a key is another trade.
        (with_fields(open_trade(), json!({"exchange_order_id": "k"})), None, Uuid::new_v5(&bot_id, b"k")),
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
    let new = [world.post(&path, &token, &open_trade()).await, world.post(&path, &token, &open_trade()).await];
    assert!(new.iter().all(|answer| answer.status == 201) && new[0].json()["id"] != new[1].json()["id"]);
    assert_eq!(count_trades(&world, &bot).await, "6");
}

#[tokio::test]
async fn the_id_of_another_bots_trade_is_refused_and_reveals_and_changes_nothing() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
    let owner = world.database.owner().await;
    let theirs =
        owner.text(&format!("select id from public.trades where user_id = '{PRO}' and status = 'open' limit 1")).await;
    let before = owner.text(&format!("select trades from public.trades where id = '{theirs}'")).await;
    let batch = json!([closed_trade("110"), with_fields(closed_trade("110"), json!({"id": theirs}))]);
    let answer = world.post(&format!("/bots/{bot}/trades"), &token, &batch).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("/1/id")), "{answer:?}");
    assert_eq!(owner.text(&format!("select trades from public.trades where id = '{theirs}'")).await, before);
    assert_eq!(count_trades(&world, &bot).await, "0");
    // Another user cannot report for the bot.
    let other_user = world.sign_in("pro@nofomo.test").await;
    for path in [format!("/bots/{bot}/trades"), format!("/bots/{}/trades", Uuid::new_v4()), "/bots/x/trades".into()] {
        let answer = world.post(&path, &other_user, &open_trade()).await;
        assert_eq!(answer.status_and_problem(), (404, "not-found".into()), "{path}");
    }
}

#[tokio::test]
async fn one_trade_or_a_thousand_cost_one_round_trip() {
    let (world, proxy) = World::behind_proxy().await;
    let (token, bot) = create_empty_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    assert_eq!(world.post(&path, &token, &open_trade()).await.status, 201);
    proxy.take_round_trips();
    assert_eq!(world.post(&path, &token, &closed_trade("110")).await.status, 201);
    assert_eq!(proxy.take_round_trips(), 1, "one trade");
    assert_eq!(world.post(&path, &token, &Value::Array(vec![closed_trade("110"); 1000])).await.status, 200);
    assert_eq!(proxy.take_round_trips(), 1, "a thousand trades");
    assert_eq!(count_trades(&world, &bot).await, "1002");
}

/// Statement that inserts closed trades of a bot.
fn insert_closed_trades(bot: &str, count: u32) -> String {
    format!(
        "insert into public.trades (bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, profit, status, entry_time, exit_time)
         select id, user_id, exchange, trading_pair, 'buy', 'market', 1, 1, 0.01, 'closed',
             timestamptz '2020-01-01' + n * interval '1 second', timestamptz '2020-01-01' + n * interval '2 seconds'
         from public.bots, generate_series(1, {count}) as n where id = '{bot}'"
    )
}

/// Numbers of database pages that the report of one more trade reads and writes.
async fn pages_of_a_report(session: &Session, bot: &str) -> (u64, u64) {
    let id = Uuid::now_v7();
    let trade = with_fields(closed_trade("110"), json!({"id": id, "fee": "0", "exchange_order_id": id.to_string()}));
    let report = json!({"bot_id": bot, "trades": [trade]});
    let claims = json!({"sub": ENTERPRISE, "role": "authenticated"});
    session.pages(&format!("select private.record_trade('{claims}', '{report}')")).await
}

/// Measured in database pages, which do not depend on the machine.
#[tokio::test]
async fn recording_a_trade_costs_the_same_with_ten_trades_and_with_a_hundred_thousand() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let (token, small) = create_empty_bot(&world).await;
    let large =
        world.post("/bots", &token, &with_fields(new_bot("large"), json!({"initial_balance": "100000"}))).await.json();
    let large = large["id"].as_str().unwrap().to_owned();
    owner.run(&insert_closed_trades(&small, 10)).await.unwrap();
    let many = if is_full_size_run() { 1_000_000 } else { 100_000 };
    owner.run(&insert_closed_trades(&large, many)).await.unwrap();
    for sql in ["vacuum analyze public.trades", "vacuum public.bots"] {
        owner.run(sql).await.unwrap();
    }
    let mut measured = Vec::new();
    for bot in [&small, &large] {
        let session = world.database.session("nofomo_api").await;
        // The first call plans the statement; the second one is measured.
        pages_of_a_report(&session, bot).await;
        measured.push(pages_of_a_report(&session, bot).await);
    }
    let [(small_read, small_written), (large_read, large_written)] = measured[..] else { panic!("{measured:?}") };
    // Each index is a B-tree, which is one or two levels higher for 100,000 rows.
    assert!(large_read <= small_read + 40, "{measured:?}");
    assert!(large_written <= small_written + 20, "{measured:?}");
    assert!(small_read > 0 && small_read < 2000, "{measured:?}");
}

/// The query plan is cached: a plan for a small table must suit a large one until the table is analysed.
#[tokio::test]
async fn recording_a_trade_costs_the_same_after_the_table_has_grown_and_before_it_is_analysed() {
    for analysed in ["", "analyze public.trades"] {
        let world = World::new().await;
        let owner = world.database.owner().await;
        let (_, bot) = create_empty_bot(&world).await;
        owner.run("alter table public.trades set (autovacuum_enabled = false)").await.unwrap();
        owner.run(analysed).await.unwrap();
        let session = world.database.session("nofomo_api").await;
        pages_of_a_report(&session, &bot).await;
        let (before, _) = pages_of_a_report(&session, &bot).await;
        owner.run(&insert_closed_trades(&bot, 50_000)).await.unwrap();
        // The first call may read the catalog again.
        let after = [pages_of_a_report(&session, &bot).await.0, pages_of_a_report(&session, &bot).await.0]
            .into_iter()
            .min()
            .unwrap();
        assert!(after <= before + 40, "{analysed}: {before} pages before, {after} after");
    }
}

/// Sends numbers that are short in JSON and long as PostgreSQL stores them.
#[tokio::test]
async fn the_limit_of_metadata_applies_to_its_stored_size() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let numbers = vec!["1e308"; 1000].join(",");
    let body = open_trade().to_string().replacen('{', &format!("{{\"metadata\": {{\"x\": [{numbers}]}}, "), 1);
    let answer = world.post_with(&path, &token, &[], &body).await;
    assert_eq!(answer.status_and_problem(), (422, "invalid".into()), "{answer:?}");
    let long = with_fields(open_trade(), json!({"metadata": {"x": "x".repeat(8 * 1024)}}));
    assert_eq!(world.post(&path, &token, &long).await.json()["errors"][0]["pointer"], "/metadata");
    assert_eq!(count_trades(&world, &bot).await, "0");
    assert_eq!(world.get("/portfolio", &token).await.status, 200);
}
