//! Serves `POST /subscription/{action}`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("manage-subscription").await?;
    app.serve(manage_subscription::handle).await
}
