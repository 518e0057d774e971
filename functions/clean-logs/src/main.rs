//! Runs daily.

use clean_logs::Retention;
use nofomo_lambda::{Error, Job};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let job = Job::start("clean-logs").await?;
    let retention = job.init_static(Retention::read)?;
    job.serve_schedule(|job, run| clean_logs::run(job, retention, run)).await
}
