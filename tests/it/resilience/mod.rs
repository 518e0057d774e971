//! Faults, outages, rotated secrets and untrusted connections.

mod database_faults;
mod database_outages;
mod database_tls;
mod external_service_faults;
mod instance_faults;
mod settings;
