//! Checks of imports and of imported names.

use ruff_python_ast::Alias;
use ruff_text_size::{Ranged, TextRange};

use crate::finding::Rule;
use crate::known_names::{ALLOWED_MODULES, DANGEROUS_MODULES};
use crate::name_verdict::{allowed_names, name_verdict, reaches_outside};
use crate::safety::visitor::SafetyVisitor;
use crate::symbol_table::{import_binding, import_from_binding};

impl SafetyVisitor<'_> {
    pub(super) fn check_import(&mut self, alias: &Alias) {
        self.check_import_binding(import_binding(alias), alias.range());
        self.check_module(alias.name.as_str(), alias.range());
    }

    /// Reports an imported name that an earlier import binds to something else.
    fn check_import_binding(&mut self, (name, module): (&str, String), range: TextRange) {
        if self.symbols.imported(name) != Some(module.as_str()) {
            self.report_unproved(
                Rule::Import,
                range,
                format!("`{name}` is imported twice with different meanings; choose another name"),
            );
        }
    }

    pub(super) fn check_module(&mut self, module: &str, range: TextRange) {
        if let Some(part) = module.split('.').find(|part| DANGEROUS_MODULES.contains(part)) {
            self.report_refused(Rule::Import, range, reaches_outside(part));
        } else if !ALLOWED_MODULES.contains(module) {
            self.report_unproved(
                Rule::Import,
                range,
                format!(
                    "`{module}` is not an allowed module; use pandas, numpy, talib, technical or freqtrade.strategy"
                ),
            );
        }
    }

    pub(super) fn check_import_from(&mut self, module: &str, alias: &Alias) {
        let name = alias.name.as_str();
        if name == "*" {
            self.report_unproved(
                Rule::Import,
                alias.range(),
                format!("`*` hides which names of `{module}` are used; import them by name"),
            );
            return;
        }
        let bound = import_from_binding(module, alias);
        // A path that is not a module itself is a member of the module.
        if ALLOWED_MODULES.contains(module) && !ALLOWED_MODULES.contains(bound.1.as_str()) {
            self.check_module_member(module, name, alias.range());
            self.check_member_name(name, alias.range());
            if name.starts_with('_') {
                self.report_unproved(
                    Rule::Import,
                    alias.range(),
                    format!("`{name}` is private to `{module}`; use its public names"),
                );
            }
        }
        self.check_import_binding(bound, alias.range());
    }

    /// Refuses the name of a dangerous module, which other modules often expose as an attribute.
    pub(super) fn check_module_name(&mut self, name: &str, range: TextRange) {
        if DANGEROUS_MODULES.contains(name) {
            self.report_refused(Rule::OutsideAccess, range, reaches_outside(name));
        }
    }

    /// Checks a member of a module, which may have a list of allowed names.
    pub(super) fn check_module_member(&mut self, module: &str, name: &str, range: TextRange) {
        let allowed = allowed_names(module);
        if DANGEROUS_MODULES.contains(name) {
            self.check_module_name(name, range);
        } else if allowed.is_some_and(|names| !names.contains(name)) && name_verdict(name).is_none() {
            self.report_unproved(
                Rule::Import,
                range,
                format!("`{name}` is not an allowed name of `{module}`; use another function"),
            );
        }
    }

    /// Reports an imported name that is bound to something else.
    pub(super) fn check_rebinding(&mut self, name: &str, range: TextRange) {
        if self.symbols.imported(name).is_some() {
            self.report_unproved(
                Rule::Tampering,
                range,
                format!("`{name}` is an imported name; choose another name here"),
            );
        }
    }

    /// Reports a module that is used as a value: under another name, its members would not be checked.
    pub(super) fn check_module_alias(&mut self, name: &str, range: TextRange) {
        let is_module = self.symbols.imported(name).is_some_and(|module| allowed_names(module).is_some());
        if is_module && !self.attribute_bases.contains(&range) {
            self.report_unproved(
                Rule::DynamicCode,
                range,
                format!("`{name}` may be used under another name; call its functions directly"),
            );
        }
    }
}
