//! Hostile and damaged archives, and unusual valid ones.

use std::io::{Cursor, Write};

use nofomo_freqtrade::{Export, MAX_EXPORT_BYTES};
use zip::CompressionMethod;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::{FIXTURES, SPOT, deflated, export, headers, patched, refused, upload, zipped};

const FLAGS: usize = 6;
const METHOD: usize = 8;
const CHECKSUM: usize = 14;
const SIZE: usize = 22;

fn result() -> Vec<u8> {
    export().to_string().into_bytes()
}

/// Archive of the result and another entry.
fn with_entry(name: &str, bytes: &[u8]) -> Vec<u8> {
    zipped(&[("result.json", &result()), (name, bytes)])
}

#[test]
fn the_result_is_found_under_any_name() {
    let parameters = br#"{"strategy_name": "Probe", "params": {"strategy": {}}, "ft_stratparam_v": 1}"#;
    for name in ["result.json", "backtests/2026/mine.json", "RESULT.JSON", "a.meta.json", "..json"] {
        let entries = [("result_Probe.json", parameters.as_slice()), (name, &result()), ("a list.json", b"[1]")];
        let bytes = zipped(&entries);
        assert_eq!(Export::open(&bytes).unwrap().strategies(), ["Probe"], "{name}");
    }
    // As written by a program that cannot seek back to fill in the sizes.
    let mut streamed = ZipWriter::new_stream(Vec::new());
    streamed.start_file("result.json", deflated()).unwrap();
    streamed.write_all(&result()).unwrap();
    let bytes = streamed.finish().unwrap().into_inner();
    assert_eq!(Export::open(&bytes).unwrap().strategies(), ["Probe"]);
    let mut stored = ZipWriter::new(Cursor::new(Vec::new()));
    stored.add_directory("empty", SimpleFileOptions::default()).unwrap();
    let method = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    stored.start_file("result.json", method).unwrap();
    stored.write_all(&result()).unwrap();
    let bytes = stored.finish().unwrap().into_inner();
    assert_eq!(Export::open(&bytes).unwrap().strategies(), ["Probe"]);
}

#[test]
fn entries_that_are_not_the_result_stay_packed() {
    let names = ["r_signals.pkl", "r_Probe.py", "r_market_change.feather", "r_config.json", "r_CONFIG.JSON", "readme"];
    for name in names {
        // Unpacking this entry would fail.
        let broken = patched(with_entry(name, b"cos\nsystem\n(S'id'\ntR."), name, CHECKSUM, &[1, 2, 3, 4]);
        assert_eq!(Export::open(&broken).unwrap().strategies(), ["Probe"], "{name}");
    }
    // An entry that may be the result is unpacked.
    let broken = patched(with_entry("r_Probe.json", b"{}"), "r_Probe.json", CHECKSUM, &[1, 2, 3, 4]);
    assert_eq!(refused(&broken), r#"the archive's entry "r_Probe.json" is damaged"#);
}

#[test]
fn a_file_that_is_neither_an_archive_nor_json_is_refused() {
    let list = br#"[["BTC/USDT", 0.01, 1517227800, 1517229300]]"#;
    let gzip = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0];
    let others: [&[u8]; 8] = [b"", b"  ", b"hello", list, &gzip, b"\xFF\xFE{\0", b"{\"strategy\": \"\xFF\"}", b"null"];
    for bytes in others {
        assert_eq!(refused(bytes), "the file is neither a zip archive nor JSON", "{bytes:?}");
    }
    for bytes in [b"PK".as_slice(), b"PK\x03\x04", b"PK\x05\x06", b"PK and more"] {
        assert_eq!(refused(bytes), "the archive is damaged or incomplete", "{bytes:?}");
    }
}

#[test]
fn a_truncated_archive_is_refused() {
    let whole = upload(SPOT);
    for length in (2..whole.len()).step_by(4_001).chain(whole.len() - 70_000..whole.len()).step_by(17) {
        assert_eq!(refused(&whole[..length]), "the archive is damaged or incomplete", "{length}");
    }
    let gone = zipped(&[]);
    assert_eq!(refused(&gone), "the file contains no backtest result: no JSON object with the key `strategy`");
}

#[test]
fn entries_with_a_wrong_checksum_are_refused() {
    let damaged = r#"the archive's entry "result.json" is damaged"#;
    let archive = with_entry("other.txt", b"");
    assert_eq!(refused(&patched(archive.clone(), "result.json", CHECKSUM, &[0, 0, 0, 0])), damaged);
    let (start, _) = headers(&archive, "result.json");
    let bytes = start + 30 + "result.json".len();
    for offset in (0..400).step_by(7) {
        let mut flipped = archive.clone();
        flipped[bytes + offset] ^= 0x10;
        assert_eq!(refused(&flipped), damaged, "{offset}");
    }
}

#[test]
fn paths_that_leave_the_archive_are_refused() {
    for (name, wrong) in [
        ("../up.txt", "has a path that leads out of the archive"),
        ("a/../../up.txt", "has a path that leads out of the archive"),
        ("a/..", "has a path that leads out of the archive"),
        ("/etc/passwd", "has an absolute path"),
        ("//host/share", "has an absolute path"),
        ("C:/autoexec.bat", "has an absolute path"),
        ("c:x", "has an absolute path"),
        ("..\\up.txt", "has a name with a backslash or a control character"),
        ("a\\b.json", "has a name with a backslash or a control character"),
        ("x\0.json", "has a name with a backslash or a control character"),
        ("x\n.txt", "has a name with a backslash or a control character"),
    ] {
        // The zip writer may change such a name, so it is patched into the bytes.
        let placeholder = "#".repeat(name.len());
        let archive = renamed(with_entry(&placeholder, b"x"), &placeholder, name);
        assert_eq!(refused(&archive), format!("the archive's entry {name:?} {wrong}"));
    }
    // Dots that do not leave the archive.
    for name in ["..a", "a..b/c...txt", "./a.txt", "a/./b.txt"] {
        let placeholder = "#".repeat(name.len());
        let archive = renamed(with_entry(&placeholder, b"x"), &placeholder, name);
        assert_eq!(Export::open(&archive).unwrap().strategies(), ["Probe"], "{name}");
    }
}

fn renamed(mut archive: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let (local, central) = headers(&archive, from);
    for at in [local + 30, central + 46] {
        archive[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    archive
}

#[test]
fn a_symbolic_link_is_refused() {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("result.json", deflated()).unwrap();
    archive.write_all(&result()).unwrap();
    archive.add_symlink("link.json", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let archive = archive.finish().unwrap().into_inner();
    assert_eq!(refused(&archive), r#"the archive's entry "link.json" is a symbolic link"#);
}

#[test]
fn encrypted_and_otherwise_compressed_entries_are_refused() {
    for name in ["result.json", "other.pkl"] {
        let archive = with_entry("other.pkl", b"abc");
        let encrypted = patched(archive.clone(), name, FLAGS, &[1, 0]);
        assert_eq!(refused(&encrypted), format!("the archive's entry {name:?} is encrypted"));
        for method in [1, 9, 12, 14, 93, 99, 255] {
            let packed = patched(archive.clone(), name, METHOD, &[method, 0]);
            let wrong = "uses a compression method other than deflate";
            assert_eq!(refused(&packed), format!("the archive's entry {name:?} {wrong}"), "{method}");
        }
    }
}

#[test]
fn an_archive_within_an_archive_is_refused() {
    let inner = zipped(&[("result.json", &result())]);
    for name in ["inner.zip", "INNER.ZIP", "inner.json"] {
        let archive = zipped(&[(name, &inner)]);
        assert_eq!(refused(&archive), format!("the archive's entry {name:?} is an archive itself; upload that one"));
    }
}

#[test]
fn an_inconsistent_archive_is_refused() {
    let wrong = "the archive is inconsistent: its headers contradict each other";
    let archive = zipped(&[("result.json", &result()), ("second.json", b"{}")]);
    // The same name twice.
    let twice = renamed(archive.clone(), "second.json", "result.json");
    assert_eq!(refused(&twice), wrong);
    // Different names in the local header and in the directory.
    let (local, central) = headers(&archive, "second.json");
    let mut cloaked = archive.clone();
    cloaked[central + 46..central + 57].copy_from_slice(b"another.txt");
    assert_eq!(refused(&cloaked), wrong);
    // Different sizes.
    let mut resized = archive.clone();
    resized[local + SIZE] += 1;
    assert_eq!(refused(&resized), wrong);
    // Two entries that share their bytes.
    let (first, _) = headers(&archive, "result.json");
    let mut shared = renamed(archive.clone(), "second.json", "result.jso2");
    let at = u32::try_from(first).unwrap().to_le_bytes();
    shared[central + 42..central + 46].copy_from_slice(&at);
    assert_eq!(refused(&shared), wrong);
}

#[test]
fn an_entry_that_the_directory_does_not_list_is_refused() {
    let listed = zipped(&[("result.json", &result())]);
    let hidden = zipped(&[("hidden.json", b"{}")]);
    let (_, end) = headers(&hidden, "hidden.json");
    let (_, directory) = headers(&listed, "result.json");
    let mut archive = [&listed[..directory], &hidden[..end], &listed[directory..]].concat();
    // Offset of the directory.
    let at = archive.len() - 22 + 16;
    archive[at..at + 4].copy_from_slice(&u32::try_from(directory + end).unwrap().to_le_bytes());
    assert_eq!(refused(&archive), "the archive is inconsistent: its headers contradict each other");
}

#[test]
fn ten_thousand_entries_are_too_many() {
    let names: Vec<String> = (0..10_000).map(|number| format!("{number}.json")).collect();
    let many = |count: usize| {
        let empty = names.iter().take(count).map(|name| (name.as_str(), b"".as_slice()));
        let result = result();
        zipped(&empty.chain([("result.json", result.as_slice())]).collect::<Vec<_>>())
    };
    assert_eq!(refused(&many(10_000)), "the archive has more than 1000 entries");
    assert_eq!(refused(&many(1_000)), "the archive has more than 1000 entries");
    assert_eq!(Export::open(&many(999)).unwrap().strategies(), ["Probe"]);
}

#[test]
fn a_zip_bomb_is_limited_while_it_is_unpacked() {
    let wrong = "the backtest result has more than 64 MiB";
    let spaces = vec![b' '; 1 << 20];
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("result.json", deflated()).unwrap();
    for _ in 0..(MAX_EXPORT_BYTES >> 20) + 4 {
        archive.write_all(&spaces).unwrap();
    }
    archive.write_all(&result()).unwrap();
    let bomb = archive.finish().unwrap().into_inner();
    assert!(bomb.len() < 200_000);
    assert_eq!(refused(&bomb), wrong);
    // A wrong declared size ends the unpacking there.
    let lying = patched(bomb.clone(), "result.json", SIZE, &[100, 0, 0, 0]);
    assert_eq!(refused(&lying), r#"the archive's entry "result.json" is damaged"#);
    // An entry that cannot be the result is not unpacked.
    let pickle = renamed(bomb, "result.json", "signals.pkl");
    assert_eq!(refused(&pickle), "the file contains no backtest result: no JSON object with the key `strategy`");
}

#[test]
fn entries_share_one_size_limit() {
    let eighth = vec![b' '; MAX_EXPORT_BYTES / 8];
    let names: Vec<String> = (0..9).map(|number| format!("{number}.json")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), eighth.as_slice())).collect();
    assert_eq!(refused(&zipped(&entries)), "the backtest result has more than 64 MiB");
}

#[test]
fn json_that_is_too_large_is_refused() {
    let mut json = result();
    json.resize(MAX_EXPORT_BYTES, b' ');
    assert_eq!(Export::open(&json).unwrap().strategies(), ["Probe"]);
    json.push(b' ');
    assert_eq!(refused(&json), "the backtest result has more than 64 MiB");
}

#[test]
fn an_archive_must_contain_exactly_one_result() {
    let none = "the file contains no backtest result: no JSON object with the key `strategy`";
    let text = result();
    for bytes in [
        zipped(&[("result.txt", &text)]),
        zipped(&[("result_config.json", &text)]),
        zipped(&[
            ("parameters.json", br#"{"params": {}}"#),
            ("a.json", br#"{"strategy": "Probe"}"#),
            ("b.json", b"[]"),
        ]),
        br#"{"strategies": {}}"#.to_vec(),
        br#"{"strategy": ["Probe"]}"#.to_vec(),
    ] {
        assert_eq!(refused(&bytes), none);
    }
    let two = zipped(&[("a.json", &text), ("b.json", &text)]);
    assert_eq!(
        refused(&two),
        r#"the archive contains several backtest results ("a.json", "b.json"); upload one at a time"#
    );
    // A damaged candidate is reported only if there is no valid result.
    let broken = br#"{"strategy": {"Probe": {"sharpe": NaN}}}"#;
    let bytes = zipped(&[("a.json", broken), ("b.json", &text)]);
    assert_eq!(Export::open(&bytes).unwrap().strategies(), ["Probe"]);
    let bytes = zipped(&[("a.json", broken), ("b.json", b"{}"), ("c.json", b"\xFF")]);
    assert_eq!(refused(&bytes), "strategy.Probe.sharpe is NaN, which is not a JSON number");
    assert_eq!(refused(&zipped(&[("c.json", b"\xFF")])), r#"the archive's entry "c.json" is not JSON"#);
}

#[test]
fn names_are_shortened_and_escaped_in_errors() {
    let name = format!("../\u{202E}<b>{}", "x".repeat(10_000));
    let message = refused(&with_entry(&name, b""));
    assert!(message.chars().count() < 200, "{message}");
    assert!(message.contains("\\u{202e}<b>x"), "{message}");
}

#[test]
fn repacking_an_export_changes_nothing() {
    for stem in FIXTURES {
        let original = upload(stem);
        let json = zipped(&[("renamed.json", crate::support::json_text(stem).as_bytes())]);
        let (one, other) = (Export::open(&original).unwrap(), Export::open(&json).unwrap());
        for name in one.strategies() {
            assert_eq!(one.backtest(Some(name)), other.backtest(Some(name)));
        }
    }
}
