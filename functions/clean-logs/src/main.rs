//! Daily.

use clean_logs::Retention;
use nofomo_lambda::{Error, Job};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let job = Job::start("clean-logs").await?;
    let retention = job.keep(Retention::read)?;
    job.run_at_its_times(|job, run| clean_logs::run(job, retention, run)).await
}
