//! Data flow between names: which names hold candles, or values derived from candles.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_comprehension, walk_expr, walk_stmt};
use ruff_python_ast::{Comprehension, Expr, ExprCall, Stmt};

use crate::known_names::{CANDLE_SOURCES, MERGE_FUNCTION};

/// Returns the names that an expression reads, and the methods by which it fetches candles.
pub(crate) fn loaded_names(expression: &Expr) -> Vec<&str> {
    let mut visitor = LoadVisitor(Vec::new());
    visitor.visit_expr(expression);
    visitor.0
}

/// Returns the known names and every name that a body derives from them, directly or indirectly.
pub(crate) fn derived_names<'a>(body: &'a [Stmt], known: BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let mut flow = DataFlow::default();
    flow.visit_body(body);
    flow.reachable_from(known)
}

/// `true` if a call is of [`MERGE_FUNCTION`].
pub(crate) fn is_merge(call: &ExprCall) -> bool {
    match &*call.func {
        Expr::Name(name) => name.id.as_str() == MERGE_FUNCTION,
        Expr::Attribute(attribute) => attribute.attr.as_str() == MERGE_FUNCTION,
        _ => false,
    }
}

struct LoadVisitor<'a>(Vec<&'a str>);

impl<'a> Visitor<'a> for LoadVisitor<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) if name.ctx.is_load() => self.0.push(name.id.as_str()),
            // These describe the columns and hold none of their values.
            Expr::Attribute(attribute)
                if ["columns", "empty", "dtype", "dtypes"].contains(&attribute.attr.as_str()) => {}
            Expr::Attribute(attribute) if CANDLE_SOURCES.contains(attribute.attr.as_str()) => {
                self.0.push(attribute.attr.as_str());
            }
            // The merge adds candles of another timeframe to the first argument only after they are complete.
            Expr::Call(call) if is_merge(call) => {
                call.arguments.args.first().into_iter().for_each(|candles| self.visit_expr(candles));
            }
            _ => walk_expr(self, expression),
        }
    }
}

/// Edges from each name to the names assigned from it.
#[derive(Default)]
pub(crate) struct DataFlow<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> DataFlow<'a> {
    fn add_assignment(&mut self, value: &'a Expr, target: &'a Expr) {
        let mut targets = StoreVisitor(Vec::new());
        targets.visit_expr(target);
        targets.0.into_iter().for_each(|target| self.add_edges(value, target));
    }

    /// Adds an edge from each name that the value reads to the target.
    pub(crate) fn add_edges(&mut self, value: &'a Expr, target: &'a str) {
        loaded_names(value).into_iter().for_each(|source| self.0.entry(source).or_default().push(target));
    }

    /// Returns the given names and every name derived from them, directly or indirectly.
    pub(crate) fn reachable_from(&self, from: BTreeSet<&'a str>) -> BTreeSet<&'a str> {
        let mut next: Vec<&str> = from.iter().copied().collect();
        let mut reached = from;
        while let Some(name) = next.pop() {
            let targets = self.0.get(name).into_iter().flatten().copied();
            next.extend(targets.filter(|target| reached.insert(target)));
        }
        reached
    }
}

impl<'a> Visitor<'a> for DataFlow<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assignment) => {
                assignment.targets.iter().for_each(|target| self.add_assignment(&assignment.value, target));
            }
            Stmt::AnnAssign(assignment) => {
                assignment.value.iter().for_each(|value| self.add_assignment(value, &assignment.target));
            }
            Stmt::AugAssign(assignment) => self.add_assignment(&assignment.value, &assignment.target),
            Stmt::For(each) => self.add_assignment(&each.iter, &each.target),
            Stmt::With(with) => {
                for item in &with.items {
                    item.optional_vars.iter().for_each(|target| self.add_assignment(&item.context_expr, target));
                }
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_comprehension(&mut self, comprehension: &'a Comprehension) {
        self.add_assignment(&comprehension.iter, &comprehension.target);
        walk_comprehension(self, comprehension);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Named(named) = expression {
            self.add_assignment(&named.value, &named.target);
        }
        walk_expr(self, expression);
    }
}

/// Collects the names that an assignment target binds or changes in part.
struct StoreVisitor<'a>(Vec<&'a str>);

impl<'a> Visitor<'a> for StoreVisitor<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => self.0.push(name.id.as_str()),
            Expr::Subscript(subscript) => self.visit_expr(&subscript.value),
            _ => walk_expr(self, expression),
        }
    }
}
