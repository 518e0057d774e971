//! Whether a source uses a candle before it is there: in a backtest all of them are, and in trading none.
//!
//! Freqtrade computes indicators and signals over whole columns, in the populate methods and in what is decorated as informative.
//! There the rules are certain; in other functions, which may be called from these, they are doubts. Callbacks such as
//! `custom_stoploss` are called candle by candle, and may ask for the last one.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{
    Arguments, Comprehension, Expr, ExprCall, ExprSubscript, ModModule, Operator, Stmt, StmtFunctionDef, UnaryOp,
};
use ruff_text_size::{Ranged, TextRange};

use crate::finding::{Finding, Rule, Source, Verdict};
use crate::flow::{loads, made_of};
use crate::names::{
    BUILTINS_THAT_TAKE_OUT, CALLBACKS, CALLS_BY_NAME, LOOKS_FORWARD, OF_A_COLUMN, OF_NOW, REORDERS, SHIFTS, TAKES_OUT,
    WINDOWS,
};
use crate::safety::root;
use crate::structure::whole;

const BESIDE: &str = "after this a value may stand beside an earlier candle";

pub(crate) fn findings(source: &Source<'_>, module: &ModModule) -> Vec<Finding> {
    let mut constants = Constants::default();
    constants.visit_body(&module.body);
    let constants = constants.0.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let mut reader = Reader {
        source,
        findings: Vec::new(),
        constants,
        scope: Scope::Helper,
        data: BTreeSet::new(),
        windows: BTreeSet::new(),
    };
    reader.visit_body(&module.body);
    reader.findings
}

/// Names that one number is bound to, once.
#[derive(Default)]
struct Constants<'a>(BTreeMap<&'a str, Option<i64>>);

impl<'a> Constants<'a> {
    fn bind(&mut self, target: &'a Expr, value: Option<i64>) {
        if let Expr::Name(name) = target {
            self.0.entry(name.id.as_str()).and_modify(|known| *known = None).or_insert(value);
        }
    }
}

impl<'a> Visitor<'a> for Constants<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assignment) => {
                let value = whole(&assignment.value);
                assignment.targets.iter().for_each(|target| self.bind(target, value));
            }
            Stmt::AnnAssign(assignment) => self.bind(&assignment.target, assignment.value.as_deref().and_then(whole)),
            Stmt::AugAssign(assignment) => self.bind(&assignment.target, None),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        // Loops, walruses, unpacking, parameters: whatever else binds a name makes it another number each time.
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

#[derive(Clone, Copy, Eq, PartialEq)]
enum Scope {
    /// Whole columns are computed here.
    Columns,
    /// May be called from there.
    Helper,
    Callback,
}

struct Reader<'a> {
    source: &'a Source<'a>,
    findings: Vec<Finding>,
    constants: BTreeMap<&'a str, i64>,
    scope: Scope,
    /// Names of this function that hold candles, or something made of them.
    data: BTreeSet<&'a str>,
    /// Names that hold one window of candles: what is taken of all of it was there.
    windows: BTreeSet<&'a str>,
}

impl<'a> Reader<'a> {
    fn certain(&mut self, range: TextRange, why: impl Into<String>) {
        let verdict = match self.scope {
            Scope::Columns => Verdict::Refused,
            Scope::Helper => Verdict::Unproved,
            Scope::Callback => return,
        };
        self.findings.push(self.source.finding(Rule::LookAhead, verdict, range, why));
    }

    fn doubt(&mut self, range: TextRange, why: impl Into<String>) {
        if self.scope != Scope::Callback {
            self.findings.push(self.source.finding(Rule::LookAhead, Verdict::Unproved, range, why));
        }
    }

    fn scope_of(&self, function: &StmtFunctionDef) -> Scope {
        let name = function.name.as_str();
        let is_informative = function.decorator_list.iter().any(|decorator| {
            let called = decorator.expression.as_call_expr().map_or(&decorator.expression, |call| &*call.func);
            match called {
                Expr::Name(name) => name.id.as_str() == "informative",
                Expr::Attribute(attribute) => attribute.attr.as_str() == "informative",
                _ => false,
            }
        });
        if name.starts_with("populate_") || is_informative {
            Scope::Columns
        } else if CALLBACKS.has(name) {
            Scope::Callback
        } else if self.scope == Scope::Helper {
            Scope::Helper
        } else {
            // Within another: for the same candles.
            self.scope
        }
    }

    fn number(&self, expression: &Expr) -> Option<i64> {
        match expression {
            Expr::Name(name) => self.constants.get(name.id.as_str()).copied(),
            Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => self.number(&unary.operand)?.checked_neg(),
            other => whole(other),
        }
    }

    fn call(&mut self, call: &'a ExprCall) {
        let arguments = &call.arguments;
        let method = match &*call.func {
            Expr::Attribute(method) => method,
            Expr::Name(name) => return self.built_in(name.id.as_str(), call),
            _ => return,
        };
        let (name, range) = (method.attr.as_str(), method.attr.range());
        match name {
            _ if SHIFTS.has(name) => self.shifted(name, range, arguments),
            "fillna" => self.filled(range, arguments),
            "rolling" => match keyword(arguments, "center") {
                None => {}
                Some(Expr::BooleanLiteral(centred)) if !centred.value => {}
                Some(_) => self.certain(range, "a centred window has later candles in it"),
            },
            "merge_asof" => match keyword(arguments, "direction").map(Expr::as_string_literal_expr) {
                None => {}
                Some(Some(direction)) if direction.value.to_str() == "backward" => {}
                Some(_) => self.certain(range, "merge_asof takes what is later unless its direction is backward"),
            },
            "drop" if keyword(arguments, "columns").is_none() && !is_of_rows(arguments) => {
                self.doubt(range, "without some candles, others come to stand in their places");
            }
            "rename" if keyword(arguments, "index").is_some() => {
                self.doubt(range, "by another index a value may come to stand beside another candle");
            }
            "set_index" if !arguments.args.first().is_some_and(Expr::is_string_literal_expr) => {
                self.doubt(range, "by another index a value may come to stand beside another candle");
            }
            _ if CALLS_BY_NAME.has(name) => {
                let is_windowed = self.is_windowed(&method.value);
                arguments.args.iter().for_each(|argument| self.called_by_name(argument, is_windowed));
                arguments.keywords.iter().for_each(|keyword| self.called_by_name(&keyword.value, is_windowed));
            }
            // numpy's: a list's own have fewer arguments.
            "append" | "delete" if arguments.len() > 1 => self.doubt(range, BESIDE),
            "insert" if arguments.len() > 2 => self.doubt(range, BESIDE),
            _ if OF_A_COLUMN.has(name) && !is_of_rows(arguments) => {
                let values = arguments.args.iter().chain(arguments.keywords.iter().map(|keyword| &keyword.value));
                let is_of_window =
                    values.clone().next().is_some() && values.clone().all(|value| self.is_of_window(value));
                if !self.is_windowed(&method.value) && !is_of_window {
                    self.certain(range, format!("{name} of all candles knows later ones; take it of a rolling window"));
                }
            }
            _ => {}
        }
    }

    fn built_in(&mut self, name: &str, call: &'a ExprCall) {
        let mut arguments = call.arguments.args.iter();
        let is_of_data = |reader: &Self, argument: &Expr| reader.is_data(argument) && !reader.is_of_window(argument);
        match name {
            "max" | "min" | "sum"
                if call.arguments.len() == 1 && arguments.any(|argument| is_of_data(self, argument)) =>
            {
                self.doubt(call.range(), format!("{name} of all candles would know later ones"));
            }
            "getattr" => {
                if let Some(asked) = call.arguments.args.get(1).and_then(Expr::as_string_literal_expr) {
                    self.named(asked.value.to_str(), asked.range());
                }
            }
            _ if BUILTINS_THAT_TAKE_OUT.has(name) && arguments.any(|argument| is_of_data(self, argument)) => {
                self.doubt(
                    call.range(),
                    format!("{name} takes values from their candles; which is beside which cannot be seen"),
                );
            }
            _ => {}
        }
    }

    /// `agg("mean")`: what a text or a list of texts names, or what is done with each window.
    fn called_by_name(&mut self, function: &'a Expr, is_windowed: bool) {
        match function {
            Expr::StringLiteral(text) if OF_A_COLUMN.has(text.value.to_str()) => {
                let why = format!("{} of all candles knows later ones", text.value.to_str());
                if !is_windowed {
                    self.certain(text.range(), why);
                }
            }
            Expr::StringLiteral(text) => self.named(text.value.to_str(), text.range()),
            Expr::List(list) => list.elts.iter().for_each(|function| self.called_by_name(function, is_windowed)),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|function| self.called_by_name(function, is_windowed)),
            Expr::Dict(dict) => dict.items.iter().for_each(|item| self.called_by_name(&item.value, is_windowed)),
            Expr::Lambda(lambda) => {
                let parameters = lambda.parameters.iter().flat_map(|parameters| parameters.iter());
                let names: Vec<&str> = parameters.map(|parameter| parameter.name().as_str()).collect();
                self.data.extend(names.iter().copied());
                if is_windowed {
                    self.windows.extend(names);
                }
            }
            _ => {}
        }
    }

    /// A method that is named and not called here: with what, is not seen.
    fn named(&mut self, name: &str, range: TextRange) {
        if SHIFTS.has(name) || OF_A_COLUMN.has(name) {
            self.doubt(range, format!("{name} is not called here; whether it looks forward cannot be seen"));
        }
        self.asked(name, range);
    }

    /// What is asked of something, called or not.
    fn asked(&mut self, name: &str, range: TextRange) {
        if let Some((_, why)) = LOOKS_FORWARD.iter().find(|(forward, _)| *forward == name) {
            self.certain(range, format!("{name}: {why}"));
        } else if REORDERS.has(name) {
            self.doubt(range, BESIDE);
        } else if TAKES_OUT.has(name) {
            self.doubt(range, format!("{name} takes values from their candles; which is beside which cannot be seen"));
        } else if OF_NOW.has(name) && self.scope == Scope::Columns {
            self.doubt(range, format!("{name} is of now, whichever candle is looked at"));
        } else if name == "fibonacci_retracements" {
            self.doubt(range, "without a window it knows the highest and lowest of all candles");
        }
    }

    fn shifted(&mut self, name: &str, range: TextRange, arguments: &Arguments) {
        let periods = arguments.args.first().or_else(|| keyword(arguments, "periods"));
        let spread = arguments.args.iter().any(Expr::is_starred_expr)
            || arguments.keywords.iter().any(|keyword| keyword.arg.is_none());
        match periods.map(|periods| (periods, self.number(periods))) {
            None if !spread => {}
            Some((_, Some(periods))) if periods >= 0 && !spread => {}
            Some((_, Some(periods))) if periods < 0 => {
                self.certain(
                    range,
                    format!("{name}({periods}) takes what comes {} candles later", periods.unsigned_abs()),
                );
            }
            Some((Expr::UnaryOp(unary), None)) if unary.op == UnaryOp::USub => {
                self.certain(range, format!("{name} by a negative number takes what comes later"));
            }
            _ => self.doubt(
                range,
                format!("how far {name} reaches is not written here; by a negative number it takes what comes later"),
            ),
        }
    }

    fn filled(&mut self, range: TextRange, arguments: &Arguments) {
        let method = keyword(arguments, "method");
        match method.and_then(Expr::as_string_literal_expr).map(|text| text.value.to_str()) {
            Some("bfill" | "backfill") => self.certain(range, "it fills a gap with what came later"),
            None if method.is_some_and(|method| !method.is_none_literal_expr()) => {
                self.doubt(range, "how it fills a gap is not written here");
            }
            _ => {}
        }
    }

    /// `x[…]`, `x.iloc[…]`
    fn subscript(&mut self, subscript: &ExprSubscript) {
        if !self.is_data(&subscript.value) || self.is_of_window(&subscript.value) {
            return;
        }
        let by = subscript.value.as_attribute_expr().map(|by| by.attr.as_str());
        let indices: &[Expr] = match &*subscript.slice {
            Expr::Tuple(tuple) => &tuple.elts,
            one => std::slice::from_ref(one),
        };
        // `x.loc[rows, columns]`
        let places = if by.is_some_and(|by| ["at", "iat", "iloc", "loc"].contains(&by)) { 1 } else { indices.len() };
        let is_by_place = by.is_some_and(|by| ["iat", "iloc"].contains(&by));
        for index in indices.iter().take(places) {
            self.index(index, is_by_place);
        }
    }

    fn index(&mut self, index: &Expr, is_by_place: bool) {
        let range = index.range();
        match index {
            Expr::Slice(slice) => {
                let number = |bound: &Option<Box<Expr>>| bound.as_ref().map(|bound| self.number(bound));
                let (lower, upper, step) = (number(&slice.lower), number(&slice.upper), number(&slice.step));
                if matches!(step, Some(Some(step)) if step < 0) {
                    self.certain(range, "backwards, later candles come first");
                } else if [lower, upper].iter().any(|bound| matches!(bound, Some(Some(bound)) if *bound < 0)) {
                    self.certain(range, "places counted from the end are of later candles");
                } else if lower.is_some_and(|lower| lower != Some(0)) || upper == Some(None) || step.is_some() {
                    self.doubt(range, "of a part, a value may come to stand beside an earlier candle");
                }
            }
            // Which rows, or by which name.
            Expr::StringLiteral(_) | Expr::FString(_) | Expr::List(_) | Expr::Compare(_) | Expr::BooleanLiteral(_) => {}
            _ => match self.number(index) {
                Some(place) if place < 0 => self.certain(range, "the last candles are there whichever is looked at"),
                Some(_) => {}
                None if is_by_place => self.doubt(range, "which candle that is, is not written here"),
                None if is_sum(index) && !is_text(index) => {
                    self.doubt(range, "a row beside another may be a later one");
                }
                None => {}
            },
        }
    }

    /// Whether something is made of candles.
    fn is_data(&self, expression: &Expr) -> bool {
        loads(expression).iter().any(|name| self.data.contains(name))
    }

    /// Whether something is made of one window of candles, and of no more of them.
    fn is_of_window(&self, expression: &Expr) -> bool {
        let names = loads(expression);
        let mut of_data = names.iter().filter(|name| self.data.contains(*name));
        !self.windows.is_empty() && of_data.all(|name| self.windows.contains(name))
    }

    /// The parameters of a function, and what is made of them in it, directly or not.
    fn data_of(&self, function: &'a StmtFunctionDef) -> BTreeSet<&'a str> {
        let mut data = self.data.clone();
        let parameters = function.parameters.iter().map(|parameter| parameter.name().as_str());
        data.extend(parameters.filter(|name| !["cls", "metadata", "self"].contains(name)));
        made_of(&function.body, data)
    }

    /// Whether a window was taken somewhere before: `x.rolling(5).mean()`.
    fn is_windowed(&self, receiver: &Expr) -> bool {
        match receiver {
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method) => WINDOWS.has(method.attr.as_str()) || self.is_windowed(&method.value),
                _ => false,
            },
            Expr::Attribute(attribute) => self.is_windowed(&attribute.value),
            Expr::Subscript(subscript) => self.is_windowed(&subscript.value),
            _ => false,
        }
    }
}

impl<'a> Visitor<'a> for Reader<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                let data = self.data_of(function);
                let outer = (self.scope, std::mem::replace(&mut self.data, data));
                self.scope = self.scope_of(function);
                walk_stmt(self, statement);
                (self.scope, self.data) = outer;
                return;
            }
            Stmt::For(each) => self.each(&each.iter),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) => {
                self.call(call);
                if let Expr::Attribute(method) = &*call.func
                    && self.is_seen(method.attr.as_str(), call)
                {
                    self.visit_expr(&method.value);
                    self.visit_arguments(&call.arguments);
                    return;
                }
            }
            Expr::Subscript(subscript) => self.subscript(subscript),
            Expr::Attribute(attribute) if attribute.ctx.is_load() => {
                let name = attribute.attr.as_str();
                // "x".join
                if !root(&attribute.value).is_string_literal_expr() && !self.is_of_window(&attribute.value) {
                    self.named(name, attribute.attr.range());
                }
            }
            Expr::Attribute(attribute) if attribute.attr.as_str() == "index" && self.is_data(&attribute.value) => {
                self.doubt(attribute.attr.range(), "by another index a value may come to stand beside another candle");
            }
            Expr::StringLiteral(text) if text.value.to_str().contains("chikou") => {
                self.certain(text.range(), "the lagging span is the close of candles that came later");
            }
            Expr::ListComp(comprehension) => self.each_of(&comprehension.generators),
            Expr::SetComp(comprehension) => self.each_of(&comprehension.generators),
            Expr::DictComp(comprehension) => self.each_of(&comprehension.generators),
            Expr::Generator(comprehension) => self.each_of(&comprehension.generators),
            _ => {}
        }
        walk_expr(self, expression);
    }
}

impl Reader<'_> {
    /// Whether a call is told all about by [`Reader::call`], or has nothing to do with candles.
    fn is_seen(&self, method: &str, call: &ExprCall) -> bool {
        let has_data = || call.arguments.args.iter().any(|argument| self.is_data(argument));
        SHIFTS.has(method) || OF_A_COLUMN.has(method) || (["array", "asarray"].contains(&method) && !has_data())
    }

    fn each_of(&mut self, generators: &[Comprehension]) {
        generators.iter().for_each(|generator| self.each(&generator.iter));
    }

    fn each(&mut self, iterated: &Expr) {
        if self.is_data(iterated) && !self.is_of_window(iterated) && !iterated.is_call_expr() {
            self.doubt(
                iterated.range(),
                "one by one, values leave their candles; which is beside which cannot be seen",
            );
        }
    }
}

fn keyword<'e>(arguments: &'e Arguments, name: &str) -> Option<&'e Expr> {
    let is_it = |keyword: &&ruff_python_ast::Keyword| keyword.arg.as_ref().is_some_and(|arg| arg.as_str() == name);
    arguments.keywords.iter().find(is_it).map(|keyword| &keyword.value)
}

/// Across the columns of one candle.
fn is_of_rows(arguments: &Arguments) -> bool {
    match keyword(arguments, "axis") {
        Some(Expr::StringLiteral(text)) => text.value.to_str() == "columns",
        Some(axis) => whole(axis) == Some(1),
        None => false,
    }
}

fn is_sum(expression: &Expr) -> bool {
    matches!(expression, Expr::BinOp(sum) if matches!(sum.op, Operator::Add | Operator::Sub))
}

/// `"ema_" + period`
fn is_text(expression: &Expr) -> bool {
    match expression {
        Expr::StringLiteral(_) | Expr::FString(_) => true,
        Expr::BinOp(sum) => is_text(&sum.left) || is_text(&sum.right),
        _ => false,
    }
}
