//! Serves `POST /analyses`.

use nofomo_lambda::{App, Error};
use nofomo_language_model::LanguageModel;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("run-analysis").await?;
    let model = app.init_static(|setting| Ok::<_, Error>(LanguageModel::from_settings(setting)?))?;
    app.serve(|app, request| run_analysis::handle(app, model.as_ref(), request)).await
}
