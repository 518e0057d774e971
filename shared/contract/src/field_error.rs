//! Errors of a request's fields, parameters and headers.

use serde::Serialize;

/// Error of one field of the body, one query parameter or one header.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct FieldError {
    #[serde(flatten)]
    location: Location,
    #[serde(flatten)]
    position: Option<Position>,
    detail: String,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Location {
    /// JSON pointer (RFC 6901) into the body; the empty pointer is the whole body.
    Pointer(String),
    Header(&'static str),
    /// Query parameter.
    Parameter(&'static str),
}

/// Position in the text of a field; both numbers start at 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
struct Position {
    line: usize,
    column: usize,
}

impl FieldError {
    /// Error of the field at a JSON pointer. `detail` says what the value must be.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Location::Pointer(pointer.into()), detail.into())
    }

    /// Error of a header.
    pub fn header(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Location::Header(name), detail.into())
    }

    /// Error of a query parameter.
    pub fn parameter(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Location::Parameter(name), detail.into())
    }

    /// Adds the position in the text of the field; both numbers start at 1.
    #[must_use]
    pub fn with_position(self, line: usize, column: usize) -> Self {
        Self { position: Some(Position { line, column }), ..self }
    }

    fn new(location: Location, detail: String) -> Self {
        Self { location, position: None, detail }
    }

    /// JSON pointer of the field, or `None` if the error is of a header or query parameter.
    pub fn pointer(&self) -> Option<&str> {
        match &self.location {
            Location::Pointer(pointer) => Some(pointer),
            Location::Header(_) | Location::Parameter(_) => None,
        }
    }
}
