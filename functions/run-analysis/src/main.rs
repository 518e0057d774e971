//! `POST /analyses`

use nofomo_http::{App, Error};
use run_analysis::Narrator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("run-analysis").await?;
    let narrator = app.keep(|setting| Ok::<_, Error>(Narrator::read(setting)?))?;
    app.serve(|app, request| run_analysis::handle(app, narrator.as_ref(), request)).await
}
