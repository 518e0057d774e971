//! Errors of an upload, with messages for the person who uploaded it.

/// Reason why an upload cannot be read. Text quoted from the upload is shortened and has its control characters
/// escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error("the file is neither a zip archive nor JSON")]
    NotAnExport,
    #[error("the backtest result has more than {} MiB", .0 >> 20)]
    TooLarge(usize),
    #[error("the archive is damaged or incomplete")]
    Damaged,
    #[error("the archive is inconsistent: its headers contradict each other")]
    Inconsistent,
    #[error("the archive has more than {0} entries")]
    TooManyEntries(usize),
    #[error("the archive's entry {name} {reason}")]
    Entry { name: String, reason: &'static str },
    #[error("the file contains no backtest result: no JSON object with the key `strategy`")]
    NoResult,
    #[error("the archive contains several backtest results ({0}); upload one at a time")]
    SeveralResults(String),
    #[error("the export has several strategies ({0}); name one of them")]
    SeveralStrategies(String),
    #[error("the export has no strategy of that name; it has {0}")]
    UnknownStrategy(String),
    /// Invalid value, with its path such as `strategy.Foo.trades[17].close_rate`.
    #[error("{path} {reason}")]
    Value { path: String, reason: String },
}

impl ExportError {
    pub(crate) fn value(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Value { path: path.into(), reason: reason.into() }
    }

    pub(crate) fn entry(name: &str, reason: &'static str) -> Self {
        Self::Entry { name: quoted(name), reason }
    }

    /// Prefixes the path with that of an outer value.
    pub(crate) fn within(self, outer: &str) -> Self {
        match self {
            Self::Value { path, reason } if path.is_empty() => Self::Value { path: outer.into(), reason },
            Self::Value { path, reason } => Self::Value { path: format!("{outer}.{path}"), reason },
            other => other,
        }
    }
}

/// Lists at most 20 names, and the number of the others.
pub(crate) fn quoted_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names = names.map(quoted);
    let shown: Vec<String> = names.by_ref().take(20).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Quotes a name, cut to 100 characters.
pub(crate) fn quoted(name: &str) -> String {
    match name.char_indices().nth(100) {
        Some((end, _)) => format!("{:?}…", name.get(..end).unwrap_or_default()),
        None => format!("{name:?}"),
    }
}
