//! Checks of attributes and names that are read.

use ruff_python_ast::ExprAttribute;
use ruff_text_size::{Ranged, TextRange};

use crate::finding::{Rule, Verdict};
use crate::known_names::{
    CALL_BY_NAME_METHODS, CALLBACKS, CANDLE_SOURCES, CAUSAL_NAMES, COLUMN_AGGREGATES, DETACHING_NAMES,
    FORWARD_LOOKING_NAMES, LIVE_DATA_NAMES, REORDERING_NAMES, SHIFT_METHODS,
};
use crate::look_ahead::messages::{detaches_values, misaligned, not_provably_causal};
use crate::look_ahead::visitor::{LookAheadVisitor, Scope};
use crate::name_verdict::{allowed_names, name_verdict};

impl<'a> LookAheadVisitor<'a> {
    /// Checks a method that is named but not called here, so that its arguments are unknown.
    pub(super) fn check_named_method(&mut self, name: &str, range: TextRange) {
        if SHIFT_METHODS.contains(name) || COLUMN_AGGREGATES.contains(name) {
            self.report_unproved(range, format!("`{name}` is not called here and may look forward; call it directly"));
        }
        self.check_member_name(name, range);
    }

    /// Checks a name that is read from any receiver, called or not.
    fn check_member_name(&mut self, name: &str, range: TextRange) {
        if let Some((_, why)) = FORWARD_LOOKING_NAMES.iter().find(|(forward, _)| *forward == name) {
            self.report_violation(range, format!("`{name}` {why}"));
        } else if REORDERING_NAMES.contains(name) {
            self.report_unproved(range, misaligned(name));
        } else if DETACHING_NAMES.contains(name) {
            self.report_unproved(range, detaches_values(name));
        } else if LIVE_DATA_NAMES.contains(name) && self.scope == Scope::Columns {
            self.report_unproved(
                range,
                format!("`{name}` returns current data, whichever candle is computed; use it in a callback only"),
            );
        } else if name == "stream" || name.starts_with("stream_") {
            self.report_violation(range, format!("`{name}` computes the last candle only; use `talib.abstract`"));
        } else if name == "fibonacci_retracements" {
            self.report_unproved(
                range,
                "`fibonacci_retracements` includes the extremes of all candles; use a rolling window",
            );
        }
    }

    /// Checks an attribute of candles, or of a member of a vectorised module, which must be known to be causal.
    pub(super) fn check_candle_attribute(&mut self, attribute: &ExprAttribute) {
        let name = attribute.attr.as_str();
        if CANDLE_SOURCES.contains(name) && self.scope == Scope::Callback {
            let why =
                format!("`{name}` in a callback returns later candles in a backtest; call it in a populate method");
            self.findings.push(self.source.finding(Rule::LookAhead, Verdict::Unproved, attribute.attr.range(), why));
        }
        if name == "obj" {
            self.report_unproved(
                attribute.attr.range(),
                "`obj` leads from a window to all candles; use the window itself",
            );
        }
        // In `np.maximum.reduce`, the safety check covers `maximum`, and this check covers `reduce`.
        let is_part = attribute.value.as_attribute_expr().is_some_and(|part| {
            let module = part.value.as_name_expr().and_then(|module| self.symbols.imported(module.id.as_str()));
            module.and_then(allowed_names).is_some_and(|names| names.contains(part.attr.as_str()))
        });
        if !is_part && (!self.is_from_candles(&attribute.value) || self.is_from_window(&attribute.value)) {
            return;
        }
        if !self.is_window_object(&attribute.value) {
            self.check_causality(name, attribute.attr.range());
        }
    }

    /// Reports a name that is neither causal nor covered by another check.
    pub(super) fn check_causality(&mut self, name: &str, range: TextRange) {
        let is_covered = [
            CALL_BY_NAME_METHODS,
            CANDLE_SOURCES,
            COLUMN_AGGREGATES,
            LIVE_DATA_NAMES,
            REORDERING_NAMES,
            SHIFT_METHODS,
            DETACHING_NAMES,
        ]
        .iter()
        .any(|words| words.contains(name))
            || FORWARD_LOOKING_NAMES.iter().any(|(forward, _)| *forward == name)
            || name_verdict(name).is_some()
            || ["append", "cumcount", "delete", "drop", "insert", "map"].contains(&name);
        if !is_covered && !CAUSAL_NAMES.contains(name) {
            self.report_unproved(range, not_provably_causal(name));
        }
    }

    /// Reports a method that is accessed through its class instead of an object.
    pub(super) fn check_unbound_method(&mut self, attribute: &ExprAttribute) {
        let is_of_class =
            attribute.value.as_name_expr().is_some_and(|name| self.symbols.defined.contains(name.id.as_str()));
        if is_of_class && self.symbols.defined.contains(attribute.attr.as_str()) {
            self.report_unproved(
                attribute.attr.range(),
                format!("`{}` is called through its class, which is not tracked; call it on `self`", attribute.attr),
            );
        }
    }

    /// Reports a callback that the source uses itself. The checks of a callback assume that only freqtrade calls it, candle
    /// by candle.
    pub(super) fn check_callback_use(&mut self, name: &str, range: TextRange) {
        if CALLBACKS.contains(name) && self.symbols.defined.contains(name) {
            self.report_unproved(range, format!("`{name}` is a callback of freqtrade; do not call it from the source"));
        }
    }
}
