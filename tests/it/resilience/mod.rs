//! Faults, outages, rotated secrets and untrusted connections.

mod database_faults;
mod external_service_faults;
mod instance_faults;
mod outage;
mod settings;
mod tls;
