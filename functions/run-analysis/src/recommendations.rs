//! Recommendations that follow from the metrics. Each one states the number that is its reason.

use nofomo_analytics::{AnalysisType, Comparison, Dimension, Reason, Scenario, Slice, SliceVerdict};
use rust_decimal::Decimal;

use crate::currency_analysis::AccountAnalysis;
use crate::format::{money, number, percent};

/// Simulated max drawdown above which a smaller position size is recommended: 95 % quantile of the paths, as a
/// fraction.
const HIGH_DRAWDOWN: f64 = 0.30;
/// Share of fees in the profit before fees above which lower trading costs are recommended, as a fraction.
const HIGH_FEE_SHARE: f64 = 0.50;
/// Risk of ruin above which a smaller position size is recommended, from 0 to 1.
const HIGH_RISK_OF_RUIN: f64 = 0.05;
/// Mean entry slippage above which limit orders are recommended, as a fraction of the price.
const NOTABLE_SLIPPAGE: f64 = 0.001;

pub(crate) fn recommend(
    kind: AnalysisType,
    accounts: &[AccountAnalysis],
    comparison: Option<&Comparison>,
) -> Vec<String> {
    let mut texts = Vec::new();
    for account in accounts {
        let mut account_texts = recommend_for_account(kind, account);
        if account_texts.is_empty() {
            account_texts.push(no_change(account));
        }
        if accounts.len() > 1 {
            account_texts.iter_mut().for_each(|text| *text = format!("{}: {text}", account.stored.currency));
        }
        texts.append(&mut account_texts);
    }
    if let Some(comparison) = comparison {
        recommend_from_comparison(comparison, &mut texts);
    }
    if texts.is_empty() {
        texts.push("No change recommended: there are 0 bots to analyse.".into());
    }
    texts
}

fn no_change(account: &AccountAnalysis) -> String {
    let score = number(account.confidence.score);
    match account.confidence.reason {
        Reason::NoTrades => "No change recommended: 0 trades were closed.".into(),
        Reason::Sufficient => format!("No change recommended: the confidence score is {score}."),
        Reason::OneDay => "No change recommended: 1 daily return cannot distinguish an edge from luck.".into(),
        _ => format!(
            "No change recommended: the confidence score of {score} is too low to distinguish an edge from luck."
        ),
    }
}

fn recommend_for_account(kind: AnalysisType, account: &AccountAnalysis) -> Vec<String> {
    if account.confidence.reason == Reason::Ruined {
        return vec!["Stop the bot: the balance fell to 0 or below.".into()];
    }
    let mut texts = Vec::new();
    if matches!(kind, AnalysisType::Optimization | AnalysisType::Backtest) {
        texts.extend(position_size(account));
    }
    if kind != AnalysisType::Risk {
        texts.extend(trading_costs(account));
        texts.extend(few_trades(account));
    }
    if matches!(kind, AnalysisType::Risk | AnalysisType::Backtest) {
        texts.extend(simulated_drawdown(account));
        texts.extend(risk_of_ruin(account));
    }
    texts.extend(account.stored.slices.iter().filter_map(|slice| exclude_or_keep(slice, &account.stored.currency)));
    texts.extend(stress(account));
    texts.extend(stop_loss(account));
    texts
}

/// Recommends a position size of at most half Kelly and at most Kelly's lower bound.
fn position_size(account: &AccountAnalysis) -> Option<String> {
    let daily = &account.metrics.as_ref()?.historical.daily;
    let (kelly, lower) = daily.kelly_continuous.zip(daily.kelly_continuous_lower95)?;
    let multiple = daily.supported_size()?;
    Some(if kelly <= 0.0 {
        format!(
            "Reduce the position size or stop: the mean daily return is not positive, and Kelly's multiple of the current size is {}.",
            number(kelly)
        )
    } else if multiple <= 0.0 {
        format!("No case for a larger position size: the lower bound of Kelly's multiple is {}.", number(lower))
    } else if multiple < 1.0 {
        format!(
            "Reduce the position size: at most {} times the current size, the smaller of half Kelly and Kelly's lower bound.",
            number(multiple)
        )
    } else {
        format!(
            "A larger position size is supported: up to {} times the current size, the smaller of half Kelly and Kelly's lower \
             bound.",
            number(multiple)
        )
    })
}

fn trading_costs(account: &AccountAnalysis) -> Option<String> {
    let trades = &account.metrics.as_ref()?.historical.trades;
    let (share, multiple) = trades.fee_share_of_gross.zip(trades.fee_break_even_multiple)?;
    (share > HIGH_FEE_SHARE).then(|| {
        format!(
            "Reduce trading costs: fees take {} of the profit before fees; at {} times the current fees the net profit would be zero.",
            percent(share),
            number(multiple)
        )
    })
}

fn few_trades(account: &AccountAnalysis) -> Option<String> {
    let share = account.metrics.as_ref()?.historical.trades.profit_share_of_best_5pct.filter(|share| *share > 1.0)?;
    Some(format!(
        "Do not rely on a few trades: the best 5 % of the trades made {} of the net profit; all other trades together lost money.",
        percent(share)
    ))
}

fn simulated_drawdown(account: &AccountAnalysis) -> Option<String> {
    let metrics = account.metrics.as_ref()?;
    let simulated = metrics.monte_carlo.as_ref()?.max_drawdown_p95;
    (simulated > HIGH_DRAWDOWN).then(|| {
        format!(
            "Reduce the position size: 5 % of the simulated paths have a max drawdown of {} or more; the max drawdown so far is {}.",
            percent(simulated),
            percent(metrics.historical.balance.max_drawdown)
        )
    })
}

fn risk_of_ruin(account: &AccountAnalysis) -> Option<String> {
    let risk = account.metrics.as_ref()?.risk_of_ruin.filter(|risk| *risk > HIGH_RISK_OF_RUIN)?;
    Some(format!(
        "Reduce the position size: the risk of ever falling to half of the initial balance is {}.",
        percent(risk)
    ))
}

fn exclude_or_keep(slice: &Slice, currency: &str) -> Option<String> {
    let (advice, verb) = match slice.verdict {
        SliceVerdict::Loses => ("Exclude", "lost"),
        SliceVerdict::Earns => ("Keep", "earned"),
        SliceVerdict::TooFewTrades | SliceVerdict::NotShown => return None,
    };
    let trades = match slice.by {
        Dimension::Pair => slice.key.clone(),
        Dimension::Side if slice.key == "sell" => "short trades".to_owned(),
        Dimension::Side => "long trades".to_owned(),
        Dimension::Weekday => format!("entries on {} (UTC)", capitalised(&slice.key)),
        Dimension::Hour => format!("entries from {0}:00 to {0}:59 UTC", slice.key),
        Dimension::Duration => format!("trades of {}", slice.key.replace('_', " ")),
    };
    Some(format!(
        "{advice} {trades}: {} trades {verb} {}, p = {:.4}.",
        slice.trades,
        money(slice.net_profit.abs(), currency),
        slice.p_value_two_sided?
    ))
}

/// Returns a lower-case ASCII word with a capital first letter: `Monday`.
fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Warns of the mildest scenario that turns the profit into a loss.
fn stress(account: &AccountAnalysis) -> Option<String> {
    let net_profit = account.metrics.as_ref()?.historical.trades.net_profit;
    let losing = account.stored.stress.iter().find(|stress| stress.net_profit < Decimal::ZERO)?;
    (net_profit > Decimal::ZERO).then(|| {
        format!(
            "Do not rely on the profit: with {} it would be {}.",
            costs(losing.scenario),
            money(losing.net_profit, &account.stored.currency)
        )
    })
}

fn costs(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::FeesDoubled => "doubled fees",
        Scenario::Slippage => "0.05 % slippage",
        Scenario::FeesDoubledAndSlippage => "doubled fees and 0.05 % slippage",
    }
}

fn stop_loss(account: &AccountAnalysis) -> Option<String> {
    let is_missing = account.confidence.reason == Reason::ProfitBelowWorstCase && !account.has_stop_loss;
    is_missing.then(|| {
        format!(
            "Set a stop-loss: without one, a position is assumed to lose up to {}, which limits the confidence score to {}.",
            percent(account.confidence.assumed_max_loss),
            number(account.confidence.score)
        )
    })
}

fn recommend_from_comparison(comparison: &Comparison, texts: &mut Vec<String>) {
    let Comparison { matched, missing, extra, .. } = comparison;
    if matched + missing + extra == 0 {
        texts.push(
            "Import a backtest of the period in which the bot traded: 0 trades are in the period that both cover."
                .into(),
        );
        return;
    }
    if missing + extra > *matched / 10 {
        texts.push(format!(
            "Check why the bot deviates from the backtest: {matched} trades match, {missing} are missing live, {extra} are live only."
        ));
    }
    if let Some(slippage) = comparison.entry_slippage
        && slippage.mean > NOTABLE_SLIPPAGE
    {
        texts.push(format!(
            "Use limit orders for entries: entry prices are {:.2} % worse than in the backtest.",
            100.0 * slippage.mean
        ));
    }
    if comparison.profit_difference < Decimal::ZERO && *matched > 0 {
        texts.push(format!(
            "Expect less than in the backtest: the {matched} matched trades made {} less live.",
            money(comparison.profit_difference.abs(), comparison.currency.as_deref().unwrap_or_default())
        ));
    }
    if comparison.inside_band == Some(false) {
        texts.push(
            "Do not rely on this backtest: the live result is outside the middle 90 % of the results simulated from it."
                .into(),
        );
    }
    if let Some((backtest, confidence)) = comparison.backtest.as_ref().zip(comparison.backtest_confidence.as_ref())
        && backtest.runs > 1
    {
        texts.push(format!(
            "Judge the backtest as the best of {} runs: its confidence score is {}.",
            backtest.runs,
            number(confidence.score)
        ));
    }
}
