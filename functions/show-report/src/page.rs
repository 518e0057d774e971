//! The report: one page that stands alone, from the verdict down to the last figure.

use askama::Template;
use nofomo_lambda::Error;

use crate::analysis::{Analysis, AnalysisType, CurrencyAnalysis, Results};
use crate::catalogue::{Account, METRICS, Row, entry};
use crate::chart::palette::{Colour, PALETTE};
use crate::comparison::ComparisonView;
use crate::format::{MoneyFormat, about, count, counted, times};
use crate::labels::{note, or_code};
use crate::plots::{Plots, plots};
use crate::sections::{Section, parts};
use crate::time::{day, minute, named};
use crate::verdict::{Verdict, verdict};

/// A function may answer six megabytes, and the plots of one account can be half a megabyte.
const MAX_CURRENCIES_WITH_CHARTS: usize = 6;
const CHARTS_OMITTED: &str = "Charts are drawn of the first 6 currencies.";

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    palette: &'a [Colour],
    title: String,
    facts: Vec<String>,
    accounts: Vec<AccountView<'a>>,
    /// Why there is nothing to show.
    nothing: Option<&'static str>,
    recommendations: &'a [String],
    comparison: Option<ComparisonView>,
    narrative: Option<NarrativeView<'a>>,
    narrative_error: Option<&'a str>,
    /// Names and values.
    colophon: Vec<(&'static str, String)>,
}

/// One account of the analysis.
struct AccountView<'a> {
    currency: &'a str,
    verdict: Option<Verdict>,
    /// What is looked for first.
    headline: Vec<Row>,
    aside: Option<String>,
    figures: Vec<(&'static str, Vec<Row>)>,
    /// Codes, and what they mean.
    notes: Vec<(&'a str, String)>,
    plots: Plots,
    parts: Vec<Section>,
}

/// What a language model wrote.
struct NarrativeView<'a> {
    paragraphs: Vec<&'a str>,
    model: &'a str,
}

impl Analysis {
    /// # Errors
    ///
    /// None that an analysis could cause.
    pub fn page(&self) -> Result<String, Error> {
        let results = &self.results;
        let only = results.blocks.len() == 1;
        let trades = self.input_data.trades.filter(|_| only);
        let accounts = (0..).zip(&results.blocks).map(|(place, block)| {
            let plots = if place < MAX_CURRENCIES_WITH_CHARTS { plots(block) } else { Ok(Plots::none(CHARTS_OMITTED)) };
            Ok(shown(self.analysis_type, block, plots?, trades))
        });
        let page = Page {
            palette: &PALETTE,
            title: format!("{} of {}", self.analysis_type.name(), self.subject.as_deref().unwrap_or("all your trades")),
            facts: self.facts(),
            accounts: accounts.collect::<Result<_, crate::chart::DrawingError>>()?,
            nothing: self.nothing(),
            recommendations: &self.recommendations,
            comparison: results.comparison.as_ref().map(|both| ComparisonView::of(both, &results.blocks)),
            narrative: told(results),
            narrative_error: results.narrative_error.as_deref(),
            colophon: self.colophon(),
        };
        Ok(page.render()?)
    }

    /// What was looked at.
    fn facts(&self) -> Vec<String> {
        let asked = &self.input_data;
        let time = |text: &Option<String>| text.as_deref().and_then(named).map(day);
        let period = match (time(&asked.from), time(&asked.to)) {
            (Some(from), Some(to)) => Some(format!("{from} to {to}")),
            (Some(from), None) => Some(format!("from {from}")),
            (None, Some(to)) => Some(format!("until {to}")),
            (None, None) => self.traded(),
        };
        let trades = asked.trades.map(|trades| counted(trades, "trade", "trades"));
        let bots = asked.bots.map(|bots| counted(bots, "bot", "bots"));
        let made = self.created_at.map(|time| format!("analysed {}", day(time)));
        [period, trades, bots, made].into_iter().flatten().collect()
    }

    /// From the first to the last that is drawn.
    fn traded(&self) -> Option<String> {
        let series = self.results.blocks.iter().filter_map(CurrencyAnalysis::series);
        let times = || series.clone().flat_map(|series| series.equity.iter().map(|point| point.at));
        Some(format!("{} to {}", day(times().min()?), day(times().max()?)))
    }

    fn nothing(&self) -> Option<&'static str> {
        let results = &self.results;
        if !results.blocks.is_empty() {
            None
        } else if results.sample {
            Some("this is a sample that came with the database, and holds no figures")
        } else if self.input_data.trades == Some(0) {
            Some("there was no closed trade among what was asked for")
        } else {
            Some("this analysis holds no figures that can be read")
        }
    }

    fn colophon(&self) -> Vec<(&'static str, String)> {
        let known = [
            ("Model", self.model_used.clone()),
            ("Took", self.processing_time_ms.map(|took| format!("{}\u{a0}ms", count(took).text))),
            ("Made", self.created_at.map(|time| format!("{} UTC", minute(time)))),
            ("SHA-256 of the trades", self.input_data.trades_sha256.clone()),
            ("Analysis", Some(self.id.to_string()).filter(|_| !self.id.is_nil())),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl AnalysisType {
    fn name(self) -> &'static str {
        match self {
            Self::Performance => "Performance",
            Self::Risk => "Risk",
            Self::Optimization => "Optimization",
            Self::Backtest => "Backtest",
        }
    }

    /// What somebody who asks for this looks for first.
    pub(crate) fn headline(self) -> [&'static str; 4] {
        match self {
            Self::Performance => ["net_profit", "total_return", "sharpe", "win_rate"],
            Self::Risk => ["max_drawdown", "monte_carlo.max_drawdown_p95", "cvar_95", "risk_of_ruin"],
            Self::Optimization => {
                ["kelly_continuous_lower95", "net_profit", "fee_share_of_gross", "fee_break_even_multiple"]
            }
            Self::Backtest => ["net_profit", "total_return", "max_drawdown", "sharpe"],
        }
    }
}

fn shown(kind: AnalysisType, block: &CurrencyAnalysis, plots: Plots, trades: Option<u64>) -> AccountView<'_> {
    let is_young = block.notes.iter().any(|note| note == "annualised_from_under_30_days");
    let account =
        Account { currency: &block.currency, cents: MoneyFormat::of_account(block.initial_balance), is_young };
    let figures = METRICS.iter().map(|group| (group.title, group.rows(&block.metrics, account)));
    let headline = kind.headline().into_iter().filter(|key| block.metrics.has(key)).filter_map(entry);
    AccountView {
        currency: &block.currency,
        verdict: verdict(block, trades),
        headline: headline.map(|entry| entry.row(&block.metrics, account)).collect(),
        aside: aside(kind, block),
        figures: figures.filter(|(_, rows)| !rows.is_empty()).collect(),
        notes: block.notes.iter().map(|code| (code.as_str(), or_code(note(code), code))).collect(),
        plots,
        parts: parts(block),
    }
}

/// The one thing that each kind of analysis is asked for, beside the verdict.
fn aside(kind: AnalysisType, block: &CurrencyAnalysis) -> Option<String> {
    let part = |key: &str| block.metrics.number(key).map(about);
    match kind {
        AnalysisType::Performance | AnalysisType::Backtest => {
            let share = block.metrics.number("profit_share_of_best_5pct").filter(|share| *share > 1.0)?;
            let share = about(share);
            Some(format!(
                "The best twentieth of the trades made {share} of the profit: without them it would have lost."
            ))
        }
        AnalysisType::Risk => {
            let deepest = part("max_drawdown")?;
            let expected = block.metrics.number("monte_carlo.max_drawdown_p95")?;
            let expected = if expected < 1.0 {
                format!("one path in twenty falls further than {}", about(expected))
            } else {
                "one path in twenty loses everything".to_owned()
            };
            Some(format!("The deepest fall so far was {deepest}. Of the same trades drawn again, {expected}."))
        }
        AnalysisType::Optimization => {
            let bound = block.metrics.number("kelly_continuous_lower95")?;
            Some(if bound > 0.0 {
                format!("The evidence supports at most {} times today's size.", times(bound))
            } else {
                "The evidence supports no larger size than today's.".to_owned()
            })
        }
    }
}

fn told(results: &Results) -> Option<NarrativeView<'_>> {
    let narrative = results.narrative.as_ref()?;
    let paragraphs = narrative.text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    Some(NarrativeView {
        paragraphs: paragraphs.collect(),
        model: narrative.model.as_deref().unwrap_or("a language model"),
    })
}

/// What the template asks for.
impl Page<'_> {
    /// With several accounts each needs its name.
    fn several(&self) -> bool {
        self.accounts.len() > 1
    }
}
