//! Verdicts on single names, on any receiver, and the text of their findings.

use crate::finding::{Rule, Verdict};
use crate::known_names::{
    ALLOWED_DUNDERS, ALLOWED_MODULE_NAMES, DYNAMIC_CODE_NAMES, IN_MEMORY_CONVERSIONS, INTERNAL_NAMES, IO_NAMES, NameSet,
};

/// Allowed names of a module, or `None` if its names are not restricted to a list.
pub(crate) fn allowed_names(module: &str) -> Option<&'static NameSet> {
    ALLOWED_MODULE_NAMES.iter().find(|(known, _)| *known == module).map(|(_, names)| names)
}

pub(crate) fn reaches_outside(name: &str) -> String {
    format!("`{name}` gives access to what is outside the strategy; remove it")
}

pub(crate) fn reads_or_writes(name: &str) -> String {
    format!("`{name}` reads or writes data outside of the strategy; remove it")
}

pub(crate) fn reaches_internals(name: &str) -> String {
    format!("`{name}` gives access to internals of Python; remove it")
}

/// `true` for names with double underscores on both sides.
pub(crate) fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

/// First name with double underscores in a string, except allowed ones.
pub(crate) fn find_dunder(text: &str) -> Option<&str> {
    let mut names = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    names.find(|name| is_dunder(name) && !ALLOWED_DUNDERS.contains(name))
}

/// Verdict on a name that is read from any receiver, or `None` if the name alone is no finding.
pub(crate) fn name_verdict(name: &str) -> Option<(Rule, Verdict, String)> {
    if IO_NAMES.contains(name) || name.starts_with("read_") {
        Some((Rule::OutsideAccess, Verdict::Refused, reads_or_writes(name)))
    } else if name.starts_with("to_") && !IN_MEMORY_CONVERSIONS.contains(name) {
        Some((
            Rule::OutsideAccess,
            Verdict::Unproved,
            format!("`{name}` may write data outside of the strategy; remove it"),
        ))
    } else if DYNAMIC_CODE_NAMES.contains(name) {
        Some((
            Rule::DynamicCode,
            Verdict::Refused,
            format!("`{name}` runs code from strings or exposes running code; remove it"),
        ))
    } else if let Some((_, why)) = INTERNAL_NAMES.iter().find(|(internal, _)| *internal == name) {
        Some((Rule::OutsideAccess, Verdict::Unproved, format!("`{name}` {why}")))
    } else if is_dunder(name) && !ALLOWED_DUNDERS.contains(name) {
        Some((Rule::DynamicCode, Verdict::Refused, reaches_internals(name)))
    } else {
        None
    }
}

/// `true` if a format string reads an attribute or an element, as in `{0.config}` or `{pair[key]}`.
pub(crate) fn has_field_access(text: &str) -> bool {
    text.split('{').skip(1).any(|field| {
        let rest = field.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        rest.starts_with(['.', '[']) && !rest[1..].starts_with(|c: char| c.is_ascii_digit())
    })
}
