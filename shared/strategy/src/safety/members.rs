//! Checks of attributes.

use ruff_python_ast::{Expr, ExprAttribute};
use ruff_text_size::{Ranged, TextRange};

use crate::expressions::{is_self, root_expression};
use crate::finding::Rule;
use crate::known_names::ALLOWED_SETTINGS;
use crate::name_verdict::{is_dunder, name_verdict};
use crate::safety::visitor::SafetyVisitor;

impl SafetyVisitor<'_> {
    /// Checks a name that is read from any receiver.
    pub(super) fn check_member_name(&mut self, name: &str, range: TextRange) {
        if let Some((rule, verdict, why)) = name_verdict(name) {
            self.findings.push(self.source.finding(rule, verdict, range, why));
        }
    }

    pub(super) fn check_attribute(&mut self, attribute: &ExprAttribute) {
        let (name, range) = (attribute.attr.as_str(), attribute.attr.range());
        let receiver = attribute.value.as_name_expr().map(|name| name.id.as_str());
        let is_on_self = is_self(&attribute.value);
        if !attribute.ctx.is_load() {
            self.check_attribute_store(attribute);
        }
        if !is_on_self || !(self.symbols.defined.contains(name) || self.symbols.fields.contains(name)) {
            match receiver.and_then(|receiver| self.symbols.imported(receiver)) {
                Some(module) => self.check_module_member(module, name, range),
                None => self.check_module_name(name, range),
            }
            self.check_member_name(name, range);
        }
        self.check_config_access(name, attribute.range(), range);
        if name == "format" && !attribute.value.is_string_literal_expr() {
            self.report_unproved(
                Rule::DynamicCode,
                range,
                "`format` on a string that is not a literal can read any attribute; use an f-string",
            );
        }
        let is_private = if is_on_self { name.starts_with("ft_") } else { name.starts_with('_') && !is_dunder(name) };
        if is_private {
            self.report_unproved(Rule::DynamicCode, range, format!("`{name}` is a private attribute; use public ones"));
        }
    }

    /// Checks an attribute that is assigned, augmented or deleted.
    fn check_attribute_store(&mut self, attribute: &ExprAttribute) {
        let Some(name) = root_expression(&attribute.value).as_name_expr().map(|name| name.id.as_str()) else { return };
        if self.symbols.imported(name).is_some() || self.symbols.defined.contains(name) {
            self.report_refused(
                Rule::Tampering,
                attribute.range(),
                format!("`{name}` is changed for all code that uses it; do not assign to its attributes"),
            );
        }
    }

    /// Allows a read of the configuration if it names one of the allowed settings.
    pub(super) fn allow_setting(&mut self, settings: &Expr, name: Option<&Expr>) {
        let name = name.and_then(Expr::as_string_literal_expr);
        if name.is_some_and(|name| ALLOWED_SETTINGS.contains(name.value.to_str())) {
            self.allowed_settings.insert(settings.range());
        }
    }

    /// Checks uses of `self.config` and of the `config` parameter of `__init__`.
    pub(super) fn check_config_access(&mut self, name: &str, range: TextRange, name_range: TextRange) {
        if name == "config" && !self.allowed_settings.contains(&range) {
            self.report_unproved(
                Rule::OutsideAccess,
                name_range,
                "freqtrade's configuration holds the exchange's API keys; read one setting by its name",
            );
        }
    }
}
