//! What bots report of their trades: as they are, or as freqtrade's webhook tells them.

mod freqtrade;
mod trades;

use nofomo_lambda::{Answer, App, Problem, Request};

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    match request.route() {
        "POST /freqtrade/{bot_token}" => freqtrade::handle(app, request).await,
        _ => trades::handle(app, request).await,
    }
}
