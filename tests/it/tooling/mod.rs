//! Development and production tools, the template, the contract and the documentation.

mod bench;
mod cargo_dev;
mod cargo_dev_database;
mod dependencies;
mod fastapi_baseline;
mod openapi;
mod operations;
mod readme;
mod style;
mod template;
