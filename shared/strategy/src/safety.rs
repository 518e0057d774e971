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
use crate::names::{
    CALLS_BY_NAME, DANGEROUS, DECORATORS, DYNAMIC, HARMLESS_CONVERSIONS, HARMLESS_DUNDERS, HARMLESS_NAMES,
    HARMLESS_SETTINGS, INSIDES, MAKES_CODE, MODULES, OUTSIDE, OWN_METHODS, READS_OR_WRITES, Words,
};
use crate::own::{Own, bound, bound_from, is_itself};

pub(crate) fn findings(source: &Source<'_>, module: &ModModule, own: &Own<'_>) -> Vec<Finding> {
    let mut reader =
        Reader { source, findings: Vec::new(), own, known_settings: HashSet::new(), asked_of: HashSet::new() };
    reader.visit_body(&module.body);
    reader.findings
}

struct Reader<'a> {
    source: &'a Source<'a>,
    findings: Vec<Finding>,
    own: &'a Own<'a>,
    /// Where freqtrade's configuration is only handed on, or asked for one harmless setting by its name.
    known_settings: HashSet<TextRange>,
    /// Where a name stands only to be asked for something.
    asked_of: HashSet<TextRange>,
}

impl Reader<'_> {
    fn refuse(&mut self, rule: Rule, range: TextRange, why: impl Into<String>) {
        self.findings.push(self.source.finding(rule, Verdict::Refused, range, why));
    }

    fn doubt(&mut self, rule: Rule, range: TextRange, why: impl Into<String>) {
        self.findings.push(self.source.finding(rule, Verdict::Unproved, range, why));
    }

    fn import(&mut self, alias: &Alias) {
        self.binds(bound(alias), alias.range());
        self.module(alias.name.as_str(), alias.range());
    }

    /// By one name everything is asked of one module.
    fn binds(&mut self, (name, module): (&str, String), range: TextRange) {
        if self.own.imported(name) != Some(module.as_str()) {
            self.doubt(Rule::Import, range, format!("{name} is the name of something else too"));
        }
    }

    fn module(&mut self, module: &str, range: TextRange) {
        if let Some(part) = module.split('.').find(|part| DANGEROUS.has(part)) {
            self.refuse(Rule::Import, range, format!("{part} reaches outside of a strategy"));
        } else if !MODULES.has(module) {
            self.doubt(Rule::Import, range, format!("{module} is not among the modules that are known to be harmless"));
        }
    }

    fn import_from(&mut self, module: &str, alias: &Alias) {
        let name = alias.name.as_str();
        if name == "*" {
            self.doubt(
                Rule::Import,
                alias.range(),
                format!("what {module} has in it cannot be known; name what is needed"),
            );
            return;
        }
        let bound = bound_from(module, alias);
        // What a known module is not in itself, is one of its names.
        if MODULES.has(module) && !MODULES.has(bound.1.as_str()) {
            self.name_of(module, name, alias.range());
            self.attribute(name, alias.range());
            if name.starts_with('_') {
                self.doubt(Rule::Import, alias.range(), format!("{name} is an inner part of {module}"));
            }
        }
        self.binds(bound, alias.range());
    }

    /// Modules often have others among their names.
    fn name_of_a_module(&mut self, name: &str, range: TextRange) {
        if DANGEROUS.has(name) {
            self.refuse(Rule::OutsideAccess, range, format!("{name} reaches outside of a strategy"));
        }
    }

    /// What is asked of a module that also has what is not harmless.
    fn name_of(&mut self, module: &str, name: &str, range: TextRange) {
        let harmless = harmless_names(module);
        if DANGEROUS.has(name) {
            self.name_of_a_module(name, range);
        } else if harmless.is_some_and(|names| !names.has(name)) && judged(name).is_none() {
            self.doubt(Rule::Import, range, format!("{name} of {module} is not among what is known to be harmless"));
        }
    }

    /// A name is known by what was imported by it, and by nothing else.
    fn rebound(&mut self, name: &str, range: TextRange) {
        if self.own.imported(name).is_some() {
            self.doubt(Rule::Tampering, range, format!("{name} is the name of something else from here on"));
        }
    }

    /// By another name it would be asked for what is not seen here.
    fn module_by_name(&mut self, name: &str, range: TextRange) {
        let is_module = self.own.imported(name).is_some_and(|module| harmless_names(module).is_some());
        if is_module && !self.asked_of.contains(&range) {
            self.doubt(Rule::DynamicCode, range, format!("{name} may be asked by another name"));
        }
    }

    /// What is asked of something, whatever that is.
    fn attribute(&mut self, name: &str, range: TextRange) {
        if let Some((rule, verdict, why)) = judged(name) {
            self.findings.push(self.source.finding(rule, verdict, range, why));
        }
    }

    fn asked(&mut self, attribute: &ExprAttribute) {
        let (name, range) = (attribute.attr.as_str(), attribute.attr.range());
        let of = attribute.value.as_name_expr().map(|name| name.id.as_str());
        let is_of_itself = is_itself(&attribute.value);
        if !attribute.ctx.is_load() {
            self.target(attribute);
        }
        if !is_of_itself || !(self.own.defined.contains(name) || self.own.fields.contains(name)) {
            match of.and_then(|of| self.own.imported(of)) {
                Some(module) => self.name_of(module, name, range),
                None => self.name_of_a_module(name, range),
            }
            self.attribute(name, range);
        }
        self.settings(name, attribute.range(), range);
        if name == "format" && !attribute.value.is_string_literal_expr() {
            self.doubt(Rule::DynamicCode, range, "a text that is not written here may ask for anything");
        }
        let is_inner = if is_of_itself { name.starts_with("ft_") } else { name.starts_with('_') && !is_dunder(name) };
        if is_inner {
            self.doubt(Rule::DynamicCode, range, format!("{name} is an inner part of something else"));
        }
    }

    /// A setting of freqtrade's, unless it is certain to be none of the exchange's keys.
    fn setting(&mut self, settings: &Expr, name: Option<&Expr>) {
        let name = name.and_then(Expr::as_string_literal_expr);
        if name.is_some_and(|name| HARMLESS_SETTINGS.has(name.value.to_str())) {
            self.known_settings.insert(settings.range());
        }
    }

    /// `self.config`, or what `__init__` gets.
    fn settings(&mut self, name: &str, range: TextRange, name_range: TextRange) {
        if name == "config" && !self.known_settings.contains(&range) {
            self.doubt(
                Rule::OutsideAccess,
                name_range,
                "freqtrade's configuration holds the exchange's keys; name the setting",
            );
        }
    }

    fn call(&mut self, call: &ExprCall) {
        let arguments = &call.arguments;
        match &*call.func {
            Expr::Name(name) if name.id.as_str() == "getattr" || name.id.as_str() == "hasattr" => {
                self.asked_of.extend(arguments.args.first().map(Ranged::range));
                match arguments.args.get(1).and_then(Expr::as_string_literal_expr) {
                    Some(text) => {
                        let asked = text.value.to_str();
                        self.attribute(asked, text.range());
                        self.name_of_a_module(asked, text.range());
                        self.settings(asked, text.range(), text.range());
                        let module = arguments.args.first().and_then(Expr::as_name_expr);
                        if let Some(module) = module.and_then(|module| self.own.imported(module.id.as_str())) {
                            self.name_of(module, asked, text.range());
                        }
                    }
                    None => self.doubt(Rule::DynamicCode, call.range(), "what it asks for is not written here"),
                }
            }
            Expr::Name(name) if name.id.as_str() == "type" && arguments.len() != 1 => {
                self.refuse(Rule::DynamicCode, call.range(), "type makes a class of text");
            }
            Expr::Attribute(method) if method.attr.as_str() == "__init__" && is_super(&method.value) => {
                self.known_settings.extend(arguments.args.iter().map(Ranged::range));
            }
            Expr::Attribute(method) if method.attr.as_str() == "open" => {
                self.refuse(
                    Rule::OutsideAccess,
                    method.attr.range(),
                    "open reads or writes what is outside of a strategy",
                );
            }
            Expr::Attribute(method) if method.attr.as_str() == "get" => {
                self.setting(&method.value, arguments.args.first());
            }
            Expr::Attribute(method) if CALLS_BY_NAME.has(method.attr.as_str()) => {
                let function =
                    arguments.args.first().or_else(|| arguments.find_keyword("func").map(|keyword| &keyword.value));
                if let Some(function) = function {
                    self.called_by_name(function);
                }
            }
            _ => {}
        }
    }

    /// What pandas calls: a function, or a text that names one.
    fn called_by_name(&mut self, function: &Expr) {
        match function {
            Expr::StringLiteral(text) => self.attribute(text.value.to_str(), text.range()),
            Expr::List(list) => list.elts.iter().for_each(|function| self.called_by_name(function)),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|function| self.called_by_name(function)),
            Expr::Dict(dict) => dict.items.iter().for_each(|item| self.called_by_name(&item.value)),
            Expr::Lambda(_) | Expr::Attribute(_) => {}
            Expr::Name(name)
                if self.own.defined.contains(name.id.as_str()) || self.own.imported(name.id.as_str()).is_some() => {}
            Expr::Name(name)
                if ["float", "int", "len", "list", "max", "min", "str", "sum"].contains(&name.id.as_str()) => {}
            _ => self.doubt(Rule::DynamicCode, function.range(), "which function that is, is not written here"),
        }
    }

    /// What is assigned to, added to or deleted, in whatever way: its attribute stands in a context that is not reading.
    fn target(&mut self, attribute: &ExprAttribute) {
        let Some(name) = root(&attribute.value).as_name_expr().map(|name| name.id.as_str()) else { return };
        if self.own.imported(name).is_some() || self.own.defined.contains(name) {
            self.refuse(Rule::Tampering, attribute.range(), format!("{name} is changed for all code that uses it"));
        }
    }

    fn class_or_function(&mut self, statement: &Stmt) {
        let (name, decorators) = match statement {
            Stmt::FunctionDef(function) => {
                if function.is_async {
                    self.doubt(
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
                    self.doubt(
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
            class.body.iter().filter_map(Stmt::as_function_def_stmt).for_each(|method| self.initialised(method));
        }
        if is_dunder(name.as_str()) && !OWN_METHODS.has(name.as_str()) {
            self.doubt(Rule::DynamicCode, name.range(), format!("Python calls {name} where nobody sees it"));
        }
        self.rebound(name.as_str(), name.range());
        if DYNAMIC.has(name.as_str()) || OUTSIDE.has(name.as_str()) {
            self.doubt(Rule::Tampering, name.range(), format!("{name} is Python's own name"));
        }
        for decorator in decorators {
            self.decorator(decorator);
        }
    }

    /// What freqtrade gives at the start is its configuration, and known here by that name alone.
    fn initialised(&mut self, method: &StmtFunctionDef) {
        if method.name.as_str() != "__init__" {
            return;
        }
        for parameter in method.parameters.iter().skip(1).filter(|parameter| parameter.name().as_str() != "config") {
            self.doubt(
                Rule::OutsideAccess,
                parameter.name().range(),
                "what freqtrade gives is its configuration, which holds the exchange's keys: call it config",
            );
        }
    }

    fn decorator(&mut self, decorator: &Decorator) {
        let called = decorator.expression.as_call_expr().map_or(&decorator.expression, |call| &*call.func);
        let name = match called {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => "",
        };
        let is_accessor = matches!(called, Expr::Attribute(_)) && ["setter", "getter", "deleter"].contains(&name);
        let is_bare_wraps =
            name != "wraps" || decorator.expression.as_call_expr().is_some_and(|call| call.arguments.len() == 1);
        let is_known = is_accessor || self.own.defined.contains(name) || (DECORATORS.has(name) && is_bare_wraps);
        if !is_known {
            self.doubt(Rule::DynamicCode, decorator.range(), "it may put anything in the place of what follows");
        }
    }
}

impl<'a> Visitor<'a> for Reader<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.import(alias)),
            Stmt::ImportFrom(import) if import.level > 0 => {
                self.doubt(Rule::Import, import.range(), "what lies beside the source is not known");
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                self.module(module, import.module.as_ref().map_or(import.range(), Ranged::range));
                import.names.iter().for_each(|alias| self.import_from(module, alias));
            }
            Stmt::Global(global) => {
                self.doubt(
                    Rule::Tampering,
                    global.range(),
                    "what one call leaves for another makes a backtest unlike a run",
                );
            }
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => self.class_or_function(statement),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => {
                let (id, range) = (name.id.as_str(), name.range());
                if DYNAMIC.has(id) {
                    self.refuse(Rule::DynamicCode, range, format!("{id} makes code or names of text"));
                } else if OUTSIDE.has(id) {
                    self.refuse(Rule::OutsideAccess, range, format!("{id} reaches outside of a strategy"));
                } else if is_dunder(id) && !HARMLESS_DUNDERS.has(id) {
                    self.refuse(Rule::DynamicCode, range, format!("{id} leads around the names of the source"));
                } else if name.ctx.is_load() {
                    self.settings(id, range, range);
                    self.module_by_name(id, range);
                } else {
                    self.rebound(id, range);
                }
            }
            Expr::Attribute(attribute) => {
                self.asked_of.insert(attribute.value.range());
                self.asked(attribute);
            }
            Expr::Subscript(subscript) => self.setting(&subscript.value, Some(&subscript.slice)),
            Expr::Call(call) => self.call(call),
            Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) => {
                self.doubt(Rule::OutsideAccess, expression.range(), "freqtrade waits for no coroutine of a strategy");
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
            self.doubt(Rule::DynamicCode, name.range(), format!("{} may be called by another name", name.id));
        }
        walk_expr(self, expression);
    }

    fn visit_parameter(&mut self, parameter: &'a Parameter) {
        self.rebound(parameter.name.as_str(), parameter.name.range());
        walk_parameter(self, parameter);
    }

    fn visit_pattern_keyword(&mut self, keyword: &'a PatternKeyword) {
        let (name, range) = (keyword.attr.as_str(), keyword.attr.range());
        self.attribute(name, range);
        self.name_of_a_module(name, range);
        self.settings(name, range, range);
        walk_pattern_keyword(self, keyword);
    }

    fn visit_string_literal(&mut self, literal: &'a StringLiteral) {
        // "{0.__class__}".format(…), and names that are put together later.
        if let Some(name) = dunder_in(literal.as_str()) {
            self.doubt(Rule::DynamicCode, literal.range(), format!("the text holds {name}, which may be asked for"));
        } else if asks(literal.as_str()) {
            self.doubt(
                Rule::DynamicCode,
                literal.range(),
                "a text that is filled in so asks for what is not seen here",
            );
        }
        walk_string_literal(self, literal);
    }
}

pub(crate) fn harmless_names(module: &str) -> Option<&'static Words> {
    HARMLESS_NAMES.iter().find(|(known, _)| *known == module).map(|(_, names)| names)
}

fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

fn dunder_in(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.find(|word| is_dunder(word) && !HARMLESS_DUNDERS.has(word))
}

/// What is known of a name, whatever it is asked of.
pub(crate) fn judged(name: &str) -> Option<(Rule, Verdict, String)> {
    let refused = |rule, why: &str| Some((rule, Verdict::Refused, format!("{name} {why}")));
    if READS_OR_WRITES.has(name) || name.starts_with("read_") {
        refused(Rule::OutsideAccess, "reads or writes what is outside of a strategy")
    } else if name.starts_with("to_") && !HARMLESS_CONVERSIONS.has(name) {
        Some((Rule::OutsideAccess, Verdict::Unproved, format!("{name} may write what is outside of a strategy")))
    } else if MAKES_CODE.has(name) {
        refused(Rule::DynamicCode, "makes code of text, or leads to where code runs")
    } else if let Some((_, why)) = INSIDES.iter().find(|(inside, _)| *inside == name) {
        Some((Rule::OutsideAccess, Verdict::Unproved, format!("{name}: {why}")))
    } else if is_dunder(name) && !HARMLESS_DUNDERS.has(name) {
        refused(Rule::DynamicCode, "leads around the names of the source")
    } else {
        None
    }
}

/// `{0.config}`, `{pair[key]}`
fn asks(text: &str) -> bool {
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
pub(crate) fn root(expression: &Expr) -> &Expr {
    match expression {
        Expr::Attribute(attribute) => root(&attribute.value),
        Expr::Subscript(subscript) => root(&subscript.value),
        other => other,
    }
}
