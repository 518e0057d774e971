//! Integer constants of a source.

use std::collections::BTreeMap;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ModModule, Stmt};

use crate::expressions::integer_literal;

/// Returns the names that are bound once, to an integer literal.
pub(super) fn integer_constants(module: &ModModule) -> BTreeMap<&str, i64> {
    let mut constants = IntegerConstants::default();
    constants.visit_body(&module.body);
    constants.0.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Value of each bound name, or `None` if it is bound several times or to anything but an integer.
#[derive(Default)]
struct IntegerConstants<'a>(BTreeMap<&'a str, Option<i64>>);

impl<'a> IntegerConstants<'a> {
    fn bind(&mut self, target: &'a Expr, value: Option<i64>) {
        if let Expr::Name(name) = target {
            self.0.entry(name.id.as_str()).and_modify(|known| *known = None).or_insert(value);
        }
    }
}

impl<'a> Visitor<'a> for IntegerConstants<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assignment) => {
                let value = integer_literal(&assignment.value);
                assignment.targets.iter().for_each(|target| self.bind(target, value));
            }
            Stmt::AnnAssign(assignment) => {
                self.bind(&assignment.target, assignment.value.as_deref().and_then(integer_literal));
            }
            Stmt::AugAssign(assignment) => self.bind(&assignment.target, None),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        // Loops, unpacking and other bindings can change the value, so such a name is no constant.
        if let Expr::Name(name) = expression
            && !name.ctx.is_load()
        {
            let is_new = !self.0.contains_key(name.id.as_str());
            if is_new {
                self.0.insert(name.id.as_str(), None);
            }
        }
        if let Expr::Named(named) = expression {
            self.bind(&named.target, None);
        }
        walk_expr(self, expression);
    }

    fn visit_parameter(&mut self, parameter: &'a ruff_python_ast::Parameter) {
        self.0.insert(parameter.name.as_str(), None);
    }
}
