//! Accessors of a call's arguments.

use ruff_python_ast::{Arguments, Expr};

use crate::expressions::integer_literal;

/// Value of a keyword argument.
pub(super) fn keyword<'e>(arguments: &'e Arguments, name: &str) -> Option<&'e Expr> {
    let is_named = |keyword: &&ruff_python_ast::Keyword| keyword.arg.as_ref().is_some_and(|arg| arg.as_str() == name);
    arguments.keywords.iter().find(is_named).map(|keyword| &keyword.value)
}

/// `true` if the call computes across the columns of each candle (`axis=1`).
pub(super) fn is_across_columns(arguments: &Arguments) -> bool {
    match keyword(arguments, "axis") {
        Some(Expr::StringLiteral(text)) => text.value.to_str() == "columns",
        Some(axis) => integer_literal(axis) == Some(1),
        None => false,
    }
}

/// `true` if the call unpacks arguments with `*` or `**`.
pub(super) fn has_unpacked(arguments: &Arguments) -> bool {
    arguments.args.iter().any(Expr::is_starred_expr) || arguments.keywords.iter().any(|keyword| keyword.arg.is_none())
}

/// Values of all positional and keyword arguments.
pub(super) fn values(arguments: &Arguments) -> impl Iterator<Item = &Expr> {
    arguments.args.iter().chain(arguments.keywords.iter().map(|keyword| &keyword.value))
}
