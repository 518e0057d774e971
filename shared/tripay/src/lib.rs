//! Client of the payment gateway Tripay: creates and queries transactions, and verifies callbacks.
//!
//! ```text
//! tripay.create_transaction(&order)        Created, Refused or Unknown; query before retrying an unknown one
//! tripay.list_transactions(merchant_ref)   shows whether an unknown transaction exists
//! key.is_valid_signature(body, signature)  verifies a callback before Payment::parse reads it
//! ```
//!
//! Requests are not retried automatically: Tripay has no idempotency key, and a second transaction could be paid as
//! well.

mod account;
mod client;
mod creation;
mod fields;
mod payment;
mod record_response;
mod refusal;
mod settlement;
mod signature;
mod transaction;

pub use account::{Account, AccountError};
pub use client::{ClientError, QueryError, Tripay};
pub use creation::{CreateOutcome, Order};
pub use payment::Payment;
pub use record_response::RecordTripayResponseInput;
pub use settlement::{PAYMENT_STATUS_EVENT, SettlePaymentInput, Settlement};
pub use signature::PrivateKey;
pub use transaction::Transaction;
