//! One process of a function, and the Runtime API that it asks for its requests.

use std::{
    io,
    net::TcpListener,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use uuid::Uuid;

use super::{Configuration, InvokeError, PAYLOAD_LIMIT, Processes, lock};

/// Lambda's own limit for what happens before the first request is asked for.
const START_LIMIT: Duration = Duration::from_secs(10);

const REGION: &str = "us-east-1";

/// The process ends when this is dropped. Should nobody be left to drop it, it ends all the same, for want of a Runtime
/// API.
pub(super) struct Instance {
    process: Child,
    name: String,
    timeout: Duration,
    /// Whether there is a daemon that traces are told to.
    is_traced: bool,
    polls: mpsc::UnboundedReceiver<Poll>,
    outcomes: mpsc::UnboundedReceiver<(String, Outcome)>,
    _api: AbortOnDropHandle<()>,
    _registration: Registration,
}

/// The process asks for a request; this is where it goes.
pub(super) type Poll = oneshot::Sender<Response>;

type Outcome = Result<Bytes, InvokeError>;

pub(super) enum NotReady {
    Exited(String),
    Failed(InvokeError),
    TimedOut,
}

impl From<NotReady> for InvokeError {
    fn from(reason: NotReady) -> Self {
        match reason {
            NotReady::Exited(how) => {
                Self::failed("Runtime.ExitError", format!("ended before its first request: {how}"))
            }
            NotReady::Failed(error) => error,
            NotReady::TimedOut => {
                let seconds = START_LIMIT.as_secs();
                Self::failed("Sandbox.Timedout", format!("asked for no request within {seconds} seconds of its start"))
            }
        }
    }
}

/// Keeps the list of processes true.
struct Registration {
    process: u32,
    processes: Processes,
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&self.processes).remove(&self.process);
    }
}

impl Instance {
    pub(super) fn launch(
        configuration: &Configuration,
        processes: &Processes,
        tasks: &TaskTracker,
    ) -> io::Result<Self> {
        // An address of its own, as in Lambda, tells the instance whom it belongs to.
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (link, polls, outcomes) = Link::new();
        let server = axum::serve(listener, runtime_api(link));
        let api = AbortOnDropHandle::new(tokio::spawn(async move { server.await.unwrap_or_default() }));

        let mut command = command(configuration);
        command.env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        let mut process = command.spawn()?;
        if let Some(stdout) = process.stdout.take() {
            tasks.spawn(forward_lines(stdout, configuration.clone()));
        }
        if let Some(stderr) = process.stderr.take() {
            tasks.spawn(forward_lines(stderr, configuration.clone()));
        }
        let id = process.id().unwrap_or_default();
        lock(processes).insert(id);
        Ok(Self {
            process,
            name: configuration.name.clone(),
            timeout: configuration.timeout,
            is_traced: configuration.environment.contains_key("AWS_XRAY_DAEMON_ADDRESS"),
            polls,
            outcomes,
            _api: api,
            _registration: Registration { process: id, processes: processes.clone() },
        })
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits until the process asks for a request.
    pub(super) async fn ready(&mut self) -> Result<Poll, NotReady> {
        let asked = async {
            tokio::select! {
                biased;
                Some((_, Err(error))) = self.outcomes.recv() => Err(NotReady::Failed(error)),
                status = self.process.wait() => Err(NotReady::Exited(describe(status))),
                Some(poll) = self.polls.recv() => Ok(poll),
            }
        };
        timeout(START_LIMIT, asked).await.unwrap_or(Err(NotReady::TimedOut))
    }

    /// Gives the process the event, and its invocation an id; none if the process has hung up.
    pub(super) fn deliver(&self, poll: Poll, event: &Bytes) -> Option<String> {
        let id = Uuid::new_v4().to_string();
        let deadline = Utc::now() + self.timeout;
        let trace = Uuid::new_v4().simple().to_string();
        let (root, parent) = trace.split_at_checked(24).unwrap_or_default();
        let sampled = u8::from(self.is_traced);
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", id.clone()),
            ("lambda-runtime-deadline-ms", deadline.timestamp_millis().to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                format!("arn:aws:lambda:{REGION}:000000000000:function:{}", self.name),
            ),
            (
                "lambda-runtime-trace-id",
                format!("Root=1-{:08x}-{root};Parent=00000000{parent};Sampled={sampled}", Utc::now().timestamp()),
            ),
        ];
        poll.send((headers, event.clone()).into_response()).ok()?;
        Some(id)
    }

    /// What becomes of the invocation. A process that has not answered in time is ended.
    pub(super) async fn outcome(&mut self, invocation: &str) -> Outcome {
        let answered = async {
            loop {
                tokio::select! {
                    biased;
                    Some((id, outcome)) = self.outcomes.recv() => if id == invocation { return outcome },
                    status = self.process.wait() => {
                        let message = format!("RequestId: {invocation} Error: Runtime exited: {}", describe(status));
                        return Err(InvokeError::failed("Runtime.ExitError", message));
                    }
                }
            }
        };
        match timeout(self.timeout, answered).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let seconds = self.timeout.as_secs_f64();
                let message = format!("RequestId: {invocation} Error: Task timed out after {seconds:.2} seconds");
                match self.process.kill().await {
                    Ok(()) => Err(InvokeError::failed("Sandbox.Timedout", message)),
                    Err(error) => {
                        Err(InvokeError::failed("Sandbox.Timedout", format!("{message}; not killed: {error}")))
                    }
                }
            }
        }
    }
}

fn command(configuration: &Configuration) -> Command {
    let Configuration { name, binary, memory_megabytes, .. } = configuration;
    let mut command = Command::new(binary);
    command.env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "en_US.UTF-8").env("TZ", ":UTC");
    command.env("AWS_REGION", REGION).env("AWS_DEFAULT_REGION", REGION);
    command.env("AWS_LAMBDA_FUNCTION_NAME", name).env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_megabytes.to_string());
    command.env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand").env("AWS_LAMBDA_LOG_FORMAT", "JSON");
    command.env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"));
    let stream = format!("{}/[$LATEST]{}", Utc::now().format("%Y/%m/%d"), Uuid::new_v4().simple());
    command.env("AWS_LAMBDA_LOG_STREAM_NAME", stream);
    command.envs(&configuration.environment);
    // In a group of its own: Ctrl-C is for us to hear first.
    command.process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn forward_lines(output: impl AsyncRead + Unpin, configuration: Configuration) {
    let mut lines = BufReader::new(output).split(b'\n');
    // A pipe fails no other way than by its end.
    while let Ok(Some(line)) = lines.next_segment().await {
        (configuration.log)(&configuration.name, String::from_utf8_lossy(&line).trim_end());
    }
}

fn describe(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// The Runtime API's end of an instance.
#[derive(Clone)]
struct Link {
    polls: mpsc::UnboundedSender<Poll>,
    outcomes: mpsc::UnboundedSender<(String, Outcome)>,
}

impl Link {
    fn new() -> (Self, mpsc::UnboundedReceiver<Poll>, mpsc::UnboundedReceiver<(String, Outcome)>) {
        let (polls, polled) = mpsc::unbounded_channel();
        let (outcomes, outcome) = mpsc::unbounded_channel();
        (Self { polls, outcomes }, polled, outcome)
    }

    fn report(&self, invocation: String, outcome: Outcome, status: StatusCode) -> Response {
        match self.outcomes.send((invocation, outcome)) {
            Ok(()) => (status, Json(json!({ "status": "OK" }))).into_response(),
            Err(_) => StatusCode::GONE.into_response(),
        }
    }
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Diagnostic {
    error_type: String,
    error_message: String,
}

impl Default for Diagnostic {
    fn default() -> Self {
        Self { error_type: "Runtime.Unknown".to_owned(), error_message: String::new() }
    }
}

fn runtime_api(link: Link) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(invocation_error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        // Read to its end even if it is too large, or the instance would break over it.
        .layer(DefaultBodyLimit::disable())
        .with_state(link)
}

async fn next(State(link): State<Link>) -> Response {
    let (poll, event) = oneshot::channel();
    match link.polls.send(poll) {
        Ok(()) => event.await.unwrap_or_else(|_| StatusCode::GONE.into_response()),
        Err(_) => StatusCode::GONE.into_response(),
    }
}

async fn response(State(link): State<Link>, Path(id): Path<String>, answer: Bytes) -> Response {
    if answer.len() > PAYLOAD_LIMIT {
        let error = InvokeError::failed("Function.ResponseSizeTooLarge", "the answer is larger than Lambda passes on");
        return link.report(id, Err(error), StatusCode::PAYLOAD_TOO_LARGE);
    }
    link.report(id, Ok(answer), StatusCode::ACCEPTED)
}

async fn invocation_error(State(link): State<Link>, Path(id): Path<String>, body: Bytes) -> Response {
    link.report(id, Err(diagnosed(&body)), StatusCode::ACCEPTED)
}

async fn init_error(State(link): State<Link>, body: Bytes) -> Response {
    link.report(String::new(), Err(diagnosed(&body)), StatusCode::ACCEPTED)
}

fn diagnosed(body: &[u8]) -> InvokeError {
    let Diagnostic { error_type, error_message } = serde_json::from_slice(body).unwrap_or_default();
    InvokeError::Failed { error_type, error_message }
}
