//! Safety check: names that reach outside of a strategy are refused, and names that are not known to be harmless are
//! unproved.

use std::collections::HashSet;

use ruff_python_ast::visitor::{
    Visitor, walk_expr, walk_parameter, walk_pattern_keyword, walk_stmt, walk_string_literal,
};
use ruff_python_ast::{
    Alias, Decorator, Expr, ExprAttribute, ExprCall, ModModule, Parameter, PatternKeyword, Stmt, StmtFunctionDef,
    StringLiteral,
};
use ruff_text_size::{Ranged, TextRange};

use crate::expressions::{is_self, is_super, root_expression};
use crate::finding::{Finding, Rule, SourceText, Verdict};
use crate::known_names::{
    ALLOWED_DECORATORS, ALLOWED_DUNDERS, ALLOWED_MODULES, ALLOWED_SETTINGS, ALLOWED_SPECIAL_METHODS,
    CALL_BY_NAME_METHODS, DANGEROUS_MODULES, DYNAMIC_CODE_BUILTINS, OUTSIDE_ACCESS_BUILTINS,
};
use crate::name_verdict::{
    allowed_names, find_dunder, has_field_access, is_dunder, name_verdict, reaches_internals, reaches_outside,
    reads_or_writes,
};
use crate::symbol_table::{SymbolTable, import_binding, import_from_binding};

/// Returns the findings of the safety check.
pub(crate) fn findings(source: &SourceText<'_>, module: &ModModule, symbols: &SymbolTable<'_>) -> Vec<Finding> {
    let mut visitor = SafetyVisitor {
        source,
        findings: Vec::new(),
        symbols,
        allowed_settings: HashSet::new(),
        attribute_bases: HashSet::new(),
    };
    visitor.visit_body(&module.body);
    visitor.findings
}

struct SafetyVisitor<'a> {
    source: &'a SourceText<'a>,
    findings: Vec<Finding>,
    symbols: &'a SymbolTable<'a>,
    /// Ranges where freqtrade's configuration is passed to `super().__init__`, or read for one allowed setting.
    allowed_settings: HashSet<TextRange>,
    /// Ranges of names that are used only to read an attribute from.
    attribute_bases: HashSet<TextRange>,
}

impl SafetyVisitor<'_> {
    fn report_refused(&mut self, rule: Rule, range: TextRange, why: impl Into<String>) {
        self.findings.push(self.source.finding(rule, Verdict::Refused, range, why));
    }

    fn report_unproved(&mut self, rule: Rule, range: TextRange, why: impl Into<String>) {
        self.findings.push(self.source.finding(rule, Verdict::Unproved, range, why));
    }

    fn check_import(&mut self, alias: &Alias) {
        self.check_import_binding(import_binding(alias), alias.range());
        self.check_module(alias.name.as_str(), alias.range());
    }

    /// Reports an imported name that an earlier import binds to something else.
    fn check_import_binding(&mut self, (name, module): (&str, String), range: TextRange) {
        if self.symbols.imported(name) != Some(module.as_str()) {
            self.report_unproved(
                Rule::Import,
                range,
                format!("`{name}` is imported twice with different meanings; choose another name"),
            );
        }
    }

    fn check_module(&mut self, module: &str, range: TextRange) {
        if let Some(part) = module.split('.').find(|part| DANGEROUS_MODULES.contains(part)) {
            self.report_refused(Rule::Import, range, reaches_outside(part));
        } else if !ALLOWED_MODULES.contains(module) {
            self.report_unproved(
                Rule::Import,
                range,
                format!(
                    "`{module}` is not an allowed module; use pandas, numpy, talib, technical or freqtrade.strategy"
                ),
            );
        }
    }

    fn check_import_from(&mut self, module: &str, alias: &Alias) {
        let name = alias.name.as_str();
        if name == "*" {
            self.report_unproved(
                Rule::Import,
                alias.range(),
                format!("`*` hides which names of `{module}` are used; import them by name"),
            );
            return;
        }
        let bound = import_from_binding(module, alias);
        // A path that is not a module itself is a member of the module.
        if ALLOWED_MODULES.contains(module) && !ALLOWED_MODULES.contains(bound.1.as_str()) {
            self.check_module_member(module, name, alias.range());
            self.check_member_name(name, alias.range());
            if name.starts_with('_') {
                self.report_unproved(
                    Rule::Import,
                    alias.range(),
                    format!("`{name}` is private to `{module}`; use its public names"),
                );
            }
        }
        self.check_import_binding(bound, alias.range());
    }

    /// Refuses dangerous modules, which other modules often expose among their names.
    fn check_module_name(&mut self, name: &str, range: TextRange) {
        if DANGEROUS_MODULES.contains(name) {
            self.report_refused(Rule::OutsideAccess, range, reaches_outside(name));
        }
    }

    /// Checks a member of a module that has an allowed list.
    fn check_module_member(&mut self, module: &str, name: &str, range: TextRange) {
        let allowed = allowed_names(module);
        if DANGEROUS_MODULES.contains(name) {
            self.check_module_name(name, range);
        } else if allowed.is_some_and(|names| !names.contains(name)) && name_verdict(name).is_none() {
            self.report_unproved(
                Rule::Import,
                range,
                format!("`{name}` is not an allowed name of `{module}`; use another function"),
            );
        }
    }

    /// Reports an imported name that is bound to something else.
    fn check_rebinding(&mut self, name: &str, range: TextRange) {
        if self.symbols.imported(name).is_some() {
            self.report_unproved(
                Rule::Tampering,
                range,
                format!("`{name}` is an imported name; choose another name here"),
            );
        }
    }

    /// Reports a module that is used as a value: under another name it would escape the checks of its members.
    fn check_module_alias(&mut self, name: &str, range: TextRange) {
        let is_module = self.symbols.imported(name).is_some_and(|module| allowed_names(module).is_some());
        if is_module && !self.attribute_bases.contains(&range) {
            self.report_unproved(
                Rule::DynamicCode,
                range,
                format!("`{name}` may be used under another name; call its functions directly"),
            );
        }
    }

    /// Checks a name that is read from any receiver.
    fn check_member_name(&mut self, name: &str, range: TextRange) {
        if let Some((rule, verdict, why)) = name_verdict(name) {
            self.findings.push(self.source.finding(rule, verdict, range, why));
        }
    }

    fn check_attribute(&mut self, attribute: &ExprAttribute) {
        let (name, range) = (attribute.attr.as_str(), attribute.attr.range());
        let receiver = attribute.value.as_name_expr().map(|name| name.id.as_str());
        let is_on_self = is_self(&attribute.value);
        if !attribute.ctx.is_load() {
            self.check_attribute_store(attribute);
        }
        if !is_on_self || !(self.symbols.defined.contains(name) || self.symbols.fields.contains(name)) {
            match receiver.and_then(|receiver| self.symbols.imported(receiver)) {
                Some(module) => self.check_module_member(module, name, range),
                None => self.check_module_name(name, range),
            }
            self.check_member_name(name, range);
        }
        self.check_config_access(name, attribute.range(), range);
        if name == "format" && !attribute.value.is_string_literal_expr() {
            self.report_unproved(
                Rule::DynamicCode,
                range,
                "`format` on a text that is not a literal can read any attribute; use an f-string",
            );
        }
        let is_private = if is_on_self { name.starts_with("ft_") } else { name.starts_with('_') && !is_dunder(name) };
        if is_private {
            self.report_unproved(Rule::DynamicCode, range, format!("`{name}` is a private attribute; use public ones"));
        }
    }

    /// Allows a read of the configuration if it names one of the allowed settings.
    fn allow_setting(&mut self, settings: &Expr, name: Option<&Expr>) {
        let name = name.and_then(Expr::as_string_literal_expr);
        if name.is_some_and(|name| ALLOWED_SETTINGS.contains(name.value.to_str())) {
            self.allowed_settings.insert(settings.range());
        }
    }

    /// Checks uses of `self.config` and of the `config` parameter of `__init__`.
    fn check_config_access(&mut self, name: &str, range: TextRange, name_range: TextRange) {
        if name == "config" && !self.allowed_settings.contains(&range) {
            self.report_unproved(
                Rule::OutsideAccess,
                name_range,
                "freqtrade's configuration holds the exchange's API keys; read one setting by its name",
            );
        }
    }

    fn check_call(&mut self, call: &ExprCall) {
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
                        "the attribute's name is not a literal; write it as text or use `.`",
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

    /// Checks a function that pandas is given to call, or the text that names it.
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
                "the function is unknown; pass a lambda, a function of this source or its name as text",
            ),
        }
    }

    /// Checks an attribute that is assigned, augmented or deleted.
    fn check_attribute_store(&mut self, attribute: &ExprAttribute) {
        let Some(name) = root_expression(&attribute.value).as_name_expr().map(|name| name.id.as_str()) else { return };
        if self.symbols.imported(name).is_some() || self.symbols.defined.contains(name) {
            self.report_refused(
                Rule::Tampering,
                attribute.range(),
                format!("`{name}` is changed for all code that uses it; do not assign to its attributes"),
            );
        }
    }

    fn check_definition(&mut self, statement: &Stmt) {
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
        let is_bare_wraps =
            name != "wraps" || decorator.expression.as_call_expr().is_some_and(|call| call.arguments.len() == 1);
        let is_known =
            is_accessor || self.symbols.defined.contains(name) || (ALLOWED_DECORATORS.contains(name) && is_bare_wraps);
        if !is_known {
            self.report_unproved(
                Rule::DynamicCode,
                decorator.range(),
                "the decorator can replace what it decorates; remove it",
            );
        }
    }
}

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
                        format!("`{id}` turns text into code or names; write the code directly"),
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
                format!("the text contains `{name}`, which formatting can read; remove it"),
            );
        } else if has_field_access(literal.as_str()) {
            self.report_unproved(
                Rule::DynamicCode,
                literal.range(),
                "the text formats an attribute or element of a value; use an f-string",
            );
        }
        walk_string_literal(self, literal);
    }
}
