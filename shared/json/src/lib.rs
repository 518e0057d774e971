//! JSON reading primitives: objects and arrays as lists of raw values, and parsers of single values.
//!
//! A parser returns the value, or a phrase that says what the value must be: "must be true or false". The caller adds
//! the path of the value.

mod members;
mod values;

pub use members::{array_elements, object_members};
pub use values::{boolean, check_single_line, multiline_text, single_line_text, typed};
