//! Strategies of many shapes, in which there is nothing to find. That freqtrade takes each of them, `tests/it/api/freqtrade.rs` at the
//! top shows.

use std::fs;
use std::path::Path;

use nofomo_strategy::check;

#[test]
fn nothing_is_found_in_good_strategies() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clean");
    let mut seen = 0;
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let checked =
            check(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|mistakes| panic!("{name}: {mistakes:?}"));
        assert_eq!(checked.findings, [], "{name}");
        seen += 1;
    }
    assert!(seen >= 30, "{seen}");
}
