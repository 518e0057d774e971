//! Time and memory of an analysis of a thousand, a hundred thousand and a million trades, from the request to the
//! stored row. The function must stay within its memory in `template.yaml`.
//!
//! `cargo bench -p tests --bench run_analysis`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an unexpected result ends the benchmark")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dev::auth::SigningKey;
use dev::stack::{Database, Options, Stack};
use dev::template::Template;
use dev::{build, tripay};
use local_database::postgres::Postgres;
use local_database::supabase::{self, DefaultGrants};
use reqwest::Client;
use serde_json::{Value, json};
use tokio_postgres::NoTls;
use tokio_postgres::types::Type;

const FUNCTION: &str = "run-analysis";
const DATABASE: &str = "bench";
const EMAIL: &str = "enterprise@nofomo.test";
const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];
const TYPES: [&str; 3] = ["performance", "risk", "optimization"];
/// Memory of the function in `template.yaml`, in MiB. Lambda's runtime needs none of it.
const MEMORY_MIB: u64 = 512;

#[tokio::main]
async fn main() {
    let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut template = Template::load(workspace).unwrap();
    template.functions.retain(|function| function.name == FUNCTION);
    println!("building {FUNCTION} for release");
    let functions = build::build(workspace, &template, true).await.unwrap();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    let postgres = Postgres::start(&directory, None).await.unwrap();
    supabase::create_database(&postgres, DATABASE, DefaultGrants::Closed).await.unwrap();
    let (url, migrations) = (postgres.url("postgres", DATABASE), workspace.join("migrations"));
    ops::migrations::migrate(&url, &migrations, |_| {}).await.unwrap();
    ops::migrations::add_sample_data(&url, &migrations).await.unwrap();
    let database = Database::of(&postgres, DATABASE);
    supabase::set_passwords(&database.admin_url, postgres.password()).await.unwrap();
    let stack = Stack::start(Options {
        template,
        functions: functions.clone(),
        database: database.clone(),
        signing_key: SigningKey::generate().unwrap(),
        port: 0,
        environment: BTreeMap::new(),
        concurrency: 1,
        has_schedules: false,
        tripay: tripay::Options { file: None, callback_retry_delay: Duration::from_secs(120) },
        log: Arc::new(|_, _| {}),
    })
    .await
    .unwrap();
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::new();
    let token = stack.auth().token_for(EMAIL).await.unwrap();
    let program = functions.get(FUNCTION).unwrap();

    println!("{:>10}  {:<14}{:>9}{:>22}", "trades", "type", "seconds", "peak resident, MiB");
    for trades in SIZES {
        let bot = insert(&database.admin_url, trades).await;
        for analysis_type in TYPES {
            let started = Instant::now();
            let request = client.post(format!("{}/analyses", stack.url())).bearer_auth(&token);
            let body = json!({ "analysis_type": analysis_type, "bot_id": bot }).to_string();
            let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
            let seconds = started.elapsed().as_secs_f64();
            let analysis: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            assert_eq!(analysis.pointer("/input_data/trades"), Some(&json!(trades)), "{analysis}");
            let resident = peak_resident_mib(program);
            println!("{trades:>10}  {analysis_type:<14}{seconds:>9.2}{resident:>22}");
            assert!(resident < MEMORY_MIB, "{FUNCTION} needs {resident} MiB and has {MEMORY_MIB} MiB");
        }
    }
    stack.stop().await;
    postgres.stop().await.unwrap();
    std::fs::remove_dir_all(directory).ok();
}

/// Inserts a bot with closed trades in four pairs over 180 days, and returns its id.
async fn insert(admin_url: &str, trades: u64) -> String {
    let (client, connection) = tokio_postgres::connect(admin_url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let bot = "insert into public.bots (user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, stake_amount)
         select users.id, 'bench', 'binance', 'BTC/USDT', '5m', 'EMA cross', 1000000, 100
         from public.users where users.email = $1
         returning bots.id::text";
    let bot: String = client.query_typed_one(bot, &[(&EMAIL, Type::TEXT)]).await.unwrap().get(0);
    // Without row triggers, which are not measured here.
    let rows = format!(
        "set session_replication_role = replica;
         insert into public.trades (
             bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, fee, profit, status, entry_time, exit_time
         )
         select bots.id, bots.user_id, bots.exchange, (array['BTC/USDT', 'ETH/USDT', 'SOL/USDT', 'XRP/USDT'])[1 + number % 4],
             case when number % 3 = 0 then 'sell' else 'buy' end, 'market', 0.01 + number % 1000 * 0.00001, 50000 + number % 777,
             0.5, round(((number * 7919 % 10007) - 4900) * 0.001, 8), 'closed',
             '2026-01-01Z'::timestamptz + number * ('180 days'::interval / {trades}),
             '2026-01-01Z'::timestamptz + number * ('180 days'::interval / {trades}) + (number % 86400) * '1 second'::interval
         from public.bots
         cross join generate_series(0::bigint, {trades} - 1) as number
         where bots.id = '{bot}';
         reset session_replication_role;
         analyze public.trades"
    );
    client.batch_execute(&rows).await.unwrap();
    bot
}

/// Highest peak resident memory among the processes of a program, in MiB.
fn peak_resident_mib(program: &Path) -> u64 {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ours = processes.filter(|process| std::fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program));
    let peak = |process: std::path::PathBuf| {
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    ours.filter_map(peak).max().unwrap() / 1024
}
