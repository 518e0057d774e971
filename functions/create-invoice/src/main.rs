//! Serves `POST /invoices`.

use nofomo_lambda::{App, Error};
use nofomo_tripay::{Account, Tripay};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::start("create-invoice").await?;
    let tripay = app.init_static(|setting| Ok::<_, Error>(Tripay::new(Account::from_settings(setting)?)?))?;
    app.serve(|app, request| create_invoice::handle(app, tripay, request)).await
}
