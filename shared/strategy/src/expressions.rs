//! Predicates and literal values of single expressions.

use ruff_python_ast::{Expr, Number, UnaryOp};

/// `true` if an expression is the name `self` or `cls`.
pub(crate) fn is_self(expression: &Expr) -> bool {
    expression.as_name_expr().is_some_and(|name| ["self", "cls"].contains(&name.id.as_str()))
}

/// `true` for a call of `super`.
pub(crate) fn is_super(expression: &Expr) -> bool {
    let callee = expression.as_call_expr().and_then(|call| call.func.as_name_expr());
    callee.is_some_and(|name| name.id.as_str() == "super")
}

/// Innermost expression of attribute and subscript accesses: `a` in `a.b[c].d`.
pub(crate) fn root_expression(expression: &Expr) -> &Expr {
    match expression {
        Expr::Attribute(attribute) => root_expression(&attribute.value),
        Expr::Subscript(subscript) => root_expression(&subscript.value),
        other => other,
    }
}

/// Value of an integer literal, with or without a sign.
pub(crate) fn integer_literal(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(value) => value.as_i64(),
            _ => None,
        },
        Expr::UnaryOp(unary) => match unary.op {
            UnaryOp::USub => integer_literal(&unary.operand)?.checked_neg(),
            UnaryOp::UAdd => integer_literal(&unary.operand),
            _ => None,
        },
        _ => None,
    }
}
