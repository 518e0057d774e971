//! Checks of subscripts such as `x[…]` and `x.iloc[…]`.

use ruff_python_ast::{Expr, ExprSubscript, Operator};
use ruff_text_size::Ranged;

use crate::look_ahead::visitor::{LookAheadVisitor, Scope};

/// Kind of a subscript's index.
#[derive(Clone, Copy, Eq, PartialEq)]
enum IndexKind {
    /// Selects a column.
    Column,
    /// Selects rows.
    Row,
    /// Target of an assignment.
    Store,
}

/// Attributes of pandas that select rows.
const ROW_INDEXERS: [&str; 4] = ["at", "iat", "iloc", "loc"];

impl<'a> LookAheadVisitor<'a> {
    pub(super) fn check_subscript(&mut self, subscript: &ExprSubscript) {
        if !self.is_from_candles(&subscript.value) || self.is_from_window(&subscript.value) {
            return;
        }
        if self.scope == Scope::Columns
            && self.bindings.is_given_dataframe(&subscript.value)
            && self.is_column_selector(&subscript.slice)
        {
            return;
        }
        let indices: &[Expr] = match &*subscript.slice {
            Expr::Tuple(tuple) => &tuple.elts,
            one => std::slice::from_ref(one),
        };
        let kind = match subscript.value.as_attribute_expr().map(|by| by.attr.as_str()) {
            Some("at" | "loc") if !subscript.ctx.is_load() => IndexKind::Store,
            Some(name) if ROW_INDEXERS.contains(&name) => IndexKind::Row,
            _ if subscript.ctx.is_load() => IndexKind::Column,
            _ => IndexKind::Store,
        };
        // `x.loc[rows, columns]`: only the first index selects rows.
        let selects_rows =
            subscript.value.as_attribute_expr().is_some_and(|by| ROW_INDEXERS.contains(&by.attr.as_str()));
        let row_indices = if selects_rows { 1 } else { indices.len() };
        for index in indices.iter().take(row_indices) {
            self.check_index(index, kind);
        }
    }

    /// `true` if an index of the dataframe can only select columns.
    fn is_column_selector(&self, index: &Expr) -> bool {
        !index.is_slice_expr() && !self.is_from_candles(index)
    }

    fn check_index(&mut self, index: &Expr, kind: IndexKind) {
        let range = index.range();
        match index {
            Expr::Slice(slice) => {
                let number = |bound: &Option<Box<Expr>>| bound.as_ref().map(|bound| self.integer_value(bound));
                let (lower, upper, step) = (number(&slice.lower), number(&slice.upper), number(&slice.step));
                if matches!(step, Some(Some(step)) if step < 0) {
                    self.report_violation(range, "a negative step puts later candles first; use a positive step");
                } else if [lower, upper].iter().any(|bound| matches!(bound, Some(Some(bound)) if *bound < 0)) {
                    self.report_violation(
                        range,
                        "a negative position counts from the last candle; use `shift` or a rolling window",
                    );
                } else if lower.is_some_and(|lower| lower != Some(0)) || upper == Some(None) || step.is_some() {
                    self.report_unproved(range, "a slice can move a value to an earlier candle; use `shift`");
                }
            }
            Expr::StringLiteral(_) if kind != IndexKind::Row => {}
            _ if kind == IndexKind::Column && self.source.text.contains("ichimoku") => {
                self.report_unproved(
                    range,
                    "the lagging span of an Ichimoku cloud contains later candles; write the column's name as a string",
                );
            }
            Expr::List(list)
                if kind == IndexKind::Column
                    && list.elts.iter().all(|index| self.bindings.is_column_name(index) || index.is_starred_expr()) => {
            }
            _ if kind == IndexKind::Column && self.bindings.is_column_name(index) => {}
            _ => match self.integer_value(index) {
                Some(place) if place < 0 => self.report_violation(
                    range,
                    "a negative position selects one of the last candles; use `shift` or a rolling window",
                ),
                // A row's own label or a condition on each row keeps stored values on their candles.
                None if kind == IndexKind::Store && !is_sum(index) => {}
                _ => self.report_unproved(
                    range,
                    "the selected candles are unknown and may be later ones; use a condition or a column name",
                ),
            },
        }
    }
}

/// `true` for sums and differences, which can point at another row.
fn is_sum(expression: &Expr) -> bool {
    matches!(expression, Expr::BinOp(sum) if matches!(sum.op, Operator::Add | Operator::Sub))
}
