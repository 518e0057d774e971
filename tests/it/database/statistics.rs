//! The statistics of a bot equal a recount of its trades after any statements of any writers, concurrent ones included.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::database::{Database, Session};
use crate::support::statistics::{BOTS_WITH_WRONG_STATISTICS, assert_statistics_equal_recount};

const BOTS: [&str; 2] = ["0190f000-0000-7000-8000-000000000002", "0190f000-0000-7000-8000-000000000003"];

/// Statement that changes trades. The numbers select the rows and the values.
#[derive(Clone, Debug)]
enum Change {
    Insert { bot: usize, rows: u8, status: usize, profit: i32, hour: u16 },
    Close { every: u8, profit: i32, hour: u16 },
    Cancel { every: u8 },
    Move { every: u8 },
    Touch,
    Delete { every: u8 },
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (0..2_usize, 1..6_u8, 0..3_usize, -500..500_i32, 0..2000_u16)
                .prop_map(|(bot, rows, status, profit, hour)| Self::Insert { bot, rows, status, profit, hour }),
            (1..6_u8, -500..500_i32, 0..2000_u16).prop_map(|(every, profit, hour)| Self::Close { every, profit, hour }),
            (1..6_u8).prop_map(|every| Self::Cancel { every }),
            (1..6_u8).prop_map(|every| Self::Move { every }),
            Just(Self::Touch),
            (1..6_u8).prop_map(|every| Self::Delete { every }),
        ]
    }

    fn sql(&self) -> String {
        let chosen = |every: &u8| format!("abs(hashtext(id::text)) % {every} = 0");
        match self {
            Self::Insert { bot, rows, status, profit, hour } => {
                let status = ["open", "closed", "cancelled"][*status];
                format!(
                    "insert into public.trades (bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, profit,
                         status, entry_time, exit_time)
                     select bots.id, bots.user_id, exchange, trading_pair, 'buy', 'market', 1, 1, ({profit} + n * 7) / 100.0, '{status}',
                         timestamptz '2026-01-01' + ({hour} + n) * interval '1 hour',
                         case when '{status}' = 'closed' then timestamptz '2026-01-01' + ({hour} + 2 * n) * interval '1 hour' end
                     from public.bots, generate_series(1, {rows}) as n where bots.id = '{}'",
                    BOTS[*bot]
                )
            }
            Self::Close { every, profit, hour } => format!(
                "update public.trades set status = 'closed', profit = {profit} / 100.0,
                     exit_time = greatest(entry_time, timestamptz '2026-01-01' + {hour} * interval '1 hour')
                 where status = 'open' and {}",
                chosen(every)
            ),
            Self::Cancel { every } => format!("update public.trades set status = 'cancelled' where {}", chosen(every)),
            Self::Move { every } => {
                format!("update public.trades set bot_id = '{}' where {}", BOTS[0], chosen(every))
            }
            Self::Touch => "update public.trades set metadata = '{}'".into(),
            Self::Delete { every } => format!("delete from public.trades where {}", chosen(every)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statistics_equal_a_recount_after_any_changes_to_trades() {
    let database = Database::new().await;
    let owner = database.owner().await;
    assert_statistics_equal_recount(&owner).await;
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner.run(&proptest::collection::vec(Change::any(), 1..12), |changes| {
            runtime.block_on(async {
                owner.run("begin").await.unwrap();
                for change in &changes {
                    owner.run(&change.sql()).await.unwrap();
                    let differing = owner.text(BOTS_WITH_WRONG_STATISTICS).await;
                    if !differing.is_empty() {
                        owner.rollback().await;
                        return Err(TestCaseError::fail(format!("{differing} after {change:?}")));
                    }
                }
                owner.rollback().await;
                Ok(())
            })
        })
    })
    .unwrap();
}

#[tokio::test]
async fn concurrent_writers_neither_deadlock_nor_lose_a_trade() {
    let database = Database::new().await;
    let writers = (0..8).map(|writer| {
        let url = database.url("postgres");
        async move {
            let session = Session::open(&url).await;
            for round in 0..15 {
                // One statement changes both bots, in alternating order.
                let order = if (writer + round) % 2 == 0 { "asc" } else { "desc" };
                session
                    .run(&format!(
                        "insert into public.trades (bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, profit,
                             status, entry_time, exit_time)
                         select id, user_id, exchange, trading_pair, 'buy', 'market', 1, 1, {writer} - 3.5, 'closed', now(), now()
                         from public.bots order by id {order};
                         delete from public.trades where id in
                             (select id from public.trades where profit = {writer} - 3.5 limit 1)"
                    ))
                    .await
                    .unwrap();
            }
        }
    });
    futures_util::future::join_all(writers).await;
    let owner = database.owner().await;
    assert_statistics_equal_recount(&owner).await;
    let sample_and_new = 4 * 30 + 2 + 8 * 15 * (4 - 1);
    assert_eq!(owner.text("select count(*) from public.trades").await, sample_and_new.to_string());
}

#[tokio::test]
async fn a_new_bot_starts_with_its_initial_balance_and_zero_statistics() {
    let database = Database::new().await;
    let owner = database.owner().await;
    owner
        .run(
            "insert into public.bots (user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, current_balance,
                 stake_amount, total_trades, profit)
             select user_id, 'boaster', exchange, trading_pair, timeframe, strategy, 100, 1000000, 10, 99, 999900
             from public.bots where name = 'BTC swing'",
        )
        .await
        .unwrap();
    let figures = "select (current_balance, total_trades, profit) from public.bots where name = 'boaster'";
    assert_eq!(owner.text(figures).await, "(100.00000000,0,0.00000000)");
}

#[tokio::test]
async fn invalid_bot_columns_are_refused_for_every_writer() {
    let database = Database::new().await;
    let owner = database.owner().await;
    for change in [
        "name = ' '",
        "strategy = ''",
        "trading_pair = 'BTCUSDT'",
        "initial_balance = 0",
        "initial_balance = 'NaN'",
        "stake_amount = -1",
        "stake_amount = 'NaN'",
        "stake_amount = initial_balance + 1",
        "max_open_trades = 0",
        "max_open_trades = null",
        "max_open_trades = 1001",
        "stop_loss = 0",
        "stop_loss = 'NaN'",
        "take_profit = 1000.1",
        "risk_percentage = 'NaN'",
        "risk_percentage = null",
        "metadata = '[]'",
        "metadata = null",
    ] {
        let refused =
            owner.run(&format!("update public.bots set {change} where name = 'BTC swing'")).await.unwrap_err();
        assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("bot_is_valid"), "{change}");
    }
}

#[tokio::test]
async fn nan_in_a_trade_is_refused_for_every_writer() {
    let database = Database::new().await;
    let owner = database.owner().await;
    for column in ["amount", "price", "exit_price", "fee", "profit", "profit_percentage"] {
        let refused =
            owner.run(&format!("update public.trades set {column} = 'NaN' where status = 'closed'")).await.unwrap_err();
        assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("trade_is_valid"), "{column}");
    }
    assert_statistics_equal_recount(&owner).await;
}
