//! Runs hourly.

use nofomo_lambda::{Error, Job};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let job = Job::start("expire-subscriptions").await?;
    job.serve_schedule(expire_subscriptions::run).await
}
