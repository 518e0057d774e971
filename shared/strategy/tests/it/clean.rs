//! Strategies of many shapes without any finding. The end-to-end test `create_strategy.rs` shows that freqtrade loads
//! each of them.

use std::fs;
use std::path::Path;

use nofomo_strategy::check;

#[test]
fn clean_strategies_have_no_findings() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clean");
    let mut count = 0;
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let report = check(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        assert_eq!(report.findings, [], "{name}");
        count += 1;
    }
    assert!(count >= 30, "{count}");
}
