//! Faults, outages, rotated secrets and untrusted connections.

mod faults;
mod outage;
mod settings;
mod tls;
