//! Whether a source reaches for more than a strategy needs: what is not known to be harmless is unproved.

use std::collections::HashSet;

use ruff_python_ast::visitor::{
    Visitor, walk_expr, walk_parameter, walk_pattern_keyword, walk_stmt, walk_string_literal,
};
use ruff_python_ast::{
    Alias, Decorator, Expr, ExprAttribute, ExprCall, ModModule, Parameter, PatternKeyword, Stmt, StmtFunctionDef,
    StringLiteral,
};
use ruff_text_size::{Ranged, TextRange};

use crate::finding::{Finding, Rule, Source, Verdict};
use crate::known_names::{
    ALLOWED_DECORATORS, ALLOWED_DUNDERS, ALLOWED_MODULE_NAMES, ALLOWED_MODULES, ALLOWED_SETTINGS,
    ALLOWED_SPECIAL_METHODS, CALL_BY_NAME_METHODS, DANGEROUS_MODULES, DYNAMIC_CODE_BUILTINS, DYNAMIC_CODE_NAMES,
    IN_MEMORY_CONVERSIONS, INTERNAL_NAMES, IO_NAMES, NameSet, OUTSIDE_ACCESS_BUILTINS,
};
use crate::symbol_table::{SymbolTable, import_binding, import_from_binding, is_self};

pub(crate) fn findings(source: &Source<'_>, module: &ModModule, symbols: &SymbolTable<'_>) -> Vec<Finding> {
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
    source: &'a Source<'a>,
    findings: Vec<Finding>,
    symbols: &'a SymbolTable<'a>,
    /// Where freqtrade's configuration is only handed on, or asked for one harmless setting by its name.
    allowed_settings: HashSet<TextRange>,
    /// Where a name stands only to be asked for something.
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

    /// By one name everything is asked of one module.
    fn check_import_binding(&mut self, (name, module): (&str, String), range: TextRange) {
        if self.symbols.imported(name) != Some(module.as_str()) {
            self.report_unproved(Rule::Import, range, format!("{name} is the name of something else too"));
        }
    }

    fn check_module(&mut self, module: &str, range: TextRange) {
        if let Some(part) = module.split('.').find(|part| DANGEROUS_MODULES.contains(part)) {
            self.report_refused(Rule::Import, range, format!("{part} reaches outside of a strategy"));
        } else if !ALLOWED_MODULES.contains(module) {
            self.report_unproved(
                Rule::Import,
                range,
                format!("{module} is not among the modules that are known to be harmless"),
            );
        }
    }

    fn check_import_from(&mut self, module: &str, alias: &Alias) {
        let name = alias.name.as_str();
        if name == "*" {
            self.report_unproved(
                Rule::Import,
                alias.range(),
                format!("what {module} has in it cannot be known; name what is needed"),
            );
            return;
        }
        let bound = import_from_binding(module, alias);
        // What a known module is not in itself, is one of its names.
        if ALLOWED_MODULES.contains(module) && !ALLOWED_MODULES.contains(bound.1.as_str()) {
            self.check_module_member(module, name, alias.range());
            self.check_member_name(name, alias.range());
            if name.starts_with('_') {
                self.report_unproved(Rule::Import, alias.range(), format!("{name} is an inner part of {module}"));
            }
        }
        self.check_import_binding(bound, alias.range());
    }

    /// Modules often have others among their names.
    fn check_module_name(&mut self, name: &str, range: TextRange) {
        if DANGEROUS_MODULES.contains(name) {
            self.report_refused(Rule::OutsideAccess, range, format!("{name} reaches outside of a strategy"));
        }
    }

    /// What is asked of a module that also has what is not harmless.
    fn check_module_member(&mut self, module: &str, name: &str, range: TextRange) {
        let harmless = allowed_names(module);
        if DANGEROUS_MODULES.contains(name) {
            self.check_module_name(name, range);
        } else if harmless.is_some_and(|names| !names.contains(name)) && name_verdict(name).is_none() {
            self.report_unproved(
                Rule::Import,
                range,
                format!("{name} of {module} is not among what is known to be harmless"),
            );
        }
    }

    /// A name is known by what was imported by it, and by nothing else.
    fn check_rebinding(&mut self, name: &str, range: TextRange) {
        if self.symbols.imported(name).is_some() {
            self.report_unproved(Rule::Tampering, range, format!("{name} is the name of something else from here on"));
        }
    }

    /// By another name it would be asked for what is not seen here.
    fn check_module_alias(&mut self, name: &str, range: TextRange) {
        let is_module = self.symbols.imported(name).is_some_and(|module| allowed_names(module).is_some());
        if is_module && !self.attribute_bases.contains(&range) {
            self.report_unproved(Rule::DynamicCode, range, format!("{name} may be asked by another name"));
        }
    }

    /// What is asked of something, whatever that is.
    fn check_member_name(&mut self, name: &str, range: TextRange) {
        if let Some((rule, verdict, why)) = name_verdict(name) {
            self.findings.push(self.source.finding(rule, verdict, range, why));
        }
    }

    fn check_attribute(&mut self, attribute: &ExprAttribute) {
        let (name, range) = (attribute.attr.as_str(), attribute.attr.range());
        let of = attribute.value.as_name_expr().map(|name| name.id.as_str());
        let is_of_itself = is_self(&attribute.value);
        if !attribute.ctx.is_load() {
            self.check_attribute_store(attribute);
        }
        if !is_of_itself || !(self.symbols.defined.contains(name) || self.symbols.fields.contains(name)) {
            match of.and_then(|of| self.symbols.imported(of)) {
                Some(module) => self.check_module_member(module, name, range),
                None => self.check_module_name(name, range),
            }
            self.check_member_name(name, range);
        }
        self.check_config_access(name, attribute.range(), range);
        if name == "format" && !attribute.value.is_string_literal_expr() {
            self.report_unproved(Rule::DynamicCode, range, "a text that is not written here may ask for anything");
        }
        let is_inner = if is_of_itself { name.starts_with("ft_") } else { name.starts_with('_') && !is_dunder(name) };
        if is_inner {
            self.report_unproved(Rule::DynamicCode, range, format!("{name} is an inner part of something else"));
        }
    }

    /// A setting of freqtrade's, unless it is certain to be none of the exchange's keys.
    fn allow_setting(&mut self, settings: &Expr, name: Option<&Expr>) {
        let name = name.and_then(Expr::as_string_literal_expr);
        if name.is_some_and(|name| ALLOWED_SETTINGS.contains(name.value.to_str())) {
            self.allowed_settings.insert(settings.range());
        }
    }

    /// `self.config`, or what `__init__` gets.
    fn check_config_access(&mut self, name: &str, range: TextRange, name_range: TextRange) {
        if name == "config" && !self.allowed_settings.contains(&range) {
            self.report_unproved(
                Rule::OutsideAccess,
                name_range,
                "freqtrade's configuration holds the exchange's keys; name the setting",
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
                        let asked = text.value.to_str();
                        self.check_member_name(asked, text.range());
                        self.check_module_name(asked, text.range());
                        self.check_config_access(asked, text.range(), text.range());
                        let module = arguments.args.first().and_then(Expr::as_name_expr);
                        if let Some(module) = module.and_then(|module| self.symbols.imported(module.id.as_str())) {
                            self.check_module_member(module, asked, text.range());
                        }
                    }
                    None => self.report_unproved(
                        Rule::DynamicCode,
                        call.range(),
                        "what it has_field_access for is not written here",
                    ),
                }
            }
            Expr::Name(name) if name.id.as_str() == "type" && arguments.len() != 1 => {
                self.report_refused(Rule::DynamicCode, call.range(), "type makes a class of text");
            }
            Expr::Attribute(method) if method.attr.as_str() == "__init__" && is_super(&method.value) => {
                self.allowed_settings.extend(arguments.args.iter().map(Ranged::range));
            }
            Expr::Attribute(method) if method.attr.as_str() == "open" => {
                self.report_refused(
                    Rule::OutsideAccess,
                    method.attr.range(),
                    "open reads or writes what is outside of a strategy",
                );
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

    /// What pandas calls: a function, or a text that names one.
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
            _ => {
                self.report_unproved(Rule::DynamicCode, function.range(), "which function that is, is not written here")
            }
        }
    }

    /// What is assigned to, added to or deleted, in whatever way: its attribute stands in a context that is not reading.
    fn check_attribute_store(&mut self, attribute: &ExprAttribute) {
        let Some(name) = root_expression(&attribute.value).as_name_expr().map(|name| name.id.as_str()) else { return };
        if self.symbols.imported(name).is_some() || self.symbols.defined.contains(name) {
            self.report_refused(
                Rule::Tampering,
                attribute.range(),
                format!("{name} is changed for all code that uses it"),
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
                        "freqtrade waits for no coroutine of a strategy",
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
                        "a class that is made in another way may be anything",
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
            self.report_unproved(Rule::DynamicCode, name.range(), format!("Python calls {name} where nobody sees it"));
        }
        self.check_rebinding(name.as_str(), name.range());
        if DYNAMIC_CODE_BUILTINS.contains(name.as_str()) || OUTSIDE_ACCESS_BUILTINS.contains(name.as_str()) {
            self.report_unproved(Rule::Tampering, name.range(), format!("{name} is Python's own name"));
        }
        for decorator in decorators {
            self.check_decorator(decorator);
        }
    }

    /// What freqtrade gives at the start is its configuration, and known here by that name alone.
    fn check_init_parameters(&mut self, method: &StmtFunctionDef) {
        if method.name.as_str() != "__init__" {
            return;
        }
        for parameter in method.parameters.iter().skip(1).filter(|parameter| parameter.name().as_str() != "config") {
            self.report_unproved(
                Rule::OutsideAccess,
                parameter.name().range(),
                "what freqtrade gives is its configuration, which holds the exchange's keys: call it config",
            );
        }
    }

    fn check_decorator(&mut self, decorator: &Decorator) {
        let called = decorator.expression.as_call_expr().map_or(&decorator.expression, |call| &*call.func);
        let name = match called {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => "",
        };
        let is_accessor = matches!(called, Expr::Attribute(_)) && ["setter", "getter", "deleter"].contains(&name);
        let is_bare_wraps =
            name != "wraps" || decorator.expression.as_call_expr().is_some_and(|call| call.arguments.len() == 1);
        let is_known =
            is_accessor || self.symbols.defined.contains(name) || (ALLOWED_DECORATORS.contains(name) && is_bare_wraps);
        if !is_known {
            self.report_unproved(
                Rule::DynamicCode,
                decorator.range(),
                "it may put anything in the place of what follows",
            );
        }
    }
}

impl<'a> Visitor<'a> for SafetyVisitor<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.check_import(alias)),
            Stmt::ImportFrom(import) if import.level > 0 => {
                self.report_unproved(Rule::Import, import.range(), "what lies beside the source is not known");
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
                    "what one call leaves for another makes a backtest unlike a run",
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
                    self.report_refused(Rule::DynamicCode, range, format!("{id} makes code or names of text"));
                } else if OUTSIDE_ACCESS_BUILTINS.contains(id) {
                    self.report_refused(Rule::OutsideAccess, range, format!("{id} reaches outside of a strategy"));
                } else if is_dunder(id) && !ALLOWED_DUNDERS.contains(id) {
                    self.report_refused(Rule::DynamicCode, range, format!("{id} leads around the names of the source"));
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
                    "freqtrade waits for no coroutine of a strategy",
                );
            }
            _ => {}
        }
        // A name that is not called is on its way to be called by another name.
        if let Expr::Call(call) = expression
            && call.func.as_name_expr().is_some_and(|name| ["getattr", "hasattr", "type"].contains(&name.id.as_str()))
        {
            self.visit_arguments(&call.arguments);
            return;
        }
        if let Expr::Name(name) = expression
            && ["getattr", "type"].contains(&name.id.as_str())
        {
            self.report_unproved(Rule::DynamicCode, name.range(), format!("{} may be called by another name", name.id));
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
        // "{0.__class__}".format(…), and names that are put together later.
        if let Some(name) = find_dunder(literal.as_str()) {
            self.report_unproved(
                Rule::DynamicCode,
                literal.range(),
                format!("the text holds {name}, which may be asked for"),
            );
        } else if has_field_access(literal.as_str()) {
            self.report_unproved(
                Rule::DynamicCode,
                literal.range(),
                "a text that is filled in so has_field_access for what is not seen here",
            );
        }
        walk_string_literal(self, literal);
    }
}

pub(crate) fn allowed_names(module: &str) -> Option<&'static NameSet> {
    ALLOWED_MODULE_NAMES.iter().find(|(known, _)| *known == module).map(|(_, names)| names)
}

fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

fn find_dunder(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.find(|word| is_dunder(word) && !ALLOWED_DUNDERS.contains(word))
}

/// What is known of a name, whatever it is asked of.
pub(crate) fn name_verdict(name: &str) -> Option<(Rule, Verdict, String)> {
    let refused = |rule, why: &str| Some((rule, Verdict::Refused, format!("{name} {why}")));
    if IO_NAMES.contains(name) || name.starts_with("read_") {
        refused(Rule::OutsideAccess, "reads or writes what is outside of a strategy")
    } else if name.starts_with("to_") && !IN_MEMORY_CONVERSIONS.contains(name) {
        Some((Rule::OutsideAccess, Verdict::Unproved, format!("{name} may write what is outside of a strategy")))
    } else if DYNAMIC_CODE_NAMES.contains(name) {
        refused(Rule::DynamicCode, "makes code of text, or leads to where code runs")
    } else if let Some((_, why)) = INTERNAL_NAMES.iter().find(|(inside, _)| *inside == name) {
        Some((Rule::OutsideAccess, Verdict::Unproved, format!("{name}: {why}")))
    } else if is_dunder(name) && !ALLOWED_DUNDERS.contains(name) {
        refused(Rule::DynamicCode, "leads around the names of the source")
    } else {
        None
    }
}

/// `{0.config}`, `{pair[key]}`
fn has_field_access(text: &str) -> bool {
    text.split('{').skip(1).any(|field| {
        let after = field.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        after.starts_with(['.', '[']) && !after[1..].starts_with(|c: char| c.is_ascii_digit())
    })
}

/// `super()`
pub(crate) fn is_super(expression: &Expr) -> bool {
    let called = expression.as_call_expr().and_then(|call| call.func.as_name_expr());
    called.is_some_and(|name| name.id.as_str() == "super")
}

/// `a` of `a.b[c].d`
pub(crate) fn root_expression(expression: &Expr) -> &Expr {
    match expression {
        Expr::Attribute(attribute) => root_expression(&attribute.value),
        Expr::Subscript(subscript) => root_expression(&subscript.value),
        other => other,
    }
}
