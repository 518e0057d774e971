//! Runs every 15 minutes.

use nofomo_lambda::{Error, Job};
use nofomo_tripay::{Account, Tripay};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let job = Job::start("reconcile-invoices").await?;
    let tripay = job.init_static(|setting| Ok::<_, Error>(Tripay::new(Account::from_settings(setting)?)?))?;
    job.serve_schedule(|job, run| reconcile_invoices::run(job, tripay, run)).await
}
