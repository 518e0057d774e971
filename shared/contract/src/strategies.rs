//! Requests about strategies.

use crate::ObjectReader;
use crate::request::request;
use crate::values::declare::word_values;
use crate::values::{Category, JsonObject, Message, Name, Prompt, RiskLevel, Source, Tags, Timeframe, TradingPair};

request! {
    /// New strategy of the user.
    pub struct NewStrategy {
        pub name: Name,
        pub description: Option<Message>,
        pub content: Source,
        /// Free-form parameters of the strategy.
        pub parameters: Option<JsonObject<{ 16 * 1024 }>>,
        pub tags: Option<Tags>,
        pub category: Option<Category>,
        pub risk_level: Option<RiskLevel>,
    }
}

request! {
    /// New source of a strategy.
    pub struct NewSource {
        pub content: Source,
        /// Free-form parameters of the strategy. Default: unchanged.
        pub parameters: Option<JsonObject<{ 16 * 1024 }>>,
    }
}

request! {
    /// Strategy to generate. At least one of `prompt` and `template` is required.
    pub struct NewGeneratedStrategy {
        /// Description for the language model.
        pub prompt: Option<Prompt>,
        pub pair: TradingPair,
        pub timeframe: Timeframe,
        pub risk_level: RiskLevel = RiskLevel::Medium,
        /// Name of the strategy. Default: a generated name.
        pub name: Option<Name>,
        /// Template to use instead of the language model.
        pub template: Option<Template>,
    }
    check NewGeneratedStrategy::check_fields
}

impl NewGeneratedStrategy {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        let has_idea = self.prompt.is_some() || self.template.is_some();
        reader.check_rule(has_idea, "prompt", &["template"], "is required unless template is given");
    }
}

word_values! {
    /// Strategy template, which needs no language model.
    Template {
        Rsi = "rsi",
        EmaCross = "ema_cross",
        Bollinger = "bollinger",
        Breakout = "breakout",
    }
}
