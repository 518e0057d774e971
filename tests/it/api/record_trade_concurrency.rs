//! `POST /bots/{bot_id}/trades` from several clients at once, and during a failure.

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

use crate::support::database::{Database, PRO, migrate_template, run_directory};
use crate::support::statistics::{BOTS_WITH_WRONG_STATISTICS, assert_statistics_equal_recount};
use crate::support::trades::{closed_trade, count_trades, create_empty_bot, open_trade, with_fields};
use crate::support::world::{HttpResponse, World, new_bot};

/// Report of one stage of a trade: 0 for open, 1 for closed or cancelled.
#[derive(Clone, Debug)]
struct Report {
    order: u8,
    stage: u8,
}

/// Request body of a report.
fn report_body(report: &Report) -> Value {
    let entry: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let entry = entry + TimeDelta::hours(i64::from(report.order) * 7);
    let trade = with_fields(
        open_trade(),
        json!({
            "exchange_order_id": format!("order-{}", report.order),
            "entry_time": entry,
            "side": if report.order.is_multiple_of(3) { "sell" } else { "buy" },
            "amount": format!("{}.{}", report.order + 1, report.order),
        }),
    );
    match report.stage {
        0 => trade,
        // Every fourth trade is cancelled, the others are closed, some of them at the entry price.
        _ if report.order % 4 == 3 => with_fields(trade, json!({"status": "cancelled"})),
        _ => with_fields(
            trade,
            json!({"status": "closed", "exit_time": entry + TimeDelta::hours(5), "fee": "0",
            "exit_price": (95 + u32::from(report.order) * 5 % 12).to_string()}),
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_in_any_order_from_any_number_of_clients_result_in_the_same_rows() {
    let world = World::new().await;
    let (token, _) = create_empty_bot(&world).await;
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
                // Reports in order, one by one.
                let create_bot = async |name: &str| {
                    let bot = world
                        .post("/bots", &token, &with_fields(new_bot(name), json!({"initial_balance": "100000"})))
                        .await
                        .json();
                    bot["id"].as_str().unwrap().to_owned()
                };
                let (ordered, shuffled) = (create_bot("in order").await, create_bot("shuffled").await);
                let bodies: Vec<Value> = reports.iter().map(report_body).collect();
                for body in &bodies {
                    let answer = world.post(&format!("/bots/{ordered}/trades"), &token, body).await;
                    prop_assert!(answer.status.is_success(), "{answer:?}");
                }
                // Sends the same reports shuffled, some of them twice, in batches, from several clients at once.
                let mut shuffled_bodies: Vec<(u16, Value)> = Vec::new();
                for (index, body) in bodies.iter().enumerate() {
                    shuffled_bodies.push((shuffle[index], body.clone()));
                    if shuffle[index] % 3 == 0 {
                        shuffled_bodies.push((1000 - shuffle[index], body.clone()));
                    }
                }
                shuffled_bodies.sort_by_key(|(place, _)| *place);
                let batches: Vec<Value> = shuffled_bodies
                    .chunks(batch)
                    .map(|chunk| chunk.iter().map(|(_, body)| body.clone()).collect())
                    .collect();
                let path = format!("/bots/{shuffled}/trades");
                let answers = join_all((0..clients).map(|client| {
                    let own: Vec<&Value> = batches.iter().skip(client).step_by(clients).collect();
                    let (world, token, path) = (&world, &token, &path);
                    async move {
                        let mut answers: Vec<HttpResponse> = Vec::new();
                        for batch in own {
                            answers.push(world.post(path, token, batch).await);
                        }
                        answers
                    }
                }))
                .await;
                prop_assert!(answers.iter().flatten().all(|answer| answer.status == 200), "{answers:?}");
                prop_assert_eq!(rows(&ordered).await, rows(&shuffled).await);
                prop_assert_eq!(world.database.owner().await.text(BOTS_WITH_WRONG_STATISTICS).await, "");
                Ok(())
            })
        })
    })
    .unwrap();
}

#[tokio::test]
async fn a_thousand_trades_from_each_of_eight_concurrent_clients_are_stored_once() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let batch = |client: usize| -> Value {
        // Half of each batch is the client's own; the other half is shared by all clients, in a different order for
        // each.
        let own = (0..500).map(|n| format!("client-{client}-{n}"));
        let mut shared: Vec<_> = (0..500).map(|n| format!("shared-{n}")).collect();
        shared.rotate_left(client * 61);
        own.chain(shared).map(|order| with_fields(closed_trade("101"), json!({"exchange_order_id": order}))).collect()
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
    assert_eq!(count_trades(&world, &bot).await, "4500");
    assert_statistics_equal_recount(&world.database.owner().await).await;
}

#[tokio::test]
async fn a_killed_database_loses_no_acknowledged_trade_and_counts_none_twice() {
    let mut postgres = Postgres::start(&run_directory("postgres-killed-trades"), None).await.unwrap();
    migrate_template(&postgres).await;
    let world = World::on_database(Database::migrated_on(&postgres), BTreeMap::new()).await;
    let (token, bot) = create_empty_bot(&world).await;
    let path = format!("/bots/{bot}/trades");
    let answered = AtomicUsize::new(0);
    let report = |order: String| {
        let (world, token, path, answered) = (&world, &token, &path, &answered);
        async move {
            let body = with_fields(closed_trade("101"), json!({"exchange_order_id": order})).to_string();
            let answer = world.post_with(path, token, &[], &body).await;
            answered.fetch_add(1, Ordering::SeqCst);
            (order, answer)
        }
    };
    assert!(
        join_all((0..50).map(|n| report(format!("warm-{n}")))).await.iter().all(|(_, answer)| answer.status == 201)
    );
    // Killed when some reports are acknowledged and others are in flight.
    answered.store(0, Ordering::SeqCst);
    let killing = async {
        while answered.load(Ordering::SeqCst) < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        postgres.kill().unwrap();
    };
    let (answers, ()) = tokio::join!(join_all((0..50).map(|n| report(format!("interrupted-{n}")))), killing);
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
    // Every report is sent again.
    for (order, _) in answers {
        let (_, answer) = report(order).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    assert_eq!(count_trades(&world, &bot).await, "100");
    assert_statistics_equal_recount(&world.database.owner().await).await;
}

#[tokio::test]
async fn an_id_that_another_bot_uses_concurrently_is_refused_without_showing_its_trade() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
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
    let (path, batch) =
        (format!("/bots/{bot}/trades"), json!([open_trade(), with_fields(open_trade(), json!({"id": id}))]));
    let request = world.post(&path, &token, &batch);
    let committing = async {
        other.wait_until_blocking(1).await;
        other.run("commit").await.unwrap();
    };
    let (answer, ()) = tokio::join!(request, committing);
    assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("/1/id")), "{answer:?}");
    assert!(!answer.text.contains("planted"));
    assert_eq!(count_trades(&world, &bot).await, "0");
}

#[tokio::test]
async fn a_report_for_a_bot_that_is_being_deleted_is_unavailable_and_then_not_found() {
    let world = World::new().await;
    let (token, bot) = create_empty_bot(&world).await;
    let owner = world.database.owner().await;
    owner.run(&format!("begin; delete from public.bots where id = '{bot}'")).await.unwrap();
    let (path, trade) = (format!("/bots/{bot}/trades"), open_trade());
    let request = world.post(&path, &token, &trade);
    let committing = async {
        owner.wait_until_blocking(1).await;
        owner.run("commit").await.unwrap();
    };
    let (answer, ()) = tokio::join!(request, committing);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(world.post(&path, &token, &trade).await.status, 404);
}
