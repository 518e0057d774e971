//! Throughput of record-trade, compared with pgbench, which sends the same statement on the same number of connections.

use std::{fmt, fs, process::Stdio, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::try_join_all;
use local_database::{Error, Result, connect};
use serde::Serialize;
use serde_json::Value;
use tokio::{
    process::Command,
    time::{Instant, sleep},
};
use tokio_postgres::Client;

use crate::{
    environment::{Environment, fleet},
    load_generator::{LoadStats, run_load},
    plot,
    requests::{BOTS, UNIQUE_DIGITS, USER, WARM_UP_START, create_bots, outcome, trades},
    usage::{Cpu, Processes},
};

/// Minimum throughput with single trades, as a ratio to that of pgbench.
const BUDGET: f64 = 0.8;

#[derive(Clone, Debug)]
pub struct Size {
    /// Duration of each round, for record-trade and again for pgbench.
    pub duration: Duration,
    pub rounds: usize,
    pub instances: Vec<usize>,
    /// Trades in a request.
    pub batches: Vec<usize>,
}

impl Size {
    pub fn full() -> Self {
        Self { duration: Duration::from_secs(4), rounds: 3, instances: vec![1, 2, 4, 8], batches: vec![1, 500] }
    }
}

/// Figures with a number of instances, and with as many connections of pgbench. They are those of the round with the
/// median ratio.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub batch: usize,
    pub instances: usize,
    #[serde(flatten)]
    pub load: LoadStats,
    pub pgbench_per_second: f64,
    pub ratio: f64,
    /// CPU time per request: of the function, of this program, which provides the local Runtime API, of the database,
    /// and of the database under pgbench.
    pub function_cpu_ms: f64,
    pub lambda_cpu_ms: f64,
    pub database_cpu_ms: f64,
    pub pgbench_database_cpu_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub figures: Vec<Figures>,
}

impl Report {
    /// Each number of instances with which single trades miss the budget, as a sentence.
    pub fn missed(&self) -> Vec<String> {
        let slow = self.figures.iter().filter(|figures| figures.batch == 1 && figures.ratio < BUDGET);
        let words = slow.map(|Figures { instances, ratio, .. }| {
            format!(
                "single trades with {instances} instances reach {ratio:.2} of pgbench, below the budget of {BUDGET}"
            )
        });
        words.collect()
    }

    /// Plots the throughput as SVG.
    ///
    /// # Errors
    ///
    /// The plot cannot be drawn.
    pub fn plot(&self) -> Result<String> {
        let of = |batch: usize, value: fn(&Figures) -> f64| {
            let figures = self.figures.iter().filter(move |figures| figures.batch == batch);
            figures.map(|figures| (figures.instances as f64, value(figures))).collect()
        };
        plot::render_lines(
            "record-trade, single trades",
            "instances, or pgbench's connections",
            "requests per second",
            &[
                ("record-trade", of(1, |figures| figures.load.per_second)),
                ("pgbench, the same statement", of(1, |figures| figures.pgbench_per_second)),
            ],
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| trades per request | instances | requests/s | p50, ms | p99, ms | pgbench, requests/s | ratio to pgbench | \
             function CPU, ms | local Runtime API CPU, ms | database CPU, ms | database CPU under pgbench, ms |"
        )?;
        writeln!(f, "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for Figures {
            batch,
            instances,
            load: LoadStats { per_second, p50_ms, p99_ms, .. },
            pgbench_per_second,
            ratio,
            function_cpu_ms,
            lambda_cpu_ms,
            database_cpu_ms,
            pgbench_database_cpu_ms,
        } in &self.figures
        {
            writeln!(
                f,
                "| {batch} | {instances} | {per_second:.0} | {p50_ms:.2} | {p99_ms:.2} | {pgbench_per_second:.0} | {ratio:.2} | \
                 {function_cpu_ms:.2} | {lambda_cpu_ms:.2} | {database_cpu_ms:.2} | {pgbench_database_cpu_ms:.2} |"
            )?;
        }
        Ok(())
    }
}

/// Measures record-trade and pgbench in turn.
///
/// # Errors
///
/// A request fails, or pgbench is missing or fails.
pub async fn measure(environment: &Environment<'_>, size: &Size) -> Result<Report> {
    let admin = connect(&environment.database.admin_url).await?;
    let mut report = Report { figures: Vec::new() };
    for &batch in &size.batches {
        for &instances in &size.instances {
            let stack = environment.stack(instances).await?;
            let token = stack.auth().token_for(USER).await?;
            // Trades of one bot wait for each other.
            let bots = create_bots(environment, &stack, &token, BOTS).await?;
            let events = bots
                .iter()
                .map(|bot| Ok(trades(&token, bot, batch).events(environment)?.1))
                .collect::<Result<Vec<_>>>()?;
            let fleet = fleet(&stack, "record-trade")?;
            let request = async |number: usize| {
                let event = events.get(number % BOTS).map(|events| events.nth(number)).unwrap_or_default();
                let failed = |error: &dyn fmt::Display| {
                    Error::new(error.to_string(), "invoke the function with `cargo dev` and see its log")
                };
                outcome(&fleet.invoke(event).await.map_err(|error| failed(&error))?).map(|_| ())
            };
            // Sent concurrently, so that every instance is started.
            try_join_all((0..instances).map(|n| request(WARM_UP_START + n))).await?;

            let function = Processes::of(&fleet.process_ids());
            let this = Processes::of(&[std::process::id()]);
            let mut rounds = Vec::new();
            for round in 0..size.rounds.max(1) {
                let server = Processes::of_server(&admin).await?;
                let read_cpu = || [&function, &this, &server].map(Processes::cpu);
                let before = read_cpu();
                // Each round records different trades.
                let load = run_load(instances, size.duration, async |n| request((round << 32) + n).await).await?;
                let ([function_before, this_before, server_before], [function_after, this_after, server_after]) =
                    (before, read_cpu());
                let requests = load.requests as f64;
                let per_request = |after: &Cpu, before: &Cpu| after.seconds_since(before) * 1_000.0 / requests;

                let pgbench = Pgbench {
                    environment,
                    token: &token,
                    bots: &bots,
                    batch,
                    connections: instances,
                    duration: size.duration,
                };
                let (pgbench_per_second, pgbench_database_cpu_ms) = pgbench.run(&admin).await?;
                let ratio = load.per_second / pgbench_per_second;
                environment.report_progress(format!(
                    "throughput {batch} trades per request, {instances} instances: {ratio:.2} of pgbench"
                ));
                rounds.push(Figures {
                    batch,
                    instances,
                    load,
                    pgbench_per_second,
                    ratio,
                    function_cpu_ms: per_request(&function_after, &function_before),
                    lambda_cpu_ms: per_request(&this_after, &this_before),
                    database_cpu_ms: per_request(&server_after, &server_before),
                    pgbench_database_cpu_ms,
                });
            }
            stack.stop().await;
            rounds.sort_by(|one, other| one.ratio.total_cmp(&other.ratio));
            report.figures.push(rounds.swap_remove(rounds.len() / 2));
        }
    }
    Ok(report)
}

/// A run of pgbench.
struct Pgbench<'a> {
    environment: &'a Environment<'a>,
    token: &'a str,
    bots: &'a [String],
    batch: usize,
    connections: usize,
    duration: Duration,
}

impl Pgbench<'_> {
    /// Runs pgbench. Returns requests per second, and the database's CPU time per request in milliseconds.
    async fn run(self, admin: &Client) -> Result<(f64, f64)> {
        let directory = self.environment.target.join("bench");
        let path = directory.join("record_trade.sql");
        let written = self.script().and_then(|script| {
            fs::create_dir_all(&directory)?;
            fs::write(&path, script)
        });
        written.map_err(|error| {
            Error::new(format!("cannot write {}: {error}", path.display()), "check its owner and permissions")
        })?;
        let connections = self.connections.to_string();
        let threads = self.connections.min(2).to_string();
        let seconds = self.duration.as_secs().max(1).to_string();
        let mut command = Command::new(self.environment.postgres.program("pgbench"));
        command.args(["--no-vacuum", "--protocol=extended", "--client", &connections, "--jobs", &threads]);
        command.args(["--time", &seconds, "--file"]).arg(&path).arg(&self.environment.database.api_url);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);

        let remedy = "install PostgreSQL's own programs: apt-get install postgresql";
        let missing = |error: std::io::Error| Error::new(format!("cannot run pgbench: {error}"), remedy);
        let output = command.spawn().map_err(missing)?.wait_with_output();
        // Measured while it runs, because the server processes of its connections end with it.
        let used = async {
            sleep(self.duration / 4).await;
            let server = Processes::of_server(admin).await?;
            let (started_at, before) = (Instant::now(), server.cpu());
            sleep(self.duration / 2).await;
            Ok::<_, Error>(server.cpu().seconds_since(&before) / started_at.elapsed().as_secs_f64())
        };
        let (output, used) = tokio::join!(output, used);
        let output = output.map_err(missing)?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let per_second =
            printed.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
        let failed =
            || Error::new(format!("pgbench failed: {}", String::from_utf8_lossy(&output.stderr).trim()), remedy);
        let per_second: f64 = per_second.filter(|_| output.status.success()).ok_or_else(failed)?;
        Ok((per_second, used? * 1_000.0 / per_second))
    }

    /// Script with the same statement, claims and trades as those of record-trade.
    fn script(&self) -> std::io::Result<String> {
        let claims = self.token.split('.').nth(1).and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
        let claims = claims.and_then(|claims| String::from_utf8(claims).ok()).unwrap_or_default();
        let body: Value = serde_json::from_slice(&trades(self.token, "", self.batch).body)?;
        let trades = if body.is_array() { body } else { Value::Array(vec![body]) };
        let trades = Value::to_string(&trades);
        let [claims, trades] = [claims, trades].map(|json| escape_variables(&json));
        let bots = self.bots.join("', '");
        Ok(format!(
            "\\set bot random(1, {})\n\\set nth random(0, 281474976710655)\n\
             select private.record_trade(\n    '{claims}'::text::jsonb,\n    ('{{\"bot_id\":\"' || (array['{bots}'])[:bot::integer] || \
             '\",\"trades\":' || replace('{trades}', '{UNIQUE_DIGITS}', lpad(to_hex(:nth::bigint), 12, '0')) || '}}')::text::jsonb\n)::text;\n",
            self.bots.len()
        ))
    }
}

/// Escapes JSON for an SQL literal in which pgbench finds no variables, which begin with a colon.
fn escape_variables(json: &str) -> String {
    let parted = json.replace("\":", "\"\u{1}").replace(':', "\\u003a").replace('\u{1}', ": ");
    parted.replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_has_the_same_value_and_no_pgbench_variables() {
        let json = r#"{"exp":17,"is_anonymous":false,"iss":"http://127.0.0.1:9000/it's","list":[{"at":"00:00:00"}]}"#;
        let written = escape_variables(json);
        let after_colons = written.split(':').skip(1).map(|rest| rest.chars().next());
        assert!(after_colons.into_iter().all(|next| next == Some(' ')), "{written}");
        let read: Value = serde_json::from_str(&written.replace("''", "'")).expect("JSON");
        assert_eq!(read, serde_json::from_str::<Value>(json).expect("JSON"));
    }

    #[test]
    fn only_slow_single_trades_miss_the_budget() {
        let figures = |batch, ratio| Figures {
            batch,
            instances: 2,
            load: LoadStats { requests: 1, per_second: ratio, p50_ms: 1.0, p99_ms: 1.0 },
            pgbench_per_second: 1.0,
            ratio,
            function_cpu_ms: 0.1,
            lambda_cpu_ms: 0.1,
            database_cpu_ms: 1.0,
            pgbench_database_cpu_ms: 1.0,
        };
        let report = Report { figures: vec![figures(1, 0.8), figures(1, 0.79), figures(500, 0.5)] };
        assert_eq!(report.missed(), ["single trades with 2 instances reach 0.79 of pgbench, below the budget of 0.8"]);
    }
}
