//! Reads a freqtrade strategy and says what is wrong with it, without ever running it.
//!
//! Three questions, of which the first two refuse or qualify a source and the third qualifies its backtests:
//!
//! - structure: is it Python, and one strategy as freqtrade's interface wants it? If not, there is nothing to store.
//! - safety: does it reach for files, processes, the network, or code made of text?
//! - look-ahead: does it use a candle before it is there?
//!
//! A [`Finding`] is refused where the rule is certainly broken, and unproved where this reading cannot tell: whatever is asked of
//! candles, of numpy and pandas, or done with candles, is known to be harmless or it is a finding. Values are not followed: rows
//! chosen by numbers that a column holds are taken for rows chosen by what is true of them, and prices written into a source for
//! settings. A source without findings is no proof of anything more, and says nothing of profit.

mod bindings;
mod data_flow;
mod depth;
mod finding;
mod known_names;
mod look_ahead;
mod safety;
mod structure;
mod symbol_table;

use std::thread;

use ruff_python_ast::ModModule;
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::lexer::lex;
use ruff_python_parser::{Mode, parse_module};
use ruff_source_file::LineIndex;
use serde::Serialize;

use crate::finding::Source;
pub use crate::finding::{Finding, Rule, SourceError, Verdict};
pub use crate::structure::StrategyMetadata;
use crate::symbol_table::SymbolTable;

/// In bytes.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;

/// Counts up with every change of a rule: what was checked by an older one is checked again.
pub const CHECKER_VERSION: i32 = 1;

/// More would not help who reads them, and fill the table. Of more, those that are refused stay.
pub const MAX_FINDINGS: usize = 100;

/// A sum of so many terms is as deep a tree.
const MAX_STATEMENT_TOKENS: usize = 20_000;

/// For the deepest tree that the limit allows; only what is used of it is real.
const STACK_SIZE: usize = 256 * 1024 * 1024;

/// What a source is, and what was found in it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CheckReport {
    #[serde(flatten)]
    pub strategy: StrategyMetadata,
    /// [`CHECKER_VERSION`] then.
    pub checker_version: i32,
    /// In the order of the source, up to [`MOST_FINDINGS`].
    pub findings: Vec<Finding>,
}

/// # Errors
///
/// What keeps the source from being a strategy, with its places.
pub fn check(source: &str) -> Result<CheckReport, Vec<SourceError>> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(vec![SourceError::whole_source(format!("has more than {MAX_SOURCE_BYTES} bytes"))]);
    }
    let lines = LineIndex::from_source_text(source);
    let source = Source { text: source, lines: &lines };
    check_statement_lengths(&source)?;
    thread::scope(|scope| {
        let reading = thread::Builder::new().stack_size(STACK_SIZE).spawn_scoped(scope, || parse_and_check(&source));
        let read = reading.map(thread::ScopedJoinHandle::join);
        read.ok().and_then(Result::ok).unwrap_or_else(|| Err(vec![SourceError::whole_source("cannot be read".into())]))
    })
}

fn check_statement_lengths(source: &Source<'_>) -> Result<(), Vec<SourceError>> {
    let mut lexer = lex(source.text, Mode::Module);
    let mut tokens = 0;
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return Ok(()),
            TokenKind::Newline => tokens = 0,
            _ => tokens += 1,
        }
        if tokens > MAX_STATEMENT_TOKENS {
            let message = format!("a statement has more than {MAX_STATEMENT_TOKENS} parts");
            return Err(vec![SourceError::whole_source(message)]);
        }
    }
}

fn parse_and_check(source: &Source<'_>) -> Result<CheckReport, Vec<SourceError>> {
    let parsed = parse_module(source.text)
        .map_err(|error| vec![source.error(error.location, format!("is not Python: {}", error.error))])?;
    let module: &ModModule = parsed.syntax();
    if let Some(range) = depth::find_too_deep(module) {
        return Err(vec![source.error(range, format!("is nested more than {} times", depth::MAX_DEPTH))]);
    }
    let strategy = structure::read_metadata(source, module)?;
    let symbols = SymbolTable::from_module(module);
    let mut findings = safety::findings(source, module, &symbols);
    findings.extend(look_ahead::findings(source, module, &symbols));
    let place = |finding: &Finding| (finding.line, finding.column, finding.rule);
    findings.sort_by_key(place);
    findings.dedup();
    if findings.len() > MAX_FINDINGS {
        findings.sort_by_key(|finding| (finding.verdict == Verdict::Unproved, place(finding)));
        findings.truncate(MAX_FINDINGS);
        findings.sort_by_key(place);
    }
    Ok(CheckReport { strategy, checker_version: CHECKER_VERSION, findings })
}
