//! What is said of a place in a source.

use ruff_source_file::LineIndex;
use ruff_text_size::TextRange;
use serde::{Deserialize, Serialize};

/// Something in a strategy that keeps it from being verified.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Finding {
    pub rule: Rule,
    pub verdict: Verdict,
    /// From 1, as editors count.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub why: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A module that a strategy does not need.
    Import,
    /// Code made of text, or names reached in a roundabout way.
    DynamicCode,
    /// Files, processes, network.
    OutsideAccess,
    /// Changing what other code relies on.
    Tampering,
    /// Using a candle before it is there.
    LookAhead,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The rule is broken.
    Refused,
    /// This reading cannot tell.
    Unproved,
}

/// Why a source is no strategy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SourceError {
    /// From 1; none if it is about all of it.
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub message: String,
}

impl SourceError {
    pub(crate) fn whole_source(message: String) -> Self {
        Self { line: None, column: None, message }
    }
}

/// A text whose places have lines and columns.
pub(crate) struct Source<'a> {
    pub(crate) text: &'a str,
    pub(crate) lines: &'a LineIndex,
}

impl Source<'_> {
    pub(crate) fn error(&self, range: TextRange, message: impl Into<String>) -> SourceError {
        let (line, column) = self.position(range);
        SourceError { line: Some(line), column: Some(column), message: message.into() }
    }

    pub(crate) fn finding(&self, rule: Rule, verdict: Verdict, range: TextRange, why: impl Into<String>) -> Finding {
        let (line, column) = self.position(range);
        Finding { rule, verdict, line, column, why: why.into() }
    }

    fn position(&self, range: TextRange) -> (usize, usize) {
        let place = self.lines.line_column(range.start(), self.text);
        (place.line.get(), place.column.get())
    }
}
