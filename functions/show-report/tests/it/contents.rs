//! Contents of the page.

use nofomo_analytics::{AnalysisType, Settings, Trials};
use rust_decimal::{Decimal, dec};
use scraper::Selector;
use serde_json::{Value, json};

use crate::page::{Page, words};
use crate::rows::{TYPES, block, block_of, comparison, one_a_day, row, trades};

fn name(kind: AnalysisType) -> String {
    json!(kind).as_str().unwrap().to_owned()
}

/// Row with all parts that its type can have.
pub(crate) fn full(kind: AnalysisType) -> Value {
    let mut row = row(kind, vec![block(kind, "USDT", &trades("main"))]);
    if kind == AnalysisType::Backtest {
        row["results"]["comparison"] = comparison();
    }
    if kind == AnalysisType::Performance {
        row["results"]["narrative"] = json!({
            "text": "The bot earned 165.86 USDT in 180 days, and paid 397.86 USDT in fees.\n\nMost of the gain came from \
                     short trades. That may be luck: among 44 slices one that good is no surprise.",
            "model": "example-large-3",
        });
    }
    row
}

#[test]
fn every_type_has_a_page() {
    for kind in TYPES {
        let page = Page::of(&full(kind));
        page.save(&name(kind));
        let title = if kind == AnalysisType::Backtest { "backtest comparison".into() } else { name(kind) };
        assert_eq!(page.words("h1").to_lowercase(), format!("{title} of ema cross on four pairs"));
        assert_eq!(page.words(".facts"), "1 Jan 2026 to 29 Jun 2026 1,000 trades 2 bots analysed 2 Jul 2026");
        assert_eq!(page.words(".score"), "Confidence score 0.17 insufficient");
        let metadata = page.words("footer dl");
        for part in ["nofomo-quant-1", "41 ms", "2 Jul 2026, 09:14 UTC", "9f86d081884c7d65"] {
            assert!(metadata.contains(part), "{part} in {metadata}");
        }
        let method = page.words("footer p");
        for part in ["365 days", "calendar days in UTC", "every drawdown is a realised one"] {
            assert!(method.contains(part), "{part} in {method}");
        }
    }
}

#[test]
fn without_a_requested_period_the_facts_have_that_of_the_trades() {
    let mut row = full(AnalysisType::Risk);
    let facts = |row: &Value| Page::of(row).words(".facts");
    row["input_data"]["from"] = Value::Null;
    assert!(facts(&row).starts_with("until 29 Jun 2026 1,000 trades"));
    row["input_data"]["to"] = Value::Null;
    assert!(facts(&row).starts_with("1 Jan 2026 to 29 Jun 2026 1,000 trades"), "{}", facts(&row));
    row["input_data"]["from"] = json!("2026-02-03T04:05:06Z");
    assert!(facts(&row).starts_with("from 3 Feb 2026 1,000 trades"));
}

#[test]
fn every_metric_of_an_analysis_is_on_its_page_exactly() {
    for kind in TYPES {
        let row = full(kind);
        let page = Page::of(&row);
        let exact: Vec<&str> = page.all("data").iter().map(|data| data.attr("value").unwrap()).collect();
        let cells: Vec<String> = page.all(".group td").into_iter().map(words).collect();
        let metrics = &row["results"]["blocks"][0]["metrics"];
        let mut figures = metrics.as_object().unwrap().clone();
        if let Some(Value::Object(simulated)) = figures.remove("monte_carlo") {
            figures.extend(simulated.into_iter().filter(|(name, _)| name != "seed" && name != "method"));
        }
        assert!(figures.len() > 8);
        for (name, value) in figures {
            let there = match &value {
                Value::Number(number) if number.is_f64() => {
                    exact.iter().any(|exact| exact.trim_end_matches(" s").parse::<f64>().ok() == number.as_f64())
                }
                Value::Number(number) => {
                    let count = number.to_string();
                    cells.iter().any(|cell| cell.replace(',', "").starts_with(&count))
                }
                Value::String(text) => match text.parse::<Decimal>() {
                    Ok(money) => exact.iter().any(|exact| exact.parse::<Decimal>() == Ok(money)),
                    Err(_) => cells.iter().any(|cell| cell.contains(" 2026, ")),
                },
                Value::Bool(flag) => cells.iter().any(|cell| cell == if *flag { "yes" } else { "no" }),
                Value::Null => cells.iter().any(|cell| cell.starts_with("— needs")),
                other => panic!("{other}"),
            };
            assert!(there, "{kind:?}: {name} {value}");
        }
    }
}

#[test]
fn the_verdict_is_one_sentence_with_its_reason_and_improvements() {
    let page = Page::of(&full(AnalysisType::Performance));
    assert_eq!(
        page.words(".verdict .sentence"),
        "No edge shown: the bot earned 165.86 USDT (+16.59 %) with 1,000 trades in 180 days, less than the loss of one \
         worst-case day."
    );
    let why = page.words(".why");
    for part in
        ["too small compared with the loss of one worst-case day", "0.44 times", "about 124 more days at this rate"]
    {
        assert!(why.contains(part), "{part} in {why}");
    }
    let assumed = page.words(".assumed");
    assert!(assumed.contains("loses at most 25 % of its notional"), "{assumed}");
    assert!(assumed.contains("one worst-case day costs 37.8 % of the balance"), "{assumed}");
    assert!(page.words(".verdict").contains("The best 5 % of the trades made 254.7 % of the net profit"));
}

#[test]
fn a_risk_analysis_states_the_profit_that_is_not_among_its_metrics() {
    let page = Page::of(&full(AnalysisType::Risk));
    let sentence = page.words(".verdict .sentence");
    assert!(sentence.contains("the bot earned 165.86 USDT (+16.59 %) with 1,000 trades in 180 days"), "{sentence}");
    assert!(
        page.words(".verdict")
            .contains("The max drawdown so far is 8.9 %; 5 % of the simulated paths have a max drawdown above 17.6 %.")
    );
}

#[test]
fn an_optimization_states_the_lower_bound_of_the_kelly_multiple() {
    let page = Page::of(&full(AnalysisType::Optimization));
    assert!(page.words(".verdict").contains("The evidence does not support a larger position size."));
    let row = full(AnalysisType::Optimization);
    let mut better = row.clone();
    better["results"]["blocks"][0]["metrics"]["kelly_continuous_lower95"] = json!(1.5);
    assert!(
        Page::of(&better)
            .words(".verdict")
            .contains("The lower bound of Kelly's multiple is 1.50 times the current position size.")
    );
}

#[test]
fn a_stop_loss_and_the_number_of_runs_are_among_the_assumptions() {
    let trials = Trials { runs: 5, sharpe_deviation: None, overfit_probability: None };
    let settings = Settings { max_loss: Some(0.1), trials, ..Settings::new(dec!(1000)) };
    let kind = AnalysisType::Performance;
    let page = Page::of(&row(kind, vec![block_of(kind, "USDT", &trades("main"), settings)]));
    let assumed = page.words(".assumed");
    assert!(assumed.contains("loses at most 10 %"), "{assumed}");
    assert!(assumed.contains("the best of 5 runs"), "{assumed}");
}

#[test]
fn without_trades_the_page_has_only_the_reason() {
    for kind in TYPES {
        let mut row = row(kind, vec![block(kind, "USDT", &[])]);
        row["input_data"]["trades"] = json!(0);
        let page = Page::of(&row);
        assert_eq!(page.words(".verdict .sentence"), "No edge shown: there are no closed trades.");
        assert!(page.words(".notes").contains("There are no closed trades, so no metric is defined. no_trades"));
        assert!(page.all("figure").is_empty());
    }
}

#[test]
fn an_analysis_without_results_gives_the_reason() {
    let mut sample = row(AnalysisType::Performance, Vec::new());
    sample["input_data"] = json!({ "trades": 30, "from": null, "to": null });
    sample["results"] = json!({ "blocks": [], "sample": true });
    let page = Page::of(&sample);
    page.save("sample");
    let sentence = page.words(".sentence");
    assert_eq!(sentence, "This analysis is part of the sample data and has no metrics.");
    assert!(page.words(".advice").starts_with("No case for a larger position size"));

    let mut empty = row(AnalysisType::Risk, Vec::new());
    empty["input_data"]["trades"] = json!(0);
    let sentence = Page::of(&empty).words(".sentence");
    assert_eq!(sentence, "There are no closed trades in the requested period.");
    empty["input_data"]["trades"] = json!(7);
    let sentence = Page::of(&empty).words(".sentence");
    assert_eq!(sentence, "The results of this analysis cannot be read.");
}

#[test]
fn one_trade_has_a_page_that_states_what_its_metrics_and_charts_need() {
    for kind in TYPES {
        let page = Page::of(&row(kind, vec![block(kind, "USDT", &trades("one_win"))]));
        page.save(&format!("one-trade-{}", name(kind)));
        let sentence = page.words(".sentence");
        assert!(sentence.ends_with("and one day cannot distinguish skill from luck."), "{sentence}");
        assert!(page.all("svg").is_empty());
        if kind != AnalysisType::Optimization {
            let missing = page.words("main > section:not(.card):not(.verdict) > .quiet");
            for part in ["needs 2 trades", "needs 2 months", "needs 20 trades", "need 60 days"] {
                assert!(missing.contains(part), "{part} in {missing}");
            }
        }
    }
    let page = Page::of(&row(AnalysisType::Backtest, vec![block(AnalysisType::Backtest, "USDT", &trades("one_win"))]));
    let row_of = |metric: &str| {
        let row = page.all(".group tr").into_iter().map(words).find(|row| row.starts_with(metric));
        row.unwrap_or_else(|| panic!("no {metric}"))
    };
    assert!(row_of("Profit factor").ends_with("— needs a losing trade"), "{}", row_of("Profit factor"));
    assert!(row_of("Sharpe ratio").ends_with("— needs two days with different returns"), "{}", row_of("Sharpe ratio"));
    assert!(row_of("Value at risk").ends_with("— needs 20 days"), "{}", row_of("Value at risk"));
    assert!(row_of("Annual growth").ends_with("per year, from under 30 days"), "{}", row_of("Annual growth"));
    let notes = page.words(".notes");
    for code in ["no_losses", "one_day", "annualised_from_under_30_days", "under_20_days_no_tail_metrics"] {
        assert!(notes.contains(code), "{code} in {notes}");
    }
}

#[test]
fn a_ruined_account_is_reported_as_ruined() {
    for kind in TYPES {
        let page = Page::of(&row(kind, vec![block(kind, "USDT", &trades("ruin"))]));
        page.save(&format!("ruin-{}", name(kind)));
        assert_eq!(
            page.words(".verdict.ruined .sentence"),
            "No edge shown: the account is ruined; its balance fell to zero or below."
        );
        assert!(page.words(".notes").contains("The daily returns end with that day. ruined"));
        let loses = page.words(".verdict").contains("5 % of the simulated paths lose the whole balance.");
        assert_eq!(loses, kind == AnalysisType::Risk);
    }
}

#[test]
fn a_record_without_a_loss_has_a_note_about_ratios_to_losses() {
    let page = Page::of(&row(AnalysisType::Backtest, vec![block(AnalysisType::Backtest, "USDT", &trades("all_wins"))]));
    page.save("all-wins");
    assert!(page.words(".notes").contains("Future trades can still lose. no_losses"));
    assert!(page.words(".score").contains("0.32"));
}

#[test]
fn every_currency_has_its_own_verdict_charts_and_figures() {
    let kind = AnalysisType::Performance;
    let bitcoin = Settings::new(dec!(0.05));
    let profits: Vec<Decimal> =
        trades("main").iter().map(|trade| (trade.profit * dec!(0.00002)).round_dp(8)).take(90).collect();
    let blocks = vec![
        block(kind, "USDT", &trades("main")),
        block_of(kind, "BTC", &one_a_day(&profits), bitcoin),
        block(kind, "USDC", &[]),
    ];
    let page = Page::of(&row(kind, blocks));
    page.save("currencies");
    let headings: Vec<String> = page.all("h2").into_iter().map(words).collect();
    for heading in ["Verdict, USDT", "Verdict, BTC", "Verdict, USDC", "Charts, USDT", "Charts, BTC", "Metrics, BTC"] {
        assert!(headings.iter().any(|other| other == heading), "{heading} in {headings:?}");
    }
    let sentences: Vec<String> = page.all(".sentence").into_iter().map(words).collect();
    assert!(sentences[1].contains(" BTC (") && sentences[1].contains("with 90 trades in 90 days"), "{sentences:?}");
    assert_eq!(sentences[2], "No edge shown: there are no closed trades.");
}

#[test]
fn the_number_of_all_trades_is_not_that_of_each_currency() {
    // The number of trades is not among the metrics of a risk analysis.
    let kind = AnalysisType::Risk;
    let one = block(kind, "USDT", &trades("main"));
    assert!(Page::of(&row(kind, vec![one.clone()])).words(".sentence").contains("1,000 trades"));
    assert!(!Page::of(&row(kind, vec![one.clone(), one])).words(".sentence").contains("1,000 trades"));
}

#[test]
fn a_comparison_is_in_its_own_currency() {
    let kind = AnalysisType::Backtest;
    let mut row = row(
        kind,
        vec![
            block_of(kind, "BTC", &one_a_day(&[dec!(0.001), dec!(-0.002)]), Settings::new(dec!(0.5))),
            block(kind, "USDT", &trades("main")),
        ],
    );
    row["results"]["comparison"] = comparison();
    assert!(Page::of(&row).words("main").contains("made 12.35 USDT less live"));
    row["results"]["comparison"]["currency"] = json!("BTC");
    assert!(Page::of(&row).words("main").contains("made 12.34567891 BTC less live"));
}

#[test]
fn an_unreadable_part_does_not_affect_the_others() {
    for (place, kept) in [
        ("/results/blocks/0/series/equity/0", "figure:nth-of-type(5)"),
        ("/results/blocks/0/series/months", "figure:nth-of-type(4)"),
        ("/results/blocks/0/series/cone/0", "figure:nth-of-type(5)"),
        ("/results/blocks/0/stress/0", "figure:nth-of-type(5)"),
        ("/results/blocks/0/metrics", "figure:nth-of-type(5)"),
        ("/results/blocks/0/confidence", "figure:nth-of-type(5)"),
        ("/results/comparison/trades/0", "figure:nth-of-type(5)"),
        ("/results/comparison/backtest", "figure:nth-of-type(5)"),
        ("/input_data", "figure:nth-of-type(5)"),
        ("/recommendations", "figure:nth-of-type(5)"),
    ] {
        let mut row = full(AnalysisType::Backtest);
        *row.pointer_mut(place).unwrap() = json!("?");
        let page = Page::of(&row);
        assert!(!page.all(kept).is_empty(), "{place}");
        assert!(page.text.contains("Live compared with backtest") && page.text.contains("Stress scenarios"), "{place}");
    }
}

#[test]
fn a_type_without_charts_does_not_mention_them() {
    let page = Page::of(&full(AnalysisType::Optimization));
    for part in ["<h2>Charts", "needs 2 trades", "needs 2 months", "needs 20 trades", "need 60 days"] {
        assert!(!page.text.contains(part), "{part}");
    }
}

#[test]
fn many_currencies_still_fit_in_one_response() {
    // A Lambda response has at most 6 MB, and a quotation mark takes two bytes in JSON.
    let kind = AnalysisType::Performance;
    let long: Vec<_> = (0..6_i32)
        .flat_map(|part| {
            trades("main").into_iter().map(move |mut trade| {
                let later = chrono::TimeDelta::days(180 * i64::from(part));
                trade.entry_time += later;
                trade.exit_time += later;
                trade
            })
        })
        .collect();
    let one = block(kind, "USDT", &long);
    let page = Page::of(&row(kind, vec![one; 20]));
    let response = json!({ "body": page.text }).to_string();
    assert!(response.len() < 5_500_000, "{}", response.len());
    assert_eq!(page.all(".verdict").len(), 20);
    assert!(page.text.contains("Charts are drawn for the first"), "charts of all currencies");
}

#[test]
fn recommendations_are_a_list() {
    let page = Page::of(&full(AnalysisType::Performance));
    let recommendations: Vec<String> = page.all(".advice li").into_iter().map(words).collect();
    assert_eq!(recommendations.len(), 2);
    assert!(recommendations[1].starts_with("Reduce trading costs: fees take 70.6 %"));
}

#[test]
fn a_narrative_has_paragraphs_and_names_its_model() {
    let page = Page::of(&full(AnalysisType::Performance));
    let paragraphs: Vec<String> = page.all(".narrative p").into_iter().map(words).collect();
    assert_eq!(paragraphs.len(), 3);
    assert!(paragraphs[1].starts_with("Most of the gain"));
    assert!(paragraphs[2].contains("example-large-3"));
}

#[test]
fn a_failed_narrative_shows_its_error() {
    let mut row = full(AnalysisType::Risk);
    row["results"]["narrative_error"] = json!("the language model has not answered within 20 s");
    let page = Page::of(&row);
    assert!(page.words(".card .quiet").contains("the language model has not answered within 20 s"));
    // With a narrative, the error is not shown.
    row["results"]["narrative"] = json!({ "text": "Words.", "model": "m" });
    assert!(!Page::of(&row).text.contains("has not answered within 20 s"));
}

#[test]
fn slices_have_verdicts_and_small_ones_are_faint() {
    let page = Page::of(&full(AnalysisType::Performance));
    let rows: Vec<String> = page.all(".alike tbody tr").into_iter().map(words).collect();
    for slice in ["BTC/USDT", "Long", "Short", "Monday", "09:00 to 09:59", "1 to 4 hours"] {
        let row = rows.iter().find(|row| row.starts_with(slice)).unwrap_or_else(|| panic!("no {slice}"));
        assert!(row.contains('%'), "{row}");
    }
    // There are more hours than an unfolded table has rows.
    let folded: Vec<String> = page.all(".alike summary").into_iter().map(words).collect();
    assert_eq!(folded, ["Hour of the entry, UTC; amounts in USDT"]);
    let few = Page::of(&row(
        AnalysisType::Performance,
        vec![block(AnalysisType::Performance, "USDT", &trades("main")[..40])],
    ));
    assert!(few.all("tr.faint").into_iter().all(|row| words(row).ends_with("too few trades")));
    assert!(!few.all("tr.faint").is_empty());
}

#[test]
fn only_the_pairs_with_the_most_trades_are_shown() {
    let mut row = full(AnalysisType::Performance);
    let slices = row["results"]["blocks"][0]["slices"].as_array_mut().unwrap();
    slices.retain(|slice| slice["by"] == "pair");
    let one = slices[0].clone();
    *slices = (1..=200)
        .map(|number| {
            let mut slice = one.clone();
            slice["key"] = json!(format!("COIN{number}/USDT"));
            slice["trades"] = json!(number);
            slice
        })
        .collect();
    let page = Page::of(&row);
    let pairs: Vec<String> =
        page.all("th[scope=row]").into_iter().map(words).filter(|name| name.starts_with("COIN")).collect();
    assert_eq!(pairs.len(), 25);
    assert_eq!((pairs[0].as_str(), pairs[24].as_str()), ("COIN200/USDT", "COIN176/USDT"));
    assert!(page.text.contains("the 25 with the most trades of 200"));
}

#[test]
fn a_backtest_has_halves_and_stress_scenarios() {
    let page = Page::of(&full(AnalysisType::Backtest));
    let text = page.words("main");
    for part in [
        "The halves do not differ significantly (Welch's t 1.31, p 0.1919).",
        "In 2 of 3 scenarios, the bot would not have made a profit.",
        "Doubled fees −232.00 −23.20 % −2.30 26.23 % 0.00",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn live_trades_are_compared_with_the_backtest_one_by_one() {
    let mut row = full(AnalysisType::Backtest);
    let page = Page::of(&row);
    let text = page.words("main");
    for part in [
        "The live result is within the expected range of the backtest.",
        "Backtest of EMA cross on BTC/USDT, 1h candles, 1 Jan 2026 to 1 Jun 2026, imported 20 Jun 2026.",
        "Confidence score of the backtest as the best of 5 runs: 0.04, insufficient.",
        "50 trades match in pair, side and entry candle; 5 trades of the backtest are missing live, 5 trades are live only.",
        "The matched trades made 12.35 USDT less live than in the backtest.",
        "Entry +0.04 % +0.04 % +0.31 %",
        "Net profit, USDT +18.42 +30.77",
        "Sharpe ratio 1.21 1.93",
        "Profit factor — 1.40",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let trades: Vec<String> = page.all("details tbody tr").into_iter().map(words).collect();
    let found = |outcome: &str| trades.iter().filter(|row| row.contains(outcome)).count();
    assert_eq!((found("in both"), found("backtest only"), found("live only")), (50, 5, 5));

    let mut unmatched = row.clone();
    unmatched["results"]["comparison"]["matched"] = json!(0);
    assert!(!Page::of(&unmatched).words("main").contains("The matched trades made"));
    row["results"]["comparison"]["inside_band"] = json!(false);
    assert!(Page::of(&row).words("main").contains("The live result is outside the expected range of the backtest."));
    row["results"]["comparison"]["inside_band"] = Value::Null;
    assert!(Page::of(&row).words("main").contains("There are too few trades to compare"));
    row["results"]["comparison"]["profit_difference"] = json!("12.3");
    assert!(Page::of(&row).words("main").contains("made 12.30 USDT more live than in the backtest."));
}

#[test]
fn an_analysis_of_all_bots_is_titled_all_your_trades() {
    let mut row = full(AnalysisType::Performance);
    row["subject"] = Value::Null;
    assert_eq!(Page::of(&row).words("h1"), "Performance of all your trades");
}

#[test]
fn the_parts_of_the_score_are_shown() {
    let page = Page::of(&full(AnalysisType::Backtest));
    let parts = page
        .all(".group")
        .into_iter()
        .find(|group| words(*group).starts_with("Parts of the confidence score"))
        .unwrap();
    let names: Vec<String> = parts.select(&Selector::parse("tbody tr").unwrap()).map(words).collect();
    for part in
        ["Statistical evidence", "Worst-case guard", "Minimum track record", "Runs", "Probabilistic Sharpe ratio"]
    {
        assert!(names.iter().any(|name| name.starts_with(part)), "{part}");
    }
}
