//! Safety check: names that give access to anything outside the strategy are refused, and names that are not known to
//! be harmless are unproved.

mod calls;
mod definitions;
mod imports;
mod members;
mod traversal;
mod visitor;

use ruff_python_ast::ModModule;
use ruff_python_ast::visitor::Visitor;

use crate::finding::{Finding, SourceText};
use crate::safety::visitor::SafetyVisitor;
use crate::symbol_table::SymbolTable;

/// Returns the findings of the safety check.
pub(crate) fn findings(source: &SourceText<'_>, module: &ModModule, symbols: &SymbolTable<'_>) -> Vec<Finding> {
    let mut visitor = SafetyVisitor::new(source, symbols);
    visitor.visit_body(&module.body);
    visitor.into_findings()
}
