//! Serves `POST /bots/{bot_id}/trades` and `POST /freqtrade/{bot_token}`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("record-trade").await?;
    app.serve(record_trade::handle).await
}
