//! Underwater curve, with the worst drawdowns numbered.

use nofomo_analytics::Series;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::palette::{CARD, INK, LOSS};
use super::{Axis, DrawingError, Drawings, Measure, PIXEL, draw_both, lines, pixels, plane, seconds, span, text};

pub(crate) fn underwater(series: &Series) -> Result<Drawings, DrawingError> {
    let curve = lines(&series.underwater);
    draw_both(
        |_| 230,
        |area, size| {
            let x = Axis::of_times(series.underwater.iter().map(|point| point.at), size);
            let y = span(curve.iter().flatten().map(|(_, drawdown)| *drawdown).chain([0.0]));
            // Space for the number below the max drawdown.
            let y = Axis::of_values(y.start - 0.08 * (y.end - y.start)..0.0, 5, Measure::Percent);
            let label_width = y.label_width();
            let mut plane = plane(area, x, y, label_width)?;
            for line in &curve {
                plane.draw_series(AreaSeries::new(line.iter().copied(), 0.0, LOSS.mix(0.20)))?;
                plane.draw_series([PathElement::new(line.clone(), LOSS.stroke_width(3 * PIXEL / 2))])?;
            }
            // The deepest one last, on top of the others.
            for (number, drawdown) in (1..).zip(&series.worst_drawdowns).collect::<Vec<_>>().into_iter().rev() {
                let place = (seconds(drawdown.trough), -drawdown.depth);
                let number: i32 = number;
                let mark = EmptyElement::at(place)
                    + Circle::new((0, 0), pixels(9), CARD.filled())
                    + Circle::new((0, 0), pixels(9), LOSS.stroke_width(PIXEL))
                    + Text::new(number.to_string(), (0, 0), text(INK, HPos::Center, VPos::Center));
                plane.draw_series([mark])?;
            }
            Ok(())
        },
    )
}
