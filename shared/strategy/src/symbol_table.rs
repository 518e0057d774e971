//! What a source itself defines, and by which names it calls what it imports, wherever in it that stands.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Alias, Expr, ModModule, Stmt};

#[derive(Default)]
pub(crate) struct SymbolTable<'a> {
    /// Functions, methods and classes.
    pub(crate) defined: BTreeSet<&'a str>,
    pub(crate) classes: BTreeSet<&'a str>,
    /// What a class has in its body, or an object of it gets.
    pub(crate) fields: BTreeSet<&'a str>,
    /// Names that imports bind, and the modules that they are, or what of a module.
    imported: BTreeMap<&'a str, String>,
}

impl<'a> SymbolTable<'a> {
    pub(crate) fn from_module(module: &'a ModModule) -> Self {
        let mut symbols = Self::default();
        symbols.visit_body(&module.body);
        symbols
    }

    /// Another of the same name is told where it stands.
    fn import(&mut self, (name, module): (&'a str, String)) {
        self.imported.entry(name).or_insert(module);
    }

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

/// `import a.b` binds a, `import a.b as c` what is in b.
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

pub(crate) fn import_from_binding<'a>(module: &str, alias: &'a Alias) -> (&'a str, String) {
    (alias.asname.as_ref().unwrap_or(&alias.name).as_str(), format!("{module}.{}", alias.name))
}

fn assignment_targets(statement: &Stmt) -> impl Iterator<Item = &Expr> {
    let (many, one) = match statement {
        Stmt::Assign(assignment) => (assignment.targets.as_slice(), None),
        Stmt::AnnAssign(assignment) => (&[] as &[Expr], Some(&*assignment.target)),
        _ => (&[] as &[Expr], None),
    };
    many.iter().chain(one)
}

pub(crate) fn is_self(expression: &Expr) -> bool {
    expression.as_name_expr().is_some_and(|name| ["self", "cls"].contains(&name.id.as_str()))
}
