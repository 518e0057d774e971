//! Prints the document: `cargo run --package openapi > openapi.json`.

fn main() {
    print!("{}", openapi::text());
}
