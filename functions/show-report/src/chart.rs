//! Charts as SVG, each in two sizes: scaled down to the width of a phone, the wide one would be unreadable.

mod equity;
mod months;
pub(crate) mod palette;
mod profits;
mod rolling;
mod underwater;

use std::io;
use std::ops::Range;

use chrono::{DateTime, Utc};
use nofomo_analytics::Point;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(crate) use equity::equity;
pub(crate) use months::{MONTH_NAMES as MONTHS, months};
pub(crate) use profits::profits;
pub(crate) use rolling::rolling;
pub(crate) use underwater::underwater;

use crate::format::{Sign, grouped};
use crate::time::ticks;
use palette::{GRID, QUIET};

pub(crate) type DrawingError = DrawingAreaErrorKind<io::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;

/// Drawing, without its `<svg>` element.
pub(crate) struct Drawing {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) shapes: String,
}

/// Chart in both sizes.
pub(crate) struct Drawings {
    pub(crate) wide: Drawing,
    pub(crate) narrow: Drawing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Wide,
    Narrow,
}

/// Units of the drawing per pixel of the page. The backend has integer coordinates; ten per pixel make curves smooth.
const PIXEL: u32 = 10;
/// Font size, in pixels.
const FONT: u32 = 13;

impl Size {
    fn width(self) -> u32 {
        match self {
            Self::Wide => 800,
            Self::Narrow => 370,
        }
    }

    /// Maximum number of labels on an axis.
    fn max_labels(self) -> u32 {
        match self {
            Self::Wide => 8,
            Self::Narrow => 5,
        }
    }
}

/// Length in units of the drawing, from pixels of the page.
fn pixels(length: u32) -> i32 {
    i32::try_from(length * PIXEL).unwrap_or(i32::MAX)
}

/// Draws a chart in both sizes.
fn draw_both(
    height: impl Fn(Size) -> u32,
    plot: impl Fn(&Area<'_>, Size) -> Result<(), DrawingError>,
) -> Result<Drawings, DrawingError> {
    let drawing = |size: Size| -> Result<Drawing, DrawingError> {
        let (width, height) = (size.width() * PIXEL, height(size) * PIXEL);
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        plot(&area, size)?;
        area.present()?;
        drop(area);
        let inner = svg.split_once('>').and_then(|(_, rest)| rest.rsplit_once("</svg>")).map(|(shapes, _)| shapes);
        Ok(Drawing { width, height, shapes: inner.unwrap_or_default().trim().to_owned() })
    };
    Ok(Drawings { wide: drawing(Size::Wide)?, narrow: drawing(Size::Narrow)? })
}

/// Linear axis with labelled ticks.
#[derive(Clone)]
struct Axis {
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    /// Maps values beyond an end of the axis to that end.
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(&value.clamp(self.from, self.to), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl Axis {
    /// Axis with about `max` ticks, at round values.
    fn of_values(range: Range<f64>, max: u32, measure: Measure) -> Self {
        let step = round_step((range.end - range.start) / f64::from(max.max(1)));
        let step = if measure == Measure::Count { step.max(1.0) } else { step };
        let first = (range.start / step).ceil();
        let values = (0..=max).map(|number| (first + f64::from(number)) * step).take_while(|value| *value <= range.end);
        let largest = range.start.abs().max(range.end.abs());
        let ticks = values.map(|value| (value, measure.label(value, step, largest)));
        Self { from: range.start, to: range.end, ticks: ticks.collect() }
    }

    /// Axis from the first to the last time, with ticks at round times.
    fn of_times(times: impl Iterator<Item = DateTime<Utc>> + Clone, size: Size) -> Self {
        let (from, to) = (times.clone().min().unwrap_or_default(), times.max().unwrap_or_default());
        let ticks =
            ticks(from, to, size.max_labels() as usize).into_iter().map(|(time, name)| (seconds(time), name)).collect();
        Self { from: seconds(from), to: seconds(to), ticks }
    }

    fn label(&self, value: f64) -> String {
        let tick = self.ticks.iter().find(|(place, _)| place.total_cmp(&value).is_eq());
        tick.map(|(_, name)| name.clone()).unwrap_or_default()
    }

    /// Approximate width of the longest label, in pixels. The exact width depends on the reader's font.
    fn label_width(&self) -> u32 {
        let longest = self.ticks.iter().map(|(_, name)| name.chars().count()).max().unwrap_or_default();
        u32::try_from(longest).unwrap_or_default() * FONT * 6 / 10
    }
}

/// Smallest step of 1, 2 or 5 times a power of ten that is at least `min`.
fn round_step(min: f64) -> f64 {
    let power = 10_f64.powf(min.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= min).unwrap_or(10.0 * power)
}

/// Unit of an axis.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Amount,
    /// Integers.
    Count,
    Percent,
}

impl Measure {
    /// Label with as many digits as distinguish neighbouring ticks, in a unit that suits the largest value.
    fn label(self, value: f64, step: f64, largest: f64) -> String {
        let (factor, unit) = match self {
            Self::Percent => (100.0, "\u{a0}%"),
            Self::Amount | Self::Count if value == 0.0 => return "0".into(),
            Self::Amount if largest >= 1e12 => (1e-12, "T"),
            Self::Amount if largest >= 1e9 => (1e-9, "B"),
            Self::Amount if largest >= 1e6 => (1e-6, "M"),
            Self::Amount | Self::Count => (1.0, ""),
        };
        // A step of 0.25 needs two digits, one more than its magnitude.
        let step = step * factor;
        let places = (0..12).find(|places| is_whole(step * 10_f64.powi(*places))).unwrap_or(12);
        let places = usize::try_from(places).unwrap_or_default();
        format!("{}{unit}", grouped(&format!("{:.places$}", value * factor), Sign::OnlyMinus))
    }
}

fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-6 * value.abs().max(1.0)
}

/// Coordinate plane with axes, grid and labels. `label_width` is that of the labels on the left, in pixels.
fn plane<'a>(area: &Area<'a>, x: Axis, y: Axis, label_width: u32) -> Result<Plane<'a>, DrawingError> {
    let (x_labels, y_labels) = (x.clone(), y.clone());
    let mut plane = ChartBuilder::on(area)
        .margin_top(pixels(10))
        .margin_right(pixels(6))
        .margin_bottom(pixels(2))
        .y_label_area_size(pixels(label_width + 14))
        .x_label_area_size(pixels(if x.ticks.is_empty() { 6 } else { 26 }))
        .build_cartesian_2d(x, y)?;
    plane
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID.stroke_width(PIXEL))
        .light_line_style(TRANSPARENT)
        .axis_style(GRID.stroke_width(PIXEL))
        .label_style(font().color(&QUIET))
        .x_label_formatter(&|value| x_labels.label(*value))
        .y_label_formatter(&|value| y_labels.label(*value))
        .set_all_tick_mark_size(pixels(5))
        .draw()?;
    Ok(plane)
}

fn font() -> FontDesc<'static> {
    // The backend divides font sizes by 1.24.
    (FontFamily::SansSerif, 1.24 * f64::from(FONT * PIXEL)).into_font()
}

fn text(colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    font().color(&colour).pos(Pos::new(horizontal, vertical))
}

/// Seconds since 1970.
fn seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1_000.0
}

/// Range of the values, with a margin on both sides.
fn span(values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let values = values.filter(|value| is_drawable(*value));
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return 0.0..1.0;
    }
    let margin = 0.06 * (high - low);
    let margin = if margin > 0.0 { margin } else { 0.01 * low.abs().max(1.0) };
    low - margin..high + margin
}

/// `true` up to 10^15, which is more than any balance and can still be drawn.
fn is_drawable(value: f64) -> bool {
    value.abs() <= 1e15
}

/// Returns lines through the points, interrupted where a value is undefined.
fn lines(points: &[Point]) -> Vec<Vec<(f64, f64)>> {
    let mut lines: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for point in points {
        match (point.value.filter(|value| is_drawable(*value)), lines.last_mut()) {
            (Some(value), Some(line)) => line.push((seconds(point.at), value)),
            (None, Some(line)) if !line.is_empty() => lines.push(Vec::new()),
            _ => {}
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(range: Range<f64>, max: u32, measure: Measure) -> String {
        let axis = Axis::of_values(range, max, measure);
        axis.ticks.into_iter().map(|(_, name)| name.replace('\u{a0}', " ")).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn an_axis_has_ticks_at_round_values() {
        assert_eq!(labels(885.9..1_413.3, 7, Measure::Amount), "900|1,000|1,100|1,200|1,300|1,400");
        assert_eq!(labels(-0.0966..0.0, 5, Measure::Percent), "−8 %|−6 %|−4 %|−2 %|0 %");
        assert_eq!(labels(0.0..0.0123, 5, Measure::Percent), "0.0 %|0.5 %|1.0 %");
        assert_eq!(labels(0.0499..0.0512, 5, Measure::Amount), "0.0500|0.0505|0.0510");
        assert_eq!(labels(0.0..2.6e6, 5, Measure::Amount), "0|1M|2M");
        assert_eq!(labels(0.0..1.6e6, 5, Measure::Amount), "0|0.5M|1.0M|1.5M");
        assert_eq!(labels(0.0..1.45, 5, Measure::Count), "0|1");
        assert_eq!(labels(0.0..290.0, 5, Measure::Count), "0|100|200");
    }

    #[test]
    fn an_axis_of_any_size_has_few_ticks_in_order() {
        for low in [-1e15, -3.0, -1e-9, 0.0, 1e-300, 1e-12, 0.1, 1e15] {
            for size in [1e-9, 1e-3, 0.7, 1.0, 33.0, 1e9, 1e15] {
                let range = span([low, low + size].into_iter());
                assert!(range.start < range.end);
                let axis = Axis::of_values(range, 5, Measure::Amount);
                assert!(axis.ticks.len() <= 6, "{low} {size}");
                assert!(axis.ticks.is_sorted_by(|one, other| one.0 < other.0), "{low} {size}: {:?}", axis.ticks);
            }
        }
    }

    #[test]
    fn nothing_is_drawn_beyond_an_axis() {
        let axis = Axis { from: 0.0, to: 1.0, ticks: Vec::new() };
        for (value, place) in [(-1e300, 10), (0.0, 10), (0.5, 15), (1.0, 20), (1e300, 20)] {
            assert_eq!(axis.map(&value, (10, 20)), place, "{value}");
        }
    }

    #[test]
    fn values_beyond_any_balance_are_left_out() {
        let point = |value| Point { at: DateTime::default(), value };
        let all = [Some(1.0), Some(f64::NAN), Some(2.0), Some(1e300), None, Some(3.0)].map(point);
        let lines = lines(&all);
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(span([1e300, 5.0, f64::NEG_INFINITY].into_iter()), 4.95..5.05);
        assert_eq!(span([f64::NAN].into_iter()), 0.0..1.0);
    }
}
