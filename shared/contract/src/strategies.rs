//! Requests about strategies.

use crate::ObjectReader;
use crate::request::request;
use crate::values::declare::word_values;
use crate::values::{Category, JsonObject, Message, Name, Prompt, RiskLevel, Source, Tags, Timeframe, TradingPair};

request! {
    /// A strategy of one's own.
    pub struct NewStrategy {
        pub name: Name,
        pub description: Option<Message>,
        pub content: Source,
        pub parameters: Option<JsonObject<{ 16 * 1024 }>>,
        pub tags: Option<Tags>,
        pub category: Option<Category>,
        pub risk_level: Option<RiskLevel>,
    }
}

request! {
    /// Another source of a strategy.
    pub struct NewSource {
        pub content: Source,
        /// Left as they are unless given.
        pub parameters: Option<JsonObject<{ 16 * 1024 }>>,
    }
}

request! {
    /// What is to be written. Either `prompt` or `template` is needed.
    pub struct GenerateStrategyRequest as "NewRequest" {
        pub prompt: Option<Prompt>,
        pub pair: TradingPair,
        pub timeframe: Timeframe,
        pub risk_level: RiskLevel = RiskLevel::Medium,
        /// In place of the one that it would be given.
        pub name: Option<Name>,
        /// Needs no language model.
        pub template: Option<Template>,
    }
    check GenerateStrategyRequest::check_fields
}

impl GenerateStrategyRequest {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        let has_idea = self.prompt.is_some() || self.template.is_some();
        reader.rule(has_idea, "prompt", &["template"], "is required unless there is a template");
    }
}

word_values! {
    /// What can be written without a language model.
    Template {
        Rsi = "rsi",
        EmaCross = "ema_cross",
        Bollinger = "bollinger",
        Breakout = "breakout",
    }
}
