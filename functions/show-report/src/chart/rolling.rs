//! Rolling Sharpe ratio and volatility.

use chrono::{DateTime, Utc};
use nofomo_analytics::Series;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::palette::{CURVE, INK, QUIET};
use super::{Axis, DrawingError, Drawings, Measure, PIXEL, draw_both, lines, pixels, plane, span, text};

/// Height of the title of a panel, in pixels.
const TITLE: u32 = 24;

pub(crate) fn rolling(series: &Series) -> Result<Drawings, DrawingError> {
    draw_both(
        |_| 400,
        |area, size| {
            let (upper, lower) = area.split_vertically(pixels(190));
            let sharpe = lines(&series.rolling_sharpe);
            let volatility = lines(&series.rolling_volatility);
            let span = |curve: &[Vec<(f64, f64)>]| span(curve.iter().flatten().map(|(_, value)| *value).chain([0.0]));
            let x = Axis::of_times(times(series), size);
            // Only the lower panel has time labels.
            let unlabelled = Axis { ticks: Vec::new(), ..x.clone() };
            let ratios = Axis::of_values(span(&sharpe), 4, Measure::Amount);
            let parts = Axis::of_values(0.0..span(&volatility).end, 4, Measure::Percent);
            let label_width = ratios.label_width().max(parts.label_width());
            let panels = [
                (&upper, "Sharpe ratio, annualised", sharpe, unlabelled, ratios),
                (&lower, "Volatility, annualised", volatility, x, parts),
            ];
            for (panel, title, curve, x, y) in panels {
                let (head, body) = panel.split_vertically(pixels(TITLE));
                head.draw(&Text::new(title, (pixels(1), pixels(6)), text(INK, HPos::Left, VPos::Top)))?;
                let mut plane = plane(&body, x.clone(), y, label_width)?;
                let zero = vec![(x.from, 0.0), (x.to, 0.0)];
                plane.draw_series([PathElement::new(zero, QUIET.mix(0.6).stroke_width(PIXEL))])?;
                for line in curve {
                    plane.draw_series([PathElement::new(line, CURVE.stroke_width(2 * PIXEL))])?;
                }
            }
            Ok(())
        },
    )
}

/// Times of both panels.
fn times(series: &Series) -> impl Iterator<Item = DateTime<Utc>> + Clone {
    series.rolling_sharpe.iter().chain(&series.rolling_volatility).map(|point| point.at)
}
