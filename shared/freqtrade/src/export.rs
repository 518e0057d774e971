//! Backtest export: the file that freqtrade writes after backtesting.

use std::borrow::Cow;
use std::ops::Range;

use nofomo_json::check_single_line;
use serde_json::value::RawValue;

use crate::error::quoted_list;
use crate::fields::Fields;
use crate::{Backtest, ExportError, MAX_EXPORT_BYTES, archive, syntax};

/// Export with valid JSON. An error in the backtest of one strategy does not prevent reading another's.
#[derive(Debug)]
pub struct Export<'a> {
    json: Cow<'a, str>,
    strategies: Vec<String>,
    /// Range of each strategy's result within the JSON, so that it is not parsed twice.
    results: Vec<Range<usize>>,
}

/// Maximum number of strategies.
const MAX_STRATEGIES: usize = 100;

/// Maximum number of top-level keys. Freqtrade writes two or three.
const MAX_KEYS: usize = 100;

impl<'a> Export<'a> {
    /// Opens an upload: a zip archive or JSON.
    ///
    /// # Errors
    ///
    /// The file is too large, damaged, or contains no backtest result.
    pub fn open(upload: &'a [u8]) -> Result<Self, ExportError> {
        if upload.len() > MAX_EXPORT_BYTES {
            return Err(ExportError::TooLarge(MAX_EXPORT_BYTES));
        }
        if archive::is_archive(upload) {
            return Self::from_archive(upload);
        }
        if !upload.trim_ascii_start().starts_with(b"{") {
            return Err(ExportError::NotAnExport);
        }
        let json = str::from_utf8(upload).map_err(|_| ExportError::NotAnExport)?;
        Self::from_json(Cow::Borrowed(json))
    }

    /// Names of the strategies in the order of the file; at least one.
    pub fn strategies(&self) -> &[String] {
        &self.strategies
    }

    /// Reads the backtest of the named strategy. The name may be omitted if there is only one.
    ///
    /// # Errors
    ///
    /// No strategy of this name, several strategies without a name, or the first invalid value with its path.
    pub fn backtest(&self, strategy: Option<&str>) -> Result<Backtest, ExportError> {
        let names = || quoted_list(self.strategies.iter().map(String::as_str));
        let mut all = self.strategies.iter().zip(&self.results);
        let (name, result) = match (strategy, self.strategies.len()) {
            (None, 2..) => return Err(ExportError::SeveralStrategies(names())),
            (None, _) => all.next(),
            (Some(requested), _) => all.find(|(name, _)| *name == requested),
        }
        .ok_or_else(|| ExportError::UnknownStrategy(names()))?;
        let result = self.json.get(result.clone()).ok_or(ExportError::NoResult)?;
        Backtest::read(name, result).map_err(|error| error.within(&format!("strategy.{name}")))
    }

    fn from_archive(upload: &[u8]) -> Result<Self, ExportError> {
        let (mut results, mut first_error) = (Vec::new(), None);
        for (name, bytes) in archive::unpack_candidates(upload)? {
            let export = match String::from_utf8(bytes) {
                Ok(json) => Self::from_json(Cow::Owned(json)),
                Err(_) => Err(ExportError::entry(&name, "is not JSON")),
            };
            match export {
                Ok(export) => results.push((name, export)),
                // Most likely the parameters of a strategy.
                Err(ExportError::NoResult) => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        if results.len() > 1 {
            return Err(ExportError::SeveralResults(quoted_list(results.iter().map(|(name, _)| name.as_str()))));
        }
        match results.pop() {
            Some((_, export)) => Ok(export),
            None => Err(first_error.unwrap_or(ExportError::NoResult)),
        }
    }

    fn from_json(json: Cow<'a, str>) -> Result<Self, ExportError> {
        let (mut strategies, mut results) = (Vec::new(), Vec::new());
        for (name, result) in results_by_strategy(&json)?.members() {
            check_single_line(name, &(1..=100)).map_err(|wrong| ExportError::value("each name in strategy", wrong))?;
            let start = result.get().as_ptr().addr() - json.as_ptr().addr();
            strategies.push(name.to_owned());
            results.push(start..start + result.get().len());
        }
        if strategies.is_empty() {
            return Err(ExportError::value("strategy", "must contain at least one strategy"));
        }
        Ok(Self { json, strategies, results })
    }
}

/// Results by strategy: the members of the top-level key `strategy`.
fn results_by_strategy(json: &str) -> Result<Fields<'_>, ExportError> {
    let root = Fields::read(json, MAX_KEYS).map_err(|error| match serde_json::from_str::<&RawValue>(json) {
        Err(_) => syntax::locate_error(json),
        Ok(root) if root.get().starts_with('{') => error.within("the JSON"),
        Ok(_) => ExportError::NoResult,
    })?;
    let strategy = root.get("strategy").filter(|value| value.get().starts_with('{')).ok_or(ExportError::NoResult)?;
    Fields::read(strategy.get(), MAX_STRATEGIES).map_err(|error| error.within("strategy"))
}
