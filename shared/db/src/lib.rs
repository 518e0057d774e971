//! Database access. Each command or job calls one function of the schema `private`, in one network round trip.
//!
//! | call | SQL | login role |
//! | --- | --- | --- |
//! | `db.command(&claims, "create_bot", &new_bot)` | `select private.create_bot($1, $2)` | `nofomo_api` |
//! | `db.stream_rows(&claims, "analysed_trades", &page, …)` | `select * from private.analysed_trades($1, $2)` | `nofomo_api` |
//! | `db.job("expire_subscriptions", &batch)` | `select private.expire_subscriptions($1)` | `nofomo_jobs` |
//!
//! Statements are neither prepared by name nor pipelined, so that calls behave the same behind every connection pooler.

mod address;
mod call;
mod connect;
mod error;

pub use address::{Address, AddressError};
pub use call::{CallObserver, Claims, Db};
pub use connect::{ReloadAddress, connect, tls_connector};
pub use error::Error;
pub use tokio_postgres::Row;
