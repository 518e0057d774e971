//! Tripay, which takes the money: opening a payment, asking about one, and knowing what Tripay itself has signed.
//!
//! ```text
//! tripay.create(&order)                  Created, Refused, or Unknown: then ask before trying again
//! tripay.transactions_of(merchant_ref)   whether an unknown one was created after all
//! key.has_signed(body, signature)        a callback, before Payment::parse looks at it
//! ```
//!
//! Nothing is sent twice by itself: Tripay has no idempotency key, and a second transaction can be paid as well.

mod account;
mod client;
mod creation;
mod fields;
mod payment;
mod refusal;
mod signature;
mod transaction;

pub use account::{Account, AccountError};
pub use client::{ClientError, NoAnswer, Tripay};
pub use creation::{Creation, Order};
pub use payment::Payment;
pub use signature::PrivateKey;
pub use transaction::Transaction;
