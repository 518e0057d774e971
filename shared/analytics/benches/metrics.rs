//! Time, allocations and memory of computing the metrics of a thousand, a hundred thousand and a million trades.
//!
//! `cargo bench -p nofomo-analytics --bench metrics`

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BenchmarkId, Criterion, Throughput};
use nofomo_analytics::{Record, Settings, Side, Trade};
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rust_decimal::{Decimal, dec};

const PAIRS: [&str; 3] = ["BTC/USDT", "ETH/USDT", "SOL/USDT"];
const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    for trades in SIZES.map(trades) {
        count_allocations(&trades);
        measure(&mut criterion, &trades);
    }
    criterion.final_summary();
}

/// Generates trades over 180 days, ordered by entry.
fn trades(count: usize) -> Vec<Trade<'static>> {
    let mut random = SplitMix64::seed_from_u64(1);
    let mut below = |limit: u64| ((u128::from(random.next_u64()) * u128::from(limit)) >> 64) as i64;
    let start: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let mut entries: Vec<i64> = (0..count).map(|_| below(179 * 86_400)).collect();
    entries.sort_unstable();
    let trade = |entry| {
        let entry_time = start + TimeDelta::seconds(entry);
        Trade {
            entry_time,
            exit_time: entry_time + TimeDelta::seconds(below(43_200)),
            side: if below(2) == 0 { Side::Buy } else { Side::Sell },
            pair: PAIRS.get(below(3) as usize).copied().unwrap_or_default(),
            amount: Decimal::new(1 + below(10_000_000), 8),
            price: Decimal::new(5_000_000_000_000 + below(100_000_000_000), 8),
            fee: Decimal::new(below(1_000_000), 8),
            profit: Decimal::new(below(2_000_000_000) - 999_000_000, 8),
            range: None,
        }
    };
    entries.into_iter().map(trade).collect()
}

/// Builds a record with a balance that these trades cannot ruin.
fn record<'a>(trades: &'a [Trade<'a>]) -> Option<Record<'a>> {
    Record::new(trades, Settings::new(dec!(1_000_000))).ok()
}

/// Prints the number of allocations and the peak memory. One measurement is enough: allocations do not vary.
fn count_allocations(trades: &[Trade<'_>]) {
    let info = allocation_counter::measure(|| {
        std::hint::black_box(record(trades).map(|record| record.metrics()));
    });
    let megabytes = info.bytes_max as f64 / 1e6;
    println!("{} trades: {} allocations, at most {megabytes:.1} MB at once", trades.len(), info.count_total);
}

fn measure(criterion: &mut Criterion, trades: &[Trade<'_>]) {
    let mut group = criterion.benchmark_group("metrics");
    group.throughput(Throughput::Elements(trades.len() as u64));
    let id = |name: &str| BenchmarkId::new(name, trades.len());
    group.bench_function(id("record"), |bencher| bencher.iter(|| record(trades)));
    group.bench_function(id("record and confidence"), |bencher| {
        bencher.iter(|| record(trades).map(|record| record.confidence()));
    });
    group.bench_function(id("record and all metrics"), |bencher| {
        bencher.iter(|| record(trades).map(|record| record.metrics()));
    });
    group.bench_function(id("slices"), |bencher| {
        let record = record(trades);
        bencher.iter(|| record.as_ref().map(Record::slices));
    });
    group.bench_function(id("series"), |bencher| {
        let record = record(trades);
        bencher.iter(|| record.as_ref().map(Record::series));
    });
    group.finish();
}
