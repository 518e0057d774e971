//! State of the look-ahead check, and its predicates on expressions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ruff_python_ast::{Expr, ModModule, StmtFunctionDef, UnaryOp};
use ruff_text_size::{Ranged, TextRange};

use crate::bindings::Bindings;
use crate::data_flow::{derived_names, loaded_names};
use crate::expressions::{integer_literal, is_self, root_expression};
use crate::finding::{Finding, Rule, SourceText, Verdict};
use crate::known_names::{CALLBACKS, CANDLE_SOURCES, VECTORISED_MODULES, WINDOW_METHODS};
use crate::look_ahead::constants::integer_constants;
use crate::symbol_table::SymbolTable;

/// Kind of the function that is being checked; it decides the verdict of a broken rule.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Scope {
    /// Function that computes whole columns.
    Columns,
    /// Function that may be called from one that computes whole columns.
    Helper,
    /// Callback that freqtrade calls candle by candle.
    Callback,
}

pub(super) struct LookAheadVisitor<'a> {
    pub(super) source: &'a SourceText<'a>,
    pub(super) symbols: &'a SymbolTable<'a>,
    pub(super) findings: Vec<Finding>,
    pub(super) constants: BTreeMap<&'a str, i64>,
    pub(super) scope: Scope,
    /// Names in the current function that hold candles or values derived from them.
    pub(super) candle_names: BTreeSet<&'a str>,
    /// Bindings of the names in the current function.
    pub(super) bindings: Bindings<'a>,
    /// Names that hold a single window of candles; aggregates of a window are causal.
    pub(super) window_names: BTreeSet<&'a str>,
    /// Ranges of functions that are called with one window at a time.
    pub(super) windowed_functions: HashSet<TextRange>,
    /// Ranges of names that are called, or passed as functions to a window method.
    pub(super) called_functions: HashSet<TextRange>,
    /// Ranges of methods that receive their object as first parameter.
    pub(super) methods: HashSet<TextRange>,
}

impl<'a> LookAheadVisitor<'a> {
    pub(super) fn new(source: &'a SourceText<'a>, module: &'a ModModule, symbols: &'a SymbolTable<'a>) -> Self {
        Self {
            source,
            symbols,
            findings: Vec::new(),
            constants: integer_constants(module),
            scope: Scope::Helper,
            candle_names: CANDLE_SOURCES.iter().collect(),
            bindings: Bindings::default(),
            window_names: BTreeSet::new(),
            windowed_functions: HashSet::new(),
            called_functions: HashSet::new(),
            methods: HashSet::new(),
        }
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Reports a broken rule: refused where whole columns are computed, unproved in helpers, ignored in callbacks.
    pub(super) fn report_violation(&mut self, range: TextRange, why: impl Into<String>) {
        let verdict = match self.scope {
            Scope::Columns => Verdict::Refused,
            Scope::Helper => Verdict::Unproved,
            Scope::Callback => return,
        };
        self.findings.push(self.source.finding(Rule::LookAhead, verdict, range, why));
    }

    pub(super) fn report_unproved(&mut self, range: TextRange, why: impl Into<String>) {
        if self.scope != Scope::Callback {
            self.findings.push(self.source.finding(Rule::LookAhead, Verdict::Unproved, range, why));
        }
    }

    pub(super) fn scope_of(&self, function: &StmtFunctionDef) -> Scope {
        let name = function.name.as_str();
        let is_informative = function.decorator_list.iter().any(|decorator| {
            let callee = decorator.expression.as_call_expr().map_or(&decorator.expression, |call| &*call.func);
            match callee {
                Expr::Name(name) => name.id.as_str() == "informative",
                Expr::Attribute(attribute) => attribute.attr.as_str() == "informative",
                _ => false,
            }
        });
        if name.starts_with("populate_") || is_informative {
            Scope::Columns
        } else if CALLBACKS.contains(name) {
            Scope::Callback
        } else {
            // A nested function computes with the candles of the outer one.
            self.scope
        }
    }

    /// Value of an integer literal or constant.
    pub(super) fn integer_value(&self, expression: &Expr) -> Option<i64> {
        match expression {
            Expr::Name(name) => self.constants.get(name.id.as_str()).copied(),
            Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => self.integer_value(&unary.operand)?.checked_neg(),
            other => integer_literal(other),
        }
    }

    /// Dotted path that the root name of an expression is bound to by an import.
    pub(super) fn module_of(&self, expression: &Expr) -> Option<&'a str> {
        self.symbols.imported(root_expression(expression).as_name_expr()?.id.as_str())
    }

    pub(super) fn is_function(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Lambda(_) => true,
            Expr::Name(name) => self.symbols.defined.contains(name.id.as_str()),
            Expr::Attribute(attribute) => {
                is_self(&attribute.value) && self.symbols.defined.contains(attribute.attr.as_str())
            }
            _ => false,
        }
    }

    /// `true` if an expression reads candles or values derived from them.
    pub(super) fn is_from_candles(&self, expression: &Expr) -> bool {
        loaded_names(expression).iter().any(|name| self.candle_names.contains(name))
    }

    /// `true` if every candle that an expression reads belongs to a single window.
    pub(super) fn is_from_window(&self, expression: &Expr) -> bool {
        let names = loaded_names(expression);
        let from_candles = || names.iter().filter(|name| self.candle_names.contains(*name));
        from_candles().next().is_some() && from_candles().all(|name| self.window_names.contains(name))
    }

    /// Names in a function that may hold candles: its parameters, those of the enclosing function, and names derived
    /// from them.
    pub(super) fn candle_names_of(&self, function: &'a StmtFunctionDef) -> BTreeSet<&'a str> {
        let mut candle_names = self.candle_names.clone();
        let parameters = function.parameters.iter().map(|parameter| parameter.name().as_str());
        let is_method = self.methods.contains(&function.range());
        candle_names.extend(parameters.enumerate().filter_map(|(position, name)| {
            let is_other = match position {
                0 => is_method && ["cls", "self"].contains(&name),
                2 => is_method && name == "metadata",
                _ => false,
            };
            (!is_other).then_some(name)
        }));
        derived_names(&function.body, candle_names)
    }

    /// `true` if an expression is a name that holds a single window.
    pub(super) fn is_window_name(&self, target: &Expr) -> bool {
        target.as_name_expr().is_some_and(|name| self.window_names.contains(name.id.as_str()))
    }

    /// `true` if an expression is a window object such as `x.rolling(5)`, not a result computed from it.
    pub(super) fn is_window_object(&self, receiver: &Expr) -> bool {
        match receiver {
            Expr::Call(call) => {
                call.func.as_attribute_expr().is_some_and(|method| WINDOW_METHODS.contains(method.attr.as_str()))
            }
            Expr::Subscript(subscript) => self.is_window_object(&subscript.value),
            _ => false,
        }
    }
}

/// `true` for members of [`VECTORISED_MODULES`].
pub(super) fn is_vectorised(module: &str) -> bool {
    VECTORISED_MODULES.contains(first_segment(module))
}

/// First segment of a dotted path.
pub(super) fn first_segment(module: &str) -> &str {
    module.split('.').next().unwrap_or_default()
}
