//! What is no strategy, and where it says so.

use nofomo_strategy::{MAX_FINDINGS, MAX_SOURCE_BYTES, Verdict, check};

const GOOD: &str = "from freqtrade.strategy import IStrategy


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

/// `(line, column, what)` of each mistake.
fn mistakes(source: &str) -> Vec<(Option<usize>, Option<usize>, String)> {
    let mistakes = check(source).expect_err(source);
    mistakes.into_iter().map(|mistake| (mistake.line, mistake.column, mistake.message)).collect()
}

fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

#[test]
fn a_strategy_says_what_it_is() {
    let checked = check(GOOD).unwrap();
    let strategy = &checked.strategy;
    assert_eq!(
        (strategy.class_name.as_str(), strategy.interface_version, strategy.timeframe.as_str(), strategy.can_short),
        ("Plain", 3, "1h", false)
    );
    let shorts = check(&changed("    stoploss", "    can_short: bool = True\n    stoploss")).unwrap();
    assert!(shorts.strategy.can_short);
}

#[test]
fn what_is_not_python_is_told_by_line_and_column() {
    for (source, line, column) in [
        (changed("return dataframe", "return dataframe["), 11, 5),
        (changed("class Plain(IStrategy):", "class Plain(IStrategy)"), 4, 23),
        (changed("timeframe = ", "timeframe == = "), 5, 18),
        (changed("\"1h\"", "\"1h"), 5, 17),
        (changed("    stoploss", "  stoploss"), 6, 1),
        (changed("\"1h\"", "\u{e9}\u{e9} \"1h\""), 5, 20),
    ] {
        let mistakes = mistakes(&source);
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert_eq!((mistakes[0].0, mistakes[0].1), (Some(line), Some(column)), "{mistakes:?}\n{source}");
        assert!(mistakes[0].2.starts_with("is not Python: "), "{mistakes:?}");
    }
}

#[test]
fn what_freqtrade_would_not_take_is_told() {
    for (source, line, what) in [
        (String::new(), None, "has no class that inherits from freqtrade's IStrategy"),
        (changed("(IStrategy)", ""), None, "has no class"),
        (changed("from freqtrade.strategy", "from mine"), None, "has no class"),
        (
            format!("{GOOD}\n\nclass Other(IStrategy):\n    pass\n"),
            Some(18),
            "Other is a second strategy; a source has one",
        ),
        (changed("def populate_exit_trend", "def exits"), Some(4), "populate_exit_trend is missing"),
        (
            changed("    timeframe", "    INTERFACE_VERSION = 1\n    timeframe"),
            Some(5),
            "INTERFACE_VERSION must be 2 or 3",
        ),
        (
            changed("def populate_indicators(self, dataframe, metadata)", "def populate_indicators(self, dataframe)"),
            Some(8),
            "populate_indicators must take self, dataframe and metadata",
        ),
        (
            changed("    timeframe", "    INTERFACE_VERSION = 4\n    timeframe"),
            Some(5),
            "INTERFACE_VERSION must be 2 or 3",
        ),
        (
            changed("    timeframe", "    INTERFACE_VERSION = 1 + 2\n    timeframe"),
            Some(5),
            "INTERFACE_VERSION must be 2 or 3",
        ),
        (changed("\"1h\"", "\"2h\""), Some(5), "timeframe must be one of 1m, 5m, 15m, 30m, 1h, 4h, 1d"),
        (changed("\"1h\"", "HOUR"), Some(5), "timeframe must be one of"),
        (changed("    timeframe = \"1h\"\n", ""), Some(4), "timeframe is missing"),
        (changed("-0.1", "0.1"), Some(6), "stoploss must be a negative number"),
        (changed("-0.1", "\"-0.1\""), Some(6), "stoploss must be a negative number"),
        (changed("    stoploss = -0.1\n", ""), Some(4), "stoploss is missing"),
    ] {
        let found = mistakes(&source);
        let is_told = found.iter().any(|(at, _, told)| *at == line && told.starts_with(what));
        assert!(is_told, "{what}: {found:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let source = changed("\"1h\"", "\"2h\"").replace("-0.1", "1").replace("def populate_entry_trend", "def entries");
    assert_eq!(mistakes(&source).len(), 3, "{:?}", mistakes(&source));
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_before_it_is_read() {
    let long = format!("{GOOD}#{}", "x".repeat(MAX_SOURCE_BYTES));
    assert_eq!(mistakes(&long)[0].2, "has more than 262144 bytes");
    for deep in ["(", "[", "-", "not ", "lambda: ", "f(", "x.a", "1+", "x[", "{1:", "x if y else "] {
        let source = format!("{GOOD}\nx = {}", deep.repeat(MAX_SOURCE_BYTES / deep.len() / 2));
        assert!(check(&source).is_err(), "{deep}");
    }
    let asked = |times: usize| format!("{GOOD}\nx = y{}\n", ".a".repeat(times));
    assert!(check(&asked(199)).is_ok());
    assert_eq!(mistakes(&asked(200))[0], (Some(17), Some(5), "is nested more than 200 times".into()));
    let nested: String = (0..99).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
    assert!(check(&format!("{GOOD}\n{nested}{}pass\n", " ".repeat(99))).is_ok());
}

#[test]
fn of_many_findings_those_that_are_refused_stay() {
    let source = format!("{GOOD}{}import os\n", "import mine\n".repeat(1000));
    let findings = check(&source).unwrap().findings;
    assert_eq!(findings.len(), MAX_FINDINGS);
    let last = findings.last().unwrap();
    assert_eq!((last.verdict, last.line), (Verdict::Refused, 1016));
    assert!(findings.is_sorted_by_key(|finding| finding.line));
}

/// Names that get something of names, each of the next: as many as a source may have.
#[test]
fn a_long_way_is_followed_to_its_end() {
    let way: String = (0..9_000).map(|at| format!("        a{} = a{at}\n", at + 1)).collect();
    let source = changed(
        "        return dataframe",
        &format!("        a0 = dataframe[\"close\"]\n{way}        a9000.iloc[-1]\n        return dataframe"),
    );
    let findings = check(&source).unwrap().findings;
    assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [9_010]);
}
