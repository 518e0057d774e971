//! Balance curve, with the Monte Carlo cone and the max drawdown.

use nofomo_analytics::{Band, Series};
use plotters::prelude::*;

use super::palette::{CURVE, LOSS, QUIET};
use super::{Axis, DrawingError, Drawings, Measure, PIXEL, Size, draw_both, is_drawable, lines, plane, seconds, span};

pub(crate) fn equity(series: &Series) -> Result<Drawings, DrawingError> {
    let curve = lines(&series.equity);
    let start = curve.iter().flatten().next().copied();
    let band = |edge: fn(&Band) -> f64| {
        let edges = series.cone.iter().map(move |band| (seconds(band.at), edge(band)));
        start.into_iter().chain(edges.filter(|(_, balance)| is_drawable(*balance))).collect::<Vec<_>>()
    };
    let (low, middle, high) = (band(|band| band.p05), band(|band| band.p50), band(|band| band.p95));
    draw_both(
        |size| if size == Size::Wide { 330 } else { 290 },
        |area, size| {
            let times = series.equity.iter().map(|point| point.at).chain(series.cone.iter().map(|band| band.at));
            let x = Axis::of_times(times, size);
            let balances = curve.iter().flatten().chain(&low).chain(&high).map(|(_, balance)| *balance);
            let y = Axis::of_values(span(balances), 7, Measure::Amount);
            let mut plane = plane(area, x.clone(), y.clone(), y.label_width())?;
            if let Some(drawdown) = series.worst_drawdowns.first() {
                let corners = [(seconds(drawdown.peak), y.from), (seconds(drawdown.trough), y.to)];
                plane.draw_series([Rectangle::new(corners, LOSS.mix(0.12).filled())])?;
            }
            if !series.cone.is_empty() {
                let outline: Vec<_> = low.iter().copied().chain(high.iter().rev().copied()).collect();
                plane.draw_series([Polygon::new(outline, CURVE.mix(0.13))])?;
                plane.draw_series(DashedLineSeries::new(
                    middle.iter().copied(),
                    6 * PIXEL,
                    5 * PIXEL,
                    CURVE.mix(0.55).stroke_width(PIXEL),
                ))?;
            }
            if let Some((_, balance)) = start {
                let level = vec![(x.from, balance), (x.to, balance)];
                plane.draw_series([PathElement::new(level, QUIET.mix(0.6).stroke_width(PIXEL))])?;
            }
            for line in &curve {
                plane.draw_series([PathElement::new(line.clone(), CURVE.stroke_width(2 * PIXEL))])?;
            }
            Ok(())
        },
    )
}
