//! Look-ahead check: finds uses of candles before they are complete. A backtest has all candles at once; live trading
//! has none of the later ones.
//!
//! Freqtrade computes indicators and signals over whole columns, in the populate methods and in methods decorated with
//! `informative`. There a broken rule is refused. In other functions, which may be called from these, it is unproved.
//! Callbacks such as `custom_stoploss` are called candle by candle and may read the last one.

mod arguments;
mod assignments;
mod calls;
mod constants;
mod members;
mod messages;
mod subscripts;
mod traversal;
mod visitor;

use ruff_python_ast::ModModule;
use ruff_python_ast::visitor::Visitor;

use crate::finding::{Finding, SourceText};
use crate::look_ahead::visitor::LookAheadVisitor;
use crate::symbol_table::SymbolTable;

/// Returns the findings of the look-ahead check.
pub(crate) fn findings(source: &SourceText<'_>, module: &ModModule, symbols: &SymbolTable<'_>) -> Vec<Finding> {
    let mut visitor = LookAheadVisitor::new(source, module, symbols);
    visitor.visit_body(&module.body);
    visitor.into_findings()
}
