//! Answers about analyses: figures by their names, what they are worth, and curves to draw.

use chrono::{DateTime, Utc};
use utoipa::openapi::{OneOf, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::AnalysisType;
use crate::trades::Side;
use crate::values::Decimal;

/// An analysis.
#[derive(ToSchema)]
pub struct Analysis {
    pub id: Uuid,
    pub bot_id: Option<Uuid>,
    pub strategy_id: Option<Uuid>,
    pub analysis_type: AnalysisType,
    pub input_data: AnalysisInput,
    pub results: AnalysisResults,
    pub recommendations: Option<Vec<String>>,
    /// As sure as its least sure block.
    pub confidence_score: Decimal,
    pub model_used: Option<String>,
    pub tokens_used: Option<i32>,
    pub processing_time_ms: Option<i32>,
    pub created_at: DateTime<Utc>,
}

/// What was asked, and what of.
#[derive(ToSchema)]
pub struct AnalysisInput {
    pub id: Uuid,
    pub analysis_type: AnalysisType,
    pub bot_id: Option<Uuid>,
    pub strategy_id: Option<Uuid>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    pub narrative: bool,
    pub bots: u64,
    pub trades: u64,
    /// Of a line for each trade, in the order of exits.
    pub trades_sha256: String,
}

/// A block for each currency, because amounts of different ones are never added up.
#[derive(ToSchema)]
pub struct AnalysisResults {
    pub blocks: Vec<Block>,
    #[schema(nullable = false)]
    pub comparison: Option<Comparison>,
    #[schema(nullable = false)]
    pub narrative: Option<Narrative>,
    /// Why there is no narrative, though one was asked for.
    #[schema(nullable = false)]
    pub narrative_error: Option<String>,
}

/// What a language model says of the figures; text with other figures is refused.
#[derive(ToSchema)]
pub struct Narrative {
    pub text: String,
    pub model: String,
}

/// All that is said of the trades in one currency.
#[derive(ToSchema)]
pub struct Block {
    pub currency: String,
    pub initial_balance: Decimal,
    pub metrics: Metrics,
    pub notes: Vec<Note>,
    pub confidence: Confidence,
    pub slices: Vec<Slice>,
    pub series: Series,
    #[schema(nullable = false)]
    pub halves: Option<Halves>,
    #[schema(nullable = false)]
    pub stress: Option<Vec<Stress>>,
}

/// Live trades beside those of the newest backtest of the strategy, in the time that both cover.
#[derive(ToSchema)]
pub struct Comparison {
    pub backtest: ComparedBacktest,
    /// Same pair and side, entered within the same candle.
    pub matched: u64,
    /// In the backtest only.
    pub missing: u64,
    /// Live only.
    pub extra: u64,
    pub entry_slippage: Option<Slippage>,
    pub exit_slippage: Option<Slippage>,
    /// Live less backtest, of what is matched.
    pub profit_difference: Decimal,
    pub live: Metrics,
    pub backtest_metrics: Metrics,
    pub backtest_confidence: Confidence,
    /// Whether the live result lies within nine in ten of as many trades drawn from the backtest's.
    pub inside_band: Option<bool>,
    pub trades: Vec<Pairing>,
}

/// The backtest that is compared with.
#[derive(ToSchema)]
pub struct ComparedBacktest {
    pub id: Uuid,
    pub strategy: String,
    pub pair: String,
    pub timeframe: String,
    pub start_date: DateTime<Utc>,
    pub end_date: DateTime<Utc>,
    pub initial_balance: Decimal,
    pub imported_at: DateTime<Utc>,
    /// Of the strategy: this one may be the best of so many.
    pub runs: u32,
}

/// How much worse live prices were, as a fraction.
#[derive(ToSchema)]
pub struct Slippage {
    pub mean: f64,
    pub median: f64,
    pub worst: f64,
}

/// A trade of the one, and what became of it in the other.
#[derive(ToSchema)]
pub struct Pairing {
    pub pair: String,
    pub side: Side,
    pub entry_time: DateTime<Utc>,
    pub outcome: PairingOutcome,
    pub live_profit: Option<Decimal>,
    pub backtest_profit: Option<Decimal>,
    pub entry_slippage: Option<f64>,
    pub exit_slippage: Option<f64>,
}

/// In both, in the backtest only, or live only.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum PairingOutcome {
    Matched,
    Missing,
    Extra,
}

/// Why a figure is null.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Note {
    NoTrades,
    NoLosses,
    #[schema(rename = "annualised_from_under_30_days")]
    AnnualisedFromUnder30Days,
    Ruined,
    OneDay,
    ZeroVariance,
    #[schema(rename = "under_20_days_no_tail_metrics")]
    Under20DaysNoTailMetrics,
}

/// What a score is made of, or nothing where there is nothing to judge.
pub struct Confidence;

impl PartialSchema for Confidence {
    fn schema() -> RefOr<Schema> {
        let mut either = OneOf::new();
        either.items =
            [JudgedConfidence::name(), EmptyConfidence::name()].map(|name| Ref::from_schema_name(name).into()).into();
        RefOr::T(Schema::OneOf(either))
    }
}

impl ToSchema for Confidence {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((JudgedConfidence::name().into(), JudgedConfidence::schema()));
        schemas.push((EmptyConfidence::name().into(), EmptyConfidence::schema()));
        JudgedConfidence::schemas(schemas);
    }
}

/// The confidence where there is nothing to judge.
#[derive(ToSchema)]
pub struct EmptyConfidence {
    pub trials: u32,
    pub assumed_max_loss: f64,
    pub score: f64,
    pub reason: Reason,
}

/// A score that a bot without any edge cannot earn: it gets `score >= c` with a probability of at most 1 - c.
#[derive(ToSchema)]
pub struct JudgedConfidence {
    /// Runs that these trades are the best of.
    pub trials: u32,
    /// The most that an open position is taken to lose, as a fraction of its notional.
    pub assumed_max_loss: f64,
    /// Days with a closed trade.
    pub active_days: u64,
    /// Largest notional open at once / balance then.
    pub peak_exposure: f64,
    /// l = max(assumed_max_loss * peak_exposure, -min(r)): the return of a day on which everything that was ever open at once loses the
    /// maximum, positive.
    pub worst_day_assumed: f64,
    /// ln E, with E the wealth that five cautious bettors on the bot's own days make of 1: the sum of w prod(1 + b r / l). Without an edge
    /// E is expected to stay at 1 or below, whenever one looks (Ville).
    pub log_e_value: f64,
    /// max(0, 1 - 1/E).
    pub tail_guard: f64,
    /// SR = mean(r) / sd(r), not annualised. None if all days are the same.
    pub daily_sharpe: Option<f64>,
    /// Lag-1 autocorrelation of r, at least 0 and at most 0.95.
    pub rho_used: f64,
    /// 1 - g3 SR + (g4 - 1) / 4 SR^2 (Bailey and López de Prado 2012).
    pub variance_observed: Option<f64>,
    /// (1 + rho) / (1 - rho) (López de Prado, Lipton and Zoonekynd 2026, at SR = 0).
    pub variance_null: f64,
    /// Probability that the true SR is above 0 by the first variance.
    pub psr_2012: Option<f64>,
    /// The same by the second.
    pub psr_null: Option<f64>,
    /// Days after which `psr_2012` would be 0.95 at this rate. None without a gain.
    pub min_trl_days_2012: Option<f64>,
    /// Days after which `edge_probability` would be 0.95 at this rate. None if SR is not above `benchmark_sharpe`.
    pub min_trl_days: Option<f64>,
    /// The SR that the best of the trials would have without any edge: deviation of the trials' SR * expected maximum of as many.
    pub benchmark_sharpe: f64,
    /// (SR - benchmark) sqrt(n - 1) / sqrt(v), v the larger of the two variances. None if all days are the same.
    pub z: Option<f64>,
    /// Phi(z): the probabilistic Sharpe ratio; with several trials the deflated one (Bailey and López de Prado 2014).
    pub edge_probability: f64,
    /// min(1, (z / 1.645)^2), 0 unless z > 0: which part of the track record that is needed is there.
    pub track_record_factor: f64,
    /// min(1, trades / 50, active days / 30).
    pub sample_factor: f64,
    /// Probability that the configuration is overfit, if the trials' returns are known.
    #[schema(nullable = false)]
    pub overfit_probability: Option<f64>,
    /// edge_probability * track_record_factor * sample_factor.
    pub statistical: f64,
    /// min(statistical, tail_guard, 1 - overfit_probability).
    pub raw: f64,
    /// floor(100 * raw) / 100, at most 0.99.
    pub score: f64,
    pub reason: Reason,
}

/// What holds the score down.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Reason {
    NoTrades,
    OneDay,
    Ruined,
    NoEdgeShown,
    FewObservations,
    ShortTrackRecord,
    ProfitBelowWorstCase,
    LikelyOverfit,
    Sufficient,
}

/// The trades that have one thing in common.
#[derive(ToSchema)]
pub struct Slice {
    pub by: Dimension,
    /// `BTC/USDT`, `buy`, `monday`, `09`, `under_15_minutes`. Weekday and hour are those of the entry, in UTC.
    pub key: String,
    pub trades: u64,
    /// wins / trades, fraction.
    pub win_rate: f64,
    /// In the account's currency.
    pub net_profit: Decimal,
    /// That the mean profit is 0, by Student's t test. None with fewer than 30 trades, or if all are the same.
    pub p_value_two_sided: Option<f64>,
    pub verdict: SliceVerdict,
}

/// What would be left if things cost more.
#[derive(ToSchema)]
pub struct Stress {
    pub scenario: Scenario,
    /// In the account's currency.
    pub net_profit: Decimal,
    /// Fraction.
    pub total_return: f64,
    /// Annualised. None as ever.
    pub sharpe: Option<f64>,
    /// On the trade clock, fraction.
    pub max_drawdown: f64,
    /// The confidence's.
    pub score: f64,
}

/// The days with a return, cut in the middle.
#[derive(ToSchema)]
pub struct Halves {
    pub first: Half,
    pub second: Half,
    /// Welch's t of the difference of the means, second less first. None if neither half varies.
    pub t: Option<f64>,
    /// Of t, with Welch and Satterthwaite's degrees of freedom.
    pub p_value_two_sided: Option<f64>,
}

/// Of the daily returns r.
#[derive(ToSchema)]
pub struct Half {
    pub days: u64,
    /// prod(1 + r) - 1, fraction.
    pub compounded: f64,
    /// mean(r).
    pub daily_mean: f64,
    /// mean(r) / sd(r) * sqrt(365). None if all days are the same.
    pub sharpe: Option<f64>,
}

/// What the trades of a slice have in common.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Dimension {
    Pair,
    Side,
    Weekday,
    Hour,
    Duration,
}

/// What may be said of a slice, after a correction for how many there are.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SliceVerdict {
    TooFewTrades,
    NotShown,
    Earns,
    Loses,
}

/// What costs more.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Scenario {
    FeesDoubled,
    Slippage,
    FeesDoubledAndSlippage,
}

/// Curves to draw. Empty where the record is too short, and of kinds that show none.
#[derive(ToSchema)]
pub struct Series {
    /// The balance after each closed trade, with the initial one. From 2 trades.
    #[schema(nullable = false)]
    pub equity: Option<Vec<Point>>,
    /// What the Monte Carlo simulation makes of the balance, beside `equity`. From 2 trades.
    #[schema(nullable = false)]
    pub cone: Option<Vec<Band>>,
    /// Minus the drawdown after each closed trade, fraction. From 2 trades.
    #[schema(nullable = false)]
    pub underwater: Option<Vec<Point>>,
    /// The five deepest.
    #[schema(nullable = false)]
    pub worst_drawdowns: Option<Vec<Drawdown>>,
    /// Compounded daily returns of each month that has a day. From 2 months.
    #[schema(nullable = false)]
    pub months: Option<Vec<Month>>,
    /// The same of each year.
    #[schema(nullable = false)]
    pub years: Option<Vec<Year>>,
    /// r, fraction. From 7 days.
    #[schema(nullable = false)]
    pub daily_returns: Option<Vec<Point>>,
    /// Profits as fractions of their notional. From 20 trades.
    pub profits: Option<Histogram>,
    /// Every trade at its exit. From 1 trade.
    #[schema(nullable = false)]
    pub trades: Option<Vec<Dot>>,
    /// Days of the windows of the two series that follow: 30, and 90 from one year on.
    #[schema(nullable = false)]
    pub rolling_days: Option<u64>,
    /// Annualised, of the window that ends with that day; null where all of its days are the same. From 60 days.
    #[schema(nullable = false)]
    pub rolling_sharpe: Option<Vec<Point>>,
    /// Annualised, of the window that ends with that day. From 60 days.
    #[schema(nullable = false)]
    pub rolling_volatility: Option<Vec<Point>>,
    /// Deepest falls of the simulated paths, fractions. From 20 trades.
    pub simulated_drawdowns: Option<Histogram>,
}

/// One fall below a peak, until the balance is back at it.
#[derive(ToSchema)]
pub struct Drawdown {
    /// When the balance was last at the peak. The initial balance is one, at midnight of the first day.
    pub peak: DateTime<Utc>,
    /// When it was lowest.
    pub trough: DateTime<Utc>,
    /// When it was back at the peak. None while it is not.
    pub recovery: Option<DateTime<Utc>>,
    /// (peak - lowest) / peak, fraction; above 1 if the balance fell below 0.
    pub depth: f64,
    /// peak - lowest, in the account's currency.
    pub depth_abs: Decimal,
    /// From the peak to the recovery, or to the last exit.
    pub underwater_s: f64,
}

/// A point of a curve.
#[derive(ToSchema)]
pub struct Point {
    pub at: DateTime<Utc>,
    pub value: Option<f64>,
}

/// What the simulation makes of the balance.
#[derive(ToSchema)]
pub struct Band {
    pub trades: u64,
    /// When as many trades were closed.
    pub at: DateTime<Utc>,
    /// 5 % quantile.
    pub p05: f64,
    /// Median.
    pub p50: f64,
    /// 95 % quantile.
    pub p95: f64,
}

/// A month.
#[derive(ToSchema)]
pub struct Month {
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// prod(1 + r) - 1, fraction.
    pub compounded: f64,
}

/// A year.
#[derive(ToSchema)]
pub struct Year {
    pub year: i32,
    /// prod(1 + r) - 1, fraction.
    pub compounded: f64,
}

/// A trade.
#[derive(ToSchema)]
pub struct Dot {
    /// Its exit.
    pub at: DateTime<Utc>,
    pub side: Side,
    /// Net, in the account's currency.
    pub profit: f64,
    /// At the entry, in the account's currency.
    pub notional: f64,
    /// Exit - entry.
    pub duration_s: f64,
}

/// How often values fall where.
#[derive(ToSchema)]
pub struct Histogram {
    /// Where the first bin begins.
    pub from: f64,
    /// Of each bin; the last includes its upper end.
    pub width: f64,
    pub counts: Vec<u64>,
    pub mean: f64,
    pub median: f64,
    /// 5 % quantile.
    pub p05: f64,
    /// 95 % quantile.
    pub p95: f64,
    /// What really happened, where the values are simulated.
    pub observed: Option<f64>,
}

/// Figures by name; a kind of analysis shows those that matter to it. What is undefined is null.
#[derive(ToSchema)]
pub struct Metrics {
    /// N.
    #[schema(nullable = false)]
    pub trades: Option<u64>,
    #[schema(nullable = false)]
    pub wins: Option<u64>,
    #[schema(nullable = false)]
    pub losses: Option<u64>,
    #[schema(nullable = false)]
    pub draws: Option<u64>,
    /// Sum of the wins, in the account's currency.
    #[schema(nullable = false)]
    pub gross_profit: Option<Decimal>,
    /// Sum of the losses, in the account's currency, positive.
    #[schema(nullable = false)]
    pub gross_loss: Option<Decimal>,
    /// Sum of all profits, in the account's currency.
    #[schema(nullable = false)]
    pub net_profit: Option<Decimal>,
    /// Sum of all fees, in the account's currency. They are already taken off the profits.
    #[schema(nullable = false)]
    pub fees: Option<Decimal>,
    /// fees / (net_profit + fees), fraction: what the exchange keeps of the gain before fees. None if there was none.
    pub fee_share_of_gross: Option<f64>,
    /// 1 + net_profit / fees: fees this many times as high leave nothing. None without fees.
    pub fee_break_even_multiple: Option<f64>,
    /// wins / N, fraction. None without trades.
    pub win_rate: Option<f64>,
    /// gross_profit / gross_loss. None without a loss.
    pub profit_factor: Option<f64>,
    /// Mean of the wins, in the account's currency. None without one.
    pub avg_win: Option<Decimal>,
    /// Mean of the losses, in the account's currency, negative. None without one.
    pub avg_loss: Option<Decimal>,
    /// avg_win / |avg_loss|. None unless there are both.
    pub payoff_ratio: Option<f64>,
    /// Mean profit, in the account's currency for each trade. None without trades.
    pub expectancy: Option<Decimal>,
    /// expectancy / |avg_loss|: the mean profit in multiples of what is lost in a losing trade (Tharp's R). None without a loss.
    pub expectancy_r: Option<f64>,
    /// In the account's currency.
    pub median_trade: Option<Decimal>,
    /// In the account's currency.
    pub best_trade: Option<Decimal>,
    /// In the account's currency.
    pub worst_trade: Option<Decimal>,
    /// Sample standard deviation of p, in the account's currency. None below two trades.
    pub std_trade: Option<Decimal>,
    /// sqrt(N) * mean(p) / sd(p): Tharp's system quality number. None below two trades, or if all are the same.
    pub sqn: Option<f64>,
    /// The same with N at most 100, as Tharp caps it.
    pub sqn_100: Option<f64>,
    /// Of `sqn` under Student's t distribution with N - 1 degrees of freedom.
    pub p_value_two_sided: Option<f64>,
    /// Sum of the best ceil(5 %) of the trades / net_profit. Above 1 the account would have lost without them. None if it has lost.
    pub profit_share_of_best_5pct: Option<f64>,
    /// A draw ends a run.
    #[schema(nullable = false)]
    pub max_consecutive_wins: Option<u64>,
    /// A draw ends a run.
    #[schema(nullable = false)]
    pub max_consecutive_losses: Option<u64>,
    /// Exit - entry, seconds.
    pub avg_duration_s: Option<f64>,
    /// Exit - entry, seconds.
    pub median_duration_s: Option<f64>,
    /// w - (1 - w) / payoff_ratio with w = wins / (wins + losses): the fraction of the account that Kelly would stake. Negative
    /// means none. None unless there are both wins and losses.
    pub kelly_trade: Option<f64>,
    /// N / days of the period. None without a day.
    pub trades_per_day: Option<f64>,
    /// Length of the union of all [entry, exit] / length of the period, fraction. None without a day.
    pub time_in_market: Option<f64>,
    /// Sum of all durations / length of the period. None without a day.
    pub avg_open_trades: Option<f64>,
    /// E_end, in the account's currency.
    #[schema(nullable = false)]
    pub final_balance: Option<Decimal>,
    /// E_end / E_0 - 1, fraction.
    #[schema(nullable = false)]
    pub total_return: Option<f64>,
    /// (E_end / E_0)^(365 / n) - 1, fraction a year. None below zero and where no number can hold it; -1 with nothing left.
    pub cagr: Option<f64>,
    /// max((peak - E) / peak) over all trades, E_0 included; fraction. Above 1 if E fell below 0.
    #[schema(nullable = false)]
    pub max_drawdown: Option<f64>,
    /// max(peak - E) over all trades, in the account's currency. Need not be the same fall.
    #[schema(nullable = false)]
    pub max_drawdown_abs: Option<Decimal>,
    /// When E was last at the peak of `max_drawdown`: an exit, or midnight of the first day. None without a fall.
    pub max_drawdown_peak: Option<DateTime<Utc>>,
    /// When E was lowest in it.
    pub max_drawdown_trough: Option<DateTime<Utc>>,
    /// When E was back at the peak. None while it is not.
    pub max_drawdown_recovery: Option<DateTime<Utc>>,
    /// The longest time from a peak to its recovery, or to the last exit.
    #[schema(nullable = false)]
    pub longest_underwater_s: Option<f64>,
    /// (peak - E_end) / peak, fraction.
    #[schema(nullable = false)]
    pub current_drawdown: Option<f64>,
    /// In the account's currency, E_0 included.
    #[schema(nullable = false)]
    pub min_balance: Option<Decimal>,
    /// In the account's currency, E_0 included.
    #[schema(nullable = false)]
    pub max_balance: Option<Decimal>,
    /// net profit / `max_drawdown_abs`, with the profit's sign. None without a fall.
    pub recovery_factor: Option<f64>,
    /// Calendar days of the period, in UTC.
    #[schema(nullable = false)]
    pub days: Option<u64>,
    /// The balance was 0 or less at the end of a day. The return of that day is -1 and the last.
    #[schema(nullable = false)]
    pub ruined: Option<bool>,
    /// n: as many as `days`, unless ruined.
    #[schema(nullable = false)]
    pub return_days: Option<u64>,
    /// max((peak - E) / peak) over the ends of days, the initial balance included; fraction. None without a day.
    pub max_drawdown_daily: Option<f64>,
    /// sqrt(mean(drawdown^2)) over the ends of days, fraction (Martin and McCann). None without a day.
    pub ulcer_index: Option<f64>,
    /// max(r).
    pub best_day: Option<f64>,
    /// min(r).
    pub worst_day: Option<f64>,
    /// Days with r > 0.
    #[schema(nullable = false)]
    pub positive_days: Option<u64>,
    /// Days with r < 0.
    #[schema(nullable = false)]
    pub negative_days: Option<u64>,
    /// mean(r).
    pub daily_mean: Option<f64>,
    /// Sample standard deviation of r. None below two days.
    pub daily_std: Option<f64>,
    /// `daily_std` * sqrt(365), fraction a year. None below two days.
    pub volatility: Option<f64>,
    /// mean(r) / sd(r) * sqrt(365) (Sharpe 1994). None below two days, or if all are the same.
    pub sharpe: Option<f64>,
    /// sqrt(mean(min(r, 0)^2)) over all days * sqrt(365), fraction a year. None without a day.
    pub downside_deviation: Option<f64>,
    /// mean(r) * 365 / `downside_deviation` (Sortino and Price 1994). None below two days, or without a losing one.
    pub sortino: Option<f64>,
    /// cagr / `max_drawdown_daily` (Young 1991). None without a fall.
    pub calmar: Option<f64>,
    /// cagr / `ulcer_index`, also known as the ulcer performance index. None without a fall.
    pub martin: Option<f64>,
    /// Sum of r > 0 / |sum of r < 0|: Keating and Shadwick's omega at threshold 0. None without a losing day.
    pub omega: Option<f64>,
    /// Sum of r / |sum of r < 0| = omega - 1 (Schwager). None without a losing day.
    pub gain_to_pain: Option<f64>,
    /// Bias-adjusted skewness G1 of r. None below three days, or if all are the same.
    pub skew: Option<f64>,
    /// Bias-adjusted excess kurtosis G2 of r; 0 for a normal distribution. None below four days, or if all are the same.
    pub kurtosis_excess: Option<f64>,
    /// Correlation of r with r of the day before. None below two days, or if all are the same.
    pub lag1_autocorrelation: Option<f64>,
    /// Historical value at risk: the 5 % quantile of r, negative. None below 20 days.
    pub var_95: Option<f64>,
    /// Historical expected shortfall: mean of the worst floor((n - 1) * 0.05) + 1 days, negative. None below 20 days.
    pub cvar_95: Option<f64>,
    /// |95 % quantile| / |5 % quantile| of r. None below 20 days, or if the latter is 0.
    pub tail_ratio: Option<f64>,
    /// mean(r) / var(r): the multiple of the present size that Kelly would take. None as `sharpe`.
    pub kelly_continuous: Option<f64>,
    /// (mean(r) - 1.645 sd(r) / sqrt(n)) / var(r): the same for the lower bound of the mean. None as `sharpe`.
    pub kelly_continuous_lower95: Option<f64>,
    /// The probability of ever falling to half of the initial balance, by diffusion: with mean m and variance s^2 of the trades' profits
    /// and the cushion B = E_end - E_0 / 2, exp(-2 m B / s^2), and 1 unless m > 0. None below two trades.
    pub risk_of_ruin: Option<f64>,
    /// None below two trades.
    pub monte_carlo: Option<MonteCarlo>,
}

/// What might as well have happened: the same trades in other orders, some of them several times.
#[derive(ToSchema)]
pub struct MonteCarlo {
    /// Paths: 1,000, and 200 of more than 20,000 trades.
    pub sims: u64,
    pub seed: u64,
    /// In words.
    pub method: String,
    /// 5 % quantile of the final balances, in the account's currency.
    pub final_p05: Option<Decimal>,
    /// Their median.
    pub final_p50: Option<Decimal>,
    /// Their 95 % quantile.
    pub final_p95: Option<Decimal>,
    /// Median of the paths' deepest falls below a peak, the initial balance included; fraction.
    pub max_drawdown_p50: f64,
    /// Their 95 % quantile: one path in twenty falls further.
    pub max_drawdown_p95: f64,
    /// Their 99 % quantile.
    pub max_drawdown_p99: f64,
    /// Share of the paths that end below the initial balance.
    pub prob_loss: f64,
    /// Share of the paths that end at half of the initial balance or less.
    pub prob_ruin: f64,
}
