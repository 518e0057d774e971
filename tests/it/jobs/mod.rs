//! Scheduled jobs and the queue of trades.

mod clean_logs;
mod expire_interruptions;
mod expire_subscriptions;
mod ingest_trades;
mod reconcile_invoices;
mod renew_subscriptions;
mod renewal_notices;
