//! Lambda on this machine: runs a function's real binary, in one instance per concurrent request.

mod configuration;
mod fleet;
mod instance;
mod invoke_error;
pub mod log;
mod process_ids;

pub use self::{
    configuration::Configuration,
    fleet::{ColdStart, Fleet},
    invoke_error::InvokeError,
};
