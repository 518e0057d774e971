//! Lambda on this machine: a function's real binary, in as many instances as it has requests at once.

mod instance;
pub mod log;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use instance::{Instance, NotReady};
use log::Log;

/// What Lambda takes and gives in one synchronous invocation.
const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// How a function is run.
#[derive(Clone)]
pub struct Configuration {
    pub name: String,
    pub binary: PathBuf,
    /// All that the function sees beside what Lambda itself sets: a laptop's own variables stay out.
    pub environment: BTreeMap<String, String>,
    pub timeout: Duration,
    pub memory_megabytes: u64,
    /// At most so many instances; a request beyond them is refused at once, as by Lambda.
    pub concurrency: usize,
    pub log: Log,
}

/// The instances of one function. They end with the last clone of this.
#[derive(Clone)]
pub struct Fleet {
    shared: Arc<Shared>,
}

struct Shared {
    configuration: Configuration,
    /// Those without a request, the last used at the end.
    idle: Mutex<Vec<Instance>>,
    processes: Processes,
    tasks: TaskTracker,
    stopped: CancellationToken,
}

/// The process ids of all instances.
type Processes = Arc<Mutex<BTreeSet<u32>>>;

/// How long an instance took from the start of its process.
#[derive(Clone, Copy, Debug)]
pub struct ColdStart {
    /// Until it asked for its first request: Lambda's init phase.
    pub next: Duration,
    /// Until it had answered that.
    pub answer: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("the function has as many requests at once as it may have")]
    Throttled,
    #[error("the event is larger than Lambda takes")]
    EventTooLarge,
    /// The function said so, or it crashed, ran out of time or did not start.
    #[error("{error_type}: {error_message}")]
    Failed { error_type: String, error_message: String },
}

impl InvokeError {
    fn failed(error_type: &str, error_message: impl Into<String>) -> Self {
        Self::Failed { error_type: error_type.to_owned(), error_message: error_message.into() }
    }
}

impl Fleet {
    pub fn new(configuration: Configuration) -> Self {
        let shared = Shared {
            configuration,
            idle: Mutex::default(),
            processes: Processes::default(),
            tasks: TaskTracker::new(),
            stopped: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has an instance handle the event, a new one if all have something to do.
    pub async fn invoke(&self, event: Bytes) -> Result<Bytes, InvokeError> {
        if event.len() > PAYLOAD_LIMIT {
            return Err(InvokeError::EventTooLarge);
        }
        let fleet = self.clone();
        // In a task of its own: what Lambda has begun it ends, also when the caller hangs up.
        let invocation = self.shared.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = fleet.shared.stopped.cancelled() => {
                    Err(InvokeError::failed("Local.Stopped", "the stack was stopped"))
                }
                outcome = fleet.perform(event) => outcome,
            }
        });
        invocation.await.unwrap_or_else(|error| Err(InvokeError::failed("Local.Error", error.to_string())))
    }

    /// Has an instance of its own handle the event, which ends with that.
    pub async fn cold_start(&self, event: &Bytes) -> Result<ColdStart, InvokeError> {
        let begun = Instant::now();
        let mut instance = self.launch()?;
        let poll = instance.ready().await?;
        let next = begun.elapsed();
        let invocation = instance.deliver(poll, event);
        let invocation = invocation.ok_or_else(|| InvokeError::failed("Runtime.ExitError", "hung up"))?;
        instance.outcome(&invocation).await?;
        Ok(ColdStart { next, answer: begun.elapsed() })
    }

    /// The process ids of the instances there are.
    pub fn instances(&self) -> Vec<u32> {
        lock(&self.shared.idle).retain_mut(Instance::is_alive);
        lock(&self.shared.processes).iter().copied().collect()
    }

    /// Ends every instance, also those with a request, and returns when their last lines are in the log.
    pub async fn stop(&self) {
        self.shared.stopped.cancel();
        lock(&self.shared.idle).clear();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// A line beside the function's own, as Lambda itself writes some.
    pub(crate) fn log(&self, line: &str) {
        (self.shared.configuration.log)(&self.shared.configuration.name, line);
    }

    async fn perform(&self, event: Bytes) -> Result<Bytes, InvokeError> {
        loop {
            let (mut instance, is_new) = self.take_instance()?;
            let poll = match instance.ready().await {
                Ok(poll) => poll,
                // It ended after its last request: this one is not lost yet.
                Err(NotReady::Exited(_)) if !is_new => continue,
                Err(reason) => return Err(self.noted(reason.into())),
            };
            let Some(invocation) = instance.deliver(poll, &event) else { continue };
            let outcome = instance.outcome(&invocation).await;
            if instance.is_alive() {
                lock(&self.shared.idle).push(instance);
            }
            return outcome.map_err(|error| self.noted(error));
        }
    }

    /// An idle instance if there is one; otherwise a new one, which is told apart.
    fn take_instance(&self) -> Result<(Instance, bool), InvokeError> {
        let mut idle = lock(&self.shared.idle);
        while let Some(mut instance) = idle.pop() {
            if instance.is_alive() {
                return Ok((instance, false));
            }
        }
        if lock(&self.shared.processes).len() >= self.shared.configuration.concurrency {
            return Err(InvokeError::Throttled);
        }
        self.launch().map(|instance| (instance, true))
    }

    fn launch(&self) -> Result<Instance, InvokeError> {
        let Shared { configuration, processes, tasks, .. } = &*self.shared;
        Instance::launch(configuration, processes, tasks).map_err(|error| {
            let binary = configuration.binary.display();
            self.noted(InvokeError::failed("Runtime.InvalidEntrypoint", format!("cannot run {binary}: {error}")))
        })
    }

    fn noted(&self, error: InvokeError) -> InvokeError {
        self.log(&error.to_string());
        error
    }
}

/// What these locks guard is whole whenever one is let go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
