//! Request for an analysis.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ObjectReader;
use crate::request::request;
use crate::values::declare::word_values;

request! {
    /// What is asked.
    pub struct NewAnalysis {
        pub analysis_type: AnalysisType,
        /// The trades of this bot, or
        pub bot_id: Option<Uuid>,
        /// of the bots that run this strategy; of neither: all of the user's.
        pub strategy_id: Option<Uuid>,
        /// Trades that were closed from here on,
        pub from: Option<DateTime<Utc>>,
        /// and before.
        pub to: Option<DateTime<Utc>>,
        /// Also ask the language model.
        pub narrative: bool = false,
    }
    check NewAnalysis::check_fields
}

impl NewAnalysis {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        let has_one_subject = self.bot_id.is_none() || self.strategy_id.is_none();
        reader.rule(has_one_subject, "strategy_id", &["bot_id"], "must not come with bot_id");
        let is_in_order = self.from.zip(self.to).is_none_or(|(from, to)| from < to);
        reader.rule(is_in_order, "to", &["from"], "must be later than from");
    }
}

word_values! {
    /// What it earned and how, what it may lose, how large it should be and which part of it works, or how it compares with its backtest.
    AnalysisType {
        Performance = "performance",
        Risk = "risk",
        Optimization = "optimization",
        Backtest = "backtest",
    }
}
