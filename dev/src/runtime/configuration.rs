//! Configuration of a function.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::log::Log;

/// Configuration with which a function runs.
#[derive(Clone)]
pub struct Configuration {
    pub name: String,
    pub binary: PathBuf,
    /// Environment variables, beside those that Lambda itself sets. The laptop's own variables are not passed on.
    pub environment: BTreeMap<String, String>,
    pub timeout: Duration,
    pub memory_megabytes: u64,
    /// Maximum number of instances. Like Lambda, the runtime rejects a request that would need another one.
    pub concurrency: usize,
    pub log: Log,
}
