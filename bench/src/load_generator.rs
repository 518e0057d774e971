//! A load generator: several callers that each send one request after the other.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use serde::Serialize;

use local_database::Result;

/// Statistics of the requests of a load.
#[derive(Clone, Debug, Serialize)]
pub struct LoadStats {
    pub requests: usize,
    pub per_second: f64,
    /// Median latency.
    pub p50_ms: f64,
    /// 99th percentile of the latency.
    pub p99_ms: f64,
}

/// Runs callers concurrently. Each caller sends its next request as soon as the previous one has completed, until
/// `duration` has passed. `request` receives the number of the request, from 0.
pub(crate) async fn run_load(
    callers: usize,
    duration: Duration,
    request: impl AsyncFn(usize) -> Result<()>,
) -> Result<LoadStats> {
    let (started_at, next, request) = (Instant::now(), Cell::new(0), &request);
    let calls = (0..callers).map(|_| async {
        let mut latencies = Vec::new();
        while started_at.elapsed() < duration {
            let number = next.replace(next.get() + 1);
            let sent_at = Instant::now();
            request(number).await?;
            latencies.push(milliseconds(sent_at.elapsed()));
        }
        Ok(latencies)
    });
    let latencies = try_join_all(calls).await?.concat();
    Ok(LoadStats::of(latencies, started_at.elapsed()))
}

impl LoadStats {
    /// Computes the statistics from the latencies in milliseconds.
    pub(crate) fn of(mut latencies: Vec<f64>, duration: Duration) -> Self {
        latencies.sort_by(f64::total_cmp);
        Self {
            requests: latencies.len(),
            per_second: latencies.len() as f64 / duration.as_secs_f64(),
            p50_ms: percentile(&latencies, 50),
            p99_ms: percentile(&latencies, 99),
        }
    }
}

/// Percentile by the nearest-rank method; 0 without values. `sorted` is in ascending order.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Median; 0 without values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |place: Option<usize>| place.and_then(|place| values.get(place)).copied();
    match (at(Some(middle)), at(middle.checked_sub(1))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => lower.midpoint(upper),
        (value, _) => value.unwrap_or_default(),
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, middle) in
            [(&[][..], 0.0), (&[3.0], 3.0), (&[9.0, 1.0], 5.0), (&[7.0, 1.0, 2.0], 2.0), (&[4.0, 100.0, 1.0, 2.0], 3.0)]
        {
            assert!((median(values.to_vec()) - middle).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for (values, percent, is) in [
            (&[][..], 50, 0.0),
            (&[7.0], 99, 7.0),
            (&hundred, 50, 50.0),
            (&hundred, 99, 99.0),
            (&hundred[..10], 99, 10.0),
        ] {
            assert!((percentile(values, percent) - is).abs() < 1e-9, "{percent} % of {values:?}");
        }
    }

    #[tokio::test]
    async fn every_request_has_a_number_of_its_own() {
        let asked = std::cell::RefCell::new(Vec::new());
        let load = run_load(3, Duration::from_millis(50), async |number| {
            asked.borrow_mut().push(number);
            tokio::time::sleep(Duration::from_millis(2)).await;
            Ok(())
        })
        .await
        .expect("nothing fails");
        let mut asked = asked.into_inner();
        asked.sort_unstable();
        assert_eq!(asked, (0..load.requests).collect::<Vec<_>>());
        assert!(load.requests > 3 && load.p50_ms >= 2.0 && load.p50_ms <= load.p99_ms, "{load:?}");
    }
}
