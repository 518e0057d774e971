//! Serves `POST` and `DELETE /bots/{bot_id}/token`.

use nofomo_lambda::{App, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("issue-bot-token").await?;
    app.serve(issue_bot_token::handle).await
}
