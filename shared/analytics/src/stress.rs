//! The same trades at higher costs.

use rust_decimal::{Decimal, dec};
use serde::Serialize;

use crate::balance_metrics::BalanceMetrics;
use crate::daily_metrics::DailyMetrics;
use crate::record::Record;
use crate::trade::Trade;

/// What would be left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stress {
    pub scenario: Scenario,
    /// In the account's currency.
    pub net_profit: Decimal,
    /// Fraction.
    pub total_return: f64,
    /// Annualised. None as ever.
    pub sharpe: Option<f64>,
    /// On the trade clock, fraction.
    pub max_drawdown: f64,
    /// The confidence's.
    pub score: f64,
}

/// What costs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// Every fee twice.
    FeesDoubled,
    /// 0.05 % of each trade's notional is lost to worse prices.
    Slippage,
    /// Both.
    FeesDoubledAndSlippage,
}

const SLIPPAGE: Decimal = dec!(0.0005);

impl Record<'_> {
    /// Every scenario.
    pub fn stress(&self) -> Vec<Stress> {
        let scenarios = [Scenario::FeesDoubled, Scenario::Slippage, Scenario::FeesDoubledAndSlippage];
        scenarios.into_iter().map(|scenario| self.under(scenario)).collect()
    }

    fn under(&self, scenario: Scenario) -> Stress {
        let dearer: Vec<Trade<'_>> = self.trades.iter().map(|trade| scenario.applied(trade)).collect();
        let record = Record::of(&dearer, self.settings.clone(), self.period());
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
    fn applied<'a>(self, trade: &Trade<'a>) -> Trade<'a> {
        // A rebate is not paid twice.
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
