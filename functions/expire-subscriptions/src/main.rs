//! Hourly.

use nofomo_lambda::{Error, Job};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let job = Job::start("expire-subscriptions").await?;
    job.run_at_its_times(expire_subscriptions::run).await
}
