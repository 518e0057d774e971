//! Faults, outages, rotated secrets, and verification of the database's certificate.

mod database_faults;
mod database_outages;
mod database_tls;
mod external_service_faults;
mod instance_faults;
mod settings;
