//! The statistics of a bot, compared with a recount of its trades.

use super::database::Session;

/// Query: names of the bots whose stored statistics differ from a recount of their trades; an empty text if none does.
pub(crate) const BOTS_WITH_WRONG_STATISTICS: &str = "select string_agg(bots.name, ' ')
    from public.bots
    cross join lateral (
        select
            count(*) filter (where status = 'closed') as total,
            count(*) filter (where status = 'closed' and profit > 0) as winning,
            count(*) filter (where status = 'closed' and profit < 0) as losing,
            coalesce(sum(profit) filter (where status = 'closed'), 0) as profit,
            max(coalesce(exit_time, entry_time)) filter (where status <> 'cancelled') as last_trade_at
        from public.trades
        where trades.bot_id = bots.id
    ) as recount
    where (bots.total_trades, bots.winning_trades, bots.losing_trades, bots.profit, bots.current_balance,
           bots.profit_percentage)
        is distinct from (recount.total, recount.winning, recount.losing, recount.profit,
           bots.initial_balance + recount.profit, round(recount.profit / bots.initial_balance * 100, 4))
        or bots.last_trade_at is distinct from recount.last_trade_at";

/// Asserts that the stored statistics of every bot equal a recount of its trades.
pub(crate) async fn assert_statistics_equal_recount(owner: &Session) {
    assert_eq!(owner.text(BOTS_WITH_WRONG_STATISTICS).await, "");
}
