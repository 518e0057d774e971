//! The check of a strategy's source returns a result, its findings are on lines of the source, and a second check
//! returns the same result.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nofomo_strategy::check;

fuzz_target!(|source: &str| {
    let result = check(source);
    if let Ok(report) = &result {
        let lines = source.split(['\n', '\r']).count();
        assert!(report.findings.iter().all(|finding| (1..=lines).contains(&finding.line)), "{:?}", report.findings);
    }
    assert_eq!(check(source), result);
});
