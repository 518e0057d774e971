//! Serves `GET /analyses/{analysis_id}/report`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("show-report").await?;
    app.serve(show_report::handle).await
}
