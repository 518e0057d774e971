//! The instances of one function.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    configuration::Configuration,
    instance::{Instance, NotReady},
    invoke_error::{InvokeError, MAX_PAYLOAD_SIZE},
    process_ids::ProcessIds,
};

/// Instances of one function. They end when the last clone of this is dropped.
#[derive(Clone)]
pub struct Fleet {
    state: Arc<FleetState>,
}

struct FleetState {
    configuration: Configuration,
    /// Idle instances, the most recently used one last.
    idle: Mutex<Vec<Instance>>,
    process_ids: ProcessIds,
    tasks: TaskTracker,
    stopped: CancellationToken,
}

/// Durations of a cold start, from the start of the process.
#[derive(Clone, Copy, Debug)]
pub struct ColdStart {
    /// Time until the instance requests its first event: Lambda's init phase.
    pub next: Duration,
    /// Time until the instance has responded to that event.
    pub response: Duration,
}

impl FleetState {
    fn lock_idle(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fleet {
    pub fn new(configuration: Configuration) -> Self {
        let state = FleetState {
            configuration,
            idle: Mutex::default(),
            process_ids: ProcessIds::default(),
            tasks: TaskTracker::new(),
            stopped: CancellationToken::new(),
        };
        Self { state: Arc::new(state) }
    }

    /// Invokes the function, in a new instance if all others are busy.
    ///
    /// # Errors
    ///
    /// The event is too large, the function is throttled, or the invocation fails.
    pub async fn invoke(&self, event: Bytes) -> Result<Bytes, InvokeError> {
        if event.len() > MAX_PAYLOAD_SIZE {
            return Err(InvokeError::EventTooLarge);
        }
        let fleet = self.clone();
        // In its own task: as in Lambda, an invocation is completed even if the caller disconnects.
        let invocation = self.state.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = fleet.state.stopped.cancelled() => {
                    Err(InvokeError::failed("Local.Stopped", "the local cloud was stopped"))
                }
                outcome = fleet.handle(event) => outcome,
            }
        });
        invocation.await.unwrap_or_else(|error| Err(InvokeError::failed("Local.Error", error.to_string())))
    }

    /// Invokes the function once in a new instance, which is stopped afterwards.
    ///
    /// # Errors
    ///
    /// The instance does not start, or the invocation fails.
    pub async fn cold_start(&self, event: &Bytes) -> Result<ColdStart, InvokeError> {
        let started_at = Instant::now();
        let mut instance = self.launch()?;
        let poll = instance.ready().await?;
        let next = started_at.elapsed();
        let invocation = instance.deliver(poll, event);
        let invocation =
            invocation.ok_or_else(|| InvokeError::failed("Runtime.ExitError", "exited before its first event"))?;
        instance.outcome(&invocation).await?;
        Ok(ColdStart { next, response: started_at.elapsed() })
    }

    /// Process ids of the running instances.
    pub fn process_ids(&self) -> Vec<u32> {
        self.state.lock_idle().retain_mut(Instance::is_alive);
        self.state.process_ids.to_vec()
    }

    /// Stops every instance, including busy ones, and waits until their output is in the log.
    pub async fn stop(&self) {
        self.state.stopped.cancel();
        self.state.lock_idle().clear();
        self.state.tasks.close();
        self.state.tasks.wait().await;
    }

    /// Adds a line to the function's log, as Lambda itself does.
    pub(crate) fn log(&self, line: &str) {
        (self.state.configuration.log)(&self.state.configuration.name, line);
    }

    async fn handle(&self, event: Bytes) -> Result<Bytes, InvokeError> {
        loop {
            let (mut instance, is_new) = self.take_instance()?;
            let poll = match instance.ready().await {
                Ok(poll) => poll,
                // It exited after its previous request; another instance can handle this one.
                Err(NotReady::Exited(_)) if !is_new => continue,
                Err(reason) => return Err(self.logged(reason.into())),
            };
            let Some(invocation) = instance.deliver(poll, &event) else { continue };
            let outcome = instance.outcome(&invocation).await;
            if instance.is_alive() {
                self.state.lock_idle().push(instance);
            }
            return outcome.map_err(|error| self.logged(error));
        }
    }

    /// Takes an idle instance, or launches one. The flag is `true` if the instance is new.
    fn take_instance(&self) -> Result<(Instance, bool), InvokeError> {
        let mut idle = self.state.lock_idle();
        while let Some(mut instance) = idle.pop() {
            if instance.is_alive() {
                return Ok((instance, false));
            }
        }
        if self.state.process_ids.count() >= self.state.configuration.concurrency {
            return Err(InvokeError::Throttled);
        }
        self.launch().map(|instance| (instance, true))
    }

    fn launch(&self) -> Result<Instance, InvokeError> {
        let FleetState { configuration, process_ids, tasks, .. } = &*self.state;
        Instance::launch(configuration, process_ids, tasks).map_err(|error| {
            let binary = configuration.binary.display();
            self.logged(InvokeError::failed("Runtime.InvalidEntrypoint", format!("cannot run {binary}: {error}")))
        })
    }

    /// Logs an error and returns it.
    fn logged(&self, error: InvokeError) -> InvokeError {
        self.log(&error.to_string());
        error
    }
}
