//! `POST /strategies/{strategy_id}/backtests`.

use std::io::{Cursor, Write};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::support::backtests::{
    FUTURES, ONE_TRADE, SPOT, export, import, import_as, json_text, one_trade, only_error,
};
use crate::support::database::{Database, FREE, PRO, Session};
use crate::support::strategies::{EMA_CROSS, OVERSOLD_RSI};
use crate::support::world::{HttpResponse, World};

/// Maximum size of an upload, in bytes.
const MAX_UPLOAD_BYTES: usize = 4 * 1024 * 1024;

/// Export of a run that started at this Unix time and took this many seconds.
fn export_of_run(start: i64, seconds: i64) -> Vec<u8> {
    one_trade(|probe| {
        probe["backtest_run_start_ts"] = json!(start);
        probe["backtest_run_end_ts"] = json!(start + seconds);
    })
}

/// Zip archive with these entries.
fn zip_archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let deflated = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        archive.start_file(*name, deflated).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

async fn insert_strategy(owner: &Session, user: &str) -> String {
    let insert = "insert into public.strategies (user_id, name, strategy_type) values ($1::uuid, 'Mine', 'custom') returning id::text";
    owner.rows(insert, &[&user]).await.unwrap()[0].get(0)
}

#[tokio::test]
async fn a_trade_open_at_the_end_may_be_closed_on_the_next_day() {
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
async fn one_run_is_stored_once_whatever_its_file_format_and_however_often_it_is_sent() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let plain = format!("/strategies/{OVERSOLD_RSI}/backtests");

    let answers = join_all((0..5).map(|_| import(&world, &token, OVERSOLD_RSI, export(SPOT)))).await;
    let created: Vec<&HttpResponse> = answers.iter().filter(|answer| answer.status == 201).collect();
    let [created] = created.as_slice() else { panic!("{answers:?}") };
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 201)), "{answers:?}");

    let compact: Value = serde_json::from_str(&json_text(SPOT)).unwrap();
    for (content_type, upload) in [
        ("application/zip", export(SPOT)),
        ("application/json", json_text(SPOT).into_bytes()),
        ("text/plain", compact.to_string().into_bytes()),
        ("application/octet-stream", zip_archive(&[("renamed.json", json_text(SPOT).as_bytes())])),
    ] {
        let again = import_as(&world, &token, &plain, content_type, upload).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!((again.json(), &again.headers["location"]), (created.json(), &created.headers["location"]));
    }
    let counts = "select concat_ws(' ', count(*), (select count(*) from private.backtest_trades),
        (select sum(run_seconds) from private.backtest_runs)) from public.backtest_results
        where metadata ? 'freqtrade'";
    assert_eq!(owner.text(counts).await, "1 455 6");

    // Another run, or the same run for another strategy, is another backtest.
    let later = one_trade(|probe| probe["backtest_run_start_ts"] = json!(1_795_343_000));
    for upload in [export(ONE_TRADE), later] {
        assert_eq!(import(&world, &token, OVERSOLD_RSI, upload).await.status, 201);
    }
    let second = insert_strategy(&owner, PRO).await;
    let other_strategy = import(&world, &token, &second, export(SPOT)).await;
    assert_eq!(other_strategy.status, 201, "{other_strategy:?}");
    assert_ne!(other_strategy.json()["id"], created.json()["id"]);
    assert_eq!(owner.text(counts).await, "4 912 450");
}

#[tokio::test]
async fn an_export_of_several_strategies_requires_the_name_of_one() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let answer = import(&world, &token, OVERSOLD_RSI, export(FUTURES)).await;
    let detail = r#"the export has several strategies ("ProbeFutures", "ProbeScalper"); name one of them"#;
    assert_eq!(only_error(&answer), detail);
    assert_eq!(answer.json()["errors"], json!([{"parameter": "strategy", "detail": detail}]));
    for (query, file) in [("?strategy=Other", FUTURES), ("?strategy=", FUTURES), ("?strategy=probespot", SPOT)] {
        let path = format!("/strategies/{OVERSOLD_RSI}/backtests{query}");
        let answer = import_as(&world, &token, &path, "application/zip", export(file)).await;
        assert!(
            only_error(&answer).starts_with("the export has no strategy of that name; it has \"Probe"),
            "{answer:?}"
        );
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

/// `true` if the monthly quota of backtest minutes is used up.
fn is_quota_exceeded(answer: &HttpResponse) -> bool {
    answer.status == 403 && answer.problem() == "quota"
}

#[tokio::test]
async fn a_plan_limits_the_minutes_of_backtests_per_month() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let strategy = insert_strategy(&owner, FREE).await;
    let import_run =
        async |start, minutes: i64| import(&world, &token, &strategy, export_of_run(start, minutes * 60)).await;
    let first = import_run(1_795_000_001, 20).await;
    assert_eq!(first.status, 201, "{first:?}");
    let refused = import_run(1_795_000_002, 11).await;
    assert!(is_quota_exceeded(&refused), "{refused:?}");
    let problem = refused.json();
    assert_eq!((&problem["limit"], &problem["plan"]), (&json!(30), &json!("Free")));
    assert_eq!(
        problem["detail"],
        "The Free plan allows 30 minutes of backtests per month. Wait until next month or upgrade."
    );
    let stored = "select count(*) from public.backtest_results where metadata ? 'freqtrade'";
    assert_eq!(owner.text(stored).await, "1");
    // The quota can be used up exactly.
    assert_eq!(import_run(1_795_000_003, 10).await.status, 201);
    let untimed = one_trade(|probe| {
        probe["backtest_run_start_ts"] = json!(null);
        probe["backtest_run_end_ts"] = json!(null);
    });
    assert!(is_quota_exceeded(&import(&world, &token, &strategy, untimed.clone()).await), "the quota is used up");
    // A repeated import costs nothing.
    assert_eq!(import_run(1_795_000_001, 20).await.status, 200);

    // Deleting a strategy does not return its minutes; the next month has a new quota.
    owner.run(&format!("delete from public.strategies where id = '{strategy}'")).await.unwrap();
    let strategy = insert_strategy(&owner, FREE).await;
    assert!(is_quota_exceeded(&import(&world, &token, &strategy, untimed.clone()).await));
    let month =
        "update private.backtest_runs set imported_at = date_trunc('month', now(), 'UTC') - interval '1 second'";
    owner.run(month).await.unwrap();
    let untimed = import(&world, &token, &strategy, untimed).await;
    assert_eq!((untimed.status.as_u16(), &untimed.json()["metadata"]["run_seconds"]), (201, &Value::Null));

    // A quota of 0 or null allows no import, and -1 has no limit.
    let set_quota = async |minutes: &str| {
        let set = format!("update public.plans set backtest_minutes_per_month = {minutes} where name = 'Free'");
        owner.run(&set).await.unwrap();
    };
    for none in ["0", "null"] {
        set_quota(none).await;
        let refused = import(&world, &token, &strategy, export_of_run(1_795_000_004, 0)).await;
        assert_eq!((is_quota_exceeded(&refused), &refused.json()["limit"]), (true, &json!(0)), "{refused:?}");
    }
    set_quota("-1").await;
    let years = import(&world, &token, &strategy, export_of_run(1_795_000_005, 90_000_000_000)).await;
    assert_eq!((years.status.as_u16(), &years.json()["metadata"]["run_seconds"]), (201, &json!(i32::MAX)));
    assert_eq!(import(&world, &token, &strategy, export_of_run(1_795_000_006, 90_000_000_000)).await.status, 201);
}

#[tokio::test]
async fn only_one_of_several_concurrent_imports_fits_the_remaining_minutes() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let strategies = [insert_strategy(&owner, FREE).await, insert_strategy(&owner, FREE).await];
    let imports =
        (0..6).map(|n| import(&world, &token, &strategies[n % 2], export_of_run(1_795_000_001 + n as i64, 1_000)));
    let answers = join_all(imports).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| is_quota_exceeded(answer)).count();
    assert_eq!((created, refused), (1, 5), "{answers:?}");
}

/// The first import holds the user's lock until it is committed.
#[tokio::test]
async fn an_import_waits_for_an_earlier_one_and_counts_its_minutes() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let (owner, first) = (world.database.owner().await, world.database.owner().await);
    let strategy = insert_strategy(&owner, FREE).await;
    first
        .run(&format!(
            "begin; select pg_advisory_xact_lock(hashtextextended('limits of {FREE}', 0));
             insert into private.backtest_runs values (gen_random_uuid(), '{FREE}', 1800)"
        ))
        .await
        .unwrap();
    let ending = async {
        first.wait_until_blocking(1).await;
        first.run("commit").await.unwrap();
    };
    let (answer, ()) = tokio::join!(import(&world, &token, &strategy, export(ONE_TRADE)), ending);
    assert!(is_quota_exceeded(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_file_that_freqtrade_did_not_write_is_refused_and_not_stored() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let text = json_text(ONE_TRADE);
    let truncated = export(SPOT)[..300_000].to_vec();
    let bomb = zip_archive(&[("result.json", &vec![b' '; 65 << 20])]);
    let names: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let many = zip_archive(&names.iter().map(|name| (name.as_str(), [].as_slice())).collect::<Vec<_>>());
    let trade = |key: &'static str, value: Value| one_trade(|probe| probe["trades"][0][key] = value);
    for (upload, expected) in [
        (Vec::new(), "the file is neither a zip archive nor JSON"),
        (b"--boundary\r\n".to_vec(), "the file is neither a zip archive nor JSON"),
        (b"{}".to_vec(), "the file contains no backtest result: no JSON object with the key `strategy`"),
        (truncated, "the archive is damaged or incomplete"),
        (bomb, "the backtest result has more than 64 MiB"),
        (many, "the archive has more than 1000 entries"),
        (
            zip_archive(&[("../result.json", text.as_bytes())]),
            "the archive's entry \"../result.json\" has a path that leads out of the archive",
        ),
        (
            zip_archive(&[("result.zip", &export(ONE_TRADE))]),
            "the archive's entry \"result.zip\" is an archive itself; upload that one",
        ),
        (
            text.replace("\"close_rate\":92620.65", "\"close_rate\":NaN").into_bytes(),
            "strategy.ProbeSpot.trades[0].close_rate is NaN, which is not a JSON number",
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
        assert_eq!(only_error(&answer), expected);
        assert_eq!(answer.json()["errors"][0]["pointer"], "");
    }
    let stored = "select concat_ws(' ', count(*), (select count(*) from private.backtest_trades),
        (select count(*) from private.backtest_runs)) from public.backtest_results where metadata ? 'freqtrade'";
    assert_eq!(world.database.owner().await.text(stored).await, "0 0 0");
    assert_eq!(import(&world, &token, OVERSOLD_RSI, text.into_bytes()).await.status, 201);
}

#[tokio::test]
async fn an_upload_has_at_most_four_mebibytes() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let mut padded = json_text(ONE_TRADE).into_bytes();
    padded.resize(MAX_UPLOAD_BYTES, b' ');
    let path = format!("/strategies/{OVERSOLD_RSI}/backtests");
    // The upload is sent as text, and as bytes, which API Gateway encodes in base64.
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
async fn a_backtest_is_only_imported_for_the_callers_own_strategy() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    // The strategy of another user is not found, even if it is visible in the marketplace.
    for strategy in [EMA_CROSS, "0190e000-0000-7000-8000-00000000ffff", "none"] {
        let answer = import(&world, &token, strategy, export(ONE_TRADE)).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (404, "not-found"), "{strategy}: {answer:?}");
    }
    let path = format!("/strategies/{OVERSOLD_RSI}/backtests");
    let anonymous =
        world.send_bytes(Method::POST, &path, &[("content-type", "application/zip")], export(ONE_TRADE)).await;
    assert_eq!(anonymous.status, 401);
    owner.run(&format!("update public.users set is_active = false where id = '{PRO}'")).await.unwrap();
    let deactivated = import(&world, &token, OVERSOLD_RSI, export(ONE_TRADE)).await;
    assert_eq!((deactivated.status.as_u16(), deactivated.problem().as_str()), (403, "deactivated"));
    let stored = "select count(*) from public.backtest_results where metadata ? 'freqtrade'";
    assert_eq!(owner.text(stored).await, "0");
}

#[tokio::test]
async fn the_performance_of_the_strategy_and_the_averages_of_the_marketplace_are_updated() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    let performance = async || {
        let select = format!("select performance - 'last_backtest_at' from public.strategies where id = '{EMA_CROSS}'");
        serde_json::from_str::<Value>(&owner.text(&select).await).unwrap()
    };
    let stranger = world.database.session("nofomo_api").await;
    let marketplace_row = async || {
        stranger.become_user(FREE).await;
        let select =
            "select concat_ws(' ', round(avg_return_percentage, 4), backtest_count, performance ->> 'backtests')
            from public.strategy_marketplace";
        let row = stranger.text(select).await;
        stranger.rollback().await;
        row
    };
    let sample = json!({
        "backtests": 2, "average_return_percentage": "6.2500", "average_max_drawdown": "13.5500", "total_trades": 172
    });
    assert_eq!((performance().await, marketplace_row().await.as_str()), (sample.clone(), "6.2500 2 2"));

    let row = import(&world, &token, EMA_CROSS, export(SPOT)).await.json();
    assert_eq!(row["total_return_percentage"], "-63.5060");
    let expected = json!({
        "backtests": 3, "average_return_percentage": "-17.0020", "average_max_drawdown": "30.8601", "total_trades": 627
    });
    assert_eq!((performance().await, marketplace_row().await.as_str()), (expected.clone(), "-17.0020 3 3"));
    let last = format!("select performance ->> 'last_backtest_at' from public.strategies where id = '{EMA_CROSS}'");
    assert_eq!(owner.text(&last).await, row["created_at"].as_str().unwrap());

    // A repeated import changes nothing; a direct change of a row does.
    assert_eq!(import(&world, &token, EMA_CROSS, export(SPOT)).await.status, 200);
    assert_eq!(performance().await, expected);
    let id = row["id"].as_str().unwrap();
    let of = |assignment: &str| format!("update public.backtest_results set {assignment} where id = '{id}'");
    owner.run(&of("total_return_percentage = 0")).await.unwrap();
    assert_eq!(marketplace_row().await, "4.1667 3 3");
    assert_eq!(performance().await["average_return_percentage"], "4.1667");
    owner.run(&of(&format!("strategy_id = '{OVERSOLD_RSI}'"))).await.unwrap();
    assert_eq!(performance().await, sample);
    let moved = format!("select performance ->> 'backtests' from public.strategies where id = '{OVERSOLD_RSI}'");
    assert_eq!(owner.text(&moved).await, "2");
    owner.run(&of(&format!("strategy_id = '{EMA_CROSS}'"))).await.unwrap();
    owner.run(&format!("delete from public.backtest_results where id = '{id}'")).await.unwrap();
    assert_eq!((performance().await, marketplace_row().await.as_str()), (sample, "6.2500 2 2"));
    assert_eq!(import(&world, &token, EMA_CROSS, export(SPOT)).await.status, 201);
    owner.run(&format!("delete from public.backtest_results where strategy_id = '{EMA_CROSS}'")).await.unwrap();
    assert_eq!(performance().await, json!({}));
}

/// Without a lock, each transaction would miss the uncommitted change of the other.
#[tokio::test]
async fn two_concurrent_changes_of_backtests_are_both_counted() {
    let database = Database::new().await;
    let (one, two) = (database.owner().await, database.owner().await);
    let delete =
        |n: u8| format!("delete from public.backtest_results where id = '01910000-0000-7000-8000-00000000000{n}'");
    one.run(&format!("begin; {}", delete(1))).await.unwrap();
    let other = delete(2);
    let waiting = two.run(&other);
    let ending = async {
        one.wait_until_blocking(1).await;
        one.run("commit").await
    };
    let (waited, ended) = tokio::join!(waiting, ending);
    waited.unwrap();
    ended.unwrap();
    let performance = format!("select performance from public.strategies where id = '{EMA_CROSS}'");
    assert_eq!(one.text(&performance).await, "{}");
}
