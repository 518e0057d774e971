//! Serves `POST /bots/{bot_id}/{action}`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("control-bot").await?;
    app.serve(control_bot::handle).await
}
