//! Robustness: any row can be rendered, no text becomes markup, and unreadable parts are skipped.

use std::collections::BTreeSet;

use nofomo_analytics::AnalysisType;
use serde_json::{Value, json};

use crate::contents::full;
use crate::page::{Page, rendered};
use crate::rows::{block, row, trades};

/// Text that closes any context it may be in.
const HOSTILE: &str =
    r#"</title></style></svg></data>--><script>alert(1)</script>"'><img src=x onerror=alert(1)>&lt;{{ 7 }}"#;

/// Returns JSON pointers to all places of a row; in a list, to the first element only.
fn places(value: &Value) -> Vec<String> {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), member)).take(28).collect(),
        Value::Array(elements) => elements.iter().map(|element| ("0".to_owned(), element)).take(1).collect(),
        _ => Vec::new(),
    };
    let mut places = vec![String::new()];
    for (name, member) in members {
        places.extend(self::places(member).into_iter().map(|rest| format!("/{name}{rest}")));
    }
    places
}

/// Returns a row with all parts, and one with the parts that exclude others. Both are short, because the tests visit
/// every place of them.
fn rows() -> Vec<Value> {
    let trades = trades("main");
    let mut everything = full(AnalysisType::Backtest);
    let block_of_all = &mut everything["results"]["blocks"][0];
    block_of_all["slices"] = block(AnalysisType::Performance, "USDT", &trades)["slices"].clone();
    block_of_all["slices"].as_array_mut().unwrap().truncate(3);
    block_of_all["notes"] = json!(["no_losses"]);
    let figures = block_of_all["metrics"].as_object_mut().unwrap();
    let few = [
        "days",
        "trades",
        "net_profit",
        "total_return",
        "max_drawdown",
        "max_drawdown_peak",
        "sharpe",
        "ruined",
        "monte_carlo",
    ];
    figures.retain(|name, _| few.contains(&name.as_str()));
    for (_, series) in block_of_all["series"].as_object_mut().unwrap() {
        if let Value::Array(points) = series {
            points.truncate(4);
        }
    }
    everything["results"]["narrative"] = json!({ "text": "Words.\n\nMore words.", "model": "m" });
    everything["results"]["comparison"]["trades"].as_array_mut().unwrap().truncate(3);
    let mut failed = row(AnalysisType::Optimization, vec![block(AnalysisType::Optimization, "USDT", &trades[..5])]);
    failed["results"]["narrative_error"] = json!("no answer");
    vec![everything, failed]
}

/// Replaces each place of each row by a value, one at a time, and checks the row.
fn with_everything_replaced_by(value: &Value, is_replaced: impl Fn(&Value) -> bool, mut check: impl FnMut(&Value)) {
    for row in rows() {
        // The id comes from a typed column.
        for place in places(&row).into_iter().filter(|place| !place.is_empty() && place != "/id") {
            if is_replaced(row.pointer(&place).unwrap()) {
                let mut row = row.clone();
                *row.pointer_mut(&place).unwrap() = value.clone();
                check(&row);
            }
        }
    }
}

#[test]
fn no_text_becomes_markup() {
    with_everything_replaced_by(&json!(HOSTILE), Value::is_string, |row| drop(Page::of(row)));
    // The text itself is shown.
    let mut row = rows().remove(0);
    row["subject"] = json!(HOSTILE);
    row["recommendations"][0] = json!(HOSTILE);
    row["results"]["narrative"]["text"] = json!(HOSTILE);
    row["results"]["blocks"][0]["currency"] = json!(HOSTILE);
    row["results"]["blocks"][0]["notes"] = json!([HOSTILE]);
    row["results"]["comparison"]["backtest"]["strategy"] = json!(HOSTILE);
    let page = Page::of(&row);
    for place in ["h1", ".advice li", ".narrative p", ".sentence", ".notes code", "figure td", "figcaption"] {
        let there = page.all(place).into_iter().any(|element| element.text().collect::<String>().contains(HOSTILE));
        assert!(there || ["figure td"].contains(&place), "{place}");
    }
}

#[test]
fn parts_of_a_row_may_be_null() {
    with_everything_replaced_by(&Value::Null, |_| true, |row| drop(Page::of(row)));
}

#[test]
fn parts_of_a_row_may_have_another_type() {
    // The database ensures the types of columns, but not the types inside JSON.
    for value in [json!("NaN"), json!([[null]]), json!({ "value": {} })] {
        with_everything_replaced_by(&value, |old| !old.is_string() && !old.is_null(), check);
    }
}

#[test]
fn numbers_may_be_of_any_size() {
    for value in [json!(1e300), json!(-1e300), json!(0), json!(u64::MAX)] {
        with_everything_replaced_by(&value, Value::is_number, check);
    }
}

/// Checks that the page is complete, without numbers that are not finite.
fn check(row: &Value) {
    let page = rendered(row);
    assert!(page.ends_with("</html>\n") || page.ends_with("</html>"), "{}", &page[page.len() - 30..]);
    for wrong in ["NaN", ">inf", " inf", "−inf"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
}

#[test]
fn every_number_may_be_of_any_size_at_once() {
    fn set(value: &mut Value, to: &Value) {
        match value {
            Value::Number(_) => *value = to.clone(),
            Value::Array(elements) => elements.iter_mut().for_each(|element| set(element, to)),
            Value::Object(members) => members.values_mut().for_each(|member| set(member, to)),
            _ => {}
        }
    }
    for number in [json!(1e308), json!(-1e308), json!(1e-308), json!(0), json!(-1), json!(i64::MIN)] {
        for mut row in rows() {
            set(&mut row["results"], &number);
            Page::of(&row);
        }
    }
}

#[test]
fn an_empty_row_has_a_page() {
    let page = Page::of(&json!({}));
    assert_eq!(page.words(".sentence"), "The results of this analysis cannot be read.");
}

#[test]
fn every_place_of_a_row_is_tested() {
    // The other tests depend on it.
    let places: BTreeSet<String> = rows().iter().flat_map(places).collect();
    for place in [
        "/subject",
        "/recommendations/0",
        "/results/blocks/0/currency",
        "/results/blocks/0/confidence/reason",
        "/results/blocks/0/series/equity/0/value",
        "/results/blocks/0/series/profits/counts/0",
        "/results/blocks/0/slices/0/key",
        "/results/blocks/0/stress/0/scenario",
        "/results/blocks/0/halves/first/sharpe",
        "/results/comparison/trades/0/pair",
        "/results/narrative/text",
        "/results/narrative_error",
    ] {
        assert!(places.contains(place), "{place}");
    }
}
