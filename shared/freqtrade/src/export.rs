//! The file that freqtrade writes after a backtest.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use crate::fields::Fields;
use crate::refusal::listed;
use crate::values::in_one_line;
use crate::{Backtest, MOST_BYTES, Refusal, archive, syntax};

/// An export whose JSON is whole. What is wrong with one strategy's backtest does not keep another's from being read.
#[derive(Debug)]
pub struct Export<'a> {
    json: Cow<'a, str>,
    strategies: Vec<String>,
    /// Where in the JSON each one's result lies: to look for it again would be to read everything again.
    results: Vec<Range<usize>>,
}

const MOST_STRATEGIES: usize = 100;

/// Freqtrade writes two, or three.
const MOST_KEYS: usize = 100;

impl<'a> Export<'a> {
    /// # Errors
    ///
    /// Whatever makes the file unfit to be looked into.
    pub fn open(upload: &'a [u8]) -> Result<Self, Refusal> {
        if upload.len() > MOST_BYTES {
            return Err(Refusal::TooLarge(MOST_BYTES));
        }
        if archive::is_archive(upload) {
            return Self::packed(upload);
        }
        if !upload.trim_ascii_start().starts_with(b"{") {
            return Err(Refusal::NotAnExport);
        }
        let json = str::from_utf8(upload).map_err(|_| Refusal::NotAnExport)?;
        Self::plain(Cow::Borrowed(json))
    }

    /// The names of the strategies, in the file's order. There is at least one.
    pub fn strategies(&self) -> &[String] {
        &self.strategies
    }

    /// The backtest of the strategy that is named. The name may be left out if there is only one.
    ///
    /// # Errors
    ///
    /// No such strategy, or several and no name; or the first thing in it that no version of freqtrade writes, with its place.
    pub fn backtest(&self, strategy: Option<&str>) -> Result<Backtest, Refusal> {
        let names = || listed(self.strategies.iter().map(String::as_str));
        let mut all = self.strategies.iter().zip(&self.results);
        let (name, result) = match (strategy, self.strategies.len()) {
            (None, 2..) => return Err(Refusal::SeveralStrategies(names())),
            (None, _) => all.next(),
            (Some(asked), _) => all.find(|(name, _)| *name == asked),
        }
        .ok_or_else(|| Refusal::UnknownStrategy(names()))?;
        let result = self.json.get(result.clone()).ok_or(Refusal::NoResult)?;
        Backtest::read(name, result).map_err(|refusal| refusal.within(&format!("strategy.{name}")))
    }

    fn packed(upload: &[u8]) -> Result<Self, Refusal> {
        let (mut results, mut broken) = (Vec::new(), None);
        for (name, bytes) in archive::candidates(upload)? {
            let export = match String::from_utf8(bytes) {
                Ok(json) => Self::plain(Cow::Owned(json)),
                Err(_) => Err(Refusal::entry(&name, "is not JSON")),
            };
            match export {
                Ok(export) => results.push((name, export)),
                // A strategy's parameters, most likely.
                Err(Refusal::NoResult) => {}
                Err(refusal) => broken = broken.or(Some(refusal)),
            }
        }
        if results.len() > 1 {
            return Err(Refusal::SeveralResults(listed(results.iter().map(|(name, _)| name.as_str()))));
        }
        match results.pop() {
            Some((_, export)) => Ok(export),
            None => Err(broken.unwrap_or(Refusal::NoResult)),
        }
    }

    fn plain(json: Cow<'a, str>) -> Result<Self, Refusal> {
        let (mut strategies, mut results) = (Vec::new(), Vec::new());
        for (name, result) in strategy(&json)?.members() {
            in_one_line(name, &(1..=100)).map_err(|wrong| Refusal::value("each name in strategy", wrong))?;
            let start = result.get().as_ptr().addr() - json.as_ptr().addr();
            strategies.push(name.to_owned());
            results.push(start..start + result.get().len());
        }
        if strategies.is_empty() {
            return Err(Refusal::value("strategy", "must have at least one strategy"));
        }
        Ok(Self { json, strategies, results })
    }
}

/// What stands at the top under `strategy`.
fn strategy(json: &str) -> Result<Fields<'_>, Refusal> {
    let root = Fields::of(json, MOST_KEYS).map_err(|refusal| match serde_json::from_str::<&RawValue>(json) {
        Err(_) => syntax::refusal(json),
        Ok(root) if root.get().starts_with('{') => refusal.within("the JSON"),
        Ok(_) => Refusal::NoResult,
    })?;
    let strategy = root.get("strategy").filter(|value| value.get().starts_with('{')).ok_or(Refusal::NoResult)?;
    Fields::of(strategy.get(), MOST_STRATEGIES).map_err(|refusal| refusal.within("strategy"))
}
