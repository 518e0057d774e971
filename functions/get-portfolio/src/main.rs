//! Serves `GET /portfolio`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("get-portfolio").await?;
    app.serve(get_portfolio::handle).await
}
