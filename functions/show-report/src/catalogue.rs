//! Every figure: what it is called, what it is measured in, what it says, and why it may have no value.

use crate::figures::Figures;
use crate::format::{Formatted, MoneyFormat, Sign, count, duration, percent, probability, ratio};
use crate::time::minute;

/// Figures that are read together.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) figures: &'static [Entry],
}

/// One figure.
pub(crate) struct Entry {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    unit: Unit,
    says: &'static str,
    /// What it would need, where it has no value.
    needs: &'static str,
}

#[derive(Clone, Copy)]
enum Unit {
    /// So many of these.
    Count(&'static str),
    Money,
    /// Money that was won or lost.
    Gain,
    /// Section of this, in percent.
    Share(&'static str),
    /// What a part was won or lost of, in percent.
    Change(&'static str),
    Ratio(&'static str),
    Probability,
    Duration,
    Time,
    YesNo,
}

/// One line of a table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) value: Formatted,
    pub(crate) unit: String,
    /// What it would need to have a value.
    pub(crate) needs: Option<&'static str>,
    /// It is annualised from so few days that it says little.
    pub(crate) is_young: bool,
}

/// How the figures of one account are written.
#[derive(Clone, Copy)]
pub(crate) struct Account<'a> {
    pub(crate) currency: &'a str,
    pub(crate) cents: MoneyFormat,
    /// Not yet 30 days old.
    pub(crate) is_young: bool,
}

impl Group {
    /// Of those figures that are there; a group may be empty.
    pub(crate) fn rows(&self, figures: &Figures, account: Account<'_>) -> Vec<Row> {
        let there = self.figures.iter().filter(|entry| figures.has(entry.key));
        there.map(|entry| entry.row(figures, account)).collect()
    }
}

impl Entry {
    pub(crate) fn row(&self, figures: &Figures, account: Account<'_>) -> Row {
        let value = self.value(figures, account.cents);
        Row {
            name: self.name,
            says: self.says,
            unit: if value.is_undefined() { String::new() } else { self.unit.name(account.currency).to_owned() },
            needs: value.is_undefined().then_some(self.needs),
            is_young: account.is_young && !value.is_undefined() && ANNUALISED.contains(&self.key),
            value,
        }
    }

    pub(crate) fn value(&self, figures: &Figures, cents: MoneyFormat) -> Formatted {
        let number = figures.number(self.key);
        let value = match self.unit {
            Unit::Count(_) => figures.count(self.key).map(count),
            Unit::Money => figures.money(self.key).map(|amount| cents.money(amount, Sign::OnlyMinus)),
            Unit::Gain => figures.money(self.key).map(|amount| cents.money(amount, Sign::Always)),
            Unit::Share(_) => number.map(|fraction| percent(fraction, Sign::OnlyMinus)),
            Unit::Change(_) => number.map(|fraction| percent(fraction, Sign::Always)),
            Unit::Ratio(_) => number.map(|value| ratio(value, Sign::OnlyMinus)),
            Unit::Probability => number.map(probability),
            Unit::Duration => number.map(duration),
            Unit::Time => figures.time(self.key).map(|time| Formatted::plain(minute(time))),
            Unit::YesNo => figures.flag(self.key).map(|flag| Formatted::plain(if flag { "yes" } else { "no" })),
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

/// The entry of a figure that has one.
pub(crate) fn entry(key: &str) -> Option<&'static Entry> {
    METRICS.iter().flat_map(|group| group.figures).find(|entry| entry.key == key)
}

const fn figure(key: &'static str, name: &'static str, unit: Unit, says: &'static str, needs: &'static str) -> Entry {
    Entry { key, name, unit, says, needs }
}

const ANNUALISED: [&str; 7] = ["cagr", "sharpe", "sortino", "calmar", "martin", "volatility", "downside_deviation"];

const TRADE: &str = "a closed trade";
const TWO_TRADES: &str = "two trades that differ";
const WIN: &str = "a winning trade";
const LOSS: &str = "a losing trade";
const BOTH: &str = "winning and losing trades";
const DAY: &str = "a day";
const TWO_DAYS: &str = "two days that differ";
const LOSING_DAY: &str = "a losing day";
const FALL: &str = "a fall of the balance";
const TWENTY_DAYS: &str = "20 days";
const PARTS: &str = "two days of returns, and an account that is not lost";

/// Of an analysis, in the order in which they are read.
#[rustfmt::skip] // one figure a line
pub(crate) const METRICS: &[Group] = &[
    Group { title: "Result", figures: &[
        figure("net_profit", "Net profit", Unit::Gain, "All profits and losses together, after fees.", TRADE),
        figure("total_return", "Total return", Unit::Change("of the start"), "Net profit as a part of the initial balance.", TRADE),
        figure("final_balance", "Final balance", Unit::Money, "Initial balance and net profit.", TRADE),
        figure("cagr", "Growth a year", Unit::Change("a year"), "Compound annual growth, if every year were like this.", "a balance that is not below zero, and growth that a number can hold"),
    ]},
    Group { title: "Return for the risk taken", figures: &[
        figure("sharpe", "Sharpe ratio", Unit::Ratio("a year"), "Mean daily return over its spread.", TWO_DAYS),
        figure("sortino", "Sortino ratio", Unit::Ratio("a year"), "The same, with only losing days counted as risk.", LOSING_DAY),
        figure("calmar", "Calmar ratio", Unit::Ratio("a year"), "Growth a year over the deepest daily fall.", FALL),
        figure("martin", "Martin ratio", Unit::Ratio("a year"), "Growth a year over the ulcer index.", FALL),
        figure("omega", "Omega", Unit::Ratio("ratio"), "Gains of all winning days over losses of all losing days.", LOSING_DAY),
        figure("gain_to_pain", "Gain to pain", Unit::Ratio("ratio"), "All daily returns together over those lost: omega less 1.", LOSING_DAY),
        figure("recovery_factor", "Recovery factor", Unit::Ratio("ratio"), "Net profit over the largest fall in money.", FALL),
    ]},
    Group { title: "Trades", figures: &[
        figure("trades", "Trades", Unit::Count("trades"), "Closed ones only.", TRADE),
        figure("wins", "Winning trades", Unit::Count("trades"), "Closed above zero, after fees.", TRADE),
        figure("losses", "Losing trades", Unit::Count("trades"), "Closed below zero, after fees.", TRADE),
        figure("draws", "Draws", Unit::Count("trades"), "Closed at exactly zero.", TRADE),
        figure("win_rate", "Win rate", Unit::Share("of trades"), "Winning trades of all trades.", TRADE),
        figure("profit_factor", "Profit factor", Unit::Ratio("ratio"), "What was won for each unit lost. Above 1 is a gain.", LOSS),
        figure("payoff_ratio", "Payoff ratio", Unit::Ratio("ratio"), "Mean win over mean loss.", BOTH),
        figure("expectancy", "Expectancy", Unit::Gain, "Mean profit of a trade.", TRADE),
        figure("expectancy_r", "Expectancy in R", Unit::Ratio("mean losses"), "Mean profit in multiples of the mean loss.", LOSS),
        figure("gross_profit", "Gross profit", Unit::Money, "All wins together.", TRADE),
        figure("gross_loss", "Gross loss", Unit::Money, "All losses together.", TRADE),
        figure("avg_win", "Mean win", Unit::Gain, "Of a winning trade.", WIN),
        figure("avg_loss", "Mean loss", Unit::Gain, "Of a losing trade.", LOSS),
        figure("median_trade", "Median trade", Unit::Gain, "Half of the trades made more, half less.", TRADE),
        figure("best_trade", "Best trade", Unit::Gain, "The largest profit.", TRADE),
        figure("worst_trade", "Worst trade", Unit::Gain, "The smallest profit, or largest loss.", TRADE),
        figure("std_trade", "Spread of trades", Unit::Money, "Standard deviation of the profits.", "two trades"),
        figure("profit_share_of_best_5pct", "Best twentieth's share", Unit::Share("of net profit"), "Above 100 %, it would have lost without its luckiest trades.", "a net profit"),
        figure("max_consecutive_wins", "Longest winning run", Unit::Count("trades"), "Wins without anything between.", TRADE),
        figure("max_consecutive_losses", "Longest losing run", Unit::Count("trades"), "Losses without anything between.", TRADE),
        figure("sqn", "System quality", Unit::Ratio("ratio"), "Tharp's number. It takes trades as independent, so splitting orders raises it.", TWO_TRADES),
        figure("sqn_100", "System quality, 100 trades", Unit::Ratio("ratio"), "The same, with at most 100 trades counted.", TWO_TRADES),
        figure("p_value_two_sided", "p-value of the mean trade", Unit::Probability, "How often chance alone would do this well or this badly, were trades independent.", TWO_TRADES),
    ]},
    Group { title: "Costs", figures: &[
        figure("fees", "Fees", Unit::Money, "Already taken off every profit.", TRADE),
        figure("fee_share_of_gross", "Fees' share of the gain", Unit::Share("of gain before fees"), "What the exchange keeps of what was earned.", "a gain before fees"),
        figure("fee_break_even_multiple", "Fees it could bear", Unit::Ratio("times today's"), "Fees this many times as high leave nothing.", "fees"),
    ]},
    Group { title: "Falls", figures: &[
        figure("max_drawdown", "Deepest fall", Unit::Share("of the peak"), "From the highest balance before, after each trade. Realised losses only.", TRADE),
        figure("max_drawdown_abs", "Largest fall", Unit::Money, "In money; need not be the same fall.", TRADE),
        figure("max_drawdown_daily", "Deepest fall, by days", Unit::Share("of the peak"), "The same, seen at the ends of days.", DAY),
        figure("max_drawdown_peak", "Deepest fall began", Unit::Time, "When the balance was last at its peak.", FALL),
        figure("max_drawdown_trough", "Deepest fall ended", Unit::Time, "When the balance was lowest in it.", FALL),
        figure("max_drawdown_recovery", "Deepest fall made up for", Unit::Time, "When the balance was back at its peak.", "a fall that has been made up for"),
        figure("longest_underwater_s", "Longest time below a peak", Unit::Duration, "Until it was reached again, or until the last trade.", TRADE),
        figure("current_drawdown", "Present fall", Unit::Share("of the peak"), "How far the balance is below its highest.", TRADE),
        figure("ulcer_index", "Ulcer index", Unit::Share("of the peak"), "How deep and how long the falls were, in one number.", DAY),
        figure("min_balance", "Lowest balance", Unit::Money, "The start included.", TRADE),
        figure("max_balance", "Highest balance", Unit::Money, "The start included.", TRADE),
    ]},
    Group { title: "Days", figures: &[
        figure("volatility", "Volatility", Unit::Share("a year"), "Spread of the daily returns.", "two days"),
        figure("downside_deviation", "Downside deviation", Unit::Share("a year"), "The same, of losing days alone.", DAY),
        figure("daily_mean", "Mean day", Unit::Change("a day"), "Days without a trade count as zero.", DAY),
        figure("daily_std", "Spread of days", Unit::Share("a day"), "Standard deviation of the daily returns.", "two days"),
        figure("best_day", "Best day", Unit::Change("a day"), "The largest daily return.", DAY),
        figure("worst_day", "Worst day", Unit::Change("a day"), "The smallest daily return.", DAY),
        figure("positive_days", "Winning days", Unit::Count("days"), "Days that ended higher.", DAY),
        figure("negative_days", "Losing days", Unit::Count("days"), "Days that ended lower.", DAY),
        figure("var_95", "Value at risk", Unit::Change("a day"), "One day in twenty was as bad as this, or worse.", TWENTY_DAYS),
        figure("cvar_95", "Expected shortfall", Unit::Change("a day"), "The mean of those days.", TWENTY_DAYS),
        figure("tail_ratio", "Tail ratio", Unit::Ratio("ratio"), "Very good days over very bad ones.", "20 days, and losing days among them"),
        figure("skew", "Skewness", Unit::Ratio("ratio"), "Below 0, large losses are more common than large gains.", "three days that differ"),
        figure("kurtosis_excess", "Excess kurtosis", Unit::Ratio("ratio"), "Above 0, extreme days are more common than in a normal distribution.", "four days that differ"),
        figure("lag1_autocorrelation", "Autocorrelation", Unit::Ratio("ratio"), "Above 0, good days follow good ones and bad days bad ones.", TWO_DAYS),
    ]},
    Group { title: "Time", figures: &[
        figure("days", "Period", Unit::Count("days"), "Calendar days in UTC, days without a trade included.", DAY),
        figure("return_days", "Days with a return", Unit::Count("days"), "All of the period, unless the account was lost.", DAY),
        figure("trades_per_day", "Trades a day", Unit::Ratio("a day"), "Over the whole period.", DAY),
        figure("time_in_market", "Time in the market", Unit::Share("of the period"), "With at least one trade open.", DAY),
        figure("avg_open_trades", "Open at once", Unit::Ratio("trades"), "On average over the period.", DAY),
        figure("avg_duration_s", "Mean duration", Unit::Duration, "From entry to exit.", TRADE),
        figure("median_duration_s", "Median duration", Unit::Duration, "Half of the trades took longer.", TRADE),
    ]},
    Group { title: "Size", figures: &[
        figure("kelly_continuous_lower95", "Kelly, lower bound", Unit::Ratio("times today's size"), "What the evidence supports. Below 0 there is no case for more.", TWO_DAYS),
        figure("kelly_continuous", "Kelly, by days", Unit::Ratio("times today's size"), "The point estimate; it takes luck for skill.", TWO_DAYS),
        figure("kelly_trade", "Kelly, by trades", Unit::Change("of the balance"), "The stake of a trade. Below 0 means none.", BOTH),
    ]},
    Group { title: "What else could have come of it", figures: &[
        figure("ruined", "Account lost", Unit::YesNo, "Whether the balance was at zero or below at the end of a day.", DAY),
        figure("risk_of_ruin", "Risk of ruin", Unit::Probability, "Of ever falling to half of the initial balance, if it goes on like this.", "two trades"),
        figure("monte_carlo.sims", "Simulated paths", Unit::Count("paths"), "The same trades drawn again, with replacement.", "two trades"),
        figure("monte_carlo.final_p05", "Final balance, 1 in 20", Unit::Money, "One path in twenty ends lower.", "two trades"),
        figure("monte_carlo.final_p50", "Final balance, median", Unit::Money, "Half of the paths end lower.", "two trades"),
        figure("monte_carlo.final_p95", "Final balance, 19 in 20", Unit::Money, "One path in twenty ends higher.", "two trades"),
        figure("monte_carlo.max_drawdown_p50", "Deepest fall, median", Unit::Share("of the peak"), "Half of the paths fall further.", "two trades"),
        figure("monte_carlo.max_drawdown_p95", "Deepest fall, 1 in 20", Unit::Share("of the peak"), "One path in twenty falls further.", "two trades"),
        figure("monte_carlo.max_drawdown_p99", "Deepest fall, 1 in 100", Unit::Share("of the peak"), "One path in a hundred falls further.", "two trades"),
        figure("monte_carlo.prob_loss", "Ends with a loss", Unit::Share("of paths"), "Below the initial balance.", "two trades"),
        figure("monte_carlo.prob_ruin", "Ends at half or less", Unit::Share("of paths"), "Of the initial balance.", "two trades"),
    ]},
];

/// What the confidence is made of.
#[rustfmt::skip] // one figure a line
pub(crate) const CONFIDENCE: Group = Group { title: "What the score is made of", figures: &[
    figure("statistical", "Statistical evidence", Unit::Probability, "The three lines that follow, multiplied.", PARTS),
    figure("edge_probability", "Probability of an edge", Unit::Probability, "That the true daily Sharpe ratio is above what luck would show (probabilistic Sharpe ratio; deflated with several runs).", PARTS),
    figure("track_record_factor", "Track record", Unit::Share("of what is needed"), "How much of the track record for 95 % is there.", PARTS),
    figure("sample_factor", "Observations", Unit::Share("of what is needed"), "Of 50 trades and 30 days with a closed one, whichever is scarcer.", PARTS),
    figure("tail_guard", "Worst-case guard", Unit::Probability, "What five cautious bettors have won on these days, against one plausible bad day.", PARTS),
    figure("worst_day_assumed", "Plausible bad day", Unit::Share("of the balance"), "Everything open at the busiest moment loses the assumed maximum.", PARTS),
    figure("peak_exposure", "Largest exposure", Unit::Ratio("times the balance"), "The most that was open at once.", PARTS),
    figure("overfit_probability", "Probability of overfitting", Unit::Probability, "That the best of the runs is best by chance.", "the returns of all runs"),
    figure("active_days", "Active days", Unit::Count("days"), "Days with a closed trade.", PARTS),
    figure("trials", "Runs", Unit::Count("runs"), "These trades are taken as the best of so many runs.", PARTS),
    figure("daily_sharpe", "Daily Sharpe ratio", Unit::Ratio("a day"), "Not annualised.", TWO_DAYS),
    figure("benchmark_sharpe", "Sharpe ratio to beat", Unit::Ratio("a day"), "What the best of so many runs shows without any edge.", PARTS),
    figure("psr_2012", "Probabilistic Sharpe ratio, 2012", Unit::Probability, "Bailey and López de Prado.", TWO_DAYS),
    figure("psr_null", "Probabilistic Sharpe ratio, 2026", Unit::Probability, "López de Prado, Lipton and Zoonekynd.", TWO_DAYS),
    figure("min_trl_days", "Minimum track record", Unit::Ratio("days"), "Days after which the probability of an edge would be 95 % at this rate.", "a Sharpe ratio above the one to beat"),
    figure("min_trl_days_2012", "Minimum track record, 2012", Unit::Ratio("days"), "The same without the newer variance.", "a gain"),
]};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nofomo_analytics::{AnalysisType, Record, Settings, Side, Trade};
    use rust_decimal::{Decimal, dec};
    use serde_json::{Value, json};

    use super::*;

    /// All that the analytics say of three trades.
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
        groups.iter().flat_map(|group| group.figures).map(|entry| entry.key).collect()
    }

    #[test]
    fn every_metric_is_here_once_and_nothing_else_is() {
        let metrics = metrics();
        let mut told = names(&metrics, "");
        told.extend(names(&metrics["monte_carlo"], "monte_carlo."));
        for elsewhere in ["monte_carlo", "confidence", "notes", "monte_carlo.seed", "monte_carlo.method"] {
            assert!(told.remove(elsewhere), "{elsewhere}");
        }
        let ours = keys(METRICS);
        assert_eq!(ours.len(), ours.iter().collect::<BTreeSet<_>>().len());
        assert_eq!(ours.into_iter().map(ToOwned::to_owned).collect::<BTreeSet<_>>(), told);
    }

    #[test]
    fn every_part_of_the_confidence_is_here_or_told_elsewhere() {
        let mut told = names(&metrics()["confidence"], "");
        // Said in the verdict, or only a step on the way to what is shown.
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
            assert!(told.remove(elsewhere), "{elsewhere}");
        }
        // Only where the trials are known.
        told.insert("overfit_probability".into());
        assert_eq!(keys(&[CONFIDENCE]).into_iter().map(ToOwned::to_owned).collect::<BTreeSet<_>>(), told);
    }

    #[test]
    fn every_headline_is_a_figure_of_its_kind() {
        for kind in [AnalysisType::Performance, AnalysisType::Risk, AnalysisType::Optimization, AnalysisType::Backtest]
        {
            let ours: crate::analysis::AnalysisType = serde_json::from_value(json!(kind)).unwrap();
            for key in ours.headline() {
                assert!(entry(key).is_some(), "{key}");
                assert!(kind.shows(key.split('.').next().unwrap()), "{key}");
            }
        }
    }

    #[test]
    fn what_is_undefined_says_what_it_would_need() {
        let account = Account { currency: "USDT", cents: MoneyFormat::of_account(None), is_young: true };
        for entry in METRICS.iter().flat_map(|group| group.figures) {
            let first = entry.key.split('.').next().unwrap();
            let figures: Figures = serde_json::from_value(json!({ first: null })).unwrap();
            let row = entry.row(&figures, account);
            assert!(row.value.is_undefined() && row.unit.is_empty() && !row.is_young, "{}", entry.key);
            assert!(row.needs.is_some_and(|needs| needs.len() > 3), "{}", entry.key);
        }
    }
}
