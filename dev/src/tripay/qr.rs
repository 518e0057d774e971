//! QR codes.

use qrcode::{QrCode, render::svg};

/// Content of every QR code, as in Tripay's sandbox.
pub(super) const QR_TEXT: &str = "SANDBOX MODE";

/// Renders the QR code as an SVG document.
pub(super) fn render_qr() -> String {
    let render = |code: QrCode| code.render::<svg::Color>().min_dimensions(160, 160).build();
    QrCode::new(QR_TEXT).map(render).unwrap_or_default()
}
