//! Structure of a source: exactly one strategy class that implements freqtrade's interface.

use std::collections::BTreeSet;

use ruff_python_ast::{Expr, ModModule, Number, Parameters, Stmt, StmtClassDef, UnaryOp};
use ruff_text_size::Ranged;
use serde::{Deserialize, Serialize};

use crate::expressions::integer_literal;
use crate::finding::{SourceError, SourceText};

/// Timeframes that a strategy may have: those of bots.
pub const TIMEFRAMES: [&str; 7] = ["1m", "5m", "15m", "30m", "1h", "4h", "1d"];

/// Methods that freqtrade requires, each with its name before version 3 of the interface.
const METHODS: [(&str, Option<&str>); 3] = [
    ("populate_indicators", None),
    ("populate_entry_trend", Some("populate_buy_trend")),
    ("populate_exit_trend", Some("populate_sell_trend")),
];

/// Properties of the strategy class that its source declares.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StrategyMetadata {
    pub class_name: String,
    /// Version of freqtrade's strategy interface: 2 or 3.
    pub interface_version: u8,
    pub timeframe: String,
    pub can_short: bool,
}

/// Finds the strategy class and reads its metadata, or returns everything that is missing or wrong in it.
pub(crate) fn read_metadata(source: &SourceText<'_>, module: &ModModule) -> Result<StrategyMetadata, Vec<SourceError>> {
    let imports = StrategyImports::from_module(module);
    let mut classes = module.body.iter().filter_map(|statement| match statement {
        Stmt::ClassDef(class) if imports.inherits(class) => Some(class),
        _ => None,
    });
    let Some(class) = classes.next() else {
        return Err(vec![SourceError::whole_source(
            "the source has no class that inherits from freqtrade's `IStrategy`".into(),
        )]);
    };
    if let Some(other) = classes.next() {
        let message = format!("`{}` is a second strategy; a source must contain exactly one", other.name);
        return Err(vec![source.error(other.name.range(), message)]);
    }

    let mut errors = Vec::new();
    let mut report = |range, message: String| errors.push(source.error(range, message));
    let class_range = class.name.range();
    let interface_version =
        match class_attribute(class, "INTERFACE_VERSION").map(|value| (value, integer_literal(value))) {
            None => 3,
            Some((_, Some(version))) if (2..=3).contains(&version) => u8::try_from(version).unwrap_or(3),
            Some((value, _)) => {
                report(value.range(), "`INTERFACE_VERSION` must be 2 or 3".into());
                3
            }
        };
    for (name, legacy_name) in METHODS {
        let method_named = |name: &str| {
            class.body.iter().filter_map(Stmt::as_function_def_stmt).rfind(|function| function.name.as_str() == name)
        };
        let method =
            method_named(name).or_else(|| legacy_name.filter(|_| interface_version < 3).and_then(method_named));
        match method.map(|method| (method.name.range(), &method.parameters)) {
            None => {
                report(class_range, format!("`{name}` is missing; interface version {interface_version} requires it"));
            }
            Some((_, parameters)) if accepts_three_arguments(parameters) => {}
            Some((range, _)) => report(range, format!("`{name}` must accept `self`, `dataframe` and `metadata`")),
        }
    }
    let timeframe = class_attribute(class, "timeframe").or_else(|| class_attribute(class, "ticker_interval"));
    let timeframe = match timeframe.map(|value| (value, value.as_string_literal_expr())) {
        Some((_, Some(text))) if TIMEFRAMES.contains(&text.value.to_str()) => text.value.to_str().to_owned(),
        Some((value, _)) => {
            report(value.range(), format!("`timeframe` must be one of {}", TIMEFRAMES.join(", ")));
            String::new()
        }
        None => {
            report(class_range, format!("`timeframe` is missing; it must be one of {}", TIMEFRAMES.join(", ")));
            String::new()
        }
    };
    match class_attribute(class, "stoploss") {
        Some(value) if number_literal(value).is_some_and(|loss| loss < 0.0) => {}
        Some(value) => report(value.range(), "`stoploss` must be a negative number, such as -0.10".into()),
        None => report(class_range, "`stoploss` is missing; it must be a negative number, such as -0.10".into()),
    }
    let can_short = class_attribute(class, "can_short")
        .is_some_and(|value| value.as_boolean_literal_expr().is_none_or(|literal| literal.value));
    if errors.is_empty() {
        Ok(StrategyMetadata { class_name: class.name.to_string(), interface_version, timeframe, can_short })
    } else {
        Err(errors)
    }
}

/// Names under which a source imports freqtrade's `IStrategy`, and the modules that contain it.
struct StrategyImports<'a> {
    classes: BTreeSet<&'a str>,
    modules: BTreeSet<String>,
}

impl<'a> StrategyImports<'a> {
    fn from_module(module: &'a ModModule) -> Self {
        let mut imports = Self { classes: BTreeSet::new(), modules: BTreeSet::new() };
        for statement in &module.body {
            match statement {
                Stmt::ImportFrom(import) => {
                    let from = import.module.as_ref().map_or("", |module| module.as_str());
                    for alias in &import.names {
                        let local_name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                        match (from, alias.name.as_str()) {
                            ("freqtrade.strategy" | "freqtrade.strategy.interface", "IStrategy") => {
                                imports.classes.insert(local_name);
                            }
                            ("freqtrade", "strategy") | ("freqtrade.strategy", "interface") => {
                                imports.modules.insert(local_name.to_owned());
                            }
                            _ => {}
                        }
                    }
                }
                Stmt::Import(import) => {
                    for alias in &import.names {
                        if matches!(alias.name.as_str(), "freqtrade.strategy" | "freqtrade.strategy.interface") {
                            let local_name = alias.asname.as_ref().unwrap_or(&alias.name);
                            imports.modules.insert(local_name.to_string());
                        }
                    }
                }
                _ => {}
            }
        }
        imports
    }

    fn inherits(&self, class: &StmtClassDef) -> bool {
        class.arguments.iter().flat_map(|arguments| &arguments.args).any(|base| match base {
            Expr::Name(name) => self.classes.contains(name.id.as_str()),
            Expr::Attribute(attribute) => {
                attribute.attr.as_str() == "IStrategy"
                    && dotted_path(&attribute.value).is_some_and(|module| self.modules.contains(&module))
            }
            _ => false,
        })
    }
}

/// Dotted path of an expression such as `a.b.c`.
fn dotted_path(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => Some(format!("{}.{}", dotted_path(&attribute.value)?, attribute.attr)),
        _ => None,
    }
}

/// Last value that a class body assigns to an attribute.
fn class_attribute<'a>(class: &'a StmtClassDef, name: &str) -> Option<&'a Expr> {
    let is_target = |target: &Expr| target.as_name_expr().is_some_and(|target| target.id.as_str() == name);
    class.body.iter().rev().find_map(|statement| match statement {
        Stmt::Assign(assignment) if assignment.targets.iter().any(is_target) => Some(&*assignment.value),
        Stmt::AnnAssign(assignment) if is_target(&assignment.target) => assignment.value.as_deref(),
        _ => None,
    })
}

/// Value of a number literal, with or without a minus sign.
fn number_literal(expression: &Expr) -> Option<f64> {
    match expression {
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(value) => value.as_i64().map(|value| value as f64),
            Number::Float(value) => Some(*value),
            Number::Complex { .. } => None,
        },
        Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => number_literal(&unary.operand).map(|value| -value),
        _ => None,
    }
}

/// `true` if a method can be called with three positional arguments, as freqtrade does.
fn accepts_three_arguments(parameters: &Parameters) -> bool {
    let positional: Vec<_> = parameters.posonlyargs.iter().chain(&parameters.args).collect();
    let required = positional.iter().filter(|parameter| parameter.default.is_none()).count();
    positional.len() >= 3 && required <= 3 && parameters.kwonlyargs.iter().all(|parameter| parameter.default.is_some())
}
