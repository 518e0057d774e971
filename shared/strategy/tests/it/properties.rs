//! Whatever comes, an answer comes of it.

use nofomo_strategy::check;
use proptest::prelude::*;

const SOURCE: &str = include_str!("../clean/timeouts.py");

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_has_an_answer(text in "\\PC{0,400}") {
        check(&text).ok();
    }

    #[test]
    fn any_piece_of_a_strategy_has_an_answer(from in 0..SOURCE.len(), to in 0..SOURCE.len(), between in "[\\PC\\n]{0,8}") {
        let source = format!("{}{between}{}", &SOURCE[..from.min(to)], &SOURCE[from.max(to)..]);
        if let Ok(checked) = check(&source) {
            let lines = source.lines().count();
            prop_assert!(checked.findings.iter().all(|finding| (1..=lines).contains(&finding.line)));
        }
    }

    /// What reaches outside is found wherever in a strategy it stands.
    #[test]
    fn an_import_is_found_in_any_body(place in 0..SOURCE.matches("        ").count()) {
        let mut at = SOURCE.match_indices("\n        ").map(|(at, _)| at + 1);
        if let Some(at) = at.nth(place) {
            let source = format!("{}        import os\n{}", &SOURCE[..at], &SOURCE[at..]);
            if let Ok(checked) = check(&source) {
                prop_assert!(checked.findings.iter().any(|finding| finding.why.starts_with("os ")), "{source}");
            }
        }
    }
}
