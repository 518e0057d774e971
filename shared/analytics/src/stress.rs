//! Stress scenarios: the same trades at higher costs.

use rust_decimal::{Decimal, dec};
use serde::{Deserialize, Serialize};

use crate::balance_metrics::BalanceMetrics;
use crate::daily_metrics::DailyMetrics;
use crate::record::Record;
use crate::trade::Trade;

/// Metrics of the same trades in a stress scenario.
#[cfg_attr(feature = "openapi", serde_with::apply(Decimal => #[schema(value_type = nofomo_contract::values::Decimal)]))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stress {
    pub scenario: Scenario,
    /// Net profit, in the account's currency.
    pub net_profit: Decimal,
    /// Total return: net profit / initial balance, as a fraction.
    pub total_return: f64,
    /// Annualised Sharpe ratio. Null below two days, or if all daily returns are equal.
    pub sharpe: Option<f64>,
    /// Maximum drawdown over all trades, as a fraction.
    pub max_drawdown: f64,
    /// Confidence score, from 0 to 0.99.
    pub score: f64,
}

/// Stress scenario: higher costs per trade.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// All fees are doubled, except rebates.
    FeesDoubled,
    /// Slippage costs 0.05 % of each trade's notional.
    Slippage,
    /// Both of the above.
    FeesDoubledAndSlippage,
}

/// Slippage per trade, as a fraction of its notional.
const SLIPPAGE: Decimal = dec!(0.0005);

impl Record<'_> {
    /// Computes the metrics in all scenarios.
    pub fn stress(&self) -> Vec<Stress> {
        let scenarios = [Scenario::FeesDoubled, Scenario::Slippage, Scenario::FeesDoubledAndSlippage];
        scenarios.into_iter().map(|scenario| self.metrics_in(scenario)).collect()
    }

    fn metrics_in(&self, scenario: Scenario) -> Stress {
        let stressed: Vec<Trade<'_>> = self.trades.iter().map(|trade| scenario.apply(trade)).collect();
        let record = Record::of(&stressed, self.settings.clone(), self.period());
        let balance = BalanceMetrics::of(&record);
        Stress {
            scenario,
            net_profit: record.final_balance - self.settings.initial_balance,
            total_return: balance.total_return,
            sharpe: DailyMetrics::of(&record, balance.cagr).sharpe,
            max_drawdown: balance.max_drawdown,
            score: record.confidence().score,
        }
    }
}

impl Scenario {
    fn apply<'a>(self, trade: &Trade<'a>) -> Trade<'a> {
        // A negative fee, a maker rebate, is not doubled.
        let fee = trade.fee.max(Decimal::ZERO);
        let slippage = SLIPPAGE * trade.notional();
        let (more_fee, lost) = match self {
            Self::FeesDoubled => (fee, Decimal::ZERO),
            Self::Slippage => (Decimal::ZERO, slippage),
            Self::FeesDoubledAndSlippage => (fee, slippage),
        };
        Trade { fee: trade.fee + more_fee, profit: trade.profit - more_fee - lost, ..*trade }
    }
}
