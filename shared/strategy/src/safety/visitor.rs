//! State of the safety check.

use std::collections::HashSet;

use ruff_text_size::TextRange;

use crate::finding::{Finding, Rule, SourceText, Verdict};
use crate::symbol_table::SymbolTable;

pub(super) struct SafetyVisitor<'a> {
    pub(super) source: &'a SourceText<'a>,
    pub(super) findings: Vec<Finding>,
    pub(super) symbols: &'a SymbolTable<'a>,
    /// Ranges where freqtrade's configuration is passed to `super().__init__`, or read for one allowed setting.
    pub(super) allowed_settings: HashSet<TextRange>,
    /// Ranges of names that are used only to read an attribute from.
    pub(super) attribute_bases: HashSet<TextRange>,
}

impl<'a> SafetyVisitor<'a> {
    pub(super) fn new(source: &'a SourceText<'a>, symbols: &'a SymbolTable<'a>) -> Self {
        Self {
            source,
            findings: Vec::new(),
            symbols,
            allowed_settings: HashSet::new(),
            attribute_bases: HashSet::new(),
        }
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    pub(super) fn report_refused(&mut self, rule: Rule, range: TextRange, why: impl Into<String>) {
        self.findings.push(self.source.finding(rule, Verdict::Refused, range, why));
    }

    pub(super) fn report_unproved(&mut self, rule: Rule, range: TextRange, why: impl Into<String>) {
        self.findings.push(self.source.finding(rule, Verdict::Unproved, range, why));
    }
}
