//! The baseline: three of the endpoints in FastAPI and asyncpg (`tests/fastapi_baseline`), with the same database and
//! load. It runs as on Lambda, with the same events from the same local Runtime API, and as an HTTP server in uvicorn.

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use dev::{
    client::client,
    python,
    runtime::{Configuration, Fleet},
    stack::Stack,
};
use futures_util::future::try_join_all;
use local_database::{Error, Result};
use serde::Serialize;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::{
    environment::{Environment, fleet},
    load_generator::{LoadStats, median, milliseconds, run_load},
    requests::{
        BOTS, Call, Events, READER, UNIQUE_DIGITS, USER, WARM_UP_START, bot, create_bots, outcome, portfolio, trades,
    },
    usage::Processes,
};

/// Minimum requests per CPU second, as a multiple of the baseline's.
const MIN_REQUESTS_PER_CPU_SECOND: f64 = 5.0;
/// Maximum memory, as a share of the baseline's.
const MAX_MEMORY: f64 = 1.0 / 5.0;
/// Maximum cold start, as a share of the baseline's.
const MAX_COLD_START: f64 = 1.0 / 20.0;

/// Time limit of a request, and of the start of the server.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Duration of each load.
    pub duration: Duration,
    /// Concurrent callers.
    pub callers: usize,
    /// Cold starts of each implementation.
    pub starts: usize,
}

impl Size {
    pub const FULL: Self = Self { duration: Duration::from_secs(10), callers: 4, starts: 5 };
}

/// Figures of one implementation of an endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    #[serde(flatten)]
    pub load: LoadStats,
    pub cpu_seconds_per_thousand: f64,
    /// Resident memory of a process; a process of a function is an instance.
    pub memory_mib: f64,
    /// Time from the start of a process to its first response.
    pub cold_start_ms: f64,
}

/// Figures of an endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    pub function: String,
    /// This project's function.
    pub ours: Figures,
    /// FastAPI on Lambda.
    pub lambda: Figures,
    /// FastAPI in one process of uvicorn.
    pub uvicorn: Figures,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub callers: usize,
    pub endpoints: Vec<Endpoint>,
}

impl Endpoint {
    fn per_cpu_second(&self) -> f64 {
        self.lambda.cpu_seconds_per_thousand / self.ours.cpu_seconds_per_thousand
    }

    fn memory(&self) -> f64 {
        self.ours.memory_mib / self.lambda.memory_mib
    }

    fn cold_start(&self) -> f64 {
        self.ours.cold_start_ms / self.lambda.cold_start_ms
    }
}

impl Report {
    /// Each missed budget, as a sentence.
    pub fn missed(&self) -> Vec<String> {
        let missed = self.endpoints.iter().flat_map(|endpoint| {
            let Endpoint { function, .. } = endpoint;
            let (requests, memory, start) = (endpoint.per_cpu_second(), endpoint.memory(), endpoint.cold_start());
            [
                (requests < MIN_REQUESTS_PER_CPU_SECOND)
                    .then(|| format!("{function} handles {requests:.1} times as many requests per CPU second as FastAPI, below the budget of {MIN_REQUESTS_PER_CPU_SECOND}")),
                (memory > MAX_MEMORY).then(|| format!("{function} uses {memory:.2} of FastAPI's memory, above the limit of {MAX_MEMORY:.2}")),
                (start > MAX_COLD_START).then(|| format!("{function} takes {start:.3} of FastAPI's cold start, above the limit of {MAX_COLD_START:.3}")),
            ]
        });
        missed.flatten().collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} concurrent callers.\n", self.callers)?;
        writeln!(
            f,
            "| endpoint | | requests/s | p50, ms | p99, ms | CPU s per 1,000 | memory of a process, MiB | cold start, ms |\n\
             |---|---|--:|--:|--:|--:|--:|--:|"
        )?;
        for endpoint in &self.endpoints {
            let Endpoint { function, ours, lambda, uvicorn } = endpoint;
            for (implementation, Figures { load, cpu_seconds_per_thousand, memory_mib, cold_start_ms }) in
                [("this", ours), ("FastAPI on Lambda", lambda), ("FastAPI in uvicorn", uvicorn)]
            {
                let LoadStats { per_second, p50_ms, p99_ms, .. } = load;
                writeln!(
                    f,
                    "| {function} | {implementation} | {per_second:.0} | {p50_ms:.2} | {p99_ms:.2} | {cpu_seconds_per_thousand:.3} | \
                     {memory_mib:.1} | {cold_start_ms:.1} |"
                )?;
            }
            for (baseline, other) in [("Lambda", lambda), ("uvicorn", uvicorn)] {
                writeln!(
                    f,
                    "| {function} | relative to {baseline} | {:.1} | {:.2} | {:.2} | 1/{:.1} | 1/{:.1} | 1/{:.0} |",
                    ours.load.per_second / other.load.per_second,
                    ours.load.p50_ms / other.load.p50_ms,
                    ours.load.p99_ms / other.load.p99_ms,
                    other.cpu_seconds_per_thousand / ours.cpu_seconds_per_thousand,
                    other.memory_mib / ours.memory_mib,
                    other.cold_start_ms / ours.cold_start_ms,
                )?;
            }
        }
        Ok(())
    }
}

/// Measures three endpoints in all implementations.
///
/// # Errors
///
/// A request fails, Python is missing, or PyPI cannot be reached.
pub async fn measure(environment: &Environment<'_>, size: Size) -> Result<Report> {
    let stack = environment.stack(size.callers).await?;
    let token = stack.auth().token_for(USER).await?;
    // Trades of one bot wait for each other.
    let bots = create_bots(environment, &stack, &token, BOTS).await?;
    let calls = [
        vec![Call::new(&token, "POST", "/bots", &bot("measured", "binance", true)).with_key(UNIQUE_DIGITS)],
        bots.iter().map(|bot| trades(&token, bot, 1)).collect(),
        vec![portfolio(&stack.auth().token_for(READER).await?)],
    ];
    let programs = FastapiServer::install_programs(&environment.workspace, &environment.target).await?;
    let mut report = Report { callers: size.callers, endpoints: Vec::new() };
    for calls in &calls {
        let events = calls.iter().map(|call| call.events(environment)).collect::<Result<Vec<_>>>()?;
        let Some((function, _)) = events.first() else { continue };
        let function = function.clone();
        let events: Vec<Events> = events.into_iter().map(|(_, events)| events).collect();
        let ours = measure_on_lambda(fleet(&stack, &function)?, &events, size).await?;
        let python = BTreeMap::from([
            ("PYTHON".to_owned(), programs.join("python").display().to_string()),
            ("DATABASE_URL".to_owned(), environment.database.api_url.clone()),
            ("AUTH_ISSUER".to_owned(), stack.auth().issuer().to_owned()),
        ]);
        let fastapi = Fleet::new(Configuration {
            name: "fastapi".to_owned(),
            binary: app_dir(&environment.workspace).join("bootstrap"),
            environment: python,
            timeout: REQUEST_TIMEOUT,
            memory_megabytes: 512,
            concurrency: size.callers,
            log: environment.log.clone(),
        });
        let lambda = measure_on_lambda(&fastapi, &events, size).await?;
        fastapi.stop().await;
        let uvicorn = measure_as_server(environment, &stack, calls, size).await?;
        let endpoint = Endpoint { function, ours, lambda, uvicorn };
        environment.report_progress(format!(
            "fastapi    {}: {:.1} times as many requests per CPU second as FastAPI on Lambda",
            endpoint.function,
            endpoint.per_cpu_second()
        ));
        report.endpoints.push(endpoint);
    }
    stack.stop().await;
    Ok(report)
}

/// Measures a function on the local Runtime API.
async fn measure_on_lambda(fleet: &Fleet, events: &[Events], size: Size) -> Result<Figures> {
    let failed = |error: &dyn fmt::Display| {
        Error::new(error.to_string(), "invoke the function with `cargo dev` and see its log")
    };
    let nth = |n: usize| events.get(n % events.len().max(1)).map(|events| events.nth(n)).unwrap_or_default();
    let mut starts = Vec::new();
    for n in 0..size.starts {
        let start = fleet.cold_start(&nth(WARM_UP_START + n)).await;
        starts.push(milliseconds(start.map_err(|error| failed(&error))?.response));
    }
    let request = async |number: usize| {
        let response = fleet.invoke(nth(number)).await.map_err(|error| failed(&error))?;
        outcome(&response).map(|_| ())
    };
    // Warms up until each caller has an instance; one fast instance may serve two callers at first.
    run_load(size.callers, size.duration / 10, async |n| request(2 * WARM_UP_START + n).await).await?;
    let instances = fleet.process_ids();
    let processes = Processes::of(&instances);
    let before = processes.cpu();
    let load = run_load(size.callers, size.duration, &request).await?;
    if fleet.process_ids().len() != instances.len() {
        return Err(failed(&"the number of its instances changed"));
    }
    Ok(Figures {
        cpu_seconds_per_thousand: processes.cpu().seconds_since(&before) * 1_000.0 / load.requests as f64,
        memory_mib: processes.resident_mib() / instances.len() as f64,
        cold_start_ms: median(starts),
        load,
    })
}

/// Measures FastAPI as an HTTP server.
async fn measure_as_server(
    environment: &Environment<'_>,
    stack: &Stack,
    calls: &[Call],
    size: Size,
) -> Result<Figures> {
    let client = client("nofomo-bench", REQUEST_TIMEOUT)?;
    let send = async |url: &str, n: usize| match calls.get(n % calls.len().max(1)) {
        Some(call) => call.send(&client, url, n).await,
        None => Ok(()),
    };
    let mut starts = Vec::new();
    for n in 0..size.starts {
        let started_at = Instant::now();
        let server = FastapiServer::start(
            &environment.workspace,
            &environment.target,
            &environment.database.api_url,
            stack.auth().issuer(),
            1,
        )
        .await?;
        send(&server.url(), WARM_UP_START + n).await?;
        starts.push(milliseconds(started_at.elapsed()));
    }
    let server = FastapiServer::start(
        &environment.workspace,
        &environment.target,
        &environment.database.api_url,
        stack.auth().issuer(),
        size.callers,
    )
    .await?;
    let url = server.url();
    let request = async |number: usize| send(&url, number).await;
    try_join_all((0..size.callers).map(|n| request(2 * WARM_UP_START + n))).await?;
    let process = Processes::of(&[server.process.id().unwrap_or_default()]);
    let before = process.cpu();
    let load = run_load(size.callers, size.duration, &request).await?;
    Ok(Figures {
        cpu_seconds_per_thousand: process.cpu().seconds_since(&before) * 1_000.0 / load.requests as f64,
        memory_mib: process.resident_mib(),
        cold_start_ms: median(starts),
        load,
    })
}

/// FastAPI in one process of uvicorn, which ends when this is dropped.
pub struct FastapiServer {
    process: Child,
    port: u16,
}

impl FastapiServer {
    /// Starts the server and waits until it listens. `issuer` is that of the access tokens it accepts; `connections` is
    /// the size of its connection pool.
    ///
    /// # Errors
    ///
    /// Python is missing, PyPI cannot be reached, or the server exits.
    pub async fn start(
        workspace: &Path,
        target: &Path,
        database_url: &str,
        issuer: &str,
        connections: usize,
    ) -> Result<Self> {
        let programs = Self::install_programs(workspace, target).await?;
        let failed =
            |error: std::io::Error| Error::new(format!("cannot run FastAPI: {error}"), "check tests/fastapi_baseline");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = port.map_err(failed)?.port();
        let mut command = Command::new(programs.join("uvicorn"));
        command.args([
            "main:app",
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--no-access-log",
            "--log-level",
            "warning",
        ]);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--app-dir"]).arg(app_dir(workspace));
        command.env("DATABASE_URL", database_url).env("AUTH_ISSUER", issuer).env("POOL", connections.to_string());
        command.stdin(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().map_err(failed)?;
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if let Some(status) = process.try_wait().map_err(failed)? {
                return Err(Error::new(format!("FastAPI exited: {status}"), "see its output above"));
            }
            if Instant::now() > deadline {
                return Err(Error::new(
                    format!("FastAPI does not listen after {} seconds", REQUEST_TIMEOUT.as_secs()),
                    "see its output above",
                ));
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(Self { process, port })
    }

    async fn install_programs(workspace: &Path, target: &Path) -> Result<PathBuf> {
        let list = app_dir(workspace).join("requirements.txt");
        let packages = fs::read_to_string(&list).map_err(|error| {
            Error::new(
                format!("cannot read {}: {error}", list.display()),
                "run this in a complete clone of the repository",
            )
        })?;
        let packages: Vec<&str> = packages.lines().filter(|line| !line.is_empty()).collect();
        python::install_programs(target, "fastapi", &packages).await
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn app_dir(workspace: &Path) -> PathBuf {
    workspace.join("tests/fastapi_baseline")
}

impl Call {
    /// Sends request number `n` over HTTP.
    ///
    /// # Errors
    ///
    /// The request fails.
    pub(crate) async fn send(&self, client: &reqwest::Client, url: &str, n: usize) -> Result<()> {
        let failed = |why: String| {
            Error::new(
                format!("{} {} returned {why}", self.method, self.path),
                "send the request to `cargo dev` and see the function's log",
            )
        };
        let request = self.nth(n);
        let method = request.method.parse().map_err(|_| failed("nothing".to_owned()))?;
        let mut sent = client.request(method, format!("{url}{}", request.path)).body(request.body);
        for (name, value) in request.headers {
            sent = sent.header(name, value);
        }
        let response = sent.send().await.map_err(|error| failed(format!("{error:?}")))?;
        let status = response.status();
        let body: Bytes = response.bytes().await.map_err(|error| failed(error.to_string()))?;
        if status.is_success() { Ok(()) } else { Err(failed(format!("{status}: {}", String::from_utf8_lossy(&body)))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(cpu_seconds_per_thousand: f64, memory_mib: f64, cold_start_ms: f64) -> Figures {
        let load = LoadStats { requests: 1, per_second: 1.0, p50_ms: 1.0, p99_ms: 1.0 };
        Figures { load, cpu_seconds_per_thousand, memory_mib, cold_start_ms }
    }

    #[test]
    fn each_of_the_three_budgets_can_be_missed() {
        let missed = |ours: Figures| {
            let endpoint = Endpoint {
                function: "create-bot".to_owned(),
                ours,
                lambda: figures(1.0, 100.0, 1_000.0),
                uvicorn: figures(9.0, 9.0, 9.0),
            };
            Report { callers: 1, endpoints: vec![endpoint] }.missed().len()
        };
        assert_eq!(missed(figures(0.2, 20.0, 50.0)), 0);
        assert_eq!(missed(figures(0.21, 20.0, 50.0)), 1);
        assert_eq!(missed(figures(0.2, 20.1, 50.0)), 1);
        assert_eq!(missed(figures(0.2, 20.0, 50.1)), 1);
    }
}
