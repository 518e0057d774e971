//! Catalogue of all metrics: name, unit, explanation, and the data that the metric needs to be defined.

use nofomo_analytics::MetricValues;

use crate::format::{Formatted, MoneyFormat, Sign, count, duration, percent, probability, ratio};
use crate::time::minute;

/// Group of metrics, shown as one table.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) entries: &'static [Entry],
}

/// Metric of the catalogue.
pub(crate) struct Entry {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    unit: Unit,
    explanation: &'static str,
    /// Data without which the metric is undefined.
    requirement: &'static str,
}

#[derive(Clone, Copy)]
enum Unit {
    /// Number of the named things.
    Count(&'static str),
    Money,
    /// Profit or loss, with its sign.
    Gain,
    /// Share in percent, with the name of the whole.
    Share(&'static str),
    /// Return in percent, with its sign and the name of its base.
    Change(&'static str),
    Ratio(&'static str),
    Probability,
    Duration,
    Time,
    YesNo,
}

/// Metric with its value, as a row of a table.
pub(crate) struct MetricRow {
    pub(crate) name: &'static str,
    pub(crate) explanation: &'static str,
    pub(crate) value: Formatted,
    pub(crate) unit: String,
    /// Data that an undefined metric needs. None if it is defined.
    pub(crate) requirement: Option<&'static str>,
    /// `true` if the metric is annualised from under 30 days.
    pub(crate) is_under_30_days: bool,
}

/// Format of the metrics of one account: currency, decimal places, and whether annualised metrics are unreliable.
#[derive(Clone, Copy)]
pub(crate) struct MetricFormat<'a> {
    pub(crate) currency: &'a str,
    pub(crate) money: MoneyFormat,
    pub(crate) is_under_30_days: bool,
}

impl Group {
    /// Rows of the metrics that are present.
    pub(crate) fn rows(&self, metrics: &MetricValues, format: MetricFormat<'_>) -> Vec<MetricRow> {
        let present = self.entries.iter().filter(|entry| metrics.has(entry.key));
        present.map(|entry| entry.row(metrics, format)).collect()
    }
}

impl Entry {
    pub(crate) fn row(&self, metrics: &MetricValues, format: MetricFormat<'_>) -> MetricRow {
        let value = self.value(metrics, format.money);
        MetricRow {
            name: self.name,
            explanation: self.explanation,
            unit: if value.is_undefined() { String::new() } else { self.unit.name(format.currency).to_owned() },
            requirement: value.is_undefined().then_some(self.requirement),
            is_under_30_days: format.is_under_30_days && !value.is_undefined() && ANNUALISED.contains(&self.key),
            value,
        }
    }

    fn value(&self, metrics: &MetricValues, money: MoneyFormat) -> Formatted {
        let number = metrics.number(self.key);
        let value = match self.unit {
            Unit::Count(_) => metrics.count(self.key).map(count),
            Unit::Money => metrics.money(self.key).map(|amount| money.money(amount, Sign::OnlyMinus)),
            Unit::Gain => metrics.money(self.key).map(|amount| money.money(amount, Sign::Always)),
            Unit::Share(_) => number.map(|fraction| percent(fraction, Sign::OnlyMinus)),
            Unit::Change(_) => number.map(|fraction| percent(fraction, Sign::Always)),
            Unit::Ratio(_) => number.map(|value| ratio(value, Sign::OnlyMinus)),
            Unit::Probability => number.map(probability),
            Unit::Duration => number.map(duration),
            Unit::Time => metrics.time(self.key).map(|time| Formatted::plain(minute(time))),
            Unit::YesNo => metrics.boolean(self.key).map(|value| Formatted::plain(if value { "yes" } else { "no" })),
        };
        value.unwrap_or_else(Formatted::undefined)
    }
}

impl Unit {
    fn name<'a>(&self, currency: &'a str) -> &'a str {
        match self {
            Self::Money | Self::Gain => currency,
            Self::Count(name) | Self::Share(name) | Self::Change(name) | Self::Ratio(name) => name,
            Self::Probability => "probability",
            Self::Time => "UTC",
            Self::Duration | Self::YesNo => "",
        }
    }
}

/// Entry of a metric by its key.
pub(crate) fn entry(key: &str) -> Option<&'static Entry> {
    METRICS.iter().flat_map(|group| group.entries).find(|entry| entry.key == key)
}

const fn metric(
    key: &'static str,
    name: &'static str,
    unit: Unit,
    explanation: &'static str,
    requirement: &'static str,
) -> Entry {
    Entry { key, name, unit, explanation, requirement }
}

const ANNUALISED: [&str; 7] = ["cagr", "sharpe", "sortino", "calmar", "martin", "volatility", "downside_deviation"];

const TRADE: &str = "a closed trade";
const TWO_TRADES: &str = "two trades with different profits";
const WIN: &str = "a winning trade";
const LOSS: &str = "a losing trade";
const BOTH: &str = "winning and losing trades";
const DAY: &str = "one day";
const TWO_DAYS: &str = "two days with different returns";
const LOSING_DAY: &str = "a losing day";
const DRAWDOWN: &str = "a drawdown";
const TWENTY_DAYS: &str = "20 days";
const PARTS: &str = "two daily returns and an account that is not ruined";

/// Metrics of an analysis, in reading order.
#[rustfmt::skip] // one metric per line
pub(crate) const METRICS: &[Group] = &[
    Group { title: "Result", entries: &[
        metric("net_profit", "Net profit", Unit::Gain, "Sum of all profits and losses, after fees.", TRADE),
        metric("total_return", "Total return", Unit::Change("of the initial balance"), "Net profit divided by the initial balance.", TRADE),
        metric("final_balance", "Final balance", Unit::Money, "Initial balance plus net profit.", TRADE),
        metric("cagr", "Annual growth (CAGR)", Unit::Change("per year"), "Compound annual growth rate.", "a balance that is not below zero"),
    ]},
    Group { title: "Risk-adjusted return", entries: &[
        metric("sharpe", "Sharpe ratio", Unit::Ratio("annualised"), "Mean daily return divided by its standard deviation.", TWO_DAYS),
        metric("sortino", "Sortino ratio", Unit::Ratio("annualised"), "Mean daily return divided by the downside deviation.", LOSING_DAY),
        metric("calmar", "Calmar ratio", Unit::Ratio("annualised"), "Annual growth divided by the max drawdown of daily balances.", DRAWDOWN),
        metric("martin", "Martin ratio", Unit::Ratio("annualised"), "Annual growth divided by the ulcer index.", DRAWDOWN),
        metric("omega", "Omega ratio", Unit::Ratio("ratio"), "Sum of positive daily returns divided by the sum of negative ones.", LOSING_DAY),
        metric("gain_to_pain", "Gain-to-pain ratio", Unit::Ratio("ratio"), "Sum of all daily returns divided by the sum of negative ones: omega minus 1.", LOSING_DAY),
        metric("recovery_factor", "Recovery factor", Unit::Ratio("ratio"), "Net profit divided by the largest drawdown in money.", DRAWDOWN),
    ]},
    Group { title: "Trades", entries: &[
        metric("trades", "Trades", Unit::Count("trades"), "Closed trades.", TRADE),
        metric("wins", "Winning trades", Unit::Count("trades"), "Closed with a profit, after fees.", TRADE),
        metric("losses", "Losing trades", Unit::Count("trades"), "Closed with a loss, after fees.", TRADE),
        metric("draws", "Draws", Unit::Count("trades"), "Closed at exactly zero.", TRADE),
        metric("win_rate", "Win rate", Unit::Share("of trades"), "Winning trades divided by all trades.", TRADE),
        metric("profit_factor", "Profit factor", Unit::Ratio("ratio"), "Gross profit divided by gross loss. Above 1, the bot earns.", LOSS),
        metric("payoff_ratio", "Payoff ratio", Unit::Ratio("ratio"), "Average win divided by average loss.", BOTH),
        metric("expectancy", "Expectancy", Unit::Gain, "Average profit per trade.", TRADE),
        metric("expectancy_r", "Expectancy in R", Unit::Ratio("average losses"), "Average profit in multiples of the average loss.", LOSS),
        metric("gross_profit", "Gross profit", Unit::Money, "Sum of all wins.", TRADE),
        metric("gross_loss", "Gross loss", Unit::Money, "Sum of all losses.", TRADE),
        metric("avg_win", "Average win", Unit::Gain, "Average profit of the winning trades.", WIN),
        metric("avg_loss", "Average loss", Unit::Gain, "Average loss of the losing trades.", LOSS),
        metric("median_trade", "Median trade", Unit::Gain, "Half of the trades made more, half made less.", TRADE),
        metric("best_trade", "Best trade", Unit::Gain, "The largest profit.", TRADE),
        metric("worst_trade", "Worst trade", Unit::Gain, "The smallest profit, or largest loss.", TRADE),
        metric("std_trade", "Standard deviation of trades", Unit::Money, "Standard deviation of the profits per trade.", "two trades"),
        metric("profit_share_of_best_5pct", "Share of the best 5 %", Unit::Share("of net profit"), "Profit of the best 5 % of the trades. Above 100 %, all others together lost.", "a net profit"),
        metric("max_consecutive_wins", "Longest winning streak", Unit::Count("trades"), "Consecutive wins.", TRADE),
        metric("max_consecutive_losses", "Longest losing streak", Unit::Count("trades"), "Consecutive losses.", TRADE),
        metric("sqn", "System quality number (SQN)", Unit::Ratio("ratio"), "Tharp. Assumes independent trades, so splitting orders raises it.", TWO_TRADES),
        metric("sqn_100", "SQN, 100 trades", Unit::Ratio("ratio"), "System quality number with at most 100 trades counted.", TWO_TRADES),
        metric("p_value_two_sided", "p-value of the mean profit", Unit::Probability, "Probability of a mean profit at least this far from zero by chance, if trades are independent.", TWO_TRADES),
    ]},
    Group { title: "Costs", entries: &[
        metric("fees", "Fees", Unit::Money, "All profits are net of them.", TRADE),
        metric("fee_share_of_gross", "Fee share", Unit::Share("of the profit before fees"), "Fees divided by the profit before fees.", "a profit before fees"),
        metric("fee_break_even_multiple", "Break-even fees", Unit::Ratio("times the current fees"), "Multiple of the current fees at which the net profit is zero.", "fees"),
    ]},
    Group { title: "Drawdowns", entries: &[
        metric("max_drawdown", "Max drawdown", Unit::Share("of the peak"), "Largest decline from a previous peak of the balance. Closed trades only.", TRADE),
        metric("max_drawdown_abs", "Max drawdown in money", Unit::Money, "May belong to another drawdown than the one above.", TRADE),
        metric("max_drawdown_daily", "Max drawdown, daily", Unit::Share("of the peak"), "Max drawdown of the balances at the ends of days.", DAY),
        metric("max_drawdown_peak", "Max drawdown, peak", Unit::Time, "Time of the peak before the max drawdown.", DRAWDOWN),
        metric("max_drawdown_trough", "Max drawdown, trough", Unit::Time, "Time of the lowest balance.", DRAWDOWN),
        metric("max_drawdown_recovery", "Max drawdown, recovery", Unit::Time, "Time when the balance was back at the peak.", "a drawdown that has recovered"),
        metric("longest_underwater_s", "Longest time under water", Unit::Duration, "From a peak to the recovery, or to the last trade.", TRADE),
        metric("current_drawdown", "Current drawdown", Unit::Share("of the peak"), "Decline of the final balance from the highest one.", TRADE),
        metric("ulcer_index", "Ulcer index", Unit::Share("of the peak"), "Root mean square of the daily drawdowns: their depth and duration in one number.", DAY),
        metric("min_balance", "Lowest balance", Unit::Money, "Including the initial balance.", TRADE),
        metric("max_balance", "Highest balance", Unit::Money, "Including the initial balance.", TRADE),
    ]},
    Group { title: "Daily returns", entries: &[
        metric("volatility", "Volatility", Unit::Share("per year"), "Annualised standard deviation of the daily returns.", "two days"),
        metric("downside_deviation", "Downside deviation", Unit::Share("per year"), "Annualised deviation of the negative daily returns.", DAY),
        metric("daily_mean", "Mean daily return", Unit::Change("per day"), "Days without a trade count as zero.", DAY),
        metric("daily_std", "Daily standard deviation", Unit::Share("per day"), "Standard deviation of the daily returns.", "two days"),
        metric("best_day", "Best day", Unit::Change("per day"), "The largest daily return.", DAY),
        metric("worst_day", "Worst day", Unit::Change("per day"), "The smallest daily return.", DAY),
        metric("positive_days", "Winning days", Unit::Count("days"), "Days with a positive return.", DAY),
        metric("negative_days", "Losing days", Unit::Count("days"), "Days with a negative return.", DAY),
        metric("var_95", "Value at risk, 95 %", Unit::Change("per day"), "5 % of the days were this bad or worse.", TWENTY_DAYS),
        metric("cvar_95", "Expected shortfall, 95 %", Unit::Change("per day"), "Mean return of the worst 5 % of the days.", TWENTY_DAYS),
        metric("tail_ratio", "Tail ratio", Unit::Ratio("ratio"), "95 % quantile of the daily returns divided by the 5 % quantile.", "20 days, with losing days among them"),
        metric("skew", "Skewness", Unit::Ratio("ratio"), "Negative if large losses are more common than large gains.", "three days with different returns"),
        metric("kurtosis_excess", "Excess kurtosis", Unit::Ratio("ratio"), "Positive if extreme days are more common than in a normal distribution.", "four days with different returns"),
        metric("lag1_autocorrelation", "Autocorrelation", Unit::Ratio("ratio"), "Positive if good days follow good days and bad days follow bad days.", TWO_DAYS),
    ]},
    Group { title: "Time", entries: &[
        metric("days", "Period", Unit::Count("days"), "Calendar days in UTC, days without a trade included.", DAY),
        metric("return_days", "Days with a return", Unit::Count("days"), "Equal to the period, unless the account is ruined.", DAY),
        metric("trades_per_day", "Trades per day", Unit::Ratio("per day"), "Average over the period.", DAY),
        metric("time_in_market", "Time in market", Unit::Share("of the period"), "Time with at least one open trade.", DAY),
        metric("avg_open_trades", "Open trades", Unit::Ratio("trades"), "Average number of open trades.", DAY),
        metric("avg_duration_s", "Average duration", Unit::Duration, "From entry to exit.", TRADE),
        metric("median_duration_s", "Median duration", Unit::Duration, "Half of the trades took longer.", TRADE),
    ]},
    Group { title: "Position size", entries: &[
        metric("kelly_continuous_lower95", "Kelly, lower bound", Unit::Ratio("times the current size"), "Kelly multiple at the lower 95 % bound of the mean daily return. Negative: no case for a larger size.", TWO_DAYS),
        metric("kelly_continuous", "Kelly, daily returns", Unit::Ratio("times the current size"), "Point estimate, without a margin for luck.", TWO_DAYS),
        metric("kelly_trade", "Kelly, trades", Unit::Change("of the balance"), "Stake per trade. Negative: no stake.", BOTH),
    ]},
    Group { title: "Ruin and Monte Carlo simulation", entries: &[
        metric("ruined", "Account ruined", Unit::YesNo, "The balance was zero or below at the end of a day.", DAY),
        metric("risk_of_ruin", "Risk of ruin", Unit::Probability, "Probability of ever falling to half of the initial balance, if the performance stays the same.", "two trades"),
        metric("monte_carlo.sims", "Simulated paths", Unit::Count("paths"), "Each path draws as many trades as were made, with replacement.", "two trades"),
        metric("monte_carlo.final_p05", "Final balance, 5 % quantile", Unit::Money, "5 % of the paths end lower.", "two trades"),
        metric("monte_carlo.final_p50", "Final balance, median", Unit::Money, "Half of the paths end lower.", "two trades"),
        metric("monte_carlo.final_p95", "Final balance, 95 % quantile", Unit::Money, "5 % of the paths end higher.", "two trades"),
        metric("monte_carlo.max_drawdown_p50", "Max drawdown, median", Unit::Share("of the peak"), "Half of the paths have a larger one.", "two trades"),
        metric("monte_carlo.max_drawdown_p95", "Max drawdown, 95 % quantile", Unit::Share("of the peak"), "5 % of the paths have a larger one.", "two trades"),
        metric("monte_carlo.max_drawdown_p99", "Max drawdown, 99 % quantile", Unit::Share("of the peak"), "1 % of the paths have a larger one.", "two trades"),
        metric("monte_carlo.prob_loss", "Probability of a loss", Unit::Share("of paths"), "Paths that end below the initial balance.", "two trades"),
        metric("monte_carlo.prob_ruin", "Probability of ruin", Unit::Share("of paths"), "Paths that end at half of the initial balance or less.", "two trades"),
    ]},
];

/// Parts of the confidence score.
#[rustfmt::skip] // one metric per line
pub(crate) const CONFIDENCE: Group = Group { title: "Parts of the confidence score", entries: &[
    metric("statistical", "Statistical evidence", Unit::Probability, "Product of the next three parts.", PARTS),
    metric("edge_probability", "Probability of an edge", Unit::Probability, "Probabilistic Sharpe ratio; with several runs, deflated Sharpe ratio.", PARTS),
    metric("track_record_factor", "Track record", Unit::Share("of the requirement"), "Available share of the track record that a 95 % probability of an edge requires.", PARTS),
    metric("sample_factor", "Observations", Unit::Share("of the requirement"), "Share of 50 trades or of 30 active days, whichever is smaller.", PARTS),
    metric("tail_guard", "Worst-case guard", Unit::Probability, "1 - 1/E, with the final wealth E of five betting strategies on the daily returns; a worst-case day ruins none of them.", PARTS),
    metric("worst_day_assumed", "Worst-case day", Unit::Share("of the balance"), "Loss if every position of the peak exposure loses the assumed maximum, or the loss of the worst day, whichever is larger.", PARTS),
    metric("peak_exposure", "Peak exposure", Unit::Ratio("times the balance"), "Largest notional open at once.", PARTS),
    metric("overfit_probability", "Probability of overfitting", Unit::Probability, "Probability that the best run is the best only by chance.", "the returns of all runs"),
    metric("active_days", "Active days", Unit::Count("days"), "Days with a closed trade.", PARTS),
    metric("trials", "Runs", Unit::Count("runs"), "The trades count as the best of this many runs.", PARTS),
    metric("daily_sharpe", "Daily Sharpe ratio", Unit::Ratio("per day"), "Not annualised.", TWO_DAYS),
    metric("benchmark_sharpe", "Benchmark Sharpe ratio", Unit::Ratio("per day"), "Expected Sharpe ratio of the best run without any edge.", PARTS),
    metric("psr_2012", "Probabilistic Sharpe ratio, 2012", Unit::Probability, "Bailey and López de Prado.", TWO_DAYS),
    metric("psr_null", "Probabilistic Sharpe ratio, 2026", Unit::Probability, "López de Prado, Lipton and Zoonekynd.", TWO_DAYS),
    metric("min_trl_days", "Minimum track record", Unit::Ratio("days"), "Days at which the probability of an edge is 95 %, if the Sharpe ratio stays the same.", "a Sharpe ratio above the benchmark"),
    metric("min_trl_days_2012", "Minimum track record, 2012", Unit::Ratio("days"), "Minimum track record with the variance of 2012 only.", "a positive Sharpe ratio"),
]};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nofomo_analytics::{AnalysisType, Record, Settings, Side, Trade};
    use rust_decimal::{Decimal, dec};
    use serde_json::{Value, json};

    use super::*;

    /// Metrics of three trades.
    fn metrics() -> Value {
        let trade = |day: u32, profit: Decimal| Trade {
            entry_time: format!("2026-01-0{day}T06:00:00Z").parse().unwrap(),
            exit_time: format!("2026-01-0{day}T18:00:00Z").parse().unwrap(),
            side: Side::Buy,
            pair: "BTC/USDT",
            amount: dec!(0.002),
            price: dec!(50000),
            fee: dec!(0.1),
            profit,
            range: None,
        };
        let trades = [trade(1, dec!(3)), trade(2, dec!(-2)), trade(3, dec!(4))];
        json!(Record::new(&trades, Settings::new(dec!(1000))).unwrap().metrics())
    }

    fn names(object: &Value, prefix: &str) -> BTreeSet<String> {
        object.as_object().unwrap().keys().map(|name| format!("{prefix}{name}")).collect()
    }

    fn keys(groups: &[Group]) -> Vec<&'static str> {
        groups.iter().flat_map(|group| group.entries).map(|entry| entry.key).collect()
    }

    #[test]
    fn every_metric_is_in_the_catalogue_once_and_nothing_else_is() {
        let metrics = metrics();
        let mut expected = names(&metrics, "");
        expected.extend(names(&metrics["monte_carlo"], "monte_carlo."));
        for elsewhere in ["monte_carlo", "confidence", "notes", "monte_carlo.seed", "monte_carlo.method"] {
            assert!(expected.remove(elsewhere), "{elsewhere}");
        }
        let shown = keys(METRICS);
        assert_eq!(shown.len(), shown.iter().collect::<BTreeSet<_>>().len());
        assert_eq!(shown.into_iter().map(ToOwned::to_owned).collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn every_part_of_the_confidence_is_in_the_catalogue_or_shown_elsewhere() {
        let mut expected = names(&metrics()["confidence"], "");
        // Shown in the verdict, or only intermediate results.
        for elsewhere in [
            "score",
            "reason",
            "assumed_max_loss",
            "raw",
            "z",
            "log_e_value",
            "rho_used",
            "variance_observed",
            "variance_null",
        ] {
            assert!(expected.remove(elsewhere), "{elsewhere}");
        }
        // Only where the trials are known.
        expected.insert("overfit_probability".into());
        assert_eq!(keys(&[CONFIDENCE]).into_iter().map(ToOwned::to_owned).collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn every_headline_is_a_metric_of_its_type() {
        for kind in [AnalysisType::Performance, AnalysisType::Risk, AnalysisType::Optimization, AnalysisType::Backtest]
        {
            for key in crate::page::headline(kind) {
                assert!(entry(key).is_some(), "{key}");
                assert!(kind.shows(key.split('.').next().unwrap()), "{key}");
            }
        }
    }

    #[test]
    fn an_undefined_metric_states_its_requirement() {
        let format = MetricFormat { currency: "USDT", money: MoneyFormat::of_account(None), is_under_30_days: true };
        for entry in METRICS.iter().flat_map(|group| group.entries) {
            let first = entry.key.split('.').next().unwrap();
            let metrics: MetricValues = serde_json::from_value(json!({ first: null })).unwrap();
            let row = entry.row(&metrics, format);
            assert!(row.value.is_undefined() && row.unit.is_empty() && !row.is_under_30_days, "{}", entry.key);
            assert!(row.requirement.is_some_and(|requirement| requirement.len() > 3), "{}", entry.key);
        }
    }
}
