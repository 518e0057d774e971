//! Histogram of the returns per trade, in percent of the notional.

use nofomo_analytics::Histogram;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::palette::{CURVE, GAIN, INK, LOSS, QUIET};
use super::{Axis, DrawingError, Drawings, Measure, PIXEL, Size, draw_both, pixels, plane, text};

pub(crate) fn profits(histogram: &Histogram) -> Result<Drawings, DrawingError> {
    let width = if histogram.width > 0.0 { histogram.width } else { 0.001 };
    let max_count = histogram.counts.iter().max().copied().unwrap_or_default();
    let to = histogram.from + width * histogram.counts.len() as f64;
    draw_both(
        |size| if size == Size::Wide { 290 } else { 270 },
        |area, size| {
            let x = Axis::of_values(histogram.from - width..to + width, size.max_labels(), Measure::Percent);
            // Space above the bars for the labels of the marks.
            let top = 1.45 * max_count.max(1) as f64;
            let y = Axis::of_values(0.0..top, 5, Measure::Count);
            let label_width = y.label_width();
            let mut plane = plane(area, x.clone(), y, label_width)?;
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
                let (anchor, offset) =
                    if mark.is_label_right { (HPos::Left, pixels(5)) } else { (HPos::Right, -pixels(5)) };
                let name = Text::new(mark.name, (offset, 0), text(INK, anchor, VPos::Top));
                plane.draw_series([EmptyElement::at((mark.value, height)) + name])?;
            }
            Ok(())
        },
    )
}

/// Vertical line with a label beside its upper end.
struct Mark {
    name: &'static str,
    value: f64,
    colour: RGBColor,
    /// Share of the height of the chart.
    height: f64,
    /// `true` if the label is on the right of the line.
    is_label_right: bool,
}

const HEIGHTS: [f64; 3] = [0.99, 0.90, 0.81];

/// Places the marks: each label on the side with space, and each line at a height at which it crosses no other label.
fn marks(histogram: &Histogram, x: &Axis) -> Vec<Mark> {
    let mut values =
        [("5 % quantile", histogram.p05, QUIET), ("mean", histogram.mean, CURVE), ("median", histogram.median, QUIET)];
    values.sort_by(|one, other| one.1.total_cmp(&other.1));
    let part = |value: f64| (value - x.from) / (x.to - x.from);
    let is_label_right = values.iter().all(|(_, value, _)| part(*value) < 0.62);
    if !is_label_right {
        values.reverse();
    }
    let marks = values.into_iter().zip(HEIGHTS).map(|((name, value, colour), height)| {
        // At the left end, there is no space on the left.
        Mark { name, value, colour, height, is_label_right: is_label_right || part(value) < 0.28 }
    });
    marks.collect()
}
