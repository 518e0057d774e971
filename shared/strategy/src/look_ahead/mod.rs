//! Whether a source uses a candle before it is there: in a backtest all of them are, and in trading none.
//!
//! Freqtrade computes indicators and signals over whole columns, in the populate methods and in what is decorated as informative.
//! There the rules are certain; in other functions, which may be called from these, they are doubts. Callbacks such as
//! `custom_stoploss` are called candle by candle, and may ask for the last one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{
    Arguments, Comprehension, Expr, ExprAttribute, ExprCall, ExprLambda, ExprSubscript, ModModule, Operator, Stmt,
    StmtFunctionDef, UnaryOp,
};
use ruff_text_size::{Ranged, TextRange};

use crate::bindings::{Bindings, is_boolean_reduce};
use crate::data_flow::{derived_names, is_merge, loaded_names};
use crate::finding::{Finding, Rule, Source, Verdict};
use crate::known_names::{
    CALL_BY_NAME_METHODS, CALLBACKS, CANDLE_SOURCES, CAUSAL_BUILTINS, CAUSAL_NAMES, COLUMN_AGGREGATES,
    DETACHING_BUILTINS, DETACHING_NAMES, FORWARD_LOOKING_NAMES, ITERATING_BUILTINS, LIVE_DATA_NAMES, LOG_METHODS,
    MATH_AGGREGATES, MERGE_FUNCTION, REORDERING_NAMES, SHIFT_METHODS, VECTORISED_MODULES, WINDOW_METHODS,
};
use crate::safety::{allowed_names, is_super, name_verdict, root_expression};
use crate::structure::integer_literal;
use crate::symbol_table::{SymbolTable, is_self};

const MISALIGNED: &str = "after this a value may stand beside an earlier candle";

pub(crate) fn findings(source: &Source<'_>, module: &ModModule, symbols: &SymbolTable<'_>) -> Vec<Finding> {
    let mut constants = IntegerConstants::default();
    constants.visit_body(&module.body);
    let constants = constants.0.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let mut visitor = LookAheadVisitor {
        source,
        symbols,
        findings: Vec::new(),
        constants,
        scope: Scope::Helper,
        data: CANDLE_SOURCES.iter().collect(),
        bindings: Bindings::default(),
        windows: BTreeSet::new(),
        windowed_functions: HashSet::new(),
        called_functions: HashSet::new(),
        methods: HashSet::new(),
    };
    visitor.visit_body(&module.body);
    visitor.findings
}

/// Names that one number is bound to, once.
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
                self.bind(&assignment.target, assignment.value.as_deref().and_then(integer_literal))
            }
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

/// What an index says.
#[derive(Clone, Copy, Eq, PartialEq)]
enum IndexKind {
    /// Which column.
    Name,
    /// Which rows.
    Row,
    /// Where something is put.
    Stored,
}

const ROW_INDEXERS: [&str; 4] = ["at", "iat", "iloc", "loc"];

struct LookAheadVisitor<'a> {
    source: &'a Source<'a>,
    symbols: &'a SymbolTable<'a>,
    findings: Vec<Finding>,
    constants: BTreeMap<&'a str, i64>,
    scope: Scope,
    /// Names of this function that hold candles, or something made of them.
    data: BTreeSet<&'a str>,
    /// What this function's names are bound to.
    bindings: Bindings<'a>,
    /// Names that hold one window of candles: what is taken of all of it was there.
    windows: BTreeSet<&'a str>,
    /// Where there are functions that get one window after the other.
    windowed_functions: HashSet<TextRange>,
    /// Where a function's name stands to be called, or to be given windows.
    called_functions: HashSet<TextRange>,
    /// Where functions are methods, called with their object first.
    methods: HashSet<TextRange>,
}

impl<'a> LookAheadVisitor<'a> {
    fn report_certain(&mut self, range: TextRange, why: impl Into<String>) {
        let verdict = match self.scope {
            Scope::Columns => Verdict::Refused,
            Scope::Helper => Verdict::Unproved,
            Scope::Callback => return,
        };
        self.findings.push(self.source.finding(Rule::LookAhead, verdict, range, why));
    }

    fn report_unproved(&mut self, range: TextRange, why: impl Into<String>) {
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
        } else if CALLBACKS.contains(name) {
            Scope::Callback
        } else if self.scope == Scope::Helper {
            Scope::Helper
        } else {
            // Within another: for the same candles.
            self.scope
        }
    }

    fn integer_value(&self, expression: &Expr) -> Option<i64> {
        match expression {
            Expr::Name(name) => self.constants.get(name.id.as_str()).copied(),
            Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => self.integer_value(&unary.operand)?.checked_neg(),
            other => integer_literal(other),
        }
    }

    fn check_call(&mut self, call: &'a ExprCall) {
        let arguments = &call.arguments;
        let method = match &*call.func {
            Expr::Attribute(method) => method,
            Expr::Name(name) => {
                self.check_function_call(name.id.as_str(), call);
                return self.check_builtin(name.id.as_str(), call);
            }
            _ => return,
        };
        let (name, range) = (method.attr.as_str(), method.attr.range());
        self.check_method_arguments(method, call);
        if !self.is_data(&method.value) || self.module_of(&method.value).is_some() {
            self.check_constructor(name, range, arguments);
        }
        match name {
            _ if SHIFT_METHODS.contains(name) => self.check_shift(name, range, arguments),
            "fillna" => self.check_fill(range, arguments),
            "rolling" if arguments.args.len() > 2 || is_spread(arguments) => {
                self.report_unproved(range, "whether the window is centred cannot be seen");
            }
            "rolling" => match keyword(arguments, "center") {
                None => {}
                Some(Expr::BooleanLiteral(centred)) if !centred.value => {}
                Some(_) => self.report_certain(range, "a centred window has later candles in it"),
            },
            "cumcount" if !arguments.is_empty() => {
                self.report_unproved(range, "counted backwards, it knows how many are to come");
            }
            "replace" if arguments.args.len() > 2 || keyword(arguments, "method").is_some() || is_spread(arguments) => {
                self.report_unproved(range, "how it fills a gap is not written here");
            }
            "get"
                if self.is_data(&method.value)
                    && !arguments.args.first().is_some_and(|name| self.bindings.is_column_name(name)) =>
            {
                self.report_unproved(range, "which candle that is, is not written here");
            }
            "map"
                if self.is_data(&method.value)
                    && arguments.args.first().is_none_or(|map| !map.is_dict_expr() && !self.is_function(map)) =>
            {
                self.report_unproved(range, MISALIGNED);
            }
            "drop" if keyword(arguments, "columns").is_none() && !is_of_rows(arguments) => {
                self.report_unproved(range, "without some candles, others come to stand in their places");
            }
            "rename" if keyword(arguments, "columns").is_none() || arguments.len() > 1 => {
                self.report_unproved(range, "by another index a value may come to stand beside another candle");
            }
            "set_index" => {
                self.report_unproved(range, "by another index a value may come to stand beside another candle");
            }
            _ if CALL_BY_NAME_METHODS.contains(name) => {
                let is_windowed = self.is_window_object(&method.value);
                arguments.args.iter().for_each(|argument| self.check_function_argument(argument, is_windowed));
                arguments.keywords.iter().for_each(|keyword| self.check_function_argument(&keyword.value, is_windowed));
            }
            // numpy's: a list's own have fewer arguments.
            "append" | "delete" if arguments.len() > 1 => self.report_unproved(range, MISALIGNED),
            "insert" if arguments.len() > 2 => self.report_unproved(range, MISALIGNED),
            _ if COLUMN_AGGREGATES.contains(name)
                && !is_of_rows(arguments)
                && !self.is_window_object(&method.value) =>
            {
                self.check_column_aggregate(method, arguments);
            }
            _ => {}
        }
    }

    /// By numpy or pandas, called by whichever name.
    fn check_constructor(&mut self, name: &str, range: TextRange, arguments: &Arguments) {
        match name {
            "where" if arguments.len() == 1 => {
                self.report_unproved(range, "it tells the places of candles, later ones among them");
            }
            "DataFrame" | "Series" => {
                let index = arguments.args.get(1).or_else(|| keyword(arguments, "index"));
                let is_kept =
                    |index: &Expr| index.as_attribute_expr().is_some_and(|index| index.attr.as_str() == "index");
                if index.is_some_and(|index| !is_kept(index)) || is_spread(arguments) {
                    self.report_unproved(range, "by another index a value may come to stand beside another candle");
                }
            }
            "merge_asof" => match keyword(arguments, "direction").map(Expr::as_string_literal_expr) {
                None if !is_spread(arguments) && arguments.args.len() <= 2 => {}
                Some(Some(direction)) if direction.value.to_str() == "backward" => {}
                _ => self.report_certain(range, "merge_asof takes what is later unless its direction is backward"),
            },
            _ => {}
        }
    }

    /// One value of all that is there, unless that is one window.
    fn check_column_aggregate(&mut self, method: &ExprAttribute, arguments: &Arguments) {
        let parts = [&*method.value].into_iter().chain(values(arguments));
        let data: Vec<&Expr> = parts.filter(|part| self.is_data(part)).collect();
        let why = format!("{} of all candles knows later ones; take it of a rolling window", method.attr);
        if data.iter().any(|part| !self.is_of_window(part)) {
            self.report_certain(method.attr.range(), why);
        } else if data.is_empty() && self.module_of(&method.value) != Some("math") {
            self.report_unproved(method.attr.range(), why);
        }
    }

    /// A function by its name: what it makes of candles must be known, or be read here.
    fn check_function_call(&mut self, name: &str, call: &'a ExprCall) {
        if is_merge(call) {
            self.check_merge(call);
        }
        let has_data = !is_boolean_reduce(call)
            && values(&call.arguments).any(|value| self.is_data(value) && !self.is_of_window(value));
        if let Some(bound) = self.symbols.imported(name) {
            self.check_constructor(bound.rsplit('.').next().unwrap_or_default(), call.func.range(), &call.arguments);
        }
        if !has_data {
            return;
        } else if self.symbols.classes.contains(name) {
            return self.report_unproved(call.func.range(), "candles that are kept for another call are not followed");
        } else if self.symbols.defined.contains(name) {
            return;
        }
        match self.symbols.imported(name) {
            Some(bound) if is_of_columns(bound) => {}
            Some(bound) if bound.strip_prefix("math.").is_some_and(|name| !MATH_AGGREGATES.contains(name)) => {}
            Some(bound) => {
                self.report_unproved(call.func.range(), format!("what {bound} makes of candles is not known here"));
            }
            // What it is, is judged where it comes from.
            None if self.bindings.is_local(name)
                || CAUSAL_BUILTINS.contains(name)
                || ITERATING_BUILTINS.contains(name) => {}
            None if DETACHING_BUILTINS.contains(name) || name == MERGE_FUNCTION => {}
            None => self.report_unproved(call.func.range(), format!("what {name} makes of candles is not known here")),
        }
    }

    /// A function of something else: what it makes of candles must be known, or be read here.
    fn check_method_arguments(&mut self, method: &ExprAttribute, call: &'a ExprCall) {
        if is_merge(call) {
            self.check_merge(call);
        }
        let name = method.attr.as_str();
        let has_data = !is_boolean_reduce(call)
            && values(&call.arguments).any(|value| self.is_data(value) && !self.is_of_window(value));
        if !has_data || self.is_data(&method.value) {
            return;
        }
        let is_known = match self.module_of(&method.value) {
            Some("math") => !MATH_AGGREGATES.contains(name),
            Some("statistics") => COLUMN_AGGREGATES.contains(name),
            // A method without its object takes candles for that.
            None if root_expression(&method.value)
                .as_name_expr()
                .is_some_and(|name| self.symbols.defined.contains(name.id.as_str())) =>
            {
                false
            }
            Some(module) => is_of_columns(module) || (module == "logging" && LOG_METHODS.contains(name)),
            None => {
                let is_own =
                    is_self(&method.value) || is_super(&method.value) || root_expression(&method.value).is_name_expr();
                (is_own && self.symbols.defined.contains(name))
                    || LOG_METHODS.contains(name)
                    || CANDLE_SOURCES.contains(name)
                    || method.value.is_string_literal_expr()
            }
        };
        if !is_known {
            self.report_unproved(method.attr.range(), format!("what {name} makes of candles is not known here"));
        }
    }

    /// `merge_informative_pair` knows when a candle is over by what it is told of their lengths.
    fn check_merge(&mut self, call: &'a ExprCall) {
        let arguments = &call.arguments;
        let written = |place: usize, name: &str| {
            let given = arguments.args.get(place).or_else(|| keyword(arguments, name))?;
            Some(&self.source.text[given.range()])
        };
        let is_of_strategy = written(2, "timeframe").is_some_and(|timeframe| {
            timeframe == "self.timeframe" || self.source.text.contains(&format!("timeframe = {timeframe}\n"))
        });
        let longer = written(3, "timeframe_inf");
        let fetched = &self.bindings.fetched_timeframes;
        let is_as_fetched = !fetched.is_empty()
            && fetched.iter().all(|fetched| fetched.map(|fetched| &self.source.text[fetched.range()]) == longer);
        let is_freqtrades = match &*call.func {
            Expr::Name(name) => {
                self.symbols.imported(name.id.as_str()).is_some_and(|bound| first(bound) == "freqtrade")
            }
            function => self.module_of(function).is_some_and(|module| first(module) == "freqtrade"),
        };
        if !is_freqtrades
            || self.symbols.defined.contains(MERGE_FUNCTION)
            || !is_of_strategy
            || !is_as_fetched
            || is_spread(arguments)
            || keyword(arguments, "date_column").is_some()
        {
            self.report_unproved(
                call.func.range(),
                "of which timeframes these candles are cannot be seen, nor when they are over",
            );
        }
    }

    fn check_builtin(&mut self, name: &str, call: &'a ExprCall) {
        let mut arguments = call.arguments.args.iter();
        let is_of_data = |visitor: &Self, argument: &Expr| visitor.is_data(argument) && !visitor.is_of_window(argument);
        match name {
            "all" | "any" if arguments.any(|argument| is_of_data(self, argument)) => {
                self.report_unproved(call.range(), format!("{name} of all candles would know later ones"));
            }
            "max" | "min" | "sum"
                if call.arguments.len() == 1 && arguments.any(|argument| is_of_data(self, argument)) =>
            {
                self.report_unproved(call.range(), format!("{name} of all candles would know later ones"));
            }
            "getattr" => {
                if let Some(asked) = call.arguments.args.get(1).and_then(Expr::as_string_literal_expr) {
                    self.check_named_method(asked.value.to_str(), asked.range());
                }
            }
            _ if DETACHING_BUILTINS.contains(name) && arguments.any(|argument| is_of_data(self, argument)) => {
                self.report_unproved(
                    call.range(),
                    format!("{name} takes values from their candles; which is beside which cannot be seen"),
                );
            }
            _ => {}
        }
    }

    /// `agg("mean")`: what a text or a list of texts names, or what is done with each window.
    fn check_function_argument(&mut self, function: &'a Expr, is_windowed: bool) {
        match function {
            Expr::StringLiteral(text) if COLUMN_AGGREGATES.contains(text.value.to_str()) => {
                let why = format!("{} of all candles knows later ones", text.value.to_str());
                if !is_windowed {
                    self.report_certain(text.range(), why);
                }
            }
            Expr::StringLiteral(text) => {
                self.check_named_method(text.value.to_str(), text.range());
                if !is_windowed {
                    self.check_is_causal(text.value.to_str(), text.range());
                }
            }
            Expr::List(list) => {
                list.elts.iter().for_each(|function| self.check_function_argument(function, is_windowed))
            }
            Expr::Tuple(tuple) => {
                tuple.elts.iter().for_each(|function| self.check_function_argument(function, is_windowed))
            }
            Expr::Dict(dict) => {
                dict.items.iter().for_each(|item| self.check_function_argument(&item.value, is_windowed))
            }
            Expr::Lambda(_) | Expr::Name(_) if is_windowed => {
                self.windowed_functions.insert(function.range());
                self.called_functions.insert(function.range());
            }
            _ => {}
        }
    }

    /// Its parameters hold candles, as those of any function.
    fn check_lambda(&mut self, lambda: &'a ExprLambda) {
        let parameters = || lambda.parameters.iter().flat_map(|parameters| parameters.iter());
        let window = parameters().next().filter(|parameter| parameter.default().is_none());
        let window = window.map(|parameter| parameter.name().as_str());
        let names: BTreeSet<&str> = parameters().map(|parameter| parameter.name().as_str()).collect();
        let outer = (self.data.clone(), self.windows.clone());
        self.data.extend(&names);
        self.windows.retain(|name| !names.contains(name));
        if self.windowed_functions.contains(&lambda.range()) {
            self.windows.extend(window);
        }
        lambda.parameters.iter().for_each(|parameters| self.visit_parameters(parameters));
        self.visit_expr(&lambda.body);
        (self.data, self.windows) = outer;
    }

    /// A method that is named and not called here: with what, is not seen.
    fn check_named_method(&mut self, name: &str, range: TextRange) {
        if SHIFT_METHODS.contains(name) || COLUMN_AGGREGATES.contains(name) {
            self.report_unproved(range, format!("{name} is not called here; whether it looks forward cannot be seen"));
        }
        self.check_member_name(name, range);
    }

    /// What is asked of something, called or not.
    fn check_member_name(&mut self, name: &str, range: TextRange) {
        if let Some((_, why)) = FORWARD_LOOKING_NAMES.iter().find(|(forward, _)| *forward == name) {
            self.report_certain(range, format!("{name}: {why}"));
        } else if REORDERING_NAMES.contains(name) {
            self.report_unproved(range, MISALIGNED);
        } else if DETACHING_NAMES.contains(name) {
            self.report_unproved(
                range,
                format!("{name} takes values from their candles; which is beside which cannot be seen"),
            );
        } else if LIVE_DATA_NAMES.contains(name) && self.scope == Scope::Columns {
            self.report_unproved(range, format!("{name} is of now, whichever candle is looked at"));
        } else if name == "stream" || name.starts_with("stream_") {
            self.report_certain(range, "a stream tells of the last candle, whichever is looked at");
        } else if name == "fibonacci_retracements" {
            self.report_unproved(range, "without a window it knows the highest and lowest of all candles");
        }
    }

    /// What is asked of candles, or of a part of a module of columns, must be known to be of each candle alone.
    fn check_candle_attribute(&mut self, attribute: &ExprAttribute) {
        let name = attribute.attr.as_str();
        if CANDLE_SOURCES.contains(name) && self.scope == Scope::Callback {
            let why = format!("in a backtest {name} has all candles, also those that come later");
            self.findings.push(self.source.finding(Rule::LookAhead, Verdict::Unproved, attribute.attr.range(), why));
        }
        if name == "obj" {
            self.report_unproved(attribute.attr.range(), "from windows it leads back to all candles");
        }
        // `np.maximum.reduce`: what is asked of the module itself was judged there.
        let is_part = attribute.value.as_attribute_expr().is_some_and(|part| {
            let module = part.value.as_name_expr().and_then(|module| self.symbols.imported(module.id.as_str()));
            module.and_then(allowed_names).is_some_and(|names| names.contains(part.attr.as_str()))
        });
        if !is_part && (!self.is_data(&attribute.value) || self.is_of_window(&attribute.value)) {
            return;
        }
        if !self.is_window_object(&attribute.value) {
            self.check_is_causal(name, attribute.attr.range());
        }
    }

    /// What is not known to be of each candle alone, nor judged by its name.
    fn check_is_causal(&mut self, name: &str, range: TextRange) {
        let is_judged = [
            CALL_BY_NAME_METHODS,
            CANDLE_SOURCES,
            COLUMN_AGGREGATES,
            LIVE_DATA_NAMES,
            REORDERING_NAMES,
            SHIFT_METHODS,
            DETACHING_NAMES,
        ]
        .iter()
        .any(|words| words.contains(name))
            || FORWARD_LOOKING_NAMES.iter().any(|(forward, _)| *forward == name)
            || name_verdict(name).is_some()
            || ["append", "cumcount", "delete", "drop", "insert", "map"].contains(&name);
        if !is_judged && !CAUSAL_NAMES.contains(name) {
            self.report_unproved(range, format!("what {name} makes of candles is not known here"));
        }
    }

    /// A method of a class, without an object that it is one of.
    fn check_unbound_method(&mut self, attribute: &ExprAttribute) {
        let is_of_class =
            attribute.value.as_name_expr().is_some_and(|name| self.symbols.defined.contains(name.id.as_str()));
        if is_of_class && self.symbols.defined.contains(attribute.attr.as_str()) {
            self.report_unproved(
                attribute.attr.range(),
                "what a method is given in place of its object is not followed",
            );
        }
    }

    /// What freqtrade calls candle by candle is read as that, and must be called by nobody else.
    fn check_callback_use(&mut self, name: &str, range: TextRange) {
        if CALLBACKS.contains(name) && self.symbols.defined.contains(name) {
            self.report_unproved(range, format!("{name} is for freqtrade to call, candle by candle"));
        }
    }

    /// What is stored where another function finds it, or beside other candles.
    fn check_store(&mut self, target: &Expr, value: &Expr) {
        if !self.is_data(value) {
            return;
        }
        let range = target.range();
        match target {
            Expr::Tuple(tuple) if value.is_tuple_expr() || self.returns_columns(value) => {
                tuple.elts.iter().for_each(|target| self.check_store(target, value));
            }
            Expr::Tuple(_) | Expr::List(_) => {
                self.report_unproved(
                    range,
                    "one by one, values leave their candles; which is beside which cannot be seen",
                );
            }
            Expr::Attribute(_) | Expr::Subscript(_) => {
                let name = root_expression(target).as_name_expr().map(|name| name.id.as_str());
                let is_kept =
                    !name.is_some_and(|name| self.bindings.is_local(name)) || is_self(root_expression(target));
                // Where an object is made, candles are not given.
                if is_kept && !self.bindings.is_constructor {
                    self.report_unproved(range, "candles that are kept for another call are not followed");
                }
                if target.as_subscript_expr().is_some_and(|target| is_date(&target.slice)) {
                    self.report_unproved(range, "by other dates a candle may come to stand beside an earlier one");
                }
            }
            _ => {}
        }
    }

    /// What freqtrade gave is the pair's own candles, as long as its name is of nothing else.
    fn check_rebinding(&mut self, target: &'a Expr, value: &'a Expr) {
        let is_given = target.as_name_expr().is_some_and(|name| self.bindings.parameters.contains(name.id.as_str()));
        if is_given && loaded_names(value).iter().any(|name| self.bindings.is_informative_name(name)) {
            self.report_unproved(
                target.range(),
                format!("candles of another pair or timeframe come beside these by {MERGE_FUNCTION} alone"),
            );
        }
    }

    /// What brings candles of another pair or timeframe beside those of this one.
    fn check_alignment(&mut self, range: TextRange, parts: &[&'a Expr]) {
        let names: Vec<&str> = parts.iter().flat_map(|part| loaded_names(part)).collect();
        let is_informative_name = |name: &&&str| self.bindings.is_informative_name(name);
        let is_of_both = names.iter().any(|name| is_informative_name(&name))
            && names.iter().any(|name| self.data.contains(name) && !is_informative_name(&name));
        if is_of_both {
            self.report_unproved(
                range,
                format!("candles of another pair or timeframe come beside these by {MERGE_FUNCTION} alone"),
            );
        }
    }

    /// `upper, middle, lower = ta.BBANDS(close)`: columns and not values.
    fn returns_columns(&self, value: &Expr) -> bool {
        let Some(call) = value.as_call_expr() else { return false };
        match &*call.func {
            Expr::Attribute(method) => {
                self.module_of(&method.value).is_some_and(|module| ["talib", "technical"].contains(&first(module)))
                    || (is_self(&method.value) && self.symbols.defined.contains(method.attr.as_str()))
            }
            Expr::Name(name) => {
                let name = name.id.as_str();
                self.symbols.defined.contains(name)
                    || self.symbols.imported(name).is_some_and(|bound| ["talib", "technical"].contains(&first(bound)))
            }
            _ => false,
        }
    }

    /// The module that a name is.
    fn module_of(&self, expression: &Expr) -> Option<&'a str> {
        self.symbols.imported(root_expression(expression).as_name_expr()?.id.as_str())
    }

    fn is_function(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Lambda(_) => true,
            Expr::Name(name) => self.symbols.defined.contains(name.id.as_str()),
            Expr::Attribute(attribute) => {
                is_self(&attribute.value) && self.symbols.defined.contains(attribute.attr.as_str())
            }
            _ => false,
        }
    }

    fn check_shift(&mut self, name: &str, range: TextRange, arguments: &Arguments) {
        if keyword(arguments, "freq").is_some() || (name == "shift" && arguments.args.len() > 1) {
            return self.report_unproved(range, "by another index a value may come to stand beside another candle");
        }
        let periods = arguments.args.first().or_else(|| keyword(arguments, "periods"));
        let spread = is_spread(arguments);
        match periods.map(|periods| (periods, self.integer_value(periods))) {
            None if !spread => {}
            Some((_, Some(periods))) if periods >= 0 && !spread => {}
            Some((_, Some(periods))) if periods < 0 => {
                self.report_certain(
                    range,
                    format!("{name}({periods}) takes what comes {} candles later", periods.unsigned_abs()),
                );
            }
            Some((Expr::UnaryOp(unary), None)) if unary.op == UnaryOp::USub => {
                self.report_certain(range, format!("{name} by a negative number takes what comes later"));
            }
            _ => self.report_unproved(
                range,
                format!("how far {name} reaches is not written here; by a negative number it takes what comes later"),
            ),
        }
    }

    fn check_fill(&mut self, range: TextRange, arguments: &Arguments) {
        if arguments.args.len() > 1 || is_spread(arguments) {
            return self.report_unproved(range, "how it fills a gap is not written here");
        }
        let method = keyword(arguments, "method");
        match method.and_then(Expr::as_string_literal_expr).map(|text| text.value.to_str()) {
            Some("bfill" | "backfill") => self.report_certain(range, "it fills a gap with what came later"),
            None if method.is_some_and(|method| !method.is_none_literal_expr()) => {
                self.report_unproved(range, "how it fills a gap is not written here");
            }
            _ => {}
        }
    }

    /// `x[…]`, `x.iloc[…]`
    fn check_subscript(&mut self, subscript: &ExprSubscript) {
        if !self.is_data(&subscript.value) || self.is_of_window(&subscript.value) {
            return;
        }
        if self.scope == Scope::Columns
            && self.bindings.is_given_dataframe(&subscript.value)
            && self.is_column_selector(&subscript.slice)
        {
            return;
        }
        let indices: &[Expr] = match &*subscript.slice {
            Expr::Tuple(tuple) => &tuple.elts,
            one => std::slice::from_ref(one),
        };
        let by = match subscript.value.as_attribute_expr().map(|by| by.attr.as_str()) {
            Some("at" | "loc") if !subscript.ctx.is_load() => IndexKind::Stored,
            Some(name) if ROW_INDEXERS.contains(&name) => IndexKind::Row,
            _ if subscript.ctx.is_load() => IndexKind::Name,
            _ => IndexKind::Stored,
        };
        // `x.loc[rows, columns]`
        let is_of_rows = subscript.value.as_attribute_expr().is_some_and(|by| ROW_INDEXERS.contains(&by.attr.as_str()));
        let places = if is_of_rows { 1 } else { indices.len() };
        for index in indices.iter().take(places) {
            self.check_index(index, by);
        }
    }

    /// A name of a column, wherever it comes from: neither rows nor a part of them.
    fn is_column_selector(&self, index: &Expr) -> bool {
        !index.is_slice_expr() && !self.is_data(index)
    }

    fn check_index(&mut self, index: &Expr, by: IndexKind) {
        let range = index.range();
        match index {
            Expr::Slice(slice) => {
                let number = |bound: &Option<Box<Expr>>| bound.as_ref().map(|bound| self.integer_value(bound));
                let (lower, upper, step) = (number(&slice.lower), number(&slice.upper), number(&slice.step));
                if matches!(step, Some(Some(step)) if step < 0) {
                    self.report_certain(range, "backwards, later candles come first");
                } else if [lower, upper].iter().any(|bound| matches!(bound, Some(Some(bound)) if *bound < 0)) {
                    self.report_certain(range, "places counted from the end are of later candles");
                } else if lower.is_some_and(|lower| lower != Some(0)) || upper == Some(None) || step.is_some() {
                    self.report_unproved(range, "of a part, a value may come to stand beside an earlier candle");
                }
            }
            Expr::StringLiteral(_) if by != IndexKind::Row => {}
            _ if by == IndexKind::Name && self.source.text.contains("ichimoku") => {
                self.report_unproved(range, "of a cloud, the lagging span may be asked for; write which part it is");
            }
            Expr::List(list)
                if by == IndexKind::Name
                    && list.elts.iter().all(|index| self.bindings.is_column_name(index) || index.is_starred_expr()) => {
            }
            _ if by == IndexKind::Name && self.bindings.is_column_name(index) => {}
            _ => match self.integer_value(index) {
                Some(place) if place < 0 => {
                    self.report_certain(range, "the last candles are there whichever is looked at")
                }
                // Where something is stored, by a row's own label or by what says of each row whether it is meant.
                None if by == IndexKind::Stored && !is_sum(index) => {}
                _ => self.report_unproved(range, "which candles these are cannot be seen; they may be later ones"),
            },
        }
    }

    /// Whether something is made of candles.
    fn is_data(&self, expression: &Expr) -> bool {
        loaded_names(expression).iter().any(|name| self.data.contains(name))
    }

    /// Whether something is made of one window of candles, and of no more of them.
    fn is_of_window(&self, expression: &Expr) -> bool {
        let names = loaded_names(expression);
        let of_data = || names.iter().filter(|name| self.data.contains(*name));
        of_data().next().is_some() && of_data().all(|name| self.windows.contains(name))
    }

    /// The parameters of a function, and what is made of them in it, directly or not.
    fn candle_names_of(&self, function: &'a StmtFunctionDef) -> BTreeSet<&'a str> {
        let mut data = self.data.clone();
        let parameters = function.parameters.iter().map(|parameter| parameter.name().as_str());
        let is_method = self.methods.contains(&function.range());
        data.extend(parameters.enumerate().filter_map(|(place, name)| {
            let is_other = match place {
                0 => is_method && ["cls", "self"].contains(&name),
                2 => is_method && name == "metadata",
                _ => false,
            };
            (!is_other).then_some(name)
        }));
        derived_names(&function.body, data)
    }

    fn holds_window(&self, target: &Expr) -> bool {
        target.as_name_expr().is_some_and(|name| self.windows.contains(name.id.as_str()))
    }

    /// Whether something is windows: `x.rolling(5)`, and not what came of them.
    fn is_window_object(&self, receiver: &Expr) -> bool {
        match receiver {
            Expr::Call(call) => {
                call.func.as_attribute_expr().is_some_and(|method| WINDOW_METHODS.contains(method.attr.as_str()))
            }
            Expr::Subscript(subscript) => self.is_window_object(&subscript.value),
            _ => false,
        }
    }
}

impl<'a> Visitor<'a> for LookAheadVisitor<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                let data = self.candle_names_of(function);
                let outer_data = std::mem::replace(&mut self.data, data);
                let outer_bindings = std::mem::replace(&mut self.bindings, Bindings::from_function(function));
                let outer_scope = self.scope;
                self.scope = self.scope_of(function);
                walk_stmt(self, statement);
                (self.scope, self.data, self.bindings) = (outer_scope, outer_data, outer_bindings);
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
            Stmt::Match(matched) if self.is_data(&matched.subject) => {
                self.report_unproved(matched.subject.range(), "what a pattern takes out of candles is not followed");
            }
            Stmt::ImportFrom(import) => {
                import.names.iter().for_each(|alias| self.check_named_method(alias.name.as_str(), alias.range()));
            }
            Stmt::Expr(alone) => self.check_alignment(alone.range(), &[&*alone.value]),
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
            Expr::Named(named) if loaded_names(&named.target).is_empty() && self.holds_window(&named.target) => {
                self.report_unproved(named.range(), "what was one window is something else from here on");
            }
            Expr::Starred(starred) if self.is_data(&starred.value) && !self.is_of_window(&starred.value) => {
                self.report_unproved(
                    starred.range(),
                    "one by one, values leave their candles; which is beside which cannot be seen",
                );
            }
            Expr::BinOp(product) if product.op == Operator::MatMult && self.is_data(expression) => {
                self.report_unproved(product.range(), "a product of integer_literal columns knows all candles");
            }
            Expr::Name(name) if name.ctx.is_load() => {
                let (id, range) = (name.id.as_str(), name.range());
                let is_own = self.symbols.defined.contains(id) || self.data.contains(id);
                if ITERATING_BUILTINS.contains(id) && !is_own && !self.called_functions.contains(&range) {
                    self.report_unproved(range, format!("{id} may be called by another name"));
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
                // "x".join
                if !root_expression(&attribute.value).is_string_literal_expr() && !self.is_of_window(&attribute.value) {
                    self.check_named_method(name, attribute.attr.range());
                }
            }
            Expr::Attribute(attribute) if attribute.attr.as_str() == "index" && self.is_data(&attribute.value) => {
                self.report_unproved(
                    attribute.attr.range(),
                    "by another index a value may come to stand beside another candle",
                );
            }
            Expr::StringLiteral(text) if text.value.to_str().contains("chikou") => {
                self.report_certain(text.range(), "the lagging span is the close of candles that came later");
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

impl LookAheadVisitor<'_> {
    /// Whether a call is told all about by [`LookAheadVisitor::call`], or has nothing to do with candles.
    fn is_fully_checked(&self, method: &str, call: &ExprCall) -> bool {
        let has_data = || call.arguments.args.iter().any(|argument| self.is_data(argument));
        SHIFT_METHODS.contains(method)
            || COLUMN_AGGREGATES.contains(method)
            || (["array", "asarray"].contains(&method) && !has_data())
    }

    fn check_comprehensions(&mut self, generators: &[Comprehension]) {
        generators.iter().for_each(|generator| self.check_iteration(&generator.iter));
    }

    fn check_iteration(&mut self, iterated: &Expr) {
        let is_judged = iterated.as_call_expr().is_some_and(|call| match &*call.func {
            Expr::Attribute(method) => ["items", "keys"].contains(&method.attr.as_str()),
            function => function.is_name_expr(),
        });
        if self.is_data(iterated) && !self.is_of_window(iterated) && !is_judged {
            self.report_unproved(
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
        Some(axis) => integer_literal(axis) == Some(1),
        None => false,
    }
}

fn is_sum(expression: &Expr) -> bool {
    matches!(expression, Expr::BinOp(sum) if matches!(sum.op, Operator::Add | Operator::Sub))
}

/// Called without an object, like a function.
fn is_static(method: &StmtFunctionDef) -> bool {
    method.decorator_list.iter().any(|decorator| match &decorator.expression {
        Expr::Name(name) => name.id.as_str() == "staticmethod",
        _ => true,
    })
}

fn is_spread(arguments: &Arguments) -> bool {
    arguments.args.iter().any(Expr::is_starred_expr) || arguments.keywords.iter().any(|keyword| keyword.arg.is_none())
}

/// `"date"`
fn is_date(expression: &Expr) -> bool {
    expression.as_string_literal_expr().is_some_and(|text| text.value.to_str() == "date")
}

fn values(arguments: &Arguments) -> impl Iterator<Item = &Expr> {
    arguments.args.iter().chain(arguments.keywords.iter().map(|keyword| &keyword.value))
}

fn is_of_columns(module: &str) -> bool {
    VECTORISED_MODULES.contains(first(module))
}

fn first(module: &str) -> &str {
    module.split('.').next().unwrap_or_default()
}
