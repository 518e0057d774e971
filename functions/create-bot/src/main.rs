//! Serves `POST /bots`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("create-bot").await?;
    app.serve(create_bot::handle).await
}
