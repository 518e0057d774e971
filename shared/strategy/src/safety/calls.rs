//! Checks of calls and of functions passed to them.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::Ranged;

use crate::expressions::is_super;
use crate::finding::Rule;
use crate::known_names::CALL_BY_NAME_METHODS;
use crate::name_verdict::reads_or_writes;
use crate::safety::visitor::SafetyVisitor;

impl SafetyVisitor<'_> {
    pub(super) fn check_call(&mut self, call: &ExprCall) {
        let arguments = &call.arguments;
        match &*call.func {
            Expr::Name(name) if name.id.as_str() == "getattr" || name.id.as_str() == "hasattr" => {
                self.attribute_bases.extend(arguments.args.first().map(Ranged::range));
                match arguments.args.get(1).and_then(Expr::as_string_literal_expr) {
                    Some(text) => {
                        let member = text.value.to_str();
                        self.check_member_name(member, text.range());
                        self.check_module_name(member, text.range());
                        self.check_config_access(member, text.range(), text.range());
                        let module = arguments.args.first().and_then(Expr::as_name_expr);
                        if let Some(module) = module.and_then(|module| self.symbols.imported(module.id.as_str())) {
                            self.check_module_member(module, member, text.range());
                        }
                    }
                    None => self.report_unproved(
                        Rule::DynamicCode,
                        call.range(),
                        "the attribute's name is not a literal; write it as a string literal or use `.`",
                    ),
                }
            }
            Expr::Name(name) if name.id.as_str() == "type" && arguments.len() != 1 => {
                self.report_refused(
                    Rule::DynamicCode,
                    call.range(),
                    "`type` creates a class at run time; write a `class` statement",
                );
            }
            Expr::Attribute(method) if method.attr.as_str() == "__init__" && is_super(&method.value) => {
                self.allowed_settings.extend(arguments.args.iter().map(Ranged::range));
            }
            Expr::Attribute(method) if method.attr.as_str() == "open" => {
                self.report_refused(Rule::OutsideAccess, method.attr.range(), reads_or_writes("open"));
            }
            Expr::Attribute(method) if method.attr.as_str() == "get" => {
                self.allow_setting(&method.value, arguments.args.first());
            }
            Expr::Attribute(method) if CALL_BY_NAME_METHODS.contains(method.attr.as_str()) => {
                let function =
                    arguments.args.first().or_else(|| arguments.find_keyword("func").map(|keyword| &keyword.value));
                if let Some(function) = function {
                    self.check_function_argument(function);
                }
            }
            _ => {}
        }
    }

    /// Checks a function that is passed to pandas, or the string that names it.
    fn check_function_argument(&mut self, function: &Expr) {
        match function {
            Expr::StringLiteral(text) => self.check_member_name(text.value.to_str(), text.range()),
            Expr::List(list) => list.elts.iter().for_each(|function| self.check_function_argument(function)),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|function| self.check_function_argument(function)),
            Expr::Dict(dict) => dict.items.iter().for_each(|item| self.check_function_argument(&item.value)),
            Expr::Lambda(_) | Expr::Attribute(_) => {}
            Expr::Name(name)
                if self.symbols.defined.contains(name.id.as_str())
                    || self.symbols.imported(name.id.as_str()).is_some() => {}
            Expr::Name(name)
                if ["float", "int", "len", "list", "max", "min", "str", "sum"].contains(&name.id.as_str()) => {}
            _ => self.report_unproved(
                Rule::DynamicCode,
                function.range(),
                "the function is unknown; pass a lambda, a function of this source or its name as a string",
            ),
        }
    }
}
