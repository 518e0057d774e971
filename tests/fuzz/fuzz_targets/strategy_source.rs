//! Python from anybody: an answer comes of it, with places that are in the source, and the same one each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nofomo_strategy::check;

fuzz_target!(|source: &str| {
    let checked = check(source);
    if let Ok(checked) = &checked {
        let lines = source.split(['\n', '\r']).count();
        assert!(checked.findings.iter().all(|finding| (1..=lines).contains(&finding.line)), "{:?}", checked.findings);
    }
    assert_eq!(check(source), checked);
});
