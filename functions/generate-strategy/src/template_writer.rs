//! Strategies of our own, honest and plain, whose numbers follow timeframe and risk.

use askama::Template as _;
use serde_json::json;

use crate::draft::Draft;
use crate::request::Wanted;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Template {
    Rsi,
    EmaCross,
    Bollinger,
    Breakout,
}

/// What all of them have, in the fractions that freqtrade takes.
struct Shape<'a> {
    timeframe: &'a str,
    stoploss: String,
    roi: String,
}

#[derive(askama::Template)]
#[template(path = "rsi.py", escape = "none")]
struct Rsi<'a> {
    shape: &'a Shape<'a>,
    period: u32,
    trend: u32,
    buy: u32,
    sell: u32,
}

#[derive(askama::Template)]
#[template(path = "ema_cross.py", escape = "none")]
struct EmaCross<'a> {
    shape: &'a Shape<'a>,
    fast: u32,
    slow: u32,
}

#[derive(askama::Template)]
#[template(path = "bollinger.py", escape = "none")]
struct Bollinger<'a> {
    shape: &'a Shape<'a>,
    period: u32,
    deviations: &'static str,
}

#[derive(askama::Template)]
#[template(path = "breakout.py", escape = "none")]
struct Breakout<'a> {
    shape: &'a Shape<'a>,
    entry: u32,
    exit: u32,
}

impl Template {
    const ALL: [Self; 4] = [Self::Rsi, Self::EmaCross, Self::Bollinger, Self::Breakout];
    pub(crate) const NAMES: &[&str] = &["rsi", "ema_cross", "bollinger", "breakout"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    /// The one whose words come first in a prompt; without any, the plainest.
    pub(crate) fn of_prompt(prompt: &str) -> Self {
        const WORDS: [(Template, &[&str]); 4] = [
            (Template::Rsi, &["rsi", "oversold", "overbought", "momentum"]),
            (Template::EmaCross, &["ema", "cross", "moving average", "trend"]),
            (Template::Bollinger, &["bollinger", "band", "volatility", "revert", "reversion"]),
            (Template::Breakout, &["breakout", "break out", "donchian", "channel", "highest"]),
        ];
        let prompt = prompt.to_lowercase();
        let first = |words: &[&str]| words.iter().filter_map(|word| prompt.find(word)).min();
        let found = WORDS.iter().filter_map(|(template, words)| Some((first(words)?, *template)));
        found.min_by_key(|(place, _)| *place).map_or(Self::EmaCross, |(_, template)| template)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rsi => "rsi",
            Self::EmaCross => "ema_cross",
            Self::Bollinger => "bollinger",
            Self::Breakout => "breakout",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Rsi => "RSI reversion",
            Self::EmaCross => "EMA cross",
            Self::Bollinger => "Bollinger reversion",
            Self::Breakout => "Breakout",
        }
    }

    /// # Errors
    ///
    /// The template engine's.
    pub(crate) fn write(self, wanted: &Wanted) -> Result<Draft, askama::Error> {
        // What a candle may move grows with about the root of its length.
        let hours: f64 = match wanted.timeframe {
            "1m" => 1.0 / 60.0,
            "5m" => 1.0 / 12.0,
            "15m" => 0.25,
            "30m" => 0.5,
            "4h" => 4.0,
            "1d" => 24.0,
            _ => 1.0,
        };
        let of_an_hour = wanted.risk_level.pick(0.03, 0.05, 0.08);
        let stoploss = (of_an_hour * hours.sqrt()).clamp(0.01, 0.25);
        let shape = Shape {
            timeframe: wanted.timeframe,
            stoploss: format!("{stoploss:.3}"),
            roi: format!("{:.3}", stoploss * 2.0),
        };
        let shape = &shape;
        let risk = wanted.risk_level;
        // The more risk, the sooner it enters.
        let (content, numbers) = match self {
            Self::Rsi => {
                let (period, trend, (buy, sell)) = (14, 100, risk.pick((25, 65), (30, 70), (35, 75)));
                let numbers = json!({ "period": period, "trend": trend, "buy": buy, "sell": sell });
                (Rsi { shape, period, trend, buy, sell }.render()?, numbers)
            }
            Self::EmaCross => {
                let (fast, slow) = risk.pick((20, 50), (12, 26), (8, 21));
                (EmaCross { shape, fast, slow }.render()?, json!({ "fast": fast, "slow": slow }))
            }
            Self::Bollinger => {
                let (period, deviations) = (20, risk.pick("2.5", "2.0", "1.8"));
                let numbers = json!({ "period": period, "deviations": deviations });
                (Bollinger { shape, period, deviations }.render()?, numbers)
            }
            Self::Breakout => {
                let (entry, exit) = risk.pick((55, 20), (40, 15), (20, 10));
                (Breakout { shape, entry, exit }.render()?, json!({ "entry": entry, "exit": exit }))
            }
        };
        Ok(Draft {
            name: format!("{}, {} {}", self.title(), wanted.pair, wanted.timeframe),
            description: wanted.prompt.clone(),
            content,
            parameters: json!({ "template": self.name(), "pair": wanted.pair, "numbers": numbers }),
            model_used: format!("nofomo-template-{}", self.name()),
            tokens_used: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_has_the_template_of_its_first_word_that_means_one() {
        for (prompt, expected) in [
            ("Buy oversold coins, sell on a breakout", Template::Rsi),
            ("A breakout above the EMA", Template::Breakout),
            ("Mean REVERSION within Bollinger bands", Template::Bollinger),
            ("Make me rich", Template::EmaCross),
        ] {
            assert_eq!(Template::of_prompt(prompt), expected, "{prompt}");
        }
    }

    #[test]
    fn every_name_is_one_of_a_template() {
        let named: Vec<_> = Template::NAMES.iter().filter_map(|name| Template::named(name)).collect();
        assert_eq!(named, Template::ALL);
    }
}
