//! Serves `POST /callbacks/tripay`.

use nofomo_lambda::{Error, Job};
use nofomo_tripay::PrivateKey;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let job = Job::start("tripay-callback").await?;
    let key = job.init_static(|setting| PrivateKey::from_settings(setting))?;
    job.serve_callbacks(|job, request| tripay_callback::handle(job, key, request)).await
}
