//! Calendar of monthly returns.

use nofomo_analytics::{Month, Series, Year};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::palette::{GAIN, GRID, INK, LOSS, QUIET};
use super::{Area, DrawingError, Drawings, Size, draw_both, pixels, text};
use crate::format::{Sign, fixed, grouped};

pub(crate) const MONTH_NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Layout of the calendar, in pixels of the page.
struct Layout {
    /// Months per row.
    columns: u32,
    cell: (u32, u32),
    /// Left edge of the first cell of a row.
    left: u32,
    /// Height of the header above all years.
    header: u32,
    /// Height of the title above each year.
    title: u32,
}

const GAP: u32 = 3;

impl Layout {
    fn of(size: Size) -> Self {
        match size {
            Size::Wide => Self { columns: 12, cell: (55, 38), left: 50, header: 26, title: 0 },
            // Three rows of four months with their names, below the year and its total.
            Size::Narrow => Self { columns: 4, cell: (92, 52), left: 2, header: 0, title: 30 },
        }
    }

    /// Height of a year with its title.
    fn year_height(&self) -> u32 {
        self.title + 12_u32.div_ceil(self.columns) * self.cell.1 + 6
    }

    /// Upper left corner of a cell.
    fn cell_of(&self, year: u32, month: u32) -> (i32, i32) {
        let (row, column) = (month / self.columns, month % self.columns);
        let top = self.header + year * self.year_height() + self.title;
        (pixels(self.left + column * self.cell.0), pixels(top + row * self.cell.1))
    }
}

pub(crate) fn months(series: &Series) -> Result<Drawings, DrawingError> {
    let years = u32::try_from(series.years.len()).unwrap_or_default();
    let strongest = series.months.iter().map(|month| month.compounded.abs()).fold(0.0, f64::max);
    draw_both(
        |size| Layout::of(size).header + years * Layout::of(size).year_height(),
        |area, size| {
            let layout = Layout::of(size);
            for (month, name) in (0..).zip(MONTH_NAMES).filter(|_| size == Size::Wide) {
                let (left, _) = layout.cell_of(0, month);
                let middle = left + pixels(layout.cell.0 - GAP) / 2;
                area.draw(&Text::new(name, (middle, pixels(8)), text(QUIET, HPos::Center, VPos::Top)))?;
            }
            if size == Size::Wide {
                let end = pixels(size.width() - 4);
                area.draw(&Text::new("Year", (end, pixels(8)), text(QUIET, HPos::Right, VPos::Top)))?;
            }
            for (place, year) in (0..).zip(&series.years) {
                draw_year(area, size, &layout, place, year)?;
                for (number, name) in (0..).zip(MONTH_NAMES) {
                    let of = |month: &&Month| month.year == year.year && month.month == number + 1;
                    let returned = series.months.iter().find(of).map(|month| month.compounded);
                    let tint = returned.map(|returned| tint(returned, strongest));
                    draw_month(area, size, &layout, layout.cell_of(place, number), name, returned.zip(tint))?;
                }
            }
            Ok(())
        },
    )
}

fn draw_year(area: &Area<'_>, size: Size, layout: &Layout, place: u32, year: &Year) -> Result<(), DrawingError> {
    let (first, top) = layout.cell_of(place, 0);
    let total = cell_label(year.compounded);
    let (last, _) = layout.cell_of(place, layout.columns - 1);
    let right = last + pixels(layout.cell.0 - GAP);
    match size {
        Size::Wide => {
            let middle = top + pixels(layout.cell.1 - GAP) / 2;
            let name = text(QUIET, HPos::Left, VPos::Center);
            area.draw(&Text::new(year.year.to_string(), (pixels(4), middle), name))?;
            let end = pixels(size.width() - 4);
            area.draw(&Text::new(total, (end, middle), text(INK, HPos::Right, VPos::Center)))
        }
        Size::Narrow => {
            let above = top - pixels(8);
            let name = text(QUIET, HPos::Left, VPos::Bottom);
            area.draw(&Text::new(year.year.to_string(), (first, above), name))?;
            area.draw(&Text::new(total, (right, above), text(INK, HPos::Right, VPos::Bottom)))
        }
    }
}

/// Colour of a return: the larger the return, the stronger the colour, up to the strength at which text stays readable.
fn tint(returned: f64, strongest: f64) -> ShapeStyle {
    let colour = if returned < 0.0 { LOSS } else { GAIN };
    let strength = if strongest > 0.0 { returned.abs() / strongest } else { 0.0 };
    colour.mix(0.07 + 0.40 * strength).filled()
}

/// Draws a month, empty if it has no data.
fn draw_month(
    area: &Area<'_>,
    size: Size,
    layout: &Layout,
    (left, top): (i32, i32),
    name: &'static str,
    returned: Option<(f64, ShapeStyle)>,
) -> Result<(), DrawingError> {
    let (width, height) = (pixels(layout.cell.0 - GAP), pixels(layout.cell.1 - GAP));
    let style = returned.map_or(GRID.mix(0.35).filled(), |(_, tint)| tint);
    area.draw(&Rectangle::new([(left, top), (left + width, top + height)], style))?;
    let middle = left + width / 2;
    let narrow = size == Size::Narrow;
    if narrow {
        let colour = if returned.is_some() { INK } else { QUIET };
        area.draw(&Text::new(name, (middle, top + pixels(6)), text(colour, HPos::Center, VPos::Top)))?;
    }
    let Some((returned, _)) = returned else { return Ok(()) };
    let (place, down) =
        if narrow { (top + height - pixels(5), VPos::Bottom) } else { (top + height / 2, VPos::Center) };
    area.draw(&Text::new(cell_label(returned), (middle, place), text(INK, HPos::Center, down)))
}

/// Return in percent, short enough for a cell.
fn cell_label(fraction: f64) -> String {
    let percent = 100.0 * fraction;
    let places = if percent.abs() >= 100.0 { 0 } else { 1 };
    format!("{}%", grouped(&fixed(percent, places), Sign::Always))
}
