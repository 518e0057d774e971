//! Sources that are not a valid strategy, with the position and message of each error.

use nofomo_strategy::{MAX_FINDINGS, MAX_SOURCE_BYTES, Verdict, check};

const VALID: &str = "from freqtrade.strategy import IStrategy


class Plain(IStrategy):
    timeframe = \"1h\"
    stoploss = -0.1

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
";

/// `(line, column, message)` of each error.
fn errors(source: &str) -> Vec<(Option<usize>, Option<usize>, String)> {
    let errors = check(source).expect_err(source);
    errors.into_iter().map(|error| (error.line, error.column, error.message)).collect()
}

fn changed(from: &str, to: &str) -> String {
    assert!(VALID.contains(from), "{from}");
    VALID.replacen(from, to, 1)
}

#[test]
fn the_report_has_the_metadata_of_the_strategy() {
    let checked = check(VALID).unwrap();
    let strategy = &checked.strategy;
    assert_eq!(
        (strategy.class_name.as_str(), strategy.interface_version, strategy.timeframe.as_str(), strategy.can_short),
        ("Plain", 3, "1h", false)
    );
    let shorts = check(&changed("    stoploss", "    can_short: bool = True\n    stoploss")).unwrap();
    assert!(shorts.strategy.can_short);
}

#[test]
fn invalid_python_is_reported_with_line_and_column() {
    for (source, line, column) in [
        (changed("return dataframe", "return dataframe["), 11, 5),
        (changed("class Plain(IStrategy):", "class Plain(IStrategy)"), 4, 23),
        (changed("timeframe = ", "timeframe == = "), 5, 18),
        (changed("\"1h\"", "\"1h"), 5, 17),
        (changed("    stoploss", "  stoploss"), 6, 1),
        (changed("\"1h\"", "\u{e9}\u{e9} \"1h\""), 5, 20),
    ] {
        let errors = errors(&source);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!((errors[0].0, errors[0].1), (Some(line), Some(column)), "{errors:?}\n{source}");
        assert!(errors[0].2.starts_with("the source is not valid Python: "), "{errors:?}");
    }
}

#[test]
fn everything_that_freqtrade_would_reject_is_reported() {
    for (source, line, message) in [
        (String::new(), None, "the source has no class that inherits from freqtrade's `IStrategy`"),
        (changed("(IStrategy)", ""), None, "the source has no class"),
        (changed("from freqtrade.strategy", "from mine"), None, "the source has no class"),
        (
            format!("{VALID}\n\nclass Other(IStrategy):\n    pass\n"),
            Some(18),
            "`Other` is a second strategy; a source must contain exactly one",
        ),
        (changed("def populate_exit_trend", "def exits"), Some(4), "`populate_exit_trend` is missing"),
        (
            changed("    timeframe", "    INTERFACE_VERSION = 1\n    timeframe"),
            Some(5),
            "`INTERFACE_VERSION` must be 2 or 3",
        ),
        (
            changed("def populate_indicators(self, dataframe, metadata)", "def populate_indicators(self, dataframe)"),
            Some(8),
            "`populate_indicators` must accept `self`, `dataframe` and `metadata`",
        ),
        (
            changed("    timeframe", "    INTERFACE_VERSION = 4\n    timeframe"),
            Some(5),
            "`INTERFACE_VERSION` must be 2 or 3",
        ),
        (
            changed("    timeframe", "    INTERFACE_VERSION = 1 + 2\n    timeframe"),
            Some(5),
            "`INTERFACE_VERSION` must be 2 or 3",
        ),
        (changed("\"1h\"", "\"2h\""), Some(5), "`timeframe` must be one of 1m, 5m, 15m, 30m, 1h, 4h, 1d"),
        (changed("\"1h\"", "HOUR"), Some(5), "`timeframe` must be one of"),
        (changed("    timeframe = \"1h\"\n", ""), Some(4), "`timeframe` is missing"),
        (changed("-0.1", "0.1"), Some(6), "`stoploss` must be a negative number"),
        (changed("-0.1", "\"-0.1\""), Some(6), "`stoploss` must be a negative number"),
        (changed("    stoploss = -0.1\n", ""), Some(4), "`stoploss` is missing"),
    ] {
        let found = errors(&source);
        let is_reported = found.iter().any(|(at, _, reported)| *at == line && reported.starts_with(message));
        assert!(is_reported, "{message}: {found:?}");
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let source = changed("\"1h\"", "\"2h\"").replace("-0.1", "1").replace("def populate_entry_trend", "def entries");
    assert_eq!(errors(&source).len(), 3, "{:?}", errors(&source));
}

#[test]
fn sources_that_are_too_long_or_too_deep_are_refused() {
    let long = format!("{VALID}#{}", "x".repeat(MAX_SOURCE_BYTES));
    assert_eq!(errors(&long)[0].2, "the source has more than 256 KiB");
    for deep in ["(", "[", "-", "not ", "lambda: ", "f(", "x.a", "1+", "x[", "{1:", "x if y else "] {
        let source = format!("{VALID}\nx = {}", deep.repeat(MAX_SOURCE_BYTES / deep.len() / 2));
        assert!(check(&source).is_err(), "{deep}");
    }
    let attribute_chain = |times: usize| format!("{VALID}\nx = y{}\n", ".a".repeat(times));
    assert!(check(&attribute_chain(199)).is_ok());
    assert_eq!(
        errors(&attribute_chain(200))[0],
        (Some(17), Some(5), "the expression is nested more than 200 levels deep; split it".into())
    );
    let nested: String = (0..99).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
    assert!(check(&format!("{VALID}\n{nested}{}pass\n", " ".repeat(99))).is_ok());
}

#[test]
fn refused_findings_take_precedence_when_there_are_too_many() {
    let source = format!("{VALID}{}import os\n", "import mine\n".repeat(1000));
    let findings = check(&source).unwrap().findings;
    assert_eq!(findings.len(), MAX_FINDINGS);
    let last = findings.last().unwrap();
    assert_eq!((last.verdict, last.line), (Verdict::Refused, 1016));
    assert!(findings.is_sorted_by_key(|finding| finding.line));
}

/// A chain of assignments as long as a source allows.
#[test]
fn a_long_chain_of_assignments_is_followed_to_its_end() {
    let chain: String = (0..9_000).map(|at| format!("        a{} = a{at}\n", at + 1)).collect();
    let source = changed(
        "        return dataframe",
        &format!("        a0 = dataframe[\"close\"]\n{chain}        a9000.iloc[-1]\n        return dataframe"),
    );
    let findings = check(&source).unwrap().findings;
    assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [9_010]);
}
