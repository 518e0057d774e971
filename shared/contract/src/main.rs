//! Prints the document: `cargo run -p nofomo-contract > openapi.json`.

fn main() {
    print!("{}", nofomo_contract::text());
}
