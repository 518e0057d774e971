//! Static check of freqtrade strategies. A strategy's source is parsed and never run.
//!
//! The check answers three questions:
//!
//! - Structure: is the source valid Python with exactly one strategy that implements freqtrade's interface? If not,
//!   [`check`] returns [`SourceError`]s and there is nothing to store.
//! - Safety: does the source access files, processes or the network, or run code from strings?
//! - Look-ahead bias: does the source use a candle before it is complete?
//!
//! A [`Finding`] of safety or look-ahead bias is refused if the rule is certainly broken, and unproved if the check
//! cannot tell. Every name that is used on candles, numpy or pandas is either known to be harmless or a finding.
//!
//! The check sees names, not values. Selecting rows by the numbers in a column looks to it like selecting them by a
//! condition, and past prices copied into the source look like parameters. A source without findings is not proved safe
//! in any other respect, and may lose money.

mod bindings;
mod data_flow;
mod depth;
mod expressions;
mod finding;
mod known_names;
mod look_ahead;
mod name_verdict;
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

use crate::finding::SourceText;
pub use crate::finding::{Finding, Rule, SourceError, Verdict};
pub use crate::structure::{StrategyMetadata, TIMEFRAMES};
use crate::symbol_table::SymbolTable;

/// Maximum length of a source, in bytes.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;

/// Version of the rules. Incremented with every change of a rule; sources checked by an older version are checked
/// again.
pub const CHECKER_VERSION: i32 = 1;

/// Maximum number of findings in a report. Refused findings take precedence over unproved ones.
pub const MAX_FINDINGS: usize = 100;

/// Maximum number of tokens in a statement. The depth of the syntax tree can equal the number of terms.
const MAX_STATEMENT_TOKENS: usize = 20_000;

/// Stack size of the checking thread, in bytes: enough for the deepest tree that the limits allow. The operating system
/// maps only the part that is used.
const STACK_SIZE: usize = 256 * 1024 * 1024;

/// Report on a valid strategy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CheckReport {
    #[serde(flatten)]
    pub strategy: StrategyMetadata,
    /// [`CHECKER_VERSION`] at the time of the check.
    pub checker_version: i32,
    /// Findings in the order of the source, at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
}

/// Checks a source.
///
/// # Errors
///
/// The reasons why the source is not a valid strategy, with their positions.
pub fn check(source: &str) -> Result<CheckReport, Vec<SourceError>> {
    if source.len() > MAX_SOURCE_BYTES {
        let message = format!("the source has more than {} KiB", MAX_SOURCE_BYTES >> 10);
        return Err(vec![SourceError::whole_source(message)]);
    }
    let lines = LineIndex::from_source_text(source);
    let source = SourceText { text: source, lines: &lines };
    check_statement_lengths(&source)?;
    thread::scope(|scope| {
        let checking = thread::Builder::new().stack_size(STACK_SIZE).spawn_scoped(scope, || parse_and_check(&source));
        let result = checking.map(thread::ScopedJoinHandle::join);
        result
            .ok()
            .and_then(Result::ok)
            .unwrap_or_else(|| Err(vec![SourceError::whole_source("the source cannot be checked".into())]))
    })
}

fn check_statement_lengths(source: &SourceText<'_>) -> Result<(), Vec<SourceError>> {
    let mut lexer = lex(source.text, Mode::Module);
    let mut tokens = 0;
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return Ok(()),
            TokenKind::Newline => tokens = 0,
            _ => tokens += 1,
        }
        if tokens > MAX_STATEMENT_TOKENS {
            let message = format!("a statement has more than {MAX_STATEMENT_TOKENS} tokens; split it");
            return Err(vec![SourceError::whole_source(message)]);
        }
    }
}

fn parse_and_check(source: &SourceText<'_>) -> Result<CheckReport, Vec<SourceError>> {
    let parsed = parse_module(source.text).map_err(|error| {
        vec![source.error(error.location, format!("the source is not valid Python: {}", error.error))]
    })?;
    let module: &ModModule = parsed.syntax();
    if let Some(range) = depth::find_too_deep(module) {
        let message = format!("the expression is nested more than {} levels deep; split it", depth::MAX_DEPTH);
        return Err(vec![source.error(range, message)]);
    }
    let strategy = structure::read_metadata(source, module)?;
    let symbols = SymbolTable::from_module(module);
    let mut findings = safety::findings(source, module, &symbols);
    findings.extend(look_ahead::findings(source, module, &symbols));
    let position = |finding: &Finding| (finding.line, finding.column, finding.rule);
    findings.sort_by_key(position);
    findings.dedup();
    if findings.len() > MAX_FINDINGS {
        findings.sort_by_key(|finding| (finding.verdict == Verdict::Unproved, position(finding)));
        findings.truncate(MAX_FINDINGS);
        findings.sort_by_key(position);
    }
    Ok(CheckReport { strategy, checker_version: CHECKER_VERSION, findings })
}
