//! What the names of a function are bound to, as far as it is written there.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Operator, Stmt, StmtFunctionDef};

use crate::flow::{Flow, loads};
use crate::names::CANDLE_SOURCES;

#[derive(Default)]
pub(crate) struct Bindings<'a> {
    pub(crate) parameters: BTreeSet<&'a str>,
    pub(crate) is_initialiser: bool,
    /// Its second parameter, if that is bound to nothing else.
    second: Option<&'a str>,
    bound: BTreeMap<&'a str, Vec<Bound<'a>>>,
    /// Names that hold nothing but names of columns.
    texts: BTreeSet<&'a str>,
    /// Names that hold candles of another pair or timeframe.
    foreign: BTreeSet<&'a str>,
    /// The timeframes of the candles that are asked for.
    pub(crate) fetched_by: Vec<Option<&'a Expr>>,
}

#[derive(Clone, Copy)]
enum Bound<'a> {
    To(&'a Expr),
    ToEachOf(&'a Expr),
    Otherwise,
}

impl<'a> Bound<'a> {
    fn value(&self) -> Option<&'a Expr> {
        match self {
            Self::To(value) | Self::ToEachOf(value) => Some(value),
            Self::Otherwise => None,
        }
    }
}

impl<'a> Bindings<'a> {
    pub(crate) fn of(function: &'a StmtFunctionDef) -> Self {
        let parameters = function.parameters.iter().map(|parameter| parameter.name().as_str()).collect();
        let is_initialiser = function.name.as_str() == "__init__";
        let mut bindings = Self { parameters, is_initialiser, ..Self::default() };
        bindings.visit_body(&function.body);
        let second = function.parameters.iter().nth(1).map(|parameter| parameter.name().as_str());
        bindings.second = second.filter(|name| !bindings.bound.contains_key(name));
        let bound = || bindings.bound.iter().filter(|(name, _)| !bindings.parameters.contains(*name));
        let are_texts = |bound: &[Bound<'_>]| bound.iter().all(|bound| is_text_by(*bound));
        let texts = bound().filter(|(_, to)| are_texts(to)).map(|(name, _)| *name).collect();
        let mut flow = Flow::default();
        for (name, to) in bound() {
            for value in to.iter().filter_map(Bound::value) {
                flow.to(value, name);
            }
        }
        let foreign = flow.reached_from(CANDLE_SOURCES.all().collect());
        Self { texts, foreign, ..bindings }
    }

    /// Whether it is what freqtrade gives to a populate method, and so has columns and no values.
    pub(crate) fn is_second(&self, expression: &Expr) -> bool {
        expression.as_name_expr().is_some_and(|name| self.second == Some(name.id.as_str()))
    }

    pub(crate) fn is_local(&self, name: &str) -> bool {
        self.parameters.contains(name) || self.bound.contains_key(name)
    }

    pub(crate) fn is_foreign(&self, name: &str) -> bool {
        self.foreign.contains(name)
    }

    /// A name of a column: written here, or put together of texts.
    pub(crate) fn is_text(&self, expression: &Expr) -> bool {
        is_text(expression, &self.texts)
    }

    fn bind(&mut self, target: &'a Expr, bound: Bound<'a>) {
        match target {
            Expr::Name(name) => self.bound.entry(name.id.as_str()).or_default().push(bound),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| self.bind(target, part(bound))),
            Expr::List(list) => list.elts.iter().for_each(|target| self.bind(target, part(bound))),
            Expr::Starred(starred) => self.bind(&starred.value, part(bound)),
            _ => {}
        }
    }
}

/// What is known of one of several: what they are made of.
fn part(bound: Bound<'_>) -> Bound<'_> {
    match bound {
        Bound::To(value) | Bound::ToEachOf(value) if !loads(value).is_empty() => Bound::ToEachOf(value),
        _ => Bound::Otherwise,
    }
}

impl<'a> Visitor<'a> for Bindings<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assignment) => {
                assignment.targets.iter().for_each(|target| self.bind(target, Bound::To(&assignment.value)));
            }
            Stmt::AnnAssign(assignment) => {
                let bound = assignment.value.as_deref().map_or(Bound::Otherwise, Bound::To);
                self.bind(&assignment.target, bound);
            }
            Stmt::AugAssign(assignment) => self.bind(&assignment.target, Bound::ToEachOf(&assignment.value)),
            Stmt::For(each) => self.bind(&each.target, Bound::ToEachOf(&each.iter)),
            Stmt::With(with) => {
                with.items.iter().for_each(|item| {
                    item.optional_vars.iter().for_each(|target| self.bind(target, Bound::Otherwise));
                });
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Named(named) => self.bind(&named.target, Bound::To(&named.value)),
            Expr::Call(call) => {
                let asked = call.func.as_attribute_expr().map(|method| method.attr.as_str());
                if asked.is_some_and(|asked| CANDLE_SOURCES.has(asked)) {
                    let named = call.arguments.find_keyword("timeframe").map(|keyword| &keyword.value);
                    self.fetched_by.push(named.or_else(|| call.arguments.args.get(1)));
                }
            }
            _ => {}
        }
        walk_expr(self, expression);
    }
}

fn is_text_by(bound: Bound<'_>) -> bool {
    match bound {
        Bound::To(value) => is_text(value, &BTreeSet::new()),
        Bound::ToEachOf(Expr::Tuple(each)) => each.elts.iter().all(Expr::is_string_literal_expr),
        Bound::ToEachOf(Expr::List(each)) => each.elts.iter().all(Expr::is_string_literal_expr),
        _ => false,
    }
}

fn is_text(expression: &Expr, texts: &BTreeSet<&str>) -> bool {
    match expression {
        Expr::StringLiteral(_) | Expr::FString(_) => true,
        Expr::BinOp(sum) => is_text(&sum.left, texts) || is_text(&sum.right, texts),
        Expr::Name(name) => texts.contains(name.id.as_str()),
        _ => false,
    }
}

/// `reduce(lambda left, right: left & right, conditions)`
pub(crate) fn is_all_or_any(call: &ExprCall) -> bool {
    let (Some(Expr::Lambda(lambda)), Some(name)) = (call.arguments.args.first(), name_of(&call.func)) else {
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

fn name_of(function: &Expr) -> Option<&str> {
    match function {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}
