//! Renders a strategy from a template, with stop loss and indicator settings for the timeframe and the risk level.

use askama::Template as _;
use nofomo_contract::strategies::{NewGeneratedStrategy, Template};
use nofomo_contract::values::{RiskLevel, Timeframe};
use serde_json::json;

use crate::draft::StrategyDraft;
use crate::template::title;

/// Settings that all templates share. `stoploss` and `roi` are fractions, as freqtrade expects them.
struct CommonSettings<'a> {
    timeframe: &'a str,
    stoploss: String,
    /// Profit at which a trade closes.
    roi: String,
}

#[derive(askama::Template)]
#[template(path = "rsi.py", escape = "none")]
struct Rsi<'a> {
    common: &'a CommonSettings<'a>,
    period: u32,
    trend: u32,
    buy: u32,
    sell: u32,
}

#[derive(askama::Template)]
#[template(path = "ema_cross.py", escape = "none")]
struct EmaCross<'a> {
    common: &'a CommonSettings<'a>,
    fast: u32,
    slow: u32,
}

#[derive(askama::Template)]
#[template(path = "bollinger.py", escape = "none")]
struct Bollinger<'a> {
    common: &'a CommonSettings<'a>,
    period: u32,
    deviations: &'static str,
}

#[derive(askama::Template)]
#[template(path = "breakout.py", escape = "none")]
struct Breakout<'a> {
    common: &'a CommonSettings<'a>,
    entry: u32,
    exit: u32,
}

/// Renders the template for the requested pair, timeframe and risk level.
///
/// # Errors
///
/// Errors of the template engine.
pub(crate) fn write(template: Template, request: &NewGeneratedStrategy) -> Result<StrategyDraft, askama::Error> {
    // The price range of a candle grows roughly with the square root of its length.
    let hours: f64 = match request.timeframe {
        Timeframe::OneMinute => 1.0 / 60.0,
        Timeframe::FiveMinutes => 1.0 / 12.0,
        Timeframe::FifteenMinutes => 0.25,
        Timeframe::ThirtyMinutes => 0.5,
        Timeframe::FourHours => 4.0,
        Timeframe::OneDay => 24.0,
        Timeframe::OneHour => 1.0,
    };
    let hourly_stoploss = pick(request.risk_level, 0.03, 0.05, 0.08);
    let stoploss = (hourly_stoploss * hours.sqrt()).clamp(0.01, 0.25);
    let common = CommonSettings {
        timeframe: request.timeframe.as_str(),
        stoploss: format!("{stoploss:.3}"),
        roi: format!("{:.3}", stoploss * 2.0),
    };
    let common = &common;
    let risk = request.risk_level;
    // A higher risk level enters earlier.
    let (content, numbers) = match template {
        Template::Rsi => {
            let (period, trend, (buy, sell)) = (14, 100, pick(risk, (25, 65), (30, 70), (35, 75)));
            let numbers = json!({ "period": period, "trend": trend, "buy": buy, "sell": sell });
            (Rsi { common, period, trend, buy, sell }.render()?, numbers)
        }
        Template::EmaCross => {
            let (fast, slow) = pick(risk, (20, 50), (12, 26), (8, 21));
            (EmaCross { common, fast, slow }.render()?, json!({ "fast": fast, "slow": slow }))
        }
        Template::Bollinger => {
            let (period, deviations) = (20, pick(risk, "2.5", "2.0", "1.8"));
            let numbers = json!({ "period": period, "deviations": deviations });
            (Bollinger { common, period, deviations }.render()?, numbers)
        }
        Template::Breakout => {
            let (entry, exit) = pick(risk, (55, 20), (40, 15), (20, 10));
            (Breakout { common, entry, exit }.render()?, json!({ "entry": entry, "exit": exit }))
        }
    };
    Ok(StrategyDraft {
        name: format!("{}, {} {}", title(template), request.pair.as_str(), request.timeframe.as_str()),
        description: request.prompt.as_ref().map(|prompt| prompt.as_str().to_owned()),
        content,
        parameters: json!({ "template": template.as_str(), "pair": request.pair, "numbers": numbers }),
        model_used: format!("nofomo-template-{}", template.as_str()),
        tokens_used: 0,
    })
}

/// Returns the value for a risk level.
fn pick<T>(risk: RiskLevel, low: T, medium: T, high: T) -> T {
    match risk {
        RiskLevel::Low => low,
        RiskLevel::Medium => medium,
        RiskLevel::High => high,
    }
}
