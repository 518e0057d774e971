//! Traversal of the syntax tree: which checks run on which node.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Operator, Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;

use crate::bindings::Bindings;
use crate::data_flow::loaded_names;
use crate::expressions::{is_self, root_expression};
use crate::known_names::ITERATING_BUILTINS;
use crate::look_ahead::messages::{CANDLES_ITERATED, INDEX_CHANGED};
use crate::look_ahead::visitor::LookAheadVisitor;

impl<'a> Visitor<'a> for LookAheadVisitor<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                let candle_names = self.candle_names_of(function);
                let outer_candle_names = std::mem::replace(&mut self.candle_names, candle_names);
                let outer_bindings = std::mem::replace(&mut self.bindings, Bindings::from_function(function));
                let outer_scope = self.scope;
                self.scope = self.scope_of(function);
                walk_stmt(self, statement);
                (self.scope, self.candle_names, self.bindings) = (outer_scope, outer_candle_names, outer_bindings);
                return;
            }
            Stmt::ClassDef(class) => {
                let methods =
                    class.body.iter().filter_map(Stmt::as_function_def_stmt).filter(|method| !is_static(method));
                self.methods.extend(methods.map(Ranged::range));
            }
            Stmt::For(each) => {
                self.check_iteration(&each.iter);
                self.check_store(&each.target, &each.iter);
            }
            Stmt::Assign(assignment) => {
                let parts: Vec<&Expr> = assignment.targets.iter().chain([&*assignment.value]).collect();
                self.check_alignment(assignment.range(), &parts);
                assignment.targets.iter().for_each(|target| {
                    self.check_rebinding(target, &assignment.value);
                    self.check_store(target, &assignment.value);
                });
            }
            Stmt::AnnAssign(assignment) => {
                if let Some(value) = &assignment.value {
                    self.check_alignment(assignment.range(), &[&*assignment.target, &**value]);
                    self.check_rebinding(&assignment.target, value);
                    self.check_store(&assignment.target, value);
                }
            }
            Stmt::AugAssign(assignment) => {
                self.check_alignment(assignment.range(), &[&*assignment.target, &*assignment.value]);
                self.check_store(&assignment.target, &assignment.value);
            }
            Stmt::Return(returned) => {
                returned.value.iter().for_each(|value| self.check_alignment(returned.range(), &[&**value]));
            }
            Stmt::Match(matched) if self.is_from_candles(&matched.subject) => {
                self.report_unproved(
                    matched.subject.range(),
                    "candles in a `match` statement are not tracked; use column operations",
                );
            }
            Stmt::ImportFrom(import) => {
                import.names.iter().for_each(|alias| self.check_named_method(alias.name.as_str(), alias.range()));
            }
            Stmt::Expr(statement) => self.check_alignment(statement.range(), &[&*statement.value]),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Lambda(lambda) => {
                self.check_lambda(lambda);
                return;
            }
            Expr::Named(named) if loaded_names(&named.target).is_empty() && self.is_window_name(&named.target) => {
                self.report_unproved(named.range(), "`:=` replaces a window; choose another name");
            }
            Expr::Starred(starred) if self.is_from_candles(&starred.value) && !self.is_from_window(&starred.value) => {
                self.report_unproved(starred.range(), CANDLES_ITERATED);
            }
            Expr::BinOp(product) if product.op == Operator::MatMult && self.is_from_candles(expression) => {
                self.report_unproved(
                    product.range(),
                    "`@` multiplies whole columns, later candles included; use a rolling window",
                );
            }
            Expr::Name(name) if name.ctx.is_load() => {
                let (id, range) = (name.id.as_str(), name.range());
                let is_defined_here = self.symbols.defined.contains(id) || self.candle_names.contains(id);
                if ITERATING_BUILTINS.contains(id) && !is_defined_here && !self.called_functions.contains(&range) {
                    self.report_unproved(range, format!("`{id}` may be called under another name; call it directly"));
                }
                self.check_callback_use(id, range);
            }
            Expr::Call(call) => {
                self.called_functions.insert(call.func.range());
                self.check_call(call);
                if let Expr::Attribute(method) = &*call.func
                    && self.is_fully_checked(method.attr.as_str(), call)
                {
                    self.visit_expr(&method.value);
                    self.visit_arguments(&call.arguments);
                    return;
                }
            }
            Expr::Subscript(subscript) => self.check_subscript(subscript),
            Expr::Attribute(attribute) if attribute.ctx.is_load() => {
                let name = attribute.attr.as_str();
                self.check_candle_attribute(attribute);
                self.check_unbound_method(attribute);
                if is_self(&attribute.value) {
                    self.check_callback_use(name, attribute.attr.range());
                }
                // Methods of strings, such as `"x".join`, are harmless.
                if !root_expression(&attribute.value).is_string_literal_expr() && !self.is_from_window(&attribute.value)
                {
                    self.check_named_method(name, attribute.attr.range());
                }
            }
            Expr::Attribute(attribute)
                if attribute.attr.as_str() == "index" && self.is_from_candles(&attribute.value) =>
            {
                self.report_unproved(attribute.attr.range(), INDEX_CHANGED);
            }
            Expr::StringLiteral(text) if text.value.to_str().contains("chikou") => {
                self.report_violation(
                    text.range(),
                    "`chikou` is the lagging span of an Ichimoku cloud, which contains later candles; do not use it",
                );
            }
            Expr::ListComp(comprehension) => self.check_comprehensions(&comprehension.generators),
            Expr::SetComp(comprehension) => self.check_comprehensions(&comprehension.generators),
            Expr::DictComp(comprehension) => self.check_comprehensions(&comprehension.generators),
            Expr::Generator(comprehension) => self.check_comprehensions(&comprehension.generators),
            _ => {}
        }
        walk_expr(self, expression);
    }
}

/// `true` for static methods, which receive no object. A decorator that is not a plain name counts as one, because it
/// may change the parameters.
fn is_static(method: &StmtFunctionDef) -> bool {
    method.decorator_list.iter().any(|decorator| match &decorator.expression {
        Expr::Name(name) => name.id.as_str() == "staticmethod",
        _ => true,
    })
}
