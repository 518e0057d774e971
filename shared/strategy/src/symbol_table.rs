//! Names that a source defines or imports, anywhere in it.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Alias, Expr, ModModule, Stmt};

use crate::expressions::is_self;

#[derive(Default)]
pub(crate) struct SymbolTable<'a> {
    /// Functions, methods and classes that the source defines.
    pub(crate) defined: BTreeSet<&'a str>,
    /// Classes that the source defines.
    pub(crate) classes: BTreeSet<&'a str>,
    /// Attributes assigned in class bodies or on `self` and `cls`.
    pub(crate) fields: BTreeSet<&'a str>,
    /// Imported names, each with the dotted path of the module or member it is bound to.
    imported: BTreeMap<&'a str, String>,
}

impl<'a> SymbolTable<'a> {
    pub(crate) fn from_module(module: &'a ModModule) -> Self {
        let mut symbols = Self::default();
        symbols.visit_body(&module.body);
        symbols
    }

    /// Stores the first import of a name; a second one with another path is a finding of the safety check.
    fn import(&mut self, (name, module): (&'a str, String)) {
        self.imported.entry(name).or_insert(module);
    }

    /// Dotted path that an imported name is bound to.
    pub(crate) fn imported(&self, name: &str) -> Option<&str> {
        self.imported.get(name).map(String::as_str)
    }
}

impl<'a> Visitor<'a> for SymbolTable<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                import.names.iter().for_each(|alias| self.import(import_binding(alias)));
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                import.names.iter().for_each(|alias| self.import(import_from_binding(module, alias)));
            }
            Stmt::FunctionDef(function) => {
                self.defined.insert(function.name.as_str());
            }
            Stmt::ClassDef(class) => {
                self.defined.insert(class.name.as_str());
                self.classes.insert(class.name.as_str());
                self.fields.extend(
                    class
                        .body
                        .iter()
                        .flat_map(assignment_targets)
                        .filter_map(Expr::as_name_expr)
                        .map(|name| name.id.as_str()),
                );
            }
            _ => {}
        }
        let to_self = assignment_targets(statement)
            .filter_map(Expr::as_attribute_expr)
            .filter(|attribute| is_self(&attribute.value));
        self.fields.extend(to_self.map(|attribute| attribute.attr.as_str()));
        walk_stmt(self, statement);
    }
}

/// Returns the name that an `import` binds and the module: `import a.b` binds `a`, `import a.b as c` binds `c` to
/// `a.b`.
pub(crate) fn import_binding(alias: &Alias) -> (&str, String) {
    let module = alias.name.as_str();
    match &alias.asname {
        Some(name) => (name.as_str(), module.to_owned()),
        None => {
            let first = module.split('.').next().unwrap_or_default();
            (first, first.to_owned())
        }
    }
}

/// Returns the name that a `from … import` binds and the dotted path of the member.
pub(crate) fn import_from_binding<'a>(module: &str, alias: &'a Alias) -> (&'a str, String) {
    (alias.asname.as_ref().unwrap_or(&alias.name).as_str(), format!("{module}.{}", alias.name))
}

/// Targets of an assignment statement; none for other statements.
fn assignment_targets(statement: &Stmt) -> impl Iterator<Item = &Expr> {
    let (many, one) = match statement {
        Stmt::Assign(assignment) => (assignment.targets.as_slice(), None),
        Stmt::AnnAssign(assignment) => (&[] as &[Expr], Some(&*assignment.target)),
        _ => (&[] as &[Expr], None),
    };
    many.iter().chain(one)
}
