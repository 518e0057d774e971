//! Strategy templates by name, and the choice of a template for a prompt.

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Template {
    Rsi,
    EmaCross,
    Bollinger,
    Breakout,
}

impl Template {
    const ALL: [Self; 4] = [Self::Rsi, Self::EmaCross, Self::Bollinger, Self::Breakout];

    /// Names of all templates, as requests give them.
    pub(crate) const NAMES: &[&str] = &["rsi", "ema_cross", "bollinger", "breakout"];

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    /// Returns the template whose keyword occurs first in the prompt, or [`Template::EmaCross`] if none occurs.
    pub(crate) fn for_prompt(prompt: &str) -> Self {
        const KEYWORDS: [(Template, &[&str]); 4] = [
            (Template::Rsi, &["rsi", "oversold", "overbought", "momentum"]),
            (Template::EmaCross, &["ema", "cross", "moving average", "trend"]),
            (Template::Bollinger, &["bollinger", "band", "volatility", "revert", "reversion"]),
            (Template::Breakout, &["breakout", "break out", "donchian", "channel", "highest"]),
        ];
        let prompt = prompt.to_lowercase();
        let first = |keywords: &[&str]| keywords.iter().filter_map(|keyword| prompt.find(keyword)).min();
        let found = KEYWORDS.iter().filter_map(|(template, keywords)| Some((first(keywords)?, *template)));
        found.min_by_key(|(position, _)| *position).map_or(Self::EmaCross, |(_, template)| template)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rsi => "rsi",
            Self::EmaCross => "ema_cross",
            Self::Bollinger => "bollinger",
            Self::Breakout => "breakout",
        }
    }

    /// Title for the names of generated strategies.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Rsi => "RSI reversion",
            Self::EmaCross => "EMA cross",
            Self::Bollinger => "Bollinger reversion",
            Self::Breakout => "Breakout",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keyword_in_a_prompt_selects_the_template() {
        for (prompt, expected) in [
            ("Buy oversold coins, sell on a breakout", Template::Rsi),
            ("A breakout above the EMA", Template::Breakout),
            ("Mean REVERSION within Bollinger bands", Template::Bollinger),
            ("Make me rich", Template::EmaCross),
        ] {
            assert_eq!(Template::for_prompt(prompt), expected, "{prompt}");
        }
    }

    #[test]
    fn every_template_is_found_by_its_name() {
        let named: Vec<_> = Template::NAMES.iter().filter_map(|name| Template::from_name(name)).collect();
        assert_eq!(named, Template::ALL);
    }
}
