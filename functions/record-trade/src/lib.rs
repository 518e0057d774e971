//! Trade reports of bots: as JSON (`trades.rs`), or from freqtrade's webhook (`freqtrade.rs`).

mod freqtrade;
mod trades;

use nofomo_lambda::{App, Problem, Request, Response};

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    match request.route() {
        "POST /freqtrade/{bot_token}" => freqtrade::handle(app, request).await,
        _ => trades::handle(app, request).await,
    }
}
