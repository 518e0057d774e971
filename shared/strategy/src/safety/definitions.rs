//! Checks of functions, classes and their decorators.

use ruff_python_ast::{Decorator, Expr, Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;

use crate::finding::Rule;
use crate::known_names::{ALLOWED_DECORATORS, ALLOWED_SPECIAL_METHODS, DYNAMIC_CODE_BUILTINS, OUTSIDE_ACCESS_BUILTINS};
use crate::name_verdict::is_dunder;
use crate::safety::visitor::SafetyVisitor;

impl SafetyVisitor<'_> {
    pub(super) fn check_definition(&mut self, statement: &Stmt) {
        let (name, decorators) = match statement {
            Stmt::FunctionDef(function) => {
                if function.is_async {
                    self.report_unproved(
                        Rule::OutsideAccess,
                        function.name.range(),
                        "freqtrade does not run coroutines or generators of a strategy; use a plain function",
                    );
                }
                (&function.name, &function.decorator_list)
            }
            Stmt::ClassDef(class) => {
                let keywords = class.arguments.iter().flat_map(|arguments| &arguments.keywords);
                for keyword in keywords {
                    self.report_unproved(
                        Rule::DynamicCode,
                        keyword.range(),
                        "a class argument such as `metaclass` can replace the class; remove it",
                    );
                }
                (&class.name, &class.decorator_list)
            }
            _ => return,
        };
        if let Stmt::ClassDef(class) = statement
            && class.arguments.as_ref().is_some_and(|arguments| !arguments.args.is_empty())
        {
            class
                .body
                .iter()
                .filter_map(Stmt::as_function_def_stmt)
                .for_each(|method| self.check_init_parameters(method));
        }
        if is_dunder(name.as_str()) && !ALLOWED_SPECIAL_METHODS.contains(name.as_str()) {
            self.report_unproved(
                Rule::DynamicCode,
                name.range(),
                format!("`{name}` is called implicitly by Python; use a method with a plain name"),
            );
        }
        self.check_rebinding(name.as_str(), name.range());
        if DYNAMIC_CODE_BUILTINS.contains(name.as_str()) || OUTSIDE_ACCESS_BUILTINS.contains(name.as_str()) {
            self.report_unproved(
                Rule::Tampering,
                name.range(),
                format!("`{name}` is a built-in name; choose another name"),
            );
        }
        for decorator in decorators {
            self.check_decorator(decorator);
        }
    }

    /// Reports parameters of `__init__` with a name other than `config`: freqtrade passes its configuration there, and
    /// the checks recognise it by that name.
    fn check_init_parameters(&mut self, method: &StmtFunctionDef) {
        if method.name.as_str() != "__init__" {
            return;
        }
        for parameter in method.parameters.iter().skip(1).filter(|parameter| parameter.name().as_str() != "config") {
            self.report_unproved(
                Rule::OutsideAccess,
                parameter.name().range(),
                "freqtrade passes its configuration here, with the exchange's API keys; name the parameter `config`",
            );
        }
    }

    fn check_decorator(&mut self, decorator: &Decorator) {
        let callee = decorator.expression.as_call_expr().map_or(&decorator.expression, |call| &*call.func);
        let name = match callee {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => "",
        };
        let is_accessor = matches!(callee, Expr::Attribute(_)) && ["setter", "getter", "deleter"].contains(&name);
        let has_known_effect =
            name != "wraps" || decorator.expression.as_call_expr().is_some_and(|call| call.arguments.len() == 1);
        let is_known = is_accessor
            || self.symbols.defined.contains(name)
            || (ALLOWED_DECORATORS.contains(name) && has_known_effect);
        if !is_known {
            self.report_unproved(
                Rule::DynamicCode,
                decorator.range(),
                "the decorator can replace what it decorates; remove it",
            );
        }
    }
}
