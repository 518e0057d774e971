//! Charts: they are complete, stay within their frames, and use only colours that a dark page can change.

use std::collections::BTreeSet;

use nofomo_analytics::AnalysisType;
use rust_decimal::{Decimal, dec};
use scraper::{ElementRef, Selector};
use serde_json::json;

use crate::contents::full;
use crate::page::{Page, words};
use crate::rows::{block, one_a_day, row, trades};

fn inside<'a>(element: ElementRef<'a>, selector: &str) -> Vec<ElementRef<'a>> {
    element.select(&Selector::parse(selector).unwrap()).collect()
}

/// Finds the chart with a title.
#[track_caller]
fn figure<'a>(page: &'a Page, title: &str) -> ElementRef<'a> {
    let of = |figure: &ElementRef<'_>| inside(*figure, "h3").into_iter().any(|heading| words(heading) == title);
    page.all("figure").into_iter().find(of).unwrap_or_else(|| panic!("no {title}"))
}

#[test]
fn the_five_charts_and_the_worst_drawdowns_are_present() {
    for kind in [AnalysisType::Performance, AnalysisType::Risk, AnalysisType::Backtest] {
        let page = Page::of(&full(kind));
        let titles: Vec<String> = page.all("figure h3").into_iter().map(words).collect();
        assert_eq!(titles, ["Balance", "Underwater curve", "Monthly returns", "Return per trade", "Rolling 30 days"]);
        for figure in page.all("figure") {
            assert_eq!(inside(figure, "svg.wide").len(), 1);
            assert_eq!(inside(figure, "svg.narrow").len(), 1);
        }
        let text = page.words("main");
        assert!(text.contains("1 8.94 % 89.74 1 Jan 2026 20 Feb 2026 9 Mar 2026 66 d 12 h"), "{text}");
    }
    assert!(Page::of(&full(AnalysisType::Optimization)).all("figure").is_empty());
}

#[test]
fn every_chart_has_its_data_as_tables() {
    let page = Page::of(&full(AnalysisType::Risk));
    let numbers = |title: &str| {
        let tables = inside(figure(&page, title), "details table");
        tables.into_iter().map(words).collect::<Vec<_>>().join("\n")
    };
    let balance = numbers("Balance");
    for number in ["Balance in USDT, by week in UTC", "week of 16 Feb 2026", "914.16", "1,165.86", "1,385.08"] {
        assert!(balance.contains(number), "{number} in {balance}");
    }
    assert!(numbers("Underwater curve").contains("−8.94 %"));
    for number in ["Jan 2026 −6.46 %", "Apr 2026 +9.95 %", "2026 +16.59 %"] {
        assert!(numbers("Monthly returns").contains(number), "{number}");
    }
    let trades = inside(figure(&page, "Return per trade"), "details table:first-of-type tbody tr td");
    let counted: u64 = trades.into_iter().filter_map(|cell| words(cell).parse::<u64>().ok()).sum();
    assert_eq!(counted, 1_000);
    assert!(numbers("Rolling 30 days").contains("Rolling volatility, 30 days, by week in UTC"));
}

#[test]
fn a_chart_has_a_text_alternative() {
    let page = Page::of(&full(AnalysisType::Performance));
    let label = |title: &str| inside(figure(&page, title), "svg")[0].attr("aria-label").unwrap().replace('\u{a0}', " ");
    assert_eq!(
        label("Balance"),
        "Line chart of the balance from 1 Jan 2026 to 29 Jun 2026: from 1,000.00 to 1,165.86 USDT, lowest 914.16, highest \
         1,184.68."
    );
    assert!(label("Underwater curve").ends_with("max drawdown 8.94 %."));
    assert!(label("Monthly returns").ends_with("best Apr 2026 (+9.95 %), worst Jan 2026 (−6.46 %)."));
}

#[test]
fn nothing_is_drawn_outside_its_frame() {
    let pages = [
        full(AnalysisType::Backtest),
        row(AnalysisType::Risk, vec![block(AnalysisType::Risk, "USDT", &trades("ruin"))]),
        row(AnalysisType::Risk, vec![block(AnalysisType::Risk, "USDT", &trades("all_wins"))]),
        row(AnalysisType::Risk, vec![block(AnalysisType::Risk, "USDT", &trades("main")[..2])]),
    ];
    for row in &pages {
        let page = Page::of(row);
        for drawing in page.all("svg") {
            let frame: Vec<f64> = numbers(drawing.attr("viewBox").unwrap());
            for shape in inside(drawing, "*") {
                let value = shape.value();
                let number = |name: &str| value.attr(name).and_then(|text| text.parse::<f64>().ok());
                let mut places: Vec<(f64, f64)> = Vec::new();
                for (x, y) in [("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy")] {
                    places.extend(number(x).zip(number(y)));
                }
                if let Some((width, height)) = number("width").zip(number("height")) {
                    assert!(width >= 0.0 && height >= 0.0);
                    places.push((number("x").unwrap() + width, number("y").unwrap() + height));
                }
                if let Some(points) = value.attr("points") {
                    places.extend(numbers(points).chunks(2).map(|place| (place[0], place[1])));
                }
                if value.attr("text-anchor") == Some("end") {
                    // Approximation: digits are half as wide as high.
                    let length = 0.5 * number("font-size").unwrap() * words(shape).chars().count() as f64;
                    places.push((number("x").unwrap() - length, number("y").unwrap()));
                }
                for (x, y) in places {
                    let within = (0.0..=frame[2]).contains(&x) && (0.0..=frame[3]).contains(&y);
                    assert!(within, "{} in {frame:?}", shape.html());
                }
            }
        }
    }
}

fn numbers(text: &str) -> Vec<f64> {
    text.split([' ', ',']).filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect()
}

#[test]
fn every_colour_of_a_chart_has_a_variable_that_a_dark_page_changes() {
    let page = Page::of(&full(AnalysisType::Backtest));
    let mut colours = BTreeSet::new();
    for shape in page.all("svg *") {
        for attribute in ["fill", "stroke"] {
            colours.extend(shape.attr(attribute).filter(|colour| *colour != "none").map(ToOwned::to_owned));
        }
        assert_eq!(shape.attr("style"), None);
    }
    assert!(colours.len() >= 5);
    let style = page.words("style");
    let (_, dark) = style.split_once("prefers-color-scheme: dark").unwrap();
    for colour in colours {
        let (_, rule) =
            style.split_once(&format!("[fill=\"{colour}\"] {{ fill: var(--")).unwrap_or_else(|| panic!("{colour}"));
        let name = rule.split(')').next().unwrap();
        assert!(dark.contains(&format!("--{name}: #")), "{name}");
    }
}

#[test]
fn every_colour_that_is_used_has_a_value_in_light_and_in_dark() {
    let style = Page::of(&full(AnalysisType::Risk)).words("style");
    let (light, rest) = style.split_once("@media").unwrap();
    let dark: String = style
        .split("prefers-color-scheme: dark")
        .skip(1)
        .filter_map(|part| part.split_once("} }"))
        .map(|(part, _)| part)
        .collect();
    let named = |text: &str| -> BTreeSet<String> {
        text.split("--").skip(1).filter_map(|part| part.split_once(": #")).map(|(name, _)| name.to_owned()).collect()
    };
    // Local variables, defined from the others where they are used.
    let local = ["tone", "tint", "mark"];
    let all = format!("{light}{}", rest.split(":root").nth(2).unwrap());
    for used in style.split("var(--").skip(1) {
        let name = used.split(')').next().unwrap();
        assert!(local.contains(&name) || (named(&all).contains(name) && named(&dark).contains(name)), "{name}");
    }
}

#[test]
fn labels_of_a_chart_are_text_elements() {
    let page = Page::of(&full(AnalysisType::Performance));
    let texts: Vec<String> = page.all("svg.wide text").into_iter().map(words).collect();
    for text in ["Jan 2026", "1,000", "−5 %", "+9.9%", "mean", "Sharpe ratio, annualised"] {
        assert!(texts.iter().any(|other| other == text), "{text} in {texts:?}");
    }
}

#[test]
fn a_month_without_data_is_empty_and_not_zero() {
    let page = Page::of(&full(AnalysisType::Performance));
    let texts: Vec<String> = inside(figure(&page, "Monthly returns"), "svg.wide text").into_iter().map(words).collect();
    assert_eq!(texts.iter().filter(|text| text.ends_with('%')).count(), 7, "{texts:?}");
}

#[test]
fn an_undefined_value_interrupts_the_curve() {
    // Days without any change have no Sharpe ratio.
    let kind = AnalysisType::Performance;
    let profits: Vec<Decimal> =
        (0..150).map(|day| if (50..100).contains(&day) { dec!(0) } else { dec!(1) + Decimal::from(day % 3) }).collect();
    let block = block(kind, "USDT", &one_a_day(&profits));
    assert!(block["series"]["rolling_sharpe"].as_array().unwrap().iter().any(|point| point["value"].is_null()));
    let page = Page::of(&row(kind, vec![block]));
    let curves = |stroke: &str| {
        inside(figure(&page, "Rolling 30 days"), &format!("svg.wide polyline[stroke=\"{stroke}\"]")).len()
    };
    // Two of the ratio, one of the volatility.
    assert_eq!(curves("#1552C8"), 3);
    assert!(words(figure(&page, "Rolling 30 days")).contains("—"));
}

#[test]
fn a_constant_balance_is_drawn() {
    let kind = AnalysisType::Performance;
    let mut row = row(kind, vec![block(kind, "USDT", &one_a_day(&[dec!(0); 90]))]);
    assert_eq!(Page::of(&row).all("figure").len(), 5);
    // All points at the same time.
    let point = json!({ "at": "2026-01-01T00:00:00Z", "value": 1000.0 });
    row["results"]["blocks"][0]["series"]["equity"] = json!([point, point]);
    assert_eq!(Page::of(&row).all("figure").len(), 5);
}

#[test]
fn an_empty_histogram_is_not_drawn() {
    let mut row = full(AnalysisType::Risk);
    row["results"]["blocks"][0]["series"]["profits"]["counts"] = json!([]);
    let page = Page::of(&row);
    assert_eq!(page.all("figure").len(), 4);
    assert!(page.text.contains("The distribution of returns per trade needs 20 trades."));
}
