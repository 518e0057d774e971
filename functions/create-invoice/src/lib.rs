//! `POST /invoices`: opens a Tripay payment for a plan.
//!
//! The invoice is committed before Tripay is called. The create request is never retried: Tripay has no idempotency
//! key, and every transaction that it creates can be paid.
//!
//! SQL: `migrations/023_create_invoice.sql`.

use nofomo_contract::billing::NewInvoice;
use nofomo_lambda::{App, FieldError, Problem, Request, Response, User};
use nofomo_tripay::{CreateOutcome, Order, RecordTripayResponseInput, Transaction, Tripay};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Input of `private.create_invoice`.
#[derive(Serialize)]
struct CreateInvoiceInput {
    id: Uuid,
    #[serde(flatten)]
    invoice: NewInvoice,
}

/// Outcome of `private.create_invoice`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Opened { id: Uuid, order: Order },
    Existing(Box<RawValue>),
    Unconfirmed { id: Uuid, reference_id: String },
    UnknownPlan,
    NotForSale { plan: String },
    RateLimited,
    KeyReused,
}

pub async fn handle(app: &'static App, tripay: &Tripay, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    let id = request.row_id("create-invoice", &user)?;
    let input = CreateInvoiceInput { id, invoice: request.body_as()? };
    match app.db.command(user.claims(), "create_invoice", &input).await? {
        Outcome::Opened { id, order } => create_transaction(app, tripay, &user, id, &order).await,
        Outcome::Existing(invoice) => Ok(Response::ok(invoice)),
        Outcome::Unconfirmed { id, reference_id } => find_transaction(app, tripay, &user, id, &reference_id).await,
        Outcome::UnknownPlan => Err(invalid("/plan", "is not an available plan")),
        Outcome::NotForSale { plan } => {
            Err(invalid("/plan", format!("must be a plan with a price for this period; {plan} has none")))
        }
        Outcome::RateLimited => Err(Problem::TooMany("At most 20 invoices can be created per hour. Pay one of those.")),
        Outcome::KeyReused => Err(Problem::key_reused("invoice")),
    }
}

/// Creates the Tripay transaction of a new invoice.
async fn create_transaction(
    app: &App,
    tripay: &Tripay,
    user: &User,
    id: Uuid,
    order: &Order,
) -> Result<Response, Problem> {
    match app.time_external_call("tripay", tripay.create_transaction(order)).await {
        CreateOutcome::Created(transaction) => {
            let invoice = record(app, tripay, user, id, Some(&transaction)).await?;
            Ok(Response::created(invoice).with_location(format!("/invoices/{id}")))
        }
        CreateOutcome::Refused { message, is_account_error } => {
            record(app, tripay, user, id, None).await?;
            if is_account_error {
                Err(Problem::BadGateway(message))
            } else {
                Err(invalid("", format!("Tripay refused the payment: {message}")))
            }
        }
        CreateOutcome::Unknown(cause) => Err(unconfirmed(id, cause)),
    }
}

/// Looks for the transaction of an invoice, in case Tripay created it without confirming.
async fn find_transaction(
    app: &App,
    tripay: &Tripay,
    user: &User,
    id: Uuid,
    merchant_ref: &str,
) -> Result<Response, Problem> {
    let transactions = app.time_external_call("tripay", tripay.list_transactions(merchant_ref)).await;
    let transactions = transactions.map_err(|error| unconfirmed(id, error.to_string()))?;
    match transactions.first() {
        Some(transaction) => Ok(Response::ok(record(app, tripay, user, id, Some(transaction)).await?)),
        None => Err(unconfirmed(id, "Tripay lists no transaction yet".into())),
    }
}

/// Records the transaction, or the refusal, of an invoice. Returns the invoice.
async fn record(
    app: &App,
    tripay: &Tripay,
    user: &User,
    id: Uuid,
    transaction: Option<&Transaction>,
) -> Result<Box<RawValue>, Problem> {
    let input = RecordTripayResponseInput { now: None, id, merchant_code: tripay.merchant_code(), transaction };
    let invoice: Option<Box<RawValue>> = app.db.command(user.claims(), "record_invoice", &input).await?;
    invoice.ok_or_else(|| unconfirmed(id, "the transaction belongs to another invoice".into()))
}

/// Problem of an invoice for which Tripay has not confirmed a transaction. The cause is for the log only.
fn unconfirmed(id: Uuid, cause: String) -> Problem {
    let detail = format!(
        "Tripay has not confirmed that it opened a payment for invoice {id}. The invoice stays pending until this is \
         known, usually within 25 minutes. Send the same request again in a minute; it does not open a second payment."
    );
    Problem::NoAnswer { cause, detail }
}

fn invalid(pointer: &str, detail: impl Into<String>) -> Problem {
    Problem::Invalid(vec![FieldError::at(pointer, detail)])
}
