//! Bindings of the names in a function: the expressions that each name is assigned.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Operator, Stmt, StmtFunctionDef};

use crate::data_flow::{DataFlow, loaded_names};
use crate::known_names::CANDLE_SOURCES;

#[derive(Default)]
pub(crate) struct Bindings<'a> {
    pub(crate) parameters: BTreeSet<&'a str>,
    pub(crate) is_constructor: bool,
    /// Second parameter of the function, unless it is assigned again.
    given_dataframe: Option<&'a str>,
    bound: BTreeMap<&'a str, Vec<Binding<'a>>>,
    /// Local names whose values are column names.
    column_names: BTreeSet<&'a str>,
    /// Local names that hold candles of another pair or timeframe.
    informative: BTreeSet<&'a str>,
    /// Timeframe argument of each call that fetches candles.
    pub(crate) fetched_timeframes: Vec<Option<&'a Expr>>,
}

/// Expression that a name is bound to.
#[derive(Clone, Copy)]
enum Binding<'a> {
    Value(&'a Expr),
    /// One element of the expression's value.
    ElementOf(&'a Expr),
    Unknown,
}

impl<'a> Binding<'a> {
    fn value(&self) -> Option<&'a Expr> {
        match self {
            Self::Value(value) | Self::ElementOf(value) => Some(value),
            Self::Unknown => None,
        }
    }
}

impl<'a> Bindings<'a> {
    pub(crate) fn from_function(function: &'a StmtFunctionDef) -> Self {
        let parameters = function.parameters.iter().map(|parameter| parameter.name().as_str()).collect();
        let is_constructor = function.name.as_str() == "__init__";
        let mut bindings = Self { parameters, is_constructor, ..Self::default() };
        bindings.visit_body(&function.body);
        let given_dataframe = function.parameters.iter().nth(1).map(|parameter| parameter.name().as_str());
        bindings.given_dataframe = given_dataframe.filter(|name| !bindings.bound.contains_key(name));
        let bound = || bindings.bound.iter().filter(|(name, _)| !bindings.parameters.contains(*name));
        let are_column_names = |bound: &[Binding<'_>]| bound.iter().all(|bound| is_column_name_binding(*bound));
        let column_names = bound().filter(|(_, to)| are_column_names(to)).map(|(name, _)| *name).collect();
        let mut flow = DataFlow::default();
        for (name, to) in bound() {
            for value in to.iter().filter_map(Binding::value) {
                flow.add_edges(value, name);
            }
        }
        let informative = flow.reachable_from(CANDLE_SOURCES.iter().collect());
        Self { column_names, informative, ..bindings }
    }

    /// `true` if the expression is the dataframe that freqtrade passes to a populate method: indexing it selects
    /// columns.
    pub(crate) fn is_given_dataframe(&self, expression: &Expr) -> bool {
        expression.as_name_expr().is_some_and(|name| self.given_dataframe == Some(name.id.as_str()))
    }

    pub(crate) fn is_local(&self, name: &str) -> bool {
        self.parameters.contains(name) || self.bound.contains_key(name)
    }

    pub(crate) fn is_informative_name(&self, name: &str) -> bool {
        self.informative.contains(name)
    }

    /// `true` if the expression is a column name: a string, or a string built from others.
    pub(crate) fn is_column_name(&self, expression: &Expr) -> bool {
        is_column_name(expression, &self.column_names)
    }

    fn bind(&mut self, target: &'a Expr, bound: Binding<'a>) {
        match target {
            Expr::Name(name) => self.bound.entry(name.id.as_str()).or_default().push(bound),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| self.bind(target, element_binding(bound))),
            Expr::List(list) => list.elts.iter().for_each(|target| self.bind(target, element_binding(bound))),
            Expr::Starred(starred) => self.bind(&starred.value, element_binding(bound)),
            _ => {}
        }
    }
}

/// Binding of one element of a value that is unpacked.
fn element_binding(bound: Binding<'_>) -> Binding<'_> {
    match bound {
        Binding::Value(value) | Binding::ElementOf(value) if !loaded_names(value).is_empty() => {
            Binding::ElementOf(value)
        }
        _ => Binding::Unknown,
    }
}

impl<'a> Visitor<'a> for Bindings<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assignment) => {
                assignment.targets.iter().for_each(|target| self.bind(target, Binding::Value(&assignment.value)));
            }
            Stmt::AnnAssign(assignment) => {
                let bound = assignment.value.as_deref().map_or(Binding::Unknown, Binding::Value);
                self.bind(&assignment.target, bound);
            }
            Stmt::AugAssign(assignment) => self.bind(&assignment.target, Binding::ElementOf(&assignment.value)),
            Stmt::For(each) => self.bind(&each.target, Binding::ElementOf(&each.iter)),
            Stmt::With(with) => {
                with.items.iter().for_each(|item| {
                    item.optional_vars.iter().for_each(|target| self.bind(target, Binding::Unknown));
                });
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Named(named) => self.bind(&named.target, Binding::Value(&named.value)),
            Expr::Call(call) => {
                let method = call.func.as_attribute_expr().map(|attribute| attribute.attr.as_str());
                if method.is_some_and(|method| CANDLE_SOURCES.contains(method)) {
                    let named = call.arguments.find_keyword("timeframe").map(|keyword| &keyword.value);
                    self.fetched_timeframes.push(named.or_else(|| call.arguments.args.get(1)));
                }
            }
            _ => {}
        }
        walk_expr(self, expression);
    }
}

fn is_column_name_binding(bound: Binding<'_>) -> bool {
    match bound {
        Binding::Value(value) => is_column_name(value, &BTreeSet::new()),
        Binding::ElementOf(Expr::Tuple(each)) => each.elts.iter().all(Expr::is_string_literal_expr),
        Binding::ElementOf(Expr::List(each)) => each.elts.iter().all(Expr::is_string_literal_expr),
        _ => false,
    }
}

fn is_column_name(expression: &Expr, column_names: &BTreeSet<&str>) -> bool {
    match expression {
        Expr::StringLiteral(_) | Expr::FString(_) => true,
        Expr::BinOp(sum) => is_column_name(&sum.left, column_names) || is_column_name(&sum.right, column_names),
        Expr::Name(name) => column_names.contains(name.id.as_str()),
        _ => false,
    }
}

/// `true` for calls such as `reduce(lambda left, right: left & right, conditions)`.
pub(crate) fn is_boolean_reduce(call: &ExprCall) -> bool {
    let (Some(Expr::Lambda(lambda)), Some(name)) = (call.arguments.args.first(), function_name(&call.func)) else {
        return false;
    };
    let is_bound = |expression: &Expr| {
        expression.as_name_expr().is_some_and(|name| {
            lambda
                .parameters
                .iter()
                .flat_map(|parameters| parameters.iter())
                .any(|other| other.name() == name.id.as_str())
        })
    };
    name == "reduce"
        && lambda.body.as_bin_op_expr().is_some_and(|both| {
            matches!(both.op, Operator::BitAnd | Operator::BitOr) && is_bound(&both.left) && is_bound(&both.right)
        })
}

fn function_name(function: &Expr) -> Option<&str> {
    match function {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}
