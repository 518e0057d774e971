//! Colours of the charts. The style sheet replaces each one by a CSS variable, which has another value on a dark page.

use plotters::style::RGBColor;

/// Colour of the palette. Drawings contain the light one; the style sheet maps it to the variable `--name`.
pub(crate) struct Colour {
    pub(crate) name: &'static str,
    pub(crate) light: RGBColor,
    pub(crate) dark: RGBColor,
}

pub(crate) const PALETTE: [Colour; 7] = [
    Colour { name: "ink", light: INK, dark: RGBColor(0xE8, 0xED, 0xF4) },
    Colour { name: "quiet", light: QUIET, dark: RGBColor(0x9F, 0xAC, 0xBD) },
    Colour { name: "grid", light: GRID, dark: RGBColor(0x2C, 0x37, 0x46) },
    Colour { name: "card", light: CARD, dark: RGBColor(0x16, 0x1D, 0x27) },
    Colour { name: "curve", light: CURVE, dark: RGBColor(0x7F, 0xB0, 0xFF) },
    Colour { name: "gain", light: GAIN, dark: RGBColor(0x5F, 0xCF, 0x98) },
    Colour { name: "loss", light: LOSS, dark: RGBColor(0xFF, 0x8F, 0x80) },
];

/// Text.
pub(super) const INK: RGBColor = RGBColor(0x16, 0x20, 0x2E);
/// Labels and axes.
pub(super) const QUIET: RGBColor = RGBColor(0x58, 0x64, 0x75);
pub(super) const GRID: RGBColor = RGBColor(0xDF, 0xE4, 0xEC);
/// Background of a chart.
pub(super) const CARD: RGBColor = RGBColor(0xFF, 0xFF, 0xFE);
pub(super) const CURVE: RGBColor = RGBColor(0x15, 0x52, 0xC8);
pub(super) const GAIN: RGBColor = RGBColor(0x0B, 0x7A, 0x48);
pub(super) const LOSS: RGBColor = RGBColor(0xBD, 0x33, 0x20);

impl Colour {
    /// Hexadecimal code as the backend writes it; the style sheet selects by it.
    pub(crate) fn light(&self) -> String {
        hexadecimal(self.light)
    }

    pub(crate) fn dark(&self) -> String {
        hexadecimal(self.dark)
    }
}

fn hexadecimal(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}
