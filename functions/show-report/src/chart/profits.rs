//! How often a trade made how much, in percent of its notional.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::palette::{CURVE, GAIN, INK, LOSS, QUIET};
use super::{Axis, DrawingError, Drawings, Measure, PIXEL, Size, both, pixels, plane, text};
use crate::analysis::Histogram;

pub(crate) fn profits(histogram: &Histogram) -> Result<Drawings, DrawingError> {
    let width = if histogram.width > 0.0 { histogram.width } else { 0.001 };
    let most = histogram.counts.iter().max().copied().unwrap_or_default();
    let to = histogram.from + width * histogram.counts.len() as f64;
    both(
        |size| if size == Size::Wide { 290 } else { 270 },
        |area, size| {
            let x = Axis::of_values(histogram.from - width..to + width, size.names(), Measure::Percent);
            // Above the bars there is room for what the marks are called.
            let top = 1.45 * most.max(1) as f64;
            let y = Axis::of_values(0.0..top, 5, Measure::Count);
            let room = y.widest();
            let mut plane = plane(area, x.clone(), y, room)?;
            for (place, count) in (0..).zip(&histogram.counts).filter(|(_, count)| **count > 0) {
                let from = histogram.from + width * f64::from(place);
                let colour = if from + width / 2.0 < 0.0 { LOSS } else { GAIN };
                let corners = [(from + 0.06 * width, *count as f64), (from + 0.94 * width, 0.0)];
                plane.draw_series([Rectangle::new(corners, colour.mix(0.75).filled())])?;
            }
            for mark in marks(histogram, &x) {
                let height = mark.height * top;
                let line = vec![(mark.value, 0.0), (mark.value, height)];
                plane.draw_series([PathElement::new(line, mark.colour.stroke_width(3 * PIXEL / 2))])?;
                let (across, beside) =
                    if mark.leads_right { (HPos::Left, pixels(5)) } else { (HPos::Right, -pixels(5)) };
                let name = Text::new(mark.name, (beside, 0), text(INK, across, VPos::Top));
                plane.draw_series([EmptyElement::at((mark.value, height)) + name])?;
            }
            Ok(())
        },
    )
}

/// A line, and beside its upper end what it is called.
struct Mark {
    name: &'static str,
    value: f64,
    colour: RGBColor,
    /// As a share of the plot's.
    height: f64,
    /// On which side its name is.
    leads_right: bool,
}

const HEIGHTS: [f64; 3] = [0.99, 0.90, 0.81];

/// Names are on the side where there is room, and the lines so high that none goes through another's name.
fn marks(histogram: &Histogram, x: &Axis) -> Vec<Mark> {
    let mut values =
        [("worst 1 in 20", histogram.p05, QUIET), ("mean", histogram.mean, CURVE), ("median", histogram.median, QUIET)];
    values.sort_by(|one, other| one.1.total_cmp(&other.1));
    let part = |value: f64| (value - x.from) / (x.to - x.from);
    let leads_right = values.iter().all(|(_, value, _)| part(*value) < 0.62);
    if !leads_right {
        values.reverse();
    }
    let marks = values.into_iter().zip(HEIGHTS).map(|((name, value, colour), height)| {
        // At the left end there is no room at the left.
        Mark { name, value, colour, height, leads_right: leads_right || part(value) < 0.28 }
    });
    marks.collect()
}
