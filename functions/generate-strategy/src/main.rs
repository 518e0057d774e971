//! Serves `POST /strategies/generate`.

use generate_strategy::Writers;
use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("generate-strategy").await?;
    let writers = app.init_static(Writers::from_settings)?;
    app.serve(|app, request| generate_strategy::handle(app, writers, request)).await
}
