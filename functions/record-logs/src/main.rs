//! Serves `POST /bots/{bot_id}/logs`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("record-logs").await?;
    app.serve(record_logs::handle).await
}
