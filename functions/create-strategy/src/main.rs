//! Serves `POST /strategies` and `PUT /strategies/{strategy_id}`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("create-strategy").await?;
    app.serve(create_strategy::handle).await
}
