//! Request for an analysis.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ObjectReader;
use crate::request::request;
use crate::values::declare::word_values;

request! {
    /// Analysis to run. Without `bot_id` and `strategy_id`, it covers the trades of all bots.
    pub struct NewAnalysis {
        pub analysis_type: AnalysisType,
        /// Analyse the trades of this bot. Not together with `strategy_id`.
        pub bot_id: Option<Uuid>,
        /// Analyse the trades of the bots that run this strategy.
        pub strategy_id: Option<Uuid>,
        /// Include trades closed at this time or later.
        pub from: Option<DateTime<Utc>>,
        /// Include trades closed before this time. Later than `from`.
        pub to: Option<DateTime<Utc>>,
        /// Add a narrative written by a language model.
        pub narrative: bool = false,
    }
    check NewAnalysis::check_fields
}

impl NewAnalysis {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        let has_one_subject = self.bot_id.is_none() || self.strategy_id.is_none();
        reader.check_rule(has_one_subject, "strategy_id", &["bot_id"], "must not be given together with bot_id");
        let is_in_order = self.from.zip(self.to).is_none_or(|(from, to)| from < to);
        reader.check_rule(is_in_order, "to", &["from"], "must be later than from");
    }
}

word_values! {
    /// Type of an analysis: `performance` (returns and how they were earned), `risk` (drawdowns and tail losses),
    /// `optimization` (position size, and results by pair, side, weekday, hour and duration) or `backtest` (live trades
    /// compared with the backtest).
    AnalysisType {
        Performance = "performance",
        Risk = "risk",
        Optimization = "optimization",
        Backtest = "backtest",
    }
}
