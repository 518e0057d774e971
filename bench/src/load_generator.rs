//! Callers that ask one thing after the other, several at a time.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use serde::Serialize;

use local_database::Result;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct LoadStats {
    pub requests: usize,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// So many callers, each of whom asks again as soon as he is answered. `ask` is given the number of the request.
pub(crate) async fn drive(
    callers: usize,
    during: Duration,
    ask: impl AsyncFn(usize) -> Result<()>,
) -> Result<LoadStats> {
    let (begun, next, ask) = (Instant::now(), Cell::new(0), &ask);
    let calls = (0..callers).map(|_| async {
        let mut waited = Vec::new();
        while begun.elapsed() < during {
            let number = next.replace(next.get() + 1);
            let asked = Instant::now();
            ask(number).await?;
            waited.push(milliseconds(asked.elapsed()));
        }
        Ok(waited)
    });
    let waited = try_join_all(calls).await?.concat();
    Ok(LoadStats::of(waited, begun.elapsed()))
}

impl LoadStats {
    /// How long each request waited, in milliseconds.
    pub(crate) fn of(mut waited: Vec<f64>, took: Duration) -> Self {
        waited.sort_by(f64::total_cmp);
        Self {
            requests: waited.len(),
            per_second: waited.len() as f64 / took.as_secs_f64(),
            p50_ms: percentile(&waited, 50),
            p99_ms: percentile(&waited, 99),
        }
    }
}

/// The value that so many of a hundred are not above; 0 of none. `sorted` is in ascending order.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The middle one, or the mean of both; 0 of none.
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
        let driven = drive(3, Duration::from_millis(50), async |number| {
            asked.borrow_mut().push(number);
            tokio::time::sleep(Duration::from_millis(2)).await;
            Ok(())
        })
        .await
        .expect("nothing fails");
        let mut asked = asked.into_inner();
        asked.sort_unstable();
        assert_eq!(asked, (0..driven.requests).collect::<Vec<_>>());
        assert!(driven.requests > 3 && driven.p50_ms >= 2.0 && driven.p50_ms <= driven.p99_ms, "{driven:?}");
    }
}
