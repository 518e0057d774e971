//! Serves `POST /strategies/{strategy_id}/publish`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("publish-strategy").await?;
    app.serve(publish_strategy::handle).await
}
