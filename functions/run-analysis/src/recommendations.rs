//! What follows from the figures: each recommendation with the figure that caused it, and none where there is no case for a change.

use nofomo_analytics::{AnalysisType, Dimension, Reason, Scenario, Slice, Verdict};
use rust_decimal::Decimal;

use crate::comparison::Comparison;
use crate::currency_analysis::CurrencyAnalysis;
use crate::format::{money, number, percent};

/// A fall that one path in twenty reaches.
const HIGH_DRAWDOWN: f64 = 0.30;
const HIGH_FEE_SHARE: f64 = 0.50;
const NOTABLE_SLIPPAGE: f64 = 0.001;

pub(crate) fn of(kind: AnalysisType, blocks: &[CurrencyAnalysis], comparison: Option<&Comparison>) -> Vec<String> {
    let mut said = Vec::new();
    for block in blocks {
        let before = said.len();
        about(kind, block, &mut said);
        if said.len() == before {
            said.push(no_case(block));
        }
        if blocks.len() > 1 {
            for text in said.iter_mut().skip(before) {
                *text = format!("{}: {text}", block.currency);
            }
        }
    }
    if let Some(comparison) = comparison {
        compared(comparison, &mut said);
    }
    if said.is_empty() {
        said.push("No case for a change: there are 0 bots to judge.".into());
    }
    said
}

fn no_case(block: &CurrencyAnalysis) -> String {
    let score = number(block.confidence.score);
    match block.confidence.reason {
        Reason::NoTrades => "No case for a change: 0 trades were closed.".into(),
        Reason::Sufficient => format!("No case for a change: the confidence that it earns is {score}."),
        Reason::OneDay => "No case for a change: 1 day of returns cannot tell an edge from luck.".into(),
        _ => format!("No case for a change: the confidence is {score}, too low to tell an edge from luck."),
    }
}

fn about(kind: AnalysisType, block: &CurrencyAnalysis, said: &mut Vec<String>) {
    if block.confidence.reason == Reason::Ruined {
        said.push("Stop it: the balance fell to 0 or below.".into());
        return;
    }
    let of_risk = matches!(kind, AnalysisType::Risk | AnalysisType::Backtest);
    let of_size = matches!(kind, AnalysisType::Optimization | AnalysisType::Backtest);
    let of_costs = kind != AnalysisType::Risk;
    if of_size {
        size(block, said);
    }
    if of_costs {
        costs(block, said);
    }
    if of_risk {
        risk(block, said);
    }
    for slice in &block.slices {
        said.extend(part(slice, &block.currency));
    }
    for scenario in block.stress.iter().filter(|scenario| scenario.net_profit < Decimal::ZERO) {
        let earned = block.all.as_ref().map(|metrics| metrics.historical.trades.net_profit);
        if earned.is_some_and(|profit| profit > Decimal::ZERO) {
            said.push(format!(
                "Do not count on the profit: with {} it would be {}.",
                words(scenario.scenario),
                money(scenario.net_profit, &block.currency)
            ));
            break;
        }
    }
    if block.confidence.reason == Reason::ProfitBelowWorstCase && !block.has_stop_loss {
        said.push(format!(
            "Set a stop-loss: without one a position is taken to lose {}, and the confidence stays at {}.",
            percent(block.confidence.assumed_max_loss),
            number(block.confidence.score)
        ));
    }
}

/// Never more than half of what Kelly would take, nor than the lower bound of it.
fn size(block: &CurrencyAnalysis, said: &mut Vec<String>) {
    let Some(daily) = block.all.as_ref().map(|metrics| &metrics.historical.daily) else { return };
    let Some((kelly, lower)) = daily.kelly_continuous.zip(daily.kelly_continuous_lower95) else { return };
    let multiple = (kelly / 2.0).min(lower);
    said.push(if kelly <= 0.0 {
        format!("Stake less or stop: the mean day loses, and Kelly's multiple of the present size is {}.", number(kelly))
    } else if multiple <= 0.0 {
        format!("No case for a larger stake: the lower bound of Kelly's multiple is {}.", number(lower))
    } else if multiple < 1.0 {
        format!("Stake less: at most {} times the present size, by the lower of half Kelly and its lower bound.", number(multiple))
    } else {
        format!(
            "A larger stake has a case: up to {} times the present size, by the lower of half Kelly and its lower bound.",
            number(multiple)
        )
    });
}

fn costs(block: &CurrencyAnalysis, said: &mut Vec<String>) {
    let Some(trades) = block.all.as_ref().map(|metrics| &metrics.historical.trades) else { return };
    if let Some((share, multiple)) = trades.fee_share_of_gross.zip(trades.fee_break_even_multiple)
        && share > HIGH_FEE_SHARE
    {
        said.push(format!(
            "Trade cheaper: fees take {} of the gain before fees, and {} times the fees would leave nothing.",
            percent(share),
            number(multiple)
        ));
    }
    if let Some(share) = trades.profit_share_of_best_5pct
        && share > 1.0
    {
        said.push(format!(
            "Do not rely on a few trades: the best 5 % of them made {} of the net profit; the others lost.",
            percent(share)
        ));
    }
}

fn risk(block: &CurrencyAnalysis, said: &mut Vec<String>) {
    let Some(metrics) = &block.all else { return };
    if let Some(simulated) = &metrics.monte_carlo
        && simulated.max_drawdown_p95 > HIGH_DRAWDOWN
    {
        said.push(format!(
            "Stake less: of the simulated paths one in twenty falls by {} or more; the deepest fall so far is {}.",
            percent(simulated.max_drawdown_p95),
            percent(metrics.historical.balance.max_drawdown)
        ));
    }
    if let Some(ruin) = metrics.risk_of_ruin
        && ruin > 0.05
    {
        said.push(format!("Stake less: the risk of losing half of the balance is {}.", percent(ruin)));
    }
}

fn part(slice: &Slice, currency: &str) -> Option<String> {
    let (advice, verb) = match slice.verdict {
        Verdict::Loses => ("Leave out", "lost"),
        Verdict::Earns => ("Keep", "earned"),
        Verdict::TooFewTrades | Verdict::NotShown => return None,
    };
    let what = match slice.by {
        Dimension::Pair => slice.key.clone(),
        Dimension::Side => format!("{} trades", slice.key),
        Dimension::Weekday => format!("entries on {}", slice.key),
        Dimension::Hour => format!("entries at {} o'clock UTC", slice.key),
        Dimension::Duration => format!("trades of {}", slice.key.replace('_', " ")),
    };
    Some(format!(
        "{advice} {what}: {} trades {verb} {}, p = {:.4}.",
        slice.trades,
        money(slice.net_profit.abs(), currency),
        slice.p_value_two_sided?
    ))
}

fn compared(comparison: &Comparison, said: &mut Vec<String>) {
    let Comparison { matched, missing, extra, .. } = comparison;
    if matched + missing + extra == 0 {
        said.push("Import a backtest of the time that was traded: 0 trades lie in the time that both cover.".into());
        return;
    }
    if missing + extra > *matched / 10 {
        said.push(format!(
            "Look for why the bot does not do what the backtest did: {matched} trades match, {missing} are missing, {extra} are extra."
        ));
    }
    if let Some(slippage) = comparison.entry_slippage
        && slippage.mean > NOTABLE_SLIPPAGE
    {
        said.push(format!(
            "Enter by limit orders: entries are {:.2} % worse than the backtest's.",
            100.0 * slippage.mean
        ));
    }
    if comparison.profit_difference < Decimal::ZERO && *matched > 0 {
        said.push(format!(
            "Expect less than the backtest says: the {matched} matched trades made {} less.",
            money(comparison.profit_difference.abs(), &comparison.currency)
        ));
    }
    if comparison.inside_band == Some(false) {
        said.push(
            "Do not trust this backtest: 0 of the middle 90 % of its simulated paths end where the bot did.".into(),
        );
    }
    if comparison.backtest.runs > 1 {
        said.push(format!(
            "Trust the backtest as one of {} runs: its confidence is {}.",
            comparison.backtest.runs,
            number(comparison.backtest_confidence.score)
        ));
    }
}

fn words(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::FeesDoubled => "fees twice as high",
        Scenario::Slippage => "prices 0.05 % worse",
        Scenario::FeesDoubledAndSlippage => "fees twice as high and prices 0.05 % worse",
    }
}
