//! Report as one self-contained HTML page: verdict, recommendations, charts, metrics.

use askama::Template;
use nofomo_analytics::{AnalysisResults, AnalysisType, CurrencyAnalysis, Note, NoteCode};
use nofomo_lambda::Error;

use crate::catalogue::{METRICS, MetricFormat, MetricRow, entry};
use crate::chart::DrawingError;
use crate::chart::palette::{Colour, PALETTE};
use crate::comparison::ComparisonView;
use crate::format::{MoneyFormat, count, counted, multiple, short_percent};
use crate::labels;
use crate::plots::{Plots, plots};
use crate::report::{Report, series_of};
use crate::sections::{Section, sections};
use crate::time::{day, minute};
use crate::verdict::{Verdict, verdict};

/// Maximum number of currencies with charts. A Lambda response has at most 6 MB, and the charts of a currency take up
/// to 0.5 MB.
const MAX_CURRENCIES_WITH_CHARTS: usize = 6;
const CHARTS_OMITTED: &str = "Charts are drawn for the first 6 currencies only.";

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    palette: &'a [Colour],
    title: String,
    facts: Vec<String>,
    accounts: Vec<AccountView<'a>>,
    /// Reason why there are no results.
    no_results: Option<&'static str>,
    recommendations: &'a [String],
    comparison: Option<ComparisonView>,
    narrative: Option<NarrativeView<'a>>,
    narrative_error: Option<&'a str>,
    /// Names and values of facts about the analysis itself.
    metadata: Vec<(&'static str, String)>,
}

/// Part of the page about one currency.
struct AccountView<'a> {
    currency: &'a str,
    verdict: Option<Verdict>,
    /// Four most important metrics.
    headline: Vec<MetricRow>,
    highlight: Option<String>,
    metrics: Vec<(&'static str, Vec<MetricRow>)>,
    /// Code and label of each note.
    notes: Vec<(String, String)>,
    plots: Plots,
    sections: Vec<Section>,
}

/// Narrative, split into paragraphs.
struct NarrativeView<'a> {
    paragraphs: Vec<&'a str>,
    model: &'a str,
}

impl Report {
    /// Renders the page.
    ///
    /// # Errors
    ///
    /// A chart cannot be drawn, or the template cannot be rendered. Neither depends on the contents of the analysis.
    pub fn page(&self) -> Result<String, Error> {
        let analysis = &self.analysis;
        let results = &analysis.results;
        let kind = analysis.analysis_type;
        let has_one_currency = results.blocks.len() == 1;
        let trades = analysis.input_data.trades.filter(|_| has_one_currency);
        let accounts = (0..).zip(&results.blocks).map(|(index, account)| {
            let plots =
                if index < MAX_CURRENCIES_WITH_CHARTS { plots(account) } else { Ok(Plots::none(CHARTS_OMITTED)) };
            Ok(account_view(kind, account, plots?, trades))
        });
        let subject = self.subject.as_deref().unwrap_or("all your trades");
        let page = Page {
            palette: &PALETTE,
            title: format!("{} of {subject}", labels::analysis_type(kind)),
            facts: self.facts(),
            accounts: accounts.collect::<Result<_, DrawingError>>()?,
            no_results: self.no_results(),
            recommendations: &analysis.recommendations,
            comparison: results.comparison.as_ref().map(|comparison| ComparisonView::of(comparison, &results.blocks)),
            narrative: narrative_view(results),
            narrative_error: results.narrative_error.as_deref(),
            metadata: self.metadata(),
        };
        Ok(page.render()?)
    }

    /// Analysed period, numbers of trades and bots, and day of the analysis.
    fn facts(&self) -> Vec<String> {
        let input = &self.analysis.input_data;
        let period = match (input.from.map(day), input.to.map(day)) {
            (Some(from), Some(to)) => Some(format!("{from} to {to}")),
            (Some(from), None) => Some(format!("from {from}")),
            (None, Some(to)) => Some(format!("until {to}")),
            (None, None) => self.traded_period(),
        };
        let trades = input.trades.map(|trades| counted(trades, "trade", "trades"));
        let bots = input.bots.map(|bots| counted(bots, "bot", "bots"));
        let analysed = self.analysis.created_at.map(|time| format!("analysed {}", day(time)));
        [period, trades, bots, analysed].into_iter().flatten().collect()
    }

    /// Period from the first to the last point of the balance curves.
    fn traded_period(&self) -> Option<String> {
        let series = self.analysis.results.blocks.iter().filter_map(series_of);
        let times = || series.clone().flat_map(|series| series.equity.iter().map(|point| point.at));
        Some(format!("{} to {}", day(times().min()?), day(times().max()?)))
    }

    fn no_results(&self) -> Option<&'static str> {
        let results = &self.analysis.results;
        if !results.blocks.is_empty() {
            None
        } else if results.is_sample {
            Some("This analysis is part of the sample data and has no metrics.")
        } else if self.analysis.input_data.trades == Some(0) {
            Some("There are no closed trades in the requested period.")
        } else {
            Some("The results of this analysis cannot be read.")
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        let analysis = &self.analysis;
        let duration = analysis.processing_time_ms.and_then(|duration| u64::try_from(duration).ok());
        let known = [
            ("Model", analysis.model_used.clone()),
            ("Duration", duration.map(|duration| format!("{}\u{a0}ms", count(duration).text))),
            ("Created", analysis.created_at.map(|time| format!("{} UTC", minute(time)))),
            ("SHA-256 of the trades", analysis.input_data.trades_sha256.clone()),
            ("Analysis", Some(analysis.id.to_string()).filter(|_| !analysis.id.is_nil())),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Names of the four most important metrics of a type of analysis.
pub(crate) fn headline(kind: AnalysisType) -> [&'static str; 4] {
    match kind {
        AnalysisType::Performance => ["net_profit", "total_return", "sharpe", "win_rate"],
        AnalysisType::Risk => ["max_drawdown", "monte_carlo.max_drawdown_p95", "cvar_95", "risk_of_ruin"],
        AnalysisType::Optimization => {
            ["kelly_continuous_lower95", "net_profit", "fee_share_of_gross", "fee_break_even_multiple"]
        }
        AnalysisType::Backtest => ["net_profit", "total_return", "max_drawdown", "sharpe"],
    }
}

fn account_view(kind: AnalysisType, analysis: &CurrencyAnalysis, plots: Plots, trades: Option<u64>) -> AccountView<'_> {
    let metrics = &analysis.metrics;
    let format = MetricFormat {
        currency: &analysis.currency,
        money: MoneyFormat::of_account(Some(analysis.initial_balance)),
        is_under_30_days: analysis.notes.contains(&NoteCode::Known(Note::AnnualisedFromUnder30Days)),
    };
    let groups = METRICS.iter().map(|group| (group.title, group.rows(metrics, format)));
    let headline = headline(kind).into_iter().filter(|key| metrics.has(key)).filter_map(entry);
    AccountView {
        currency: &analysis.currency,
        verdict: verdict(analysis, trades),
        headline: headline.map(|entry| entry.row(metrics, format)).collect(),
        highlight: highlight(kind, analysis),
        metrics: groups.filter(|(_, rows)| !rows.is_empty()).collect(),
        notes: analysis.notes.iter().map(|note| (labels::code_of(note), labels::note_code(note))).collect(),
        plots,
        sections: sections(analysis),
    }
}

/// Sentence that answers the main question of the type of analysis, shown with the verdict.
fn highlight(kind: AnalysisType, analysis: &CurrencyAnalysis) -> Option<String> {
    let metric = |key: &str| analysis.metrics.number(key);
    match kind {
        AnalysisType::Performance | AnalysisType::Backtest => {
            let share = short_percent(metric("profit_share_of_best_5pct").filter(|share| *share > 1.0)?);
            Some(format!(
                "The best 5 % of the trades made {share} of the net profit; all other trades together lost money."
            ))
        }
        AnalysisType::Risk => {
            let max_drawdown = short_percent(metric("max_drawdown")?);
            let simulated = metric("monte_carlo.max_drawdown_p95")?;
            let simulated = if simulated < 1.0 {
                format!("5 % of the simulated paths have a max drawdown above {}", short_percent(simulated))
            } else {
                "5 % of the simulated paths lose the whole balance".to_owned()
            };
            Some(format!("The max drawdown so far is {max_drawdown}; {simulated}."))
        }
        AnalysisType::Optimization => {
            let bound = metric("kelly_continuous_lower95")?;
            Some(if bound > 0.0 {
                format!("The lower bound of Kelly's multiple is {} times the current position size.", multiple(bound))
            } else {
                "The evidence does not support a larger position size.".to_owned()
            })
        }
    }
}

fn narrative_view(results: &AnalysisResults) -> Option<NarrativeView<'_>> {
    let narrative = results.narrative.as_ref()?;
    let paragraphs = narrative.text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    let model = Some(narrative.model.as_str()).filter(|model| !model.is_empty());
    Some(NarrativeView { paragraphs: paragraphs.collect(), model: model.unwrap_or("a language model") })
}

impl Page<'_> {
    /// `true` if headings need the currency. The template calls this.
    fn has_several_currencies(&self) -> bool {
        self.accounts.len() > 1
    }
}
