//! Trade reports of bots: as JSON, or from freqtrade's webhook.

mod freqtrade;
mod trades;

use nofomo_lambda::{Answer, App, Problem, Request};

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    match request.route() {
        "POST /freqtrade/{bot_token}" => freqtrade::handle(app, request).await,
        _ => trades::handle(app, request).await,
    }
}
