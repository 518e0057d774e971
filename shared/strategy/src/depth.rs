//! Nesting depth of expressions. The checks visit a nested expression once per level, so the depth bounds their cost.

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ModModule};
use ruff_text_size::{Ranged, TextRange};

/// Maximum nesting depth; also Python's own limit for parentheses.
pub(crate) const MAX_DEPTH: usize = 200;

/// Returns the range of the first expression that is nested deeper than [`MAX_DEPTH`].
pub(crate) fn find_too_deep(module: &ModModule) -> Option<TextRange> {
    let mut visitor = DepthVisitor { depth: 0, found: None };
    visitor.visit_body(&module.body);
    visitor.found
}

struct DepthVisitor {
    depth: usize,
    found: Option<TextRange>,
}

impl<'a> Visitor<'a> for DepthVisitor {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if self.depth >= MAX_DEPTH {
            self.found.get_or_insert(expression.range());
        }
        if self.found.is_none() {
            self.depth += 1;
            walk_expr(self, expression);
            self.depth -= 1;
        }
    }
}
