//! Serves `POST /bots/{bot_id}/credentials`.

use nofomo_lambda::{App, Error};
use nofomo_vault::KeyRing;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("open-credentials").await?;
    let keys = app.init_static(KeyRing::read)?;
    app.serve(|app, request| open_credentials::handle(app, keys, request)).await
}
