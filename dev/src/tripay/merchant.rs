//! Credentials of the sandbox's only merchant.

pub(super) const MERCHANT_CODE: &str = "T0000";
pub(super) const API_KEY: &str = "DEV-local-sandbox-key";
pub(super) const PRIVATE_KEY: &str = "local-sandbox-private-key";
