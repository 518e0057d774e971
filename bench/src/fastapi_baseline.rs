//! The same endpoints in FastAPI and asyncpg (`tests/peers/fastapi`), on the same database under the same load: as Lambda runs
//! it, with the same events by way of the same Runtime API, and as a server that is asked over HTTP.

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use futures_util::future::try_join_all;
use serde::Serialize;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::{
    environment::{Environment, fleet},
    load_generator::{LoadStats, drive, median, milliseconds},
    requests::{BEFORE, BOTS, Call, Events, NTH, READER, USER, bot, new_bots, outcome, portfolio, trades},
    usage::Processes,
};
use dev::{
    client::client,
    python,
    runtime::{Configuration, Fleet},
    stack::Stack,
};
use local_database::{Error, Result};

/// Of the peer's: at least so many requests a processor second, at most this share of its memory and of its cold start.
const REQUESTS_PER_CPU_SECOND: f64 = 5.0;
const MEMORY: f64 = 1.0 / 5.0;
const COLD_START: f64 = 1.0 / 20.0;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub during: Duration,
    /// Who ask at once.
    pub callers: usize,
    pub starts: usize,
}

impl Size {
    pub const FULL: Self = Self { during: Duration::from_secs(10), callers: 4, starts: 5 };
}

/// One side's, for one endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    #[serde(flatten)]
    pub driven: LoadStats,
    pub cpu_seconds_per_thousand: f64,
    /// Of one process, which for us is one instance.
    pub memory_mib: f64,
    /// From the start of a process to its first answer.
    pub cold_start_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    pub function: String,
    pub ours: Figures,
    /// On Lambda.
    pub peer: Figures,
    /// In one process of uvicorn.
    pub server: Figures,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub callers: usize,
    pub endpoints: Vec<Endpoint>,
}

impl Endpoint {
    fn per_cpu_second(&self) -> f64 {
        self.peer.cpu_seconds_per_thousand / self.ours.cpu_seconds_per_thousand
    }

    fn memory(&self) -> f64 {
        self.ours.memory_mib / self.peer.memory_mib
    }

    fn cold_start(&self) -> f64 {
        self.ours.cold_start_ms / self.peer.cold_start_ms
    }
}

impl Report {
    /// Each budget that is missed, in words.
    pub fn missed(&self) -> Vec<String> {
        let missed = self.endpoints.iter().flat_map(|endpoint| {
            let Endpoint { function, .. } = endpoint;
            let (requests, memory, start) = (endpoint.per_cpu_second(), endpoint.memory(), endpoint.cold_start());
            [
                (requests < REQUESTS_PER_CPU_SECOND)
                    .then(|| format!("{function} answers {requests:.1} times as many requests a processor second, and should {REQUESTS_PER_CPU_SECOND}")),
                (memory > MEMORY).then(|| format!("{function} holds {memory:.2} of the peer's memory, and may {MEMORY:.2}")),
                (start > COLD_START).then(|| format!("{function} takes {start:.3} of the peer's cold start, and may {COLD_START:.3}")),
            ]
        });
        missed.flatten().collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} callers at once.\n", self.callers)?;
        writeln!(
            f,
            "| endpoint | | requests/s | p50, ms | p99, ms | CPU s per 1,000 | memory of a process, MiB | cold start, ms |\n\
             |---|---|--:|--:|--:|--:|--:|--:|"
        )?;
        for endpoint in &self.endpoints {
            let Endpoint { function, ours, peer, server } = endpoint;
            for (whose, Figures { driven, cpu_seconds_per_thousand, memory_mib, cold_start_ms }) in
                [("this", ours), ("FastAPI on Lambda", peer), ("FastAPI in uvicorn", server)]
            {
                let LoadStats { per_second, p50_ms, p99_ms, .. } = driven;
                writeln!(
                    f,
                    "| {function} | {whose} | {per_second:.0} | {p50_ms:.2} | {p99_ms:.2} | {cpu_seconds_per_thousand:.3} | \
                     {memory_mib:.1} | {cold_start_ms:.1} |"
                )?;
            }
            for (whom, other) in [("the one on Lambda", peer), ("the one in uvicorn", server)] {
                writeln!(
                    f,
                    "| {function} | of {whom} | {:.1} | {:.2} | {:.2} | 1/{:.1} | 1/{:.1} | 1/{:.0} |",
                    ours.driven.per_second / other.driven.per_second,
                    ours.driven.p50_ms / other.driven.p50_ms,
                    ours.driven.p99_ms / other.driven.p99_ms,
                    other.cpu_seconds_per_thousand / ours.cpu_seconds_per_thousand,
                    other.memory_mib / ours.memory_mib,
                    other.cold_start_ms / ours.cold_start_ms,
                )?;
            }
        }
        Ok(())
    }
}

/// # Errors
///
/// A request that either side refuses; Python or PyPI is not there.
pub async fn measure(environment: &Environment<'_>, size: Size) -> Result<Report> {
    let stack = environment.stack(size.callers).await?;
    let token = stack.auth().token_for(USER).await?;
    // Trades of one bot wait for each other, whoever records them.
    let bots = new_bots(environment, &stack, &token, BOTS).await?;
    let calls = [
        vec![Call::new(&token, "POST", "/bots", &bot("measured", "binance", true)).with_key(NTH)],
        bots.iter().map(|bot| trades(&token, bot, 1)).collect(),
        vec![portfolio(&stack.auth().token_for(READER).await?)],
    ];
    let programs = FastapiServer::programs(&environment.workspace, &environment.target).await?;
    let mut report = Report { callers: size.callers, endpoints: Vec::new() };
    for calls in &calls {
        let events = calls.iter().map(|call| call.events(environment)).collect::<Result<Vec<_>>>()?;
        let Some((function, _)) = events.first() else { continue };
        let function = function.clone();
        let events: Vec<Events> = events.into_iter().map(|(_, events)| events).collect();
        let ours = on_lambda(fleet(&stack, &function)?, &events, size).await?;
        let python = BTreeMap::from([
            ("PYTHON".to_owned(), programs.join("python").display().to_string()),
            ("DATABASE_URL".to_owned(), environment.database.api_url.clone()),
            ("AUTH_ISSUER".to_owned(), stack.auth().issuer().to_owned()),
        ]);
        let lambda = Fleet::new(Configuration {
            name: "fastapi".to_owned(),
            binary: home(&environment.workspace).join("bootstrap"),
            environment: python,
            timeout: PATIENCE,
            memory_megabytes: 512,
            concurrency: size.callers,
            log: environment.log.clone(),
        });
        let peer = on_lambda(&lambda, &events, size).await?;
        lambda.stop().await;
        let server = as_server(environment, &stack, calls, size).await?;
        let endpoint = Endpoint { function, ours, peer, server };
        environment.tell(format!(
            "peer       {}: {:.1} times per processor second",
            endpoint.function,
            endpoint.per_cpu_second()
        ));
        report.endpoints.push(endpoint);
    }
    stack.stop().await;
    Ok(report)
}

async fn on_lambda(fleet: &Fleet, events: &[Events], size: Size) -> Result<Figures> {
    let broke = |error: &dyn fmt::Display| Error::new(error.to_string(), "see its log with `cargo dev`");
    let nth = |n: usize| events.get(n % events.len().max(1)).map(|events| events.nth(n)).unwrap_or_default();
    let mut starts = Vec::new();
    for n in 0..size.starts {
        let start = fleet.cold_start(&nth(BEFORE + n)).await;
        starts.push(milliseconds(start.map_err(|error| broke(&error))?.response));
    }
    let request = async |number: usize| {
        let answer = fleet.invoke(nth(number)).await.map_err(|error| broke(&error))?;
        outcome(&answer).map(|_| ())
    };
    // One that answers at once may answer two of them: until each caller has his own.
    drive(size.callers, size.during / 10, async |n| request(2 * BEFORE + n).await).await?;
    let instances = fleet.instances();
    let processes = Processes::of(&instances);
    let before = processes.cpu();
    let driven = drive(size.callers, size.during, &request).await?;
    if fleet.instances().len() != instances.len() {
        return Err(broke(&"it did not keep its instances"));
    }
    Ok(Figures {
        cpu_seconds_per_thousand: processes.cpu().seconds_since(&before) * 1_000.0 / driven.requests as f64,
        memory_mib: processes.resident_mib() / instances.len() as f64,
        cold_start_ms: median(starts),
        driven,
    })
}

async fn as_server(environment: &Environment<'_>, stack: &Stack, calls: &[Call], size: Size) -> Result<Figures> {
    let client = client("nofomo-bench", PATIENCE)?;
    let send = async |url: &str, n: usize| match calls.get(n % calls.len().max(1)) {
        Some(call) => call.send(&client, url, n).await,
        None => Ok(()),
    };
    let mut starts = Vec::new();
    for n in 0..size.starts {
        let begun = Instant::now();
        let peer = FastapiServer::start(
            &environment.workspace,
            &environment.target,
            &environment.database.api_url,
            stack.auth().issuer(),
            1,
        )
        .await?;
        send(&peer.url(), BEFORE + n).await?;
        starts.push(milliseconds(begun.elapsed()));
    }
    let peer = FastapiServer::start(
        &environment.workspace,
        &environment.target,
        &environment.database.api_url,
        stack.auth().issuer(),
        size.callers,
    )
    .await?;
    let url = peer.url();
    let request = async |number: usize| send(&url, number).await;
    try_join_all((0..size.callers).map(|n| request(2 * BEFORE + n))).await?;
    let process = Processes::of(&[peer.process.id().unwrap_or_default()]);
    let before = process.cpu();
    let driven = drive(size.callers, size.during, &request).await?;
    Ok(Figures {
        cpu_seconds_per_thousand: process.cpu().seconds_since(&before) * 1_000.0 / driven.requests as f64,
        memory_mib: process.resident_mib(),
        cold_start_ms: median(starts),
        driven,
    })
}

/// The peer, in one process; it ends when this is dropped.
pub struct FastapiServer {
    process: Child,
    port: u16,
}

impl FastapiServer {
    /// Returns when it listens. `issuer` is whose tokens it takes, `connections` how many it has to the database.
    ///
    /// # Errors
    ///
    /// Python or PyPI is not there, or the peer ends.
    pub async fn start(
        workspace: &Path,
        target: &Path,
        database_url: &str,
        issuer: &str,
        connections: usize,
    ) -> Result<Self> {
        let programs = Self::programs(workspace, target).await?;
        let failed =
            |error: std::io::Error| Error::new(format!("the peer does not run: {error}"), "see tests/peers/fastapi");
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
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--app-dir"]).arg(home(workspace));
        command.env("DATABASE_URL", database_url).env("AUTH_ISSUER", issuer).env("POOL", connections.to_string());
        command.stdin(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if let Some(status) = process.try_wait().map_err(failed)? {
                return Err(Error::new(format!("the peer ended: {status}"), "see what it says above"));
            }
            if Instant::now() > deadline {
                return Err(Error::new("the peer does not listen", "see what it says above"));
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(Self { process, port })
    }

    async fn programs(workspace: &Path, target: &Path) -> Result<PathBuf> {
        let list = home(workspace).join("requirements.txt");
        let packages = fs::read_to_string(&list).map_err(|error| {
            Error::new(format!("cannot read {}: {error}", list.display()), "run this in a whole copy")
        })?;
        let packages: Vec<&str> = packages.lines().filter(|line| !line.is_empty()).collect();
        python::programs(target, "fastapi", &packages).await
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn home(workspace: &Path) -> PathBuf {
    workspace.join("tests/peers/fastapi")
}

impl Call {
    /// The nth of these, over HTTP; refused is an error.
    pub(crate) async fn send(&self, client: &reqwest::Client, url: &str, n: usize) -> Result<()> {
        let broke =
            |why: String| Error::new(format!("{} {} was answered {why}", self.method, self.path), "see its log");
        let request = self.nth(n);
        let method = request.method.parse().map_err(|_| broke("nothing".to_owned()))?;
        let mut sent = client.request(method, format!("{url}{}", request.path)).body(request.body);
        for (name, value) in request.headers {
            sent = sent.header(name, value);
        }
        let answer = sent.send().await.map_err(|error| broke(format!("{error:?}")))?;
        let status = answer.status();
        let body: Bytes = answer.bytes().await.map_err(|error| broke(error.to_string()))?;
        if status.is_success() { Ok(()) } else { Err(broke(format!("{status}: {}", String::from_utf8_lossy(&body)))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(cpu_seconds_per_thousand: f64, memory_mib: f64, cold_start_ms: f64) -> Figures {
        let driven = LoadStats { requests: 1, per_second: 1.0, p50_ms: 1.0, p99_ms: 1.0 };
        Figures { driven, cpu_seconds_per_thousand, memory_mib, cold_start_ms }
    }

    #[test]
    fn each_of_the_three_budgets_can_be_missed() {
        let missed = |ours: Figures| {
            let endpoint = Endpoint {
                function: "create-bot".to_owned(),
                ours,
                peer: figures(1.0, 100.0, 1_000.0),
                server: figures(9.0, 9.0, 9.0),
            };
            Report { callers: 1, endpoints: vec![endpoint] }.missed().len()
        };
        assert_eq!(missed(figures(0.2, 20.0, 50.0)), 0);
        assert_eq!(missed(figures(0.21, 20.0, 50.0)), 1);
        assert_eq!(missed(figures(0.2, 20.1, 50.0)), 1);
        assert_eq!(missed(figures(0.2, 20.0, 50.1)), 1);
    }
}
