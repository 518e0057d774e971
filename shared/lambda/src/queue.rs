//! Serving a queue.

use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use chrono::Utc;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use nofomo_contract::ObjectReader;
use serde_json::json;
use serde_json::value::RawValue;
use tracing::warn;

use crate::function::{catch_panic, leak};
use crate::schedule::has_time_left;
use crate::{Error, Job, Problem};

/// Time reserved for one message: opening a connection, and waiting for a response.
const TIME_RESERVE: Duration = Duration::from_secs(17);

/// One message of a queue.
pub struct Message {
    body: String,
}

impl Message {
    /// Reads the body as a JSON object.
    ///
    /// # Errors
    ///
    /// 400 if the body is not JSON, 422 if it is not an object.
    pub fn object(&self) -> Result<ObjectReader<'_>, Problem> {
        let body: &RawValue = serde_json::from_str(&self.body)
            .map_err(|error| Problem::NotJson(format!("The message is not JSON: {error}.")))?;
        ObjectReader::new(body, String::new()).map_err(Problem::Invalid)
    }
}

impl Job {
    /// Serves a queue, batch by batch, until Lambda ends the process. `handle` returns the number of items in the
    /// message. The queue delivers a failed message again, and moves it to the dead-letter queue after several
    /// failures.
    ///
    /// # Errors
    ///
    /// Errors of the Lambda runtime.
    pub async fn serve_queue<H, F>(self, handle: H) -> Result<(), Error>
    where
        H: Fn(&'static Self, Message) -> F + Send + Sync,
        F: Future<Output = Result<usize, Problem>> + Send,
    {
        let job = leak(self);
        let handle = &handle;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| async move {
            let LambdaEvent { payload, context } = event;
            let work = handle_batch(payload.records, context.deadline(), |message| handle(job, message));
            job.invoke_run(&context, Utc::now(), async { Ok(work.await) }).await
        }))
        .await
    }
}

/// Handles the messages one after the other. Returns the failed ones for the queue, and the counts for the log record.
async fn handle_batch<F: Future<Output = Result<usize, Problem>>>(
    messages: Vec<SqsMessage>,
    deadline: SystemTime,
    handle: impl Fn(Message) -> F,
) -> (SqsBatchResponse, serde_json::Value) {
    let message_count = messages.len();
    let (mut response, mut item_count, mut is_unavailable) = (SqsBatchResponse::default(), 0, false);
    for message in messages {
        let id = message.message_id.unwrap_or_default();
        // Each of the remaining messages would wait for the same unavailable database.
        if is_unavailable || !has_time_left(deadline, TIME_RESERVE) {
            response.add_failure(id);
            continue;
        }
        match catch_panic(handle(Message { body: message.body.unwrap_or_default() })).await {
            Ok(items) => item_count += items,
            Err(problem) => {
                let (outcome, cause) = (problem.kind().slug(), problem.cause());
                warn!(message_id = id, outcome, cause, "Message failed");
                is_unavailable = matches!(problem, Problem::Unavailable(_));
                response.add_failure(id);
            }
        }
    }
    let failures = response.batch_item_failures.len();
    let counts = json!({ "messages": message_count, "taken": item_count, "not_taken": failures });
    (response, counts)
}
