//! How deep expressions are: what is asked of a part of one is asked again of each that it is a part of.

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ModModule};
use ruff_text_size::{Ranged, TextRange};

/// Python's own limit of parentheses.
pub(crate) const DEEPEST: usize = 200;

/// The first expression that is deeper, and where.
pub(crate) fn too_deep(module: &ModModule) -> Option<TextRange> {
    let mut depth = Depth { now: 0, found: None };
    depth.visit_body(&module.body);
    depth.found
}

struct Depth {
    now: usize,
    found: Option<TextRange>,
}

impl<'a> Visitor<'a> for Depth {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if self.now >= DEEPEST {
            self.found.get_or_insert(expression.range());
        }
        if self.found.is_none() {
            self.now += 1;
            walk_expr(self, expression);
            self.now -= 1;
        }
    }
}
