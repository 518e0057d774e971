//! Traversal of the syntax tree: which checks run on which node.

use ruff_python_ast::visitor::{
    Visitor, walk_expr, walk_parameter, walk_pattern_keyword, walk_stmt, walk_string_literal,
};
use ruff_python_ast::{Expr, Parameter, PatternKeyword, Stmt, StringLiteral};
use ruff_text_size::Ranged;

use crate::finding::Rule;
use crate::known_names::{ALLOWED_DUNDERS, DYNAMIC_CODE_BUILTINS, OUTSIDE_ACCESS_BUILTINS};
use crate::name_verdict::{find_dunder, has_field_access, is_dunder, reaches_internals, reaches_outside};
use crate::safety::visitor::SafetyVisitor;

impl<'a> Visitor<'a> for SafetyVisitor<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.check_import(alias)),
            Stmt::ImportFrom(import) if import.level > 0 => {
                self.report_unproved(
                    Rule::Import,
                    import.range(),
                    "a strategy is a single file without relative imports; write the code here",
                );
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                self.check_module(module, import.module.as_ref().map_or(import.range(), Ranged::range));
                import.names.iter().for_each(|alias| self.check_import_from(module, alias));
            }
            Stmt::Global(global) => {
                self.report_unproved(
                    Rule::Tampering,
                    global.range(),
                    "`global` carries values between calls, so a backtest differs from a live run; remove it",
                );
            }
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => self.check_definition(statement),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => {
                let (id, range) = (name.id.as_str(), name.range());
                if DYNAMIC_CODE_BUILTINS.contains(id) {
                    self.report_refused(
                        Rule::DynamicCode,
                        range,
                        format!("`{id}` runs code from strings or looks up names at run time; write the code directly"),
                    );
                } else if OUTSIDE_ACCESS_BUILTINS.contains(id) {
                    self.report_refused(Rule::OutsideAccess, range, reaches_outside(id));
                } else if is_dunder(id) && !ALLOWED_DUNDERS.contains(id) {
                    self.report_refused(Rule::DynamicCode, range, reaches_internals(id));
                } else if name.ctx.is_load() {
                    self.check_config_access(id, range, range);
                    self.check_module_alias(id, range);
                } else {
                    self.check_rebinding(id, range);
                }
            }
            Expr::Attribute(attribute) => {
                self.attribute_bases.insert(attribute.value.range());
                self.check_attribute(attribute);
            }
            Expr::Subscript(subscript) => self.allow_setting(&subscript.value, Some(&subscript.slice)),
            Expr::Call(call) => self.check_call(call),
            Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) => {
                self.report_unproved(
                    Rule::OutsideAccess,
                    expression.range(),
                    "freqtrade does not run coroutines or generators of a strategy; use a plain function",
                );
            }
            _ => {}
        }
        // Direct calls are checked above. As values, `getattr` and `type` may be called under another name.
        if let Expr::Call(call) = expression
            && call.func.as_name_expr().is_some_and(|name| ["getattr", "hasattr", "type"].contains(&name.id.as_str()))
        {
            self.visit_arguments(&call.arguments);
            return;
        }
        if let Expr::Name(name) = expression
            && ["getattr", "type"].contains(&name.id.as_str())
        {
            self.report_unproved(
                Rule::DynamicCode,
                name.range(),
                format!("`{}` may be called under another name; call it directly", name.id),
            );
        }
        walk_expr(self, expression);
    }

    fn visit_parameter(&mut self, parameter: &'a Parameter) {
        self.check_rebinding(parameter.name.as_str(), parameter.name.range());
        walk_parameter(self, parameter);
    }

    fn visit_pattern_keyword(&mut self, keyword: &'a PatternKeyword) {
        let (name, range) = (keyword.attr.as_str(), keyword.attr.range());
        self.check_member_name(name, range);
        self.check_module_name(name, range);
        self.check_config_access(name, range, range);
        walk_pattern_keyword(self, keyword);
    }

    fn visit_string_literal(&mut self, literal: &'a StringLiteral) {
        // `"{0.__class__}".format(…)`, and names that are assembled later.
        if let Some(name) = find_dunder(literal.as_str()) {
            self.report_unproved(
                Rule::DynamicCode,
                literal.range(),
                format!("the string contains `{name}`, which formatting can read; remove it"),
            );
        } else if has_field_access(literal.as_str()) {
            self.report_unproved(
                Rule::DynamicCode,
                literal.range(),
                "the string formats an attribute or element of a value; use an f-string",
            );
        }
        walk_string_literal(self, literal);
    }
}
