//! An instance of a function: its process, and the Runtime API from which it requests its events.

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

use super::{
    configuration::Configuration,
    invoke_error::{InvokeError, MAX_PAYLOAD_SIZE},
    process_ids::{ProcessIds, Registration},
};

/// Lambda's limit for the init phase, which ends when the first event is requested.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

const REGION: &str = "us-east-1";

/// A running process of a function. It ends when this is dropped; if this process is killed instead, it ends because
/// its Runtime API is gone.
pub(super) struct Instance {
    process: Child,
    name: String,
    timeout: Duration,
    /// `true` if there is an X-Ray daemon.
    is_traced: bool,
    polls: mpsc::UnboundedReceiver<Poll>,
    outcomes: mpsc::UnboundedReceiver<(String, Outcome)>,
    _api: AbortOnDropHandle<()>,
    _registration: Registration,
}

/// A pending request of the process for its next event, with the channel for the response.
pub(super) type Poll = oneshot::Sender<Response>;

type Outcome = Result<Bytes, InvokeError>;

/// Reason why an instance does not request an event.
pub(super) enum NotReady {
    Exited(String),
    Failed(InvokeError),
    TimedOut,
}

impl From<NotReady> for InvokeError {
    fn from(reason: NotReady) -> Self {
        match reason {
            NotReady::Exited(status) => {
                Self::failed("Runtime.ExitError", format!("exited before its first event: {status}"))
            }
            NotReady::Failed(error) => error,
            NotReady::TimedOut => {
                let seconds = INIT_TIMEOUT.as_secs();
                Self::failed("Sandbox.Timedout", format!("requested no event within {seconds} seconds of its start"))
            }
        }
    }
}

impl Instance {
    /// Starts a process, whose output is forwarded to the log by `tasks`.
    pub(super) fn launch(
        configuration: &Configuration,
        process_ids: &ProcessIds,
        tasks: &TaskTracker,
    ) -> io::Result<Self> {
        // Its own address, as in Lambda, so that requests to the Runtime API belong to this instance.
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (channels, polls, outcomes) = InstanceChannels::new();
        let server = axum::serve(listener, runtime_api(channels));
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
        Ok(Self {
            process,
            name: configuration.name.clone(),
            timeout: configuration.timeout,
            is_traced: configuration.environment.contains_key("AWS_XRAY_DAEMON_ADDRESS"),
            polls,
            outcomes,
            _api: api,
            _registration: process_ids.register(id),
        })
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits until the process requests an event.
    pub(super) async fn ready(&mut self) -> Result<Poll, NotReady> {
        let requested = async {
            tokio::select! {
                biased;
                Some((_, Err(error))) = self.outcomes.recv() => Err(NotReady::Failed(error)),
                status = self.process.wait() => Err(NotReady::Exited(describe(status))),
                Some(poll) = self.polls.recv() => Ok(poll),
            }
        };
        timeout(INIT_TIMEOUT, requested).await.unwrap_or(Err(NotReady::TimedOut))
    }

    /// Sends the process the event and returns the id of the invocation, or `None` if the process has disconnected.
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

    /// Waits for the outcome of an invocation. Kills the process if it does not respond in time.
    pub(super) async fn outcome(&mut self, invocation: &str) -> Outcome {
        let outcome = async {
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
        match timeout(self.timeout, outcome).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let seconds = self.timeout.as_secs_f64();
                let message = format!("RequestId: {invocation} Error: Task timed out after {seconds:.2} seconds");
                match self.process.kill().await {
                    Ok(()) => Err(InvokeError::failed("Sandbox.Timedout", message)),
                    Err(error) => {
                        Err(InvokeError::failed("Sandbox.Timedout", format!("{message}; cannot kill it: {error}")))
                    }
                }
            }
        }
    }
}

/// Command that starts the process with Lambda's environment variables.
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
    // In its own process group, so that Ctrl-C reaches only this process, which then stops the instances.
    command.process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Logs each line of an output.
async fn forward_lines(output: impl AsyncRead + Unpin, configuration: Configuration) {
    let mut lines = BufReader::new(output).split(b'\n');
    // Reading from a pipe fails only at its end.
    while let Ok(Some(line)) = lines.next_segment().await {
        (configuration.log)(&configuration.name, String::from_utf8_lossy(&line).trim_end());
    }
}

fn describe(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// Channels from the Runtime API to its instance.
#[derive(Clone)]
struct InstanceChannels {
    polls: mpsc::UnboundedSender<Poll>,
    outcomes: mpsc::UnboundedSender<(String, Outcome)>,
}

impl InstanceChannels {
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

/// An error as a function reports it.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ErrorReport {
    error_type: String,
    error_message: String,
}

impl Default for ErrorReport {
    fn default() -> Self {
        Self { error_type: "Runtime.Unknown".to_owned(), error_message: String::new() }
    }
}

fn runtime_api(channels: InstanceChannels) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(invocation_error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        // A response that is too large is read to its end: otherwise the instance would fail to send it.
        .layer(DefaultBodyLimit::disable())
        .with_state(channels)
}

async fn next(State(channels): State<InstanceChannels>) -> Response {
    let (poll, event) = oneshot::channel();
    match channels.polls.send(poll) {
        Ok(()) => event.await.unwrap_or_else(|_| StatusCode::GONE.into_response()),
        Err(_) => StatusCode::GONE.into_response(),
    }
}

async fn response(State(channels): State<InstanceChannels>, Path(id): Path<String>, body: Bytes) -> Response {
    if body.len() > MAX_PAYLOAD_SIZE {
        let error = InvokeError::failed("Function.ResponseSizeTooLarge", "the response is larger than Lambda allows");
        return channels.report(id, Err(error), StatusCode::PAYLOAD_TOO_LARGE);
    }
    channels.report(id, Ok(body), StatusCode::ACCEPTED)
}

async fn invocation_error(State(channels): State<InstanceChannels>, Path(id): Path<String>, body: Bytes) -> Response {
    channels.report(id, Err(parse_error(&body)), StatusCode::ACCEPTED)
}

async fn init_error(State(channels): State<InstanceChannels>, body: Bytes) -> Response {
    channels.report(String::new(), Err(parse_error(&body)), StatusCode::ACCEPTED)
}

fn parse_error(body: &[u8]) -> InvokeError {
    let ErrorReport { error_type, error_message } = serde_json::from_slice(body).unwrap_or_default();
    InvokeError::Failed { error_type, error_message }
}
