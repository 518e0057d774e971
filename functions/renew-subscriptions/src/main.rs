//! Runs daily.

use nofomo_lambda::{Error, Job};
use nofomo_tripay::{Account, Tripay};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let job = Job::start("renew-subscriptions").await?;
    let tripay = job.init_static(|setting| Ok::<_, Error>(Tripay::new(Account::from_settings(setting)?)?))?;
    job.serve_schedule(|job, run| renew_subscriptions::run(job, tripay, run)).await
}
