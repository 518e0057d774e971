//! Which names hold candles, or something that is made of them.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_comprehension, walk_expr, walk_stmt};
use ruff_python_ast::{Comprehension, Expr, ExprCall, Stmt};

use crate::known_names::{CANDLE_SOURCES, MERGE_FUNCTION};

/// The names that an expression reads, and what it asks for candles.
pub(crate) fn loaded_names(expression: &Expr) -> Vec<&str> {
    let mut visitor = LoadVisitor(Vec::new());
    visitor.visit_expr(expression);
    visitor.0
}

/// The known names, and all that get something of them in a body, directly or not.
pub(crate) fn derived_names<'a>(body: &'a [Stmt], known: BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let mut flow = DataFlow::default();
    flow.visit_body(body);
    flow.reachable_from(known)
}

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
            // Names of columns, and nothing of what is in them.
            Expr::Attribute(attribute)
                if ["columns", "empty", "dtype", "dtypes"].contains(&attribute.attr.as_str()) => {}
            Expr::Attribute(attribute) if CANDLE_SOURCES.contains(attribute.attr.as_str()) => {
                self.0.push(attribute.attr.as_str());
            }
            // The candles of another timeframe come beside those that are given first, when they are over.
            Expr::Call(call) if is_merge(call) => {
                call.arguments.args.first().into_iter().for_each(|candles| self.visit_expr(candles));
            }
            _ => walk_expr(self, expression),
        }
    }
}

/// Which names get something of which.
#[derive(Default)]
pub(crate) struct DataFlow<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> DataFlow<'a> {
    fn add_assignment(&mut self, value: &'a Expr, target: &'a Expr) {
        let mut targets = StoreVisitor(Vec::new());
        targets.visit_expr(target);
        targets.0.into_iter().for_each(|target| self.add_edges(value, target));
    }

    pub(crate) fn add_edges(&mut self, value: &'a Expr, target: &'a str) {
        loaded_names(value).into_iter().for_each(|source| self.0.entry(source).or_default().push(target));
    }

    /// These and all that get something of them, directly or not.
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

/// The names that a target binds, or a part of which it changes.
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
