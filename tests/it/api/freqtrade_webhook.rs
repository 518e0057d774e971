//! `POST /freqtrade/{bot_token}`: freqtrade's webhook, answered by record-trade.

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::bot_tokens::issue_bot_token;
use crate::support::statistics::{BOTS_WITH_WRONG_STATISTICS, assert_statistics_equal_recount};
use crate::support::world::{HttpResponse, World, new_bot};

/// Requests that a real freqtrade sent.
const RECORDED_REQUESTS: &str = include_str!("../../fixtures/freqtrade-webhook-requests.txt");

/// Creates a bot without trades; returns its id and the token of its runner.
async fn create_runner(world: &World) -> (String, String) {
    let user = world.sign_in("enterprise@nofomo.test").await;
    let bot = world.post("/bots", &user, &new_bot("freqtrade")).await.json()["id"].as_str().unwrap().to_owned();
    let token = issue_bot_token(world, &user, &bot).await;
    (bot, token)
}

async fn send(world: &World, token: &str, content_type: &str, body: &str) -> HttpResponse {
    world.send(Method::POST, &format!("/freqtrade/{token}"), &[("content-type", content_type)], body).await
}

async fn send_event(world: &World, token: &str, event: &Value) {
    let answer = send(world, token, "application/json", &event.to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "{}"), "{event}");
}

/// Trades of a bot, one per line.
async fn trades(world: &World, bot: &str) -> String {
    let columns = "concat_ws(' ', metadata #>> '{freqtrade,trade_id}', trading_pair, side, status, amount, price, exit_price, profit,
        profit_percentage, entry_time at time zone 'utc', exit_time at time zone 'utc')";
    let sql = format!(
        "select string_agg({columns}, e'\\n' order by entry_time, trading_pair, metadata) from public.trades where bot_id = '{bot}'"
    );
    world.database.owner().await.text(&sql).await
}

/// Level and message of each log row that freqtrade's events added, in order.
async fn logged_events(world: &World, bot: &str) -> Vec<String> {
    let sql = "select log_level || ' ' || message from public.logs where source = 'freqtrade' and bot_id = $1::uuid order by id";
    world.database.owner().await.rows(sql, &[&bot]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

fn entry(trade_id: u32, amount: &str, rate: &str) -> Value {
    json!({"type": "entry_fill", "trade_id": trade_id.to_string(), "pair": "ETH/USDT", "direction": "Long", "leverage": "1.0",
        "order_type": "limit", "amount": amount, "open_rate": rate, "stake_amount": amount, "stake_currency": "USDT",
        "open_date": "2026-01-02 03:04:05.678901+00:00", "enter_tag": "None", "sub_trade": "False"})
}

fn exit(trade_id: u32, amount: &str, rate: &str, cumulative: &str, hour: u32, is_final: bool) -> Value {
    let ratio = if is_final { "0.0512345678" } else { "None" };
    json!({"type": "exit_fill", "trade_id": trade_id.to_string(), "pair": "ETH/USDT", "direction": "Long", "leverage": "1.0",
        "order_type": "limit", "amount": amount, "open_rate": "100.0", "close_rate": rate, "current_rate": "None",
        "open_date": "2026-01-02 03:04:05.678901+00:00", "close_date": format!("2026-01-02 {hour:02}:00:07+00:00"),
        "profit_amount": "-99", "profit_ratio": "-0.5", "cumulative_profit": cumulative, "final_profit_ratio": ratio,
        "is_final_exit": if is_final { "True" } else { "False" }, "sub_trade": "True", "exit_reason": "roi"})
}

/// Content type and body of each recorded request.
fn recorded_requests() -> Vec<(String, String)> {
    let requests = RECORDED_REQUESTS.split("----- request ").skip(1).map(|request| {
        let (head, rest) = request.split_once("\n\n").unwrap();
        let body = rest.split("\n----- ").next().unwrap().split("\n====").next().unwrap();
        let content_type = head.lines().find_map(|line| line.strip_prefix("Content-Type: ")).unwrap();
        (content_type.to_owned(), body.trim_end().to_owned())
    });
    requests.collect()
}

#[tokio::test]
async fn the_events_of_a_real_freqtrade_result_in_the_right_trades_however_often_they_are_sent() {
    let world = World::new().await;
    let (bot, token) = create_runner(&world).await;
    let requests = recorded_requests();
    assert_eq!(requests.len(), 13);
    let expected = "1 ETH/USDT buy closed 1.00000000 100.00000000 104.00000000 3.79600000 3.7922 2026-01-02 03:04:05.678901 2026-01-02 05:00:07";
    let mut logs = Vec::new();
    for replay in 0..3 {
        for (content_type, body) in &requests {
            let answer = send(&world, &token, content_type, body).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "{}"), "{body}");
        }
        assert_eq!(trades(&world, &bot).await, expected, "replay {replay}");
        let now = logged_events(&world, &bot).await;
        assert!(replay == 0 || now == logs, "a replay changes nothing: {now:?}");
        logs = now;
    }
    // Each of the ten bodies that contain no trade is logged with its text; three of them are equal and logged once.
    let distinct: std::collections::BTreeSet<_> =
        requests.iter().map(|(_, body)| body).filter(|body| !body.contains("_fill\", \"trade_id")).collect();
    assert!(logs.iter().all(|log| log.starts_with("warning Freqtrade event not understood")), "{logs:?}");
    let bodies = world
        .database
        .owner()
        .await
        .text(&format!(
            "select count(distinct context ->> 'body') from public.logs where source = 'freqtrade' and bot_id = '{bot}'"
        ))
        .await;
    assert_eq!((bodies, logs.len()), ((distinct.len() - 1).to_string(), distinct.len() - 1));
    assert_statistics_equal_recount(&world.database.owner().await).await;
    let figures = format!("select (total_trades, winning_trades, profit) from public.bots where id = '{bot}'");
    assert_eq!(world.database.owner().await.text(&figures).await, "(1,1,3.79600000)");
}

#[tokio::test]
async fn further_entries_are_averaged_and_exits_realise_their_share() {
    let world = World::new().await;
    let (bot, token) = create_runner(&world).await;
    let opened = "2026-01-02 03:04:05.678901";
    for (event, expected) in [
        (entry(1, "1.0", "100.0"), format!("1 ETH/USDT buy open 1.00000000 100.00000000 0.00000000 0.0000 {opened}")),
        (entry(1, "3.0", "80.0"), format!("1 ETH/USDT buy open 4.00000000 85.00000000 0.00000000 0.0000 {opened}")),
        // A partial exit: its profit from freqtrade counts funding twice; the cumulative profit does not.
        (
            exit(1, "1.0", "90.0", "4.5", 5, false),
            format!("1 ETH/USDT buy open 4.00000000 85.00000000 90.00000000 4.50000000 1.3235 {opened}"),
        ),
        (
            exit(1, "3.0", "110.0", "78.25", 7, true),
            format!(
                "1 ETH/USDT buy closed 4.00000000 85.00000000 105.00000000 78.25000000 5.1235 {opened} 2026-01-02 07:00:07"
            ),
        ),
    ] {
        send_event(&world, &token, &event).await;
        assert_eq!(trades(&world, &bot).await, expected);
        assert_statistics_equal_recount(&world.database.owner().await).await;
    }
}

#[tokio::test]
async fn a_cancelled_order_deletes_no_trade_and_a_reused_trade_id_is_another_trade() {
    let world = World::new().await;
    let (bot, token) = create_runner(&world).await;
    let cancel = |kind: &str, trade_id: u32, date: &str| {
        json!({"type": kind, "trade_id": trade_id.to_string(), "pair": "ETH/USDT", "open_date": date,
        "reason": "cancelled due to timeout, partially filled"})
    };
    // An order that is cancelled before any fill is not a trade.
    let mut announced = entry(1, "1.0", "100.0");
    announced["type"] = json!("entry");
    send_event(&world, &token, &announced).await;
    send_event(&world, &token, &cancel("entry_cancel", 1, "2026-01-02 03:04:05.678901")).await;
    assert_eq!(trades(&world, &bot).await, "");
    // The fill of a partly filled and then cancelled order remains. The date of a cancellation has no offset.
    send_event(&world, &token, &entry(1, "0.25", "100.0")).await;
    let filled = trades(&world, &bot).await;
    assert!(filled.starts_with("1 ETH/USDT buy open 0.25000000"), "{filled}");
    for kind in ["entry_cancel", "exit_cancel"] {
        send_event(&world, &token, &cancel(kind, 1, "2026-01-02 03:04:05.678901")).await;
        assert_eq!(trades(&world, &bot).await, filled);
    }
    // The same trade id with another date or pair is another trade. One of them is short, with a market order.
    let mut later = entry(1, "2.0", "50.0");
    (later["open_date"], later["direction"], later["order_type"]) =
        (json!("2026-02-01 00:00:00+00:00"), json!("Short"), json!("market"));
    let mut other = entry(1, "5.0", "20.0");
    other["pair"] = json!("SOL/USDT:USDT");
    send_event(&world, &token, &later).await;
    send_event(&world, &token, &other).await;
    let all = trades(&world, &bot).await;
    assert_eq!(all.lines().count(), 3, "{all}");
    assert!(
        all.contains("1 SOL/USDT:USDT buy open 5.00000000 20.00000000")
            && all.contains("1 ETH/USDT sell open 2.00000000 50.00000000"),
        "{all}"
    );
    assert_eq!(logged_events(&world, &bot).await, Vec::<String>::new());
}

#[tokio::test]
async fn forms_and_old_templates_are_accepted() {
    let world = World::new().await;
    let (bot, token) = create_runner(&world).await;
    let form = "event=entry_fill&trade_id=7&pair=ETH%2FUSDT&direction=Long&amount=1.5&limit=1e2&open_date=2026-01-02+03%3A04%3A05%2B00%3A00&buy_tag=";
    assert_eq!(send(&world, &token, "application/x-www-form-urlencoded", form).await.status, 200);
    assert_eq!(
        trades(&world, &bot).await,
        "7 ETH/USDT buy open 1.50000000 100.00000000 0.00000000 0.0000 2026-01-02 03:04:05"
    );
    // A template with raw values sends JSON numbers, and does not say whether this exit is the last one.
    let raw = r#"{"event":"EXIT_FILL","trade_id":7,"pair":"ETH/USDT","amount":1.5,"open_rate":100.0,"limit":110,"open_date":"2026-01-02T03:04:05",
        "close_date":"2026-01-02T04:04:05","profit_amount":14.7,"profit_ratio":0.098,"sub_trade":false}"#;
    assert_eq!(send(&world, &token, "text/plain", raw).await.status, 200);
    assert_eq!(
        trades(&world, &bot).await,
        "7 ETH/USDT buy closed 1.50000000 100.00000000 110.00000000 14.70000000 9.8000 2026-01-02 03:04:05 2026-01-02 04:04:05"
    );
    assert_eq!(logged_events(&world, &bot).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_exit_without_its_entry_is_recorded_as_a_trade() {
    let world = World::new().await;
    let (bot, token) = create_runner(&world).await;
    send_event(&world, &token, &exit(1, "2.0", "110.0", "19.0", 7, true)).await;
    let closed = "1 ETH/USDT buy closed 2.00000000 100.00000000 110.00000000 19.00000000 5.1235 2026-01-02 03:04:05.678901 2026-01-02 07:00:07";
    assert_eq!(trades(&world, &bot).await, closed);
    assert_statistics_equal_recount(&world.database.owner().await).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_or_recorded_is_logged_with_its_body_and_answered_200() {
    let world = World::new().await;
    let (bot, token) = create_runner(&world).await;
    let without = |name: &str| {
        let mut event = entry(1, "1.0", "100.0");
        event.as_object_mut().unwrap().remove(name);
        event.to_string()
    };
    let with = |name: &str, value: &str| {
        let mut event = entry(1, "1.0", "100.0");
        event[name] = json!(value);
        event.to_string()
    };
    let bodies = [
        String::new(),
        "not json".into(),
        "[]".into(),
        "{\"type\": \"unheard_of\"}".into(),
        "\u{0}binary\u{0}".into(),
        "{\"type\": [1]}".into(),
        "{\"type\": \"\\u0000\"}".into(),
        "{\"event\": \"entry_fill\\u0000\"}".into(),
        with("open_rate", "-5"),
        with("open_rate", "0"),
        with("open_rate", "-0.0"),
        with("open_rate", "1e-400"),
        with("amount", "1e-9"),
        without("trade_id"),
        without("open_date"),
        without("pair"),
        without("amount"),
        without("open_rate"),
        with("amount", "nan"),
        with("amount", "0.0"),
        with("amount", "-1"),
        with("amount", "many"),
        with("open_date", "soon"),
        with("pair", &"X".repeat(60)),
        with("open_rate", "1e300"),
        with("amount", "999999999999999"),
        with("open_rate", "0.000000000001"),
        with("open_rate", "1e400"),
    ];
    for body in &bodies {
        let answer = send(&world, &token, "application/json", body).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "{}"), "{body:?}");
    }
    let form = send(&world, &token, "application/x-www-form-urlencoded", "type=status%00").await;
    assert_eq!((form.status.as_u16(), form.text.as_str()), (200, "{}"));
    assert_eq!(trades(&world, &bot).await, "");
    let logs = logged_events(&world, &bot).await;
    assert_eq!(logs.len(), bodies.len() + 1, "{logs:#?}");
    let body = format!(
        "select context ->> 'body' from public.logs where bot_id = '{bot}' and context ->> 'body' like '%unheard%'"
    );
    assert_eq!(world.database.owner().await.text(&body).await, "{\"type\": \"unheard_of\"}");
    assert_statistics_equal_recount(&world.database.owner().await).await;
}

#[tokio::test]
async fn messages_are_logged_and_a_retry_is_not_logged_twice() {
    let world = World::new().await;
    let (bot, token) = create_runner(&world).await;
    for (kind, field, expected) in [
        ("status", "status", "info Freqtrade status: said"),
        ("startup", "status", "info Freqtrade startup: said"),
        ("warning", "status", "warning Freqtrade warning: said"),
        ("exception", "status", "error Freqtrade exception: said"),
        ("strategy_msg", "msg", "info Freqtrade strategy_msg: said"),
        ("protection_trigger", "reason", "warning Freqtrade protection_trigger: said"),
        ("protection_trigger_global", "reason", "warning Freqtrade protection_trigger_global: said"),
    ] {
        for _ in 0..2 {
            send_event(&world, &token, &json!({"type": kind, field: "said"})).await;
        }
        assert_eq!(logged_events(&world, &bot).await.last().unwrap(), expected);
    }
    assert_eq!(logged_events(&world, &bot).await.len(), 7);
    for silent in ["whitelist", "analyzed_df", "new_candle"] {
        send_event(&world, &token, &json!({"type": silent, "data": [1]})).await;
    }
    assert_eq!(logged_events(&world, &bot).await.len(), 7);
    // The same message much later is logged again.
    let admin = world.database.session("supabase_admin").await;
    admin.run("update private.freqtrade_events set received_at = now() - interval '2 minutes'").await.unwrap();
    send_event(&world, &token, &json!({"type": "status", "status": "said"})).await;
    assert_eq!(logged_events(&world, &bot).await.len(), 8);
}

#[tokio::test]
async fn an_unknown_or_revoked_token_is_not_found_and_no_token_is_logged() {
    let world = World::new().await;
    let (bot, token) = create_runner(&world).await;
    let event = entry(1, "1.0", "100.0").to_string();
    for unknown in ["x", "nofomo_bot_x", &format!("nofomo_bot_{}", "A".repeat(43))] {
        assert_eq!(send(&world, unknown, "application/json", &event).await.status, 404, "{unknown}");
    }
    assert_eq!(send(&world, &token, "application/json", &event).await.status, 200);
    let user = world.sign_in("enterprise@nofomo.test").await;
    issue_bot_token(&world, &user, &bot).await;
    assert_eq!(send(&world, &token, "application/json", &event).await.status, 404);
    let log = world.log();
    assert!(
        log.contains("POST /freqtrade/{bot_token} 200") && !log.contains(&token) && !log.contains("ETH/USDT"),
        "{log}"
    );
}

#[tokio::test]
async fn an_event_costs_one_round_trip() {
    let (world, proxy) = World::behind_proxy().await;
    let (_, token) = create_runner(&world).await;
    send_event(&world, &token, &entry(1, "1.0", "100.0")).await;
    proxy.take_round_trips();
    for event in [
        entry(1, "1.0", "90.0"),
        exit(1, "2.0", "110.0", "30", 7, true),
        json!({"type": "status", "status": "running"}),
        json!({}),
    ] {
        send_event(&world, &token, &event).await;
        assert_eq!(proxy.take_round_trips(), 1, "{event}");
    }
}

/// Sends all events of three trades in any order, some of them twice, over several concurrent connections.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_events_in_any_order_result_in_the_same_trades() {
    let world = World::new().await;
    let events: Vec<Value> = (1..=3)
        .flat_map(|id| {
            [
                entry(id, "1.0", "100.0"),
                entry(id, "2.0", "91.0"),
                exit(id, "0.5", "95.0", "-1.25", 5, false),
                exit(id, "1.5", "120.0", "30.5", 6, false),
                exit(id, "1.0", "80.0", "18.75", 9, true),
            ]
        })
        .collect();
    let (bot, token) = create_runner(&world).await;
    for event in &events {
        send_event(&world, &token, event).await;
    }
    let expected = trades(&world, &bot).await;
    assert_eq!(
        expected.lines().filter(|trade| trade.contains(" closed 3.00000000 94.00000000 ")).count(),
        3,
        "{expected}"
    );
    let case = (proptest::collection::vec(0..1000_u16, events.len()), 1..5_usize);
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner.run(&case, |(places, clients)| {
            runtime.block_on(async {
                let (bot, token) = create_runner(&world).await;
                let mut shuffled: Vec<(u16, &Value)> = places.iter().copied().zip(&events).collect();
                shuffled.extend(
                    places
                        .iter()
                        .zip(&events)
                        .filter(|(place, _)| *place % 4 == 0)
                        .map(|(place, event)| (1000 - place, event)),
                );
                shuffled.sort_by_key(|(place, _)| *place);
                join_all((0..clients).map(|client| {
                    let own: Vec<&Value> =
                        shuffled.iter().skip(client).step_by(clients).map(|(_, event)| *event).collect();
                    let (world, token) = (&world, &token);
                    async move {
                        for event in own {
                            send_event(world, token, event).await;
                        }
                    }
                }))
                .await;
                prop_assert_eq!(trades(&world, &bot).await, expected.clone());
                prop_assert_eq!(world.database.owner().await.text(BOTS_WITH_WRONG_STATISTICS).await, "");
                Ok(())
            })
        })
    })
    .unwrap();
}
