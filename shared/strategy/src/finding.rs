//! Findings and errors, with their positions in the source.

use ruff_source_file::LineIndex;
use ruff_text_size::TextRange;
use serde::{Deserialize, Serialize};

/// A place in a strategy's source that breaks a rule or may break it. A strategy with findings is not verified.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Finding {
    pub rule: Rule,
    pub verdict: Verdict,
    /// Line number, starting at 1.
    pub line: usize,
    /// Column in characters, starting at 1.
    pub column: usize,
    /// Cause of the finding and what to do about it, for the author of the strategy.
    pub why: String,
}

/// Rule of the safety check or of the look-ahead check.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Import of a module or name that is not allowed.
    Import,
    /// Code built from strings, or names looked up at run time.
    DynamicCode,
    /// Access to files, processes, the network, or freqtrade's configuration and database.
    OutsideAccess,
    /// Change of names or attributes that other code relies on.
    Tampering,
    /// Look-ahead bias: use of a candle before it is complete.
    LookAhead,
}

/// Verdict of a finding.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The rule is certainly broken.
    Refused,
    /// The check cannot tell whether the rule is broken.
    Unproved,
}

/// Reason why a source is not a valid strategy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SourceError {
    /// Line number, starting at 1, or `None` if the error concerns the whole source.
    pub line: Option<usize>,
    /// Column in characters, starting at 1.
    pub column: Option<usize>,
    pub message: String,
}

impl SourceError {
    pub(crate) fn whole_source(message: String) -> Self {
        Self { line: None, column: None, message }
    }
}

/// Source text with an index of its lines.
pub(crate) struct SourceText<'a> {
    pub(crate) text: &'a str,
    pub(crate) lines: &'a LineIndex,
}

impl SourceText<'_> {
    pub(crate) fn error(&self, range: TextRange, message: impl Into<String>) -> SourceError {
        let (line, column) = self.position(range);
        SourceError { line: Some(line), column: Some(column), message: message.into() }
    }

    pub(crate) fn finding(&self, rule: Rule, verdict: Verdict, range: TextRange, why: impl Into<String>) -> Finding {
        let (line, column) = self.position(range);
        Finding { rule, verdict, line, column, why: why.into() }
    }

    fn position(&self, range: TextRange) -> (usize, usize) {
        let start = self.lines.line_column(range.start(), self.text);
        (start.line.get(), start.column.get())
    }
}
