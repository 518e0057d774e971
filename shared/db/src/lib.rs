//! Calling the database: one command or job is one private function, called in one message, in one network round trip.
//!
//! ```text
//! db.command(&claims, "create_bot", &new_bot)    select private.create_bot($1, $2)   as nofomo_api, which becomes the user
//! db.rows(&claims, "analysed_trades", &page, …)  select * from private.analysed_trades($1, $2)   the same, row by row
//! db.job("expire_subscriptions", &batch)         select private.expire_subscriptions($1)             as nofomo_jobs
//! ```
//!
//! Nothing is prepared by name and nothing is pipelined, so that a call means the same behind every pooler.

mod address;
mod call;
mod connect;
mod error;

pub use address::{Address, AddressError};
pub use call::{Claims, Db, OnCall};
pub use connect::{Reload, connect, tls_connector};
pub use error::Error;
pub use tokio_postgres::Row;
