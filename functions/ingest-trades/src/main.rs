//! Serves the queue of trade reports.

use nofomo_lambda::{Error, Job};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let job = Job::start("ingest-trades").await?;
    job.serve_queue(ingest_trades::handle).await
}
