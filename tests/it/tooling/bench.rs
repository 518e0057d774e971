//! `cargo measure`: it measures every function, with requests that succeed, and counts them correctly.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bench::{Environment, cold, cost, fastapi_baseline, load, round_trips, scale, throughput};
use dev::stack;
use dev::template::Template;

use crate::support::database::{Database, server, target, workspace};
use crate::support::world::{DEFAULT_CREDENTIALS_KEY, functions};

/// Duration of a measurement whose result does not matter.
const SHORT_DURATION: Duration = Duration::from_millis(300);

async fn environment(database: &Database) -> Environment<'static> {
    Environment {
        workspace: workspace().to_owned(),
        target: target().to_owned(),
        template: Template::load(workspace()).unwrap(),
        functions: functions().await.clone(),
        database: stack::Database {
            admin_url: database.url("supabase_admin"),
            api_url: database.url("nofomo_api"),
            jobs_url: database.url("nofomo_jobs"),
        },
        migrations_url: database.url("postgres"),
        postgres: server().await,
        credentials_keys: DEFAULT_CREDENTIALS_KEY.into(),
        log: Arc::new(|_, _| ()),
        progress: Arc::new(|_| ()),
    }
}

/// Number of rows of a Markdown table, including the header.
fn count_rows(table: &str) -> usize {
    table.lines().filter(|line| line.starts_with("| ")).count()
}

#[tokio::test]
async fn every_function_is_started_called_and_measured() {
    let database = Database::new().await;
    let environment = environment(&database).await;
    let report = cold::measure(&environment, cold::Size { starts: 2, requests: 3 }).await.unwrap();
    let mut named: Vec<_> = environment.template.functions.iter().map(|function| &function.name).collect();
    named.sort();
    assert_eq!(report.functions.iter().map(|figures| &figures.function).collect::<Vec<_>>(), named);
    for figures in &report.functions {
        assert!(figures.min_next_ms > 0.0 && figures.min_next_ms <= figures.next_ms, "{figures:?}");
        assert!(figures.next_ms < figures.first_response_ms, "{figures:?}");
        assert!(figures.memory_mib > 1.0 && figures.request_ms > 0.0, "{figures:?}");
    }
    // Debug binaries are slow, but every function has a budget.
    report.missed().unwrap();
    let cost = cost::compute(&environment, &report).unwrap();
    assert!(cost.functions.iter().all(|figures| figures.gigabyte_seconds > 0.0), "{cost:?}");
    for table in [report.to_string(), cost.to_string()] {
        assert_eq!(count_rows(&table), report.functions.len() + 1, "{table}");
    }
    // Each request took effect: none was refused or answered with the result of a previous one.
    let owner = database.owner().await;
    for (rows, count) in [
        ("bots where name = 'measured'", "6"),
        ("trades where id::text like '00000000-0000-4000-8000-%'", "12"),
        ("logs where message = 'measured'", "6"),
        ("strategies where name like 'measured %'", "6"),
    ] {
        assert_eq!(owner.text(&format!("select count(*) from public.{rows}")).await, count, "{rows}");
    }
}

#[tokio::test]
async fn a_distant_database_costs_each_command_one_round_trip() {
    let database = Database::new().await;
    let environment = environment(&database).await;
    let size = round_trips::Size { delay: Duration::from_millis(50), warm_up: 1, requests: 2 };
    let report = round_trips::measure(&environment, size).await.unwrap();
    assert!(report.round_trip_ms >= 100.0, "{report}");
    let named: BTreeSet<_> = report.functions.iter().map(|figures| figures.function.as_str()).collect();
    let called_by_users: BTreeSet<_> = environment
        .template
        .functions
        .iter()
        .filter(|function| !function.routes.is_empty() && function.name != "tripay-callback")
        .map(|function| function.name.as_str())
        .collect();
    assert_eq!(named, called_by_users);
    for figures in &report.functions {
        assert!((figures.counted - figures.commands as f64).abs() < 0.1, "{figures:?}");
        assert!(figures.request_ms >= 100.0 * figures.commands as f64, "{figures:?}");
    }
}

#[tokio::test]
async fn trades_are_recorded_by_the_function_and_by_pgbench() {
    let database = Database::new().await;
    let environment = environment(&database).await;
    let size =
        throughput::Size { duration: Duration::from_secs(1), rounds: 2, instances: vec![2], batches: vec![1, 3] };
    let report = throughput::measure(&environment, &size).await.unwrap();
    assert_eq!(report.figures.len(), 2, "{report}");
    for figures in &report.figures {
        assert!(figures.load.requests > 0 && figures.pgbench_per_second > 0.0 && figures.ratio > 0.0, "{figures:?}");
    }
    assert!(report.plot().unwrap().contains("pgbench"));
    // The function and pgbench have recorded whole batches.
    let recorded = |index: u32| {
        format!(
            "select count(*) from public.trades where id::text like '{index:08}-0000-4000-8000-%' and exit_price = 150.5"
        )
    };
    let owner = database.owner().await;
    let mut counts = Vec::new();
    for index in 0..3 {
        counts.push(owner.text(&recorded(index)).await.parse::<usize>().unwrap());
    }
    let of_ours = |batch| {
        let figures = report.figures.iter().filter(|figures| figures.batch == batch);
        figures.map(|figures| figures.load.requests).sum::<usize>()
    };
    assert!(counts[0] - counts[1] > of_ours(1) + 2, "singles: {counts:?}, {report}");
    assert!(counts[1] == counts[2] && counts[1] > of_ours(3) + 2, "batches: {counts:?}, {report}");
}

#[tokio::test]
async fn every_scale_is_measured_and_its_rows_are_stored() {
    let database = Database::new().await;
    let environment = environment(&database).await;
    let size = scale::Size {
        duration: SHORT_DURATION,
        trades: vec![10, 1_000],
        subscriptions: vec![10, 600],
        bots: vec![1, 30],
        marketplaces: vec![(5, 50), (40, 400)],
    };
    let report = scale::measure(&environment, &size).await.unwrap();
    let lengths =
        [&report.record_trade, &report.get_portfolio, &report.newest_strategies, &report.best_strategies].map(Vec::len);
    assert_eq!((lengths, report.expire_subscriptions.len()), ([2, 2, 2, 2], 2), "{report}");
    assert!(report.plot().unwrap().contains("record-trade"));
    let owner = database.owner().await;
    // The rows remain: expired users, published strategies, and the history of the bots.
    for (rows, count) in [
        ("public.trades where id::text like '%-%' and exit_price = 150.5 and holding_duration = '5.4 minutes'", "1010"),
        (
            "public.subscriptions where status = 'expired' and user_id in (select id from public.users where email like 'payer-%')",
            "600",
        ),
        ("public.users where email like 'payer-%' and subscription_plan = 'free'", "600"),
        ("public.bots inner join public.users on users.id = bots.user_id where users.email = 'pro@nofomo.test'", "30"),
        ("public.strategies where is_verified", "40"),
        ("public.backtest_results", "400"),
    ] {
        assert_eq!(owner.text(&format!("select count(*) from {rows}")).await, count, "{rows}");
    }
}

#[tokio::test]
async fn mixed_traffic_causes_no_error_and_loses_no_trade() {
    let database = Database::new().await;
    let environment = environment(&database).await;
    let size = load::Size {
        traders: 4,
        history: 10,
        warm_up: SHORT_DURATION,
        probe: Duration::from_secs(2),
        parts: 2,
        part: Duration::from_secs(2),
    };
    let report = load::measure(&environment, size).await.unwrap();
    assert_eq!(report.errors, Vec::<String>::new());
    assert!(report.acknowledged > 0, "{report}");
    assert_eq!(report.acknowledged, report.stored);
    assert_eq!(report.differences, Vec::<String>::new());
    assert_eq!(count_rows(&report.to_string()), 3, "{report}");
    let kinds = "select concat_ws(' ',
        (select count(*) > 0 from public.trades where exchange_order_id like 'load-%'),
        (select bool_and(status = 'closed') from public.trades where metadata ? 'freqtrade'),
        (select count(*) > 0 from public.logs where message = 'Bot heartbeat'),
        (select count(*) > 0 from public.logs where message = 'Paused bot'))";
    assert_eq!(database.owner().await.text(kinds).await, "t t t t");
}

#[tokio::test]
async fn the_fastapi_baseline_receives_the_same_requests() {
    let database = Database::new().await;
    let environment = environment(&database).await;
    let report = fastapi_baseline::measure(
        &environment,
        fastapi_baseline::Size { duration: SHORT_DURATION, callers: 2, starts: 1 },
    )
    .await
    .unwrap();
    let named: Vec<_> = report.endpoints.iter().map(|endpoint| endpoint.function.as_str()).collect();
    assert_eq!(named, ["create-bot", "record-trade", "get-portfolio"]);
    for fastapi_baseline::Endpoint { ours, lambda, uvicorn, .. } in &report.endpoints {
        for figures in [ours, lambda, uvicorn] {
            assert!(figures.load.requests > 0 && figures.memory_mib > 1.0 && figures.cold_start_ms > 1.0, "{report}");
        }
    }
    assert_eq!(count_rows(&report.to_string()), 16, "{report}");
}
