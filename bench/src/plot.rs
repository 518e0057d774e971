//! Line plots.

use plotters::prelude::*;

use local_database::{Error, Result};

const SIZE: (u32, u32) = (720, 420);
const COLORS: [RGBColor; 4] =
    [RGBColor(20, 110, 190), RGBColor(200, 90, 30), RGBColor(60, 140, 60), RGBColor(120, 80, 160)];

/// Plots one line for each series as SVG. The axes begin at zero.
pub(crate) fn render_lines(title: &str, x: &str, y: &str, series: &[(&str, Vec<(f64, f64)>)]) -> Result<String> {
    let mut svg = String::new();
    draw(&mut svg, title, x, y, series).map_err(|error| {
        Error::new(format!("cannot draw the plot {title}: {error}"), "see the figures in the table")
    })?;
    Ok(svg)
}

fn draw(
    svg: &mut String,
    title: &str,
    x: &str,
    y: &str,
    series: &[(&str, Vec<(f64, f64)>)],
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let points = || series.iter().flat_map(|(_, points)| points);
    let max_x = points().map(|(x, _)| *x).fold(f64::EPSILON, f64::max);
    let max_y = points().map(|(_, y)| *y).fold(f64::EPSILON, f64::max);
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..max_x * 1.05, 0.0..max_y * 1.1)?;
    chart.configure_mesh().x_desc(x).y_desc(y).light_line_style(WHITE).draw()?;
    for ((name, points), color) in series.iter().zip(COLORS.iter().cycle()) {
        let dots = points.iter().map(|point| Circle::new(*point, 3, color.filled()));
        chart.draw_series(dots)?;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?
            .label(*name)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().border_style(BLACK.mix(0.2)).background_style(WHITE.mix(0.8)).draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_has_a_line_and_a_name() {
        let series = [("ours", vec![(1.0, 10.0), (2.0, 20.0)]), ("theirs", vec![(1.0, 5.0), (2.0, 6.0)])];
        let svg = render_lines("a title", "instances", "a second", &series).expect("drawn");
        assert!(svg.trim_start().starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        for word in ["a title", "instances", "a second", "ours", "theirs"] {
            assert!(svg.contains(word), "{word}: {svg}");
        }
        for color in ["#146EBE", "#C85A1E"] {
            let is_drawn = svg.lines().any(|line| line.contains("<polyline") && line.contains(color));
            assert!(is_drawn, "{color}: {svg}");
        }
    }
}
