//! Serves `POST /strategies/{strategy_id}/backtests`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("import-backtest").await?;
    app.serve(import_backtest::handle).await
}
