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
mod depth;
mod finding;
mod flow;
mod look_ahead;
mod names;
mod own;
mod safety;
mod structure;

use std::thread;

use ruff_python_ast::ModModule;
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::lexer::lex;
use ruff_python_parser::{Mode, parse_module};
use ruff_source_file::LineIndex;
use serde::Serialize;

use crate::finding::Source;
pub use crate::finding::{Finding, Mistake, Rule, Verdict};
use crate::own::Own;
pub use crate::structure::Strategy;

/// In bytes.
pub const LONGEST_SOURCE: usize = 256 * 1024;

/// Counts up with every change of a rule: what was checked by an older one is checked again.
pub const VERSION: i32 = 1;

/// More would not help who reads them, and fill the table. Of more, those that are refused stay.
pub const MOST_FINDINGS: usize = 100;

/// A sum of so many terms is as deep a tree.
const MOST_TOKENS_IN_A_STATEMENT: usize = 20_000;

/// For the deepest tree that the limit allows; only what is used of it is real.
const STACK: usize = 256 * 1024 * 1024;

/// What a source is, and what was found in it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Checked {
    #[serde(flatten)]
    pub strategy: Strategy,
    /// [`VERSION`] then.
    pub checker_version: i32,
    /// In the order of the source, up to [`MOST_FINDINGS`].
    pub findings: Vec<Finding>,
}

/// # Errors
///
/// What keeps the source from being a strategy, with its places.
pub fn check(source: &str) -> Result<Checked, Vec<Mistake>> {
    if source.len() > LONGEST_SOURCE {
        return Err(vec![Mistake::of_all(format!("has more than {LONGEST_SOURCE} bytes"))]);
    }
    let lines = LineIndex::from_source_text(source);
    let source = Source { text: source, lines: &lines };
    refuse_endless_statements(&source)?;
    thread::scope(|scope| {
        let reading = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || read(&source));
        let read = reading.map(thread::ScopedJoinHandle::join);
        read.ok().and_then(Result::ok).unwrap_or_else(|| Err(vec![Mistake::of_all("cannot be read".into())]))
    })
}

fn refuse_endless_statements(source: &Source<'_>) -> Result<(), Vec<Mistake>> {
    let mut lexer = lex(source.text, Mode::Module);
    let mut tokens = 0;
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return Ok(()),
            TokenKind::Newline => tokens = 0,
            _ => tokens += 1,
        }
        if tokens > MOST_TOKENS_IN_A_STATEMENT {
            let what = format!("a statement has more than {MOST_TOKENS_IN_A_STATEMENT} parts");
            return Err(vec![Mistake::of_all(what)]);
        }
    }
}

fn read(source: &Source<'_>) -> Result<Checked, Vec<Mistake>> {
    let parsed = parse_module(source.text)
        .map_err(|error| vec![source.mistake(error.location, format!("is not Python: {}", error.error))])?;
    let module: &ModModule = parsed.syntax();
    if let Some(range) = depth::too_deep(module) {
        return Err(vec![source.mistake(range, format!("is nested more than {} times", depth::DEEPEST))]);
    }
    let strategy = structure::strategy(source, module)?;
    let own = Own::of(module);
    let mut findings = safety::findings(source, module, &own);
    findings.extend(look_ahead::findings(source, module, &own));
    let place = |finding: &Finding| (finding.line, finding.column, finding.rule);
    findings.sort_by_key(place);
    findings.dedup();
    if findings.len() > MOST_FINDINGS {
        findings.sort_by_key(|finding| (finding.verdict == Verdict::Unproved, place(finding)));
        findings.truncate(MOST_FINDINGS);
        findings.sort_by_key(place);
    }
    Ok(Checked { strategy, checker_version: VERSION, findings })
}
