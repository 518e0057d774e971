//! The check returns a result for any text.

use nofomo_strategy::check;
use proptest::prelude::*;

const SOURCE: &str = include_str!("../clean/timeouts.py");

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_checked_without_a_panic(text in "\\PC{0,400}") {
        check(&text).ok();
    }

    #[test]
    fn findings_in_a_cut_strategy_have_valid_lines(from in 0..SOURCE.len(), to in 0..SOURCE.len(), between in "[\\PC\\n]{0,8}") {
        let source = format!("{}{between}{}", &SOURCE[..from.min(to)], &SOURCE[from.max(to)..]);
        if let Ok(checked) = check(&source) {
            let lines = source.lines().count();
            prop_assert!(checked.findings.iter().all(|finding| (1..=lines).contains(&finding.line)));
        }
    }

    #[test]
    fn a_forbidden_import_is_found_in_any_body(place in 0..SOURCE.matches("        ").count()) {
        let mut at = SOURCE.match_indices("\n        ").map(|(at, _)| at + 1);
        if let Some(at) = at.nth(place) {
            let source = format!("{}        import os\n{}", &SOURCE[..at], &SOURCE[at..]);
            if let Ok(checked) = check(&source) {
                prop_assert!(checked.findings.iter().any(|finding| finding.why.starts_with("`os` ")), "{source}");
            }
        }
    }
}
