//! How far the balance is below its peak, with the deepest falls numbered.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::palette::{CARD, INK, LOSS};
use super::{Axis, DrawingError, Drawings, Measure, PIXEL, both, lines, pixels, plane, seconds, span, text};
use crate::analysis::Series;

pub(crate) fn underwater(series: &Series) -> Result<Drawings, DrawingError> {
    let falls = lines(&series.underwater);
    both(
        |_| 230,
        |area, size| {
            let x = Axis::of_times(series.underwater.iter().map(|point| point.at), size);
            let y = span(falls.iter().flatten().map(|(_, fall)| *fall).chain([0.0]));
            // Nothing is above a peak, and below the deepest fall there is room for its number.
            let y = Axis::of_values(y.start - 0.08 * (y.end - y.start)..0.0, 5, Measure::Percent);
            let room = y.widest();
            let mut plane = plane(area, x, y, room)?;
            for line in &falls {
                plane.draw_series(AreaSeries::new(line.iter().copied(), 0.0, LOSS.mix(0.20)))?;
                plane.draw_series([PathElement::new(line.clone(), LOSS.stroke_width(3 * PIXEL / 2))])?;
            }
            // The deepest last, above the others.
            for (number, fall) in (1..).zip(&series.worst_drawdowns).collect::<Vec<_>>().into_iter().rev() {
                let place = (seconds(fall.trough), -fall.depth);
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
