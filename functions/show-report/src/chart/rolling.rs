//! Return for risk, and risk, over the last so many days.

use chrono::{DateTime, Utc};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::palette::{CURVE, INK, QUIET};
use super::{Axis, DrawingError, Drawings, Measure, PIXEL, both, lines, pixels, plane, span, text};
use crate::analysis::Series;

/// For what a panel is called.
const TITLE: u32 = 24;

pub(crate) fn rolling(series: &Series) -> Result<Drawings, DrawingError> {
    both(
        |_| 400,
        |area, size| {
            let (upper, lower) = area.split_vertically(pixels(190));
            let sharpe = lines(&series.rolling_sharpe);
            let volatility = lines(&series.rolling_volatility);
            let span = |curve: &[Vec<(f64, f64)>]| span(curve.iter().flatten().map(|(_, value)| *value).chain([0.0]));
            let x = Axis::of_times(times(series), size);
            // The times are named below the other panel.
            let unnamed = Axis { ticks: Vec::new(), ..x.clone() };
            let ratios = Axis::of_values(span(&sharpe), 4, Measure::Amount);
            let parts = Axis::of_values(0.0..span(&volatility).end, 4, Measure::Percent);
            let room = ratios.widest().max(parts.widest());
            let panels = [
                (&upper, "Sharpe ratio, annualised", sharpe, unnamed, ratios),
                (&lower, "Volatility, annualised", volatility, x, parts),
            ];
            for (panel, title, curve, x, y) in panels {
                let (head, body) = panel.split_vertically(pixels(TITLE));
                head.draw(&Text::new(title, (pixels(1), pixels(6)), text(INK, HPos::Left, VPos::Top)))?;
                let mut plane = plane(&body, x.clone(), y, room)?;
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

/// Both panels have the same.
fn times(series: &Series) -> impl Iterator<Item = DateTime<Utc>> + Clone {
    series.rolling_sharpe.iter().chain(&series.rolling_volatility).map(|point| point.at)
}
