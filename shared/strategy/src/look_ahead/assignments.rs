//! Checks of assignments and iterations.

use ruff_python_ast::{Comprehension, Expr};
use ruff_text_size::{Ranged, TextRange};

use crate::data_flow::loaded_names;
use crate::expressions::{is_self, root_expression};
use crate::look_ahead::messages::{CANDLES_ITERATED, CANDLES_STORED, joins_other_candles};
use crate::look_ahead::visitor::{LookAheadVisitor, first_segment};

impl<'a> LookAheadVisitor<'a> {
    /// Checks values that are stored where another function can read them, or on other candles.
    pub(super) fn check_store(&mut self, target: &Expr, value: &Expr) {
        if !self.is_from_candles(value) {
            return;
        }
        let range = target.range();
        match target {
            Expr::Tuple(tuple) if value.is_tuple_expr() || self.returns_columns(value) => {
                tuple.elts.iter().for_each(|target| self.check_store(target, value));
            }
            Expr::Tuple(_) | Expr::List(_) => {
                self.report_unproved(range, CANDLES_ITERATED);
            }
            Expr::Attribute(_) | Expr::Subscript(_) => {
                let name = root_expression(target).as_name_expr().map(|name| name.id.as_str());
                let is_shared =
                    !name.is_some_and(|name| self.bindings.is_local(name)) || is_self(root_expression(target));
                // Constructors receive no candles.
                if is_shared && !self.bindings.is_constructor {
                    self.report_unproved(range, CANDLES_STORED);
                }
                if target.as_subscript_expr().is_some_and(|target| is_date(&target.slice)) {
                    self.report_unproved(
                        range,
                        "other dates can move a candle to an earlier time; keep the column `date`",
                    );
                }
            }
            _ => {}
        }
    }

    /// Reports a parameter that is rebound to candles of another pair or timeframe.
    pub(super) fn check_rebinding(&mut self, target: &'a Expr, value: &'a Expr) {
        let is_given = target.as_name_expr().is_some_and(|name| self.bindings.parameters.contains(name.id.as_str()));
        if is_given && loaded_names(value).iter().any(|name| self.bindings.is_informative_name(name)) {
            self.report_unproved(target.range(), joins_other_candles());
        }
    }

    /// Reports expressions that combine candles of another pair or timeframe with those of the strategy.
    pub(super) fn check_alignment(&mut self, range: TextRange, parts: &[&'a Expr]) {
        let names: Vec<&str> = parts.iter().flat_map(|part| loaded_names(part)).collect();
        let is_informative_name = |name: &&&str| self.bindings.is_informative_name(name);
        let is_mixed = names.iter().any(|name| is_informative_name(&name))
            && names.iter().any(|name| self.candle_names.contains(name) && !is_informative_name(&name));
        if is_mixed {
            self.report_unproved(range, joins_other_candles());
        }
    }

    pub(super) fn check_comprehensions(&mut self, generators: &[Comprehension]) {
        generators.iter().for_each(|generator| self.check_iteration(&generator.iter));
    }

    /// Reports an iteration over candles.
    pub(super) fn check_iteration(&mut self, iterated: &Expr) {
        let is_checked_elsewhere = iterated.as_call_expr().is_some_and(|call| match &*call.func {
            Expr::Attribute(method) => ["items", "keys"].contains(&method.attr.as_str()),
            function => function.is_name_expr(),
        });
        if self.is_from_candles(iterated) && !self.is_from_window(iterated) && !is_checked_elsewhere {
            self.report_unproved(iterated.range(), CANDLES_ITERATED);
        }
    }

    /// `true` for calls that return columns, as in `upper, middle, lower = ta.BBANDS(close)`.
    fn returns_columns(&self, value: &Expr) -> bool {
        let Some(call) = value.as_call_expr() else { return false };
        match &*call.func {
            Expr::Attribute(method) => {
                self.module_of(&method.value)
                    .is_some_and(|module| ["talib", "technical"].contains(&first_segment(module)))
                    || (is_self(&method.value) && self.symbols.defined.contains(method.attr.as_str()))
            }
            Expr::Name(name) => {
                let name = name.id.as_str();
                self.symbols.defined.contains(name)
                    || self
                        .symbols
                        .imported(name)
                        .is_some_and(|bound| ["talib", "technical"].contains(&first_segment(bound)))
            }
            _ => false,
        }
    }
}

/// `true` for the string `"date"`.
fn is_date(expression: &Expr) -> bool {
    expression.as_string_literal_expr().is_some_and(|text| text.value.to_str() == "date")
}
