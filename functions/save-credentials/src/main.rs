//! Serves `PUT` and `DELETE /credentials/{exchange}`.

use nofomo_lambda::{App, Error};
use nofomo_vault::KeyRing;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("save-credentials").await?;
    let keys = app.init_static(KeyRing::read)?;
    app.serve(|app, request| save_credentials::handle(app, keys, request)).await
}
