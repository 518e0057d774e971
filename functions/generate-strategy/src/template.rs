//! Titles of strategy templates, and the choice of a template for a prompt.

use nofomo_contract::strategies::Template;

/// Returns the template whose keyword occurs first in the prompt, or [`Template::EmaCross`] if none occurs.
pub(crate) fn for_prompt(prompt: &str) -> Template {
    const KEYWORDS: [(Template, &[&str]); 4] = [
        (Template::Rsi, &["rsi", "oversold", "overbought", "momentum"]),
        (Template::EmaCross, &["ema", "cross", "moving average", "trend"]),
        (Template::Bollinger, &["bollinger", "band", "volatility", "revert", "reversion"]),
        (Template::Breakout, &["breakout", "break out", "donchian", "channel", "highest"]),
    ];
    let prompt = prompt.to_lowercase();
    let first = |keywords: &[&str]| keywords.iter().filter_map(|keyword| prompt.find(keyword)).min();
    let found = KEYWORDS.iter().filter_map(|(template, keywords)| Some((first(keywords)?, *template)));
    found.min_by_key(|(position, _)| *position).map_or(Template::EmaCross, |(_, template)| template)
}

/// Title for the names of generated strategies.
pub(crate) fn title(template: Template) -> &'static str {
    match template {
        Template::Rsi => "RSI reversion",
        Template::EmaCross => "EMA cross",
        Template::Bollinger => "Bollinger reversion",
        Template::Breakout => "Breakout",
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
            assert_eq!(for_prompt(prompt), expected, "{prompt}");
        }
    }

    #[test]
    fn every_template_is_found_by_its_name() {
        let named: Vec<_> =
            Template::ALL.iter().filter_map(|template| Template::from_word(template.as_str())).collect();
        assert_eq!(named, Template::ALL);
    }
}
