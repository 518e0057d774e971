//! Checks of calls and their arguments.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{Arguments, Expr, ExprAttribute, ExprCall, ExprLambda, UnaryOp};
use ruff_text_size::{Ranged, TextRange};

use crate::bindings::is_boolean_reduce;
use crate::data_flow::is_merge;
use crate::expressions::{is_self, is_super, root_expression};
use crate::known_names::{
    CALL_BY_NAME_METHODS, CANDLE_SOURCES, CAUSAL_BUILTINS, COLUMN_AGGREGATES, DETACHING_BUILTINS, ITERATING_BUILTINS,
    LOG_METHODS, MATH_AGGREGATES, MERGE_FUNCTION, SHIFT_METHODS,
};
use crate::look_ahead::arguments::{has_unpacked, is_across_columns, keyword, values};
use crate::look_ahead::messages::{
    CANDLES_STORED, INDEX_CHANGED, aggregates_column, detaches_values, fills_with_unknown, misaligned,
    not_provably_causal, reads_ahead,
};
use crate::look_ahead::visitor::{LookAheadVisitor, first_segment, is_vectorised};

impl<'a> LookAheadVisitor<'a> {
    pub(super) fn check_call(&mut self, call: &'a ExprCall) {
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
        if !self.is_from_candles(&method.value) || self.module_of(&method.value).is_some() {
            self.check_library_function(name, range, arguments);
        }
        match name {
            _ if SHIFT_METHODS.contains(name) => self.check_shift(name, range, arguments),
            "fillna" => self.check_fill(range, arguments),
            "rolling" if arguments.args.len() > 2 || has_unpacked(arguments) => {
                self.report_unproved(
                    range,
                    "the window may be centred and contain later candles; pass the arguments by name",
                );
            }
            "rolling" => match keyword(arguments, "center") {
                None => {}
                Some(Expr::BooleanLiteral(centred)) if !centred.value => {}
                Some(_) => self.report_violation(range, "a centred window contains later candles; remove `center`"),
            },
            "cumcount" if !arguments.is_empty() => {
                self.report_unproved(range, "`cumcount` can count the candles that follow; call it without arguments");
            }
            "replace"
                if arguments.args.len() > 2 || keyword(arguments, "method").is_some() || has_unpacked(arguments) =>
            {
                self.report_unproved(range, fills_with_unknown(name));
            }
            "get"
                if self.is_from_candles(&method.value)
                    && !arguments.args.first().is_some_and(|name| self.bindings.is_column_name(name)) =>
            {
                self.report_unproved(range, "`get` may read a later candle; pass the name of a column as a string");
            }
            "map"
                if self.is_from_candles(&method.value)
                    && arguments.args.first().is_none_or(|map| !map.is_dict_expr() && !self.is_function(map)) =>
            {
                self.report_unproved(range, misaligned(name));
            }
            "drop" if keyword(arguments, "columns").is_none() && !is_across_columns(arguments) => {
                self.report_unproved(
                    range,
                    "`drop` of rows moves later candles into their positions; drop only `columns`",
                );
            }
            "rename" if keyword(arguments, "columns").is_none() || arguments.len() > 1 => {
                self.report_unproved(range, INDEX_CHANGED);
            }
            "set_index" => {
                self.report_unproved(range, INDEX_CHANGED);
            }
            _ if CALL_BY_NAME_METHODS.contains(name) => {
                let is_windowed = self.is_window_object(&method.value);
                arguments.args.iter().for_each(|argument| self.check_function_argument(argument, is_windowed));
                arguments.keywords.iter().for_each(|keyword| self.check_function_argument(&keyword.value, is_windowed));
            }
            // The functions of numpy; the methods of lists have fewer arguments.
            "append" | "delete" if arguments.len() > 1 => self.report_unproved(range, misaligned(name)),
            "insert" if arguments.len() > 2 => self.report_unproved(range, misaligned(name)),
            _ if COLUMN_AGGREGATES.contains(name)
                && !is_across_columns(arguments)
                && !self.is_window_object(&method.value) =>
            {
                self.check_column_aggregate(method, arguments);
            }
            _ => {}
        }
    }

    /// Checks functions of numpy and pandas that return rows or build data, whatever name they are imported under.
    fn check_library_function(&mut self, name: &str, range: TextRange, arguments: &Arguments) {
        match name {
            "where" if arguments.len() == 1 => {
                self.report_unproved(
                    range,
                    "`where` with one argument returns positions of all candles; pass the values for true and false",
                );
            }
            "DataFrame" | "Series" => {
                let index = arguments.args.get(1).or_else(|| keyword(arguments, "index"));
                let is_unchanged =
                    |index: &Expr| index.as_attribute_expr().is_some_and(|index| index.attr.as_str() == "index");
                if index.is_some_and(|index| !is_unchanged(index)) || has_unpacked(arguments) {
                    self.report_unproved(range, INDEX_CHANGED);
                }
            }
            "merge_asof" => match keyword(arguments, "direction").map(Expr::as_string_literal_expr) {
                None if !has_unpacked(arguments) && arguments.args.len() <= 2 => {}
                Some(Some(direction)) if direction.value.to_str() == "backward" => {}
                _ => self.report_violation(
                    range,
                    "`merge_asof` can read later candles unless `direction` is `\"backward\"`; leave it out",
                ),
            },
            _ => {}
        }
    }

    /// Checks a function that aggregates a whole column, unless it is applied to a single window.
    fn check_column_aggregate(&mut self, method: &ExprAttribute, arguments: &Arguments) {
        let parts = [&*method.value].into_iter().chain(values(arguments));
        let candles: Vec<&Expr> = parts.filter(|part| self.is_from_candles(part)).collect();
        let why = aggregates_column(method.attr.as_str());
        if candles.iter().any(|part| !self.is_from_window(part)) {
            self.report_violation(method.attr.range(), why);
        } else if candles.is_empty() && self.module_of(&method.value) != Some("math") {
            self.report_unproved(method.attr.range(), why);
        }
    }

    /// Checks the call of a plain name. A function that receives candles must be known, or defined in the source.
    fn check_function_call(&mut self, name: &str, call: &'a ExprCall) {
        if is_merge(call) {
            self.check_merge(call);
        }
        let has_candles = !is_boolean_reduce(call)
            && values(&call.arguments).any(|value| self.is_from_candles(value) && !self.is_from_window(value));
        if let Some(bound) = self.symbols.imported(name) {
            self.check_library_function(
                bound.rsplit('.').next().unwrap_or_default(),
                call.func.range(),
                &call.arguments,
            );
        }
        if !has_candles {
            return;
        } else if self.symbols.classes.contains(name) {
            return self.report_unproved(call.func.range(), CANDLES_STORED);
        } else if self.symbols.defined.contains(name) {
            return;
        }
        match self.symbols.imported(name) {
            Some(bound) if is_vectorised(bound) => {}
            Some(bound) if bound.strip_prefix("math.").is_some_and(|name| !MATH_AGGREGATES.contains(name)) => {}
            Some(bound) => {
                self.report_unproved(call.func.range(), not_provably_causal(bound));
            }
            // Local names are checked where they are bound.
            None if self.bindings.is_local(name)
                || CAUSAL_BUILTINS.contains(name)
                || ITERATING_BUILTINS.contains(name) => {}
            None if DETACHING_BUILTINS.contains(name) || name == MERGE_FUNCTION => {}
            None => self.report_unproved(call.func.range(), not_provably_causal(name)),
        }
    }

    /// Checks a method call whose receiver is not candles. A method that receives candles as an argument must be known,
    /// or defined in the source.
    fn check_method_arguments(&mut self, method: &ExprAttribute, call: &'a ExprCall) {
        if is_merge(call) {
            self.check_merge(call);
        }
        let name = method.attr.as_str();
        let has_candles = !is_boolean_reduce(call)
            && values(&call.arguments).any(|value| self.is_from_candles(value) && !self.is_from_window(value));
        if !has_candles || self.is_from_candles(&method.value) {
            return;
        }
        let is_known = match self.module_of(&method.value) {
            Some("math") => !MATH_AGGREGATES.contains(name),
            Some("statistics") => COLUMN_AGGREGATES.contains(name),
            // A method called through its class receives the candles in place of its object.
            None if root_expression(&method.value)
                .as_name_expr()
                .is_some_and(|name| self.symbols.defined.contains(name.id.as_str())) =>
            {
                false
            }
            Some(module) => is_vectorised(module) || (module == "logging" && LOG_METHODS.contains(name)),
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
            self.report_unproved(method.attr.range(), not_provably_causal(name));
        }
    }

    /// Checks that `merge_informative_pair` receives the real timeframes: from them it derives when a candle is
    /// complete.
    fn check_merge(&mut self, call: &'a ExprCall) {
        let arguments = &call.arguments;
        let argument_text = |position: usize, name: &str| {
            let argument = arguments.args.get(position).or_else(|| keyword(arguments, name))?;
            Some(&self.source.text[argument.range()])
        };
        let is_own_timeframe = argument_text(2, "timeframe").is_some_and(|timeframe| {
            timeframe == "self.timeframe" || self.source.text.contains(&format!("timeframe = {timeframe}\n"))
        });
        let informative_timeframe = argument_text(3, "timeframe_inf");
        let fetched = &self.bindings.fetched_timeframes;
        let is_fetched_timeframe = !fetched.is_empty()
            && fetched
                .iter()
                .all(|fetched| fetched.map(|fetched| &self.source.text[fetched.range()]) == informative_timeframe);
        let is_from_freqtrade = match &*call.func {
            Expr::Name(name) => {
                self.symbols.imported(name.id.as_str()).is_some_and(|bound| first_segment(bound) == "freqtrade")
            }
            function => self.module_of(function).is_some_and(|module| first_segment(module) == "freqtrade"),
        };
        if !is_from_freqtrade
            || self.symbols.defined.contains(MERGE_FUNCTION)
            || !is_own_timeframe
            || !is_fetched_timeframe
            || has_unpacked(arguments)
            || keyword(arguments, "date_column").is_some()
        {
            self.report_unproved(
                call.func.range(),
                "pass `self.timeframe` and the timeframe of the fetched candles to freqtrade's `merge_informative_pair`",
            );
        }
    }

    fn check_builtin(&mut self, name: &str, call: &'a ExprCall) {
        let mut arguments = call.arguments.args.iter();
        let is_whole_column =
            |visitor: &Self, argument: &Expr| visitor.is_from_candles(argument) && !visitor.is_from_window(argument);
        match name {
            "all" | "any" if arguments.any(|argument| is_whole_column(self, argument)) => {
                self.report_unproved(call.range(), aggregates_column(name));
            }
            "max" | "min" | "sum"
                if call.arguments.len() == 1 && arguments.any(|argument| is_whole_column(self, argument)) =>
            {
                self.report_unproved(call.range(), aggregates_column(name));
            }
            "getattr" => {
                if let Some(member) = call.arguments.args.get(1).and_then(Expr::as_string_literal_expr) {
                    self.check_named_method(member.value.to_str(), member.range());
                }
            }
            _ if DETACHING_BUILTINS.contains(name) && arguments.any(|argument| is_whole_column(self, argument)) => {
                self.report_unproved(call.range(), detaches_values(name));
            }
            _ => {}
        }
    }

    /// Checks a function that is passed to pandas, such as `"mean"` in `agg("mean")`.
    fn check_function_argument(&mut self, function: &'a Expr, is_windowed: bool) {
        match function {
            Expr::StringLiteral(text) if COLUMN_AGGREGATES.contains(text.value.to_str()) => {
                let why = aggregates_column(text.value.to_str());
                if !is_windowed {
                    self.report_violation(text.range(), why);
                }
            }
            Expr::StringLiteral(text) => {
                self.check_named_method(text.value.to_str(), text.range());
                if !is_windowed {
                    self.check_causality(text.value.to_str(), text.range());
                }
            }
            Expr::List(list) => {
                list.elts.iter().for_each(|function| self.check_function_argument(function, is_windowed));
            }
            Expr::Tuple(tuple) => {
                tuple.elts.iter().for_each(|function| self.check_function_argument(function, is_windowed));
            }
            Expr::Dict(dict) => {
                dict.items.iter().for_each(|item| self.check_function_argument(&item.value, is_windowed));
            }
            Expr::Lambda(_) | Expr::Name(_) if is_windowed => {
                self.windowed_functions.insert(function.range());
                self.called_functions.insert(function.range());
            }
            _ => {}
        }
    }

    /// Checks a lambda, whose parameters hold candles like those of any function.
    pub(super) fn check_lambda(&mut self, lambda: &'a ExprLambda) {
        let parameters = || lambda.parameters.iter().flat_map(|parameters| parameters.iter());
        let window = parameters().next().filter(|parameter| parameter.default().is_none());
        let window = window.map(|parameter| parameter.name().as_str());
        let names: BTreeSet<&str> = parameters().map(|parameter| parameter.name().as_str()).collect();
        let outer = (self.candle_names.clone(), self.window_names.clone());
        self.candle_names.extend(&names);
        self.window_names.retain(|name| !names.contains(name));
        if self.windowed_functions.contains(&lambda.range()) {
            self.window_names.extend(window);
        }
        lambda.parameters.iter().for_each(|parameters| self.visit_parameters(parameters));
        self.visit_expr(&lambda.body);
        (self.candle_names, self.window_names) = outer;
    }

    fn check_shift(&mut self, name: &str, range: TextRange, arguments: &Arguments) {
        if keyword(arguments, "freq").is_some() || (name == "shift" && arguments.args.len() > 1) {
            return self.report_unproved(range, INDEX_CHANGED);
        }
        let periods = arguments.args.first().or_else(|| keyword(arguments, "periods"));
        let has_spread = has_unpacked(arguments);
        match periods.map(|periods| (periods, self.integer_value(periods))) {
            None if !has_spread => {}
            Some((_, Some(periods))) if periods >= 0 && !has_spread => {}
            Some((_, Some(periods))) if periods < 0 => {
                self.report_violation(range, reads_ahead(name, periods));
            }
            Some((Expr::UnaryOp(unary), None)) if unary.op == UnaryOp::USub => {
                self.report_violation(
                    range,
                    format!("`{name}` by a negative number reads later candles; use a positive number"),
                );
            }
            _ => self.report_unproved(
                range,
                format!("`{name}` by an unknown number may read later candles; write the number here"),
            ),
        }
    }

    fn check_fill(&mut self, range: TextRange, arguments: &Arguments) {
        if arguments.args.len() > 1 || has_unpacked(arguments) {
            return self.report_unproved(range, fills_with_unknown("fillna"));
        }
        let method = keyword(arguments, "method");
        match method.and_then(Expr::as_string_literal_expr).map(|text| text.value.to_str()) {
            Some("bfill" | "backfill") => {
                self.report_violation(range, "`fillna` fills gaps with later values; use `ffill`");
            }
            None if method.is_some_and(|method| !method.is_none_literal_expr()) => {
                self.report_unproved(range, fills_with_unknown("fillna"));
            }
            _ => {}
        }
    }

    /// `true` if [`LookAheadVisitor::check_call`] checks everything about a call, or the call does not concern candles.
    pub(super) fn is_fully_checked(&self, method: &str, call: &ExprCall) -> bool {
        let has_candles = || call.arguments.args.iter().any(|argument| self.is_from_candles(argument));
        SHIFT_METHODS.contains(method)
            || COLUMN_AGGREGATES.contains(method)
            || (["array", "asarray"].contains(&method) && !has_candles())
    }
}
