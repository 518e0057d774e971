//! The JSON in a zip archive, and nothing else of it.

use std::io::{Cursor, Read};

use zip::read::ZipFileEntry;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::Refusal;

/// What a result may have, unpacked. The largest that freqtrade writes for years of trades is a tenth of it.
pub const MOST_BYTES: usize = 64 << 20;

/// Freqtrade writes five, and two or three more for each strategy.
const MOST_ENTRIES: usize = 1_000;

pub(crate) fn is_archive(upload: &[u8]) -> bool {
    upload.starts_with(b"PK")
}

/// The names and contents of all that may be the result; what says by its name that it is something else stays packed.
pub(crate) fn candidates(upload: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
    let mut archive = ZipArchive::new(Cursor::new(upload)).map_err(|_| Refusal::Damaged)?;
    if archive.len() > MOST_ENTRIES {
        return Err(Refusal::TooManyEntries(MOST_ENTRIES));
    }
    let mut names = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|_| Refusal::Damaged)?;
        let name = entry.name().map_err(|_| Refusal::Damaged)?.into_owned();
        if let Some(wrong) = wrong(&entry, &name) {
            return Err(Refusal::entry(&name, wrong));
        }
        if may_be_the_result(&name) {
            names.push((index, name));
        }
    }
    // Where two headers differ, or two entries share a name or bytes, another program would see another archive.
    archive.validate_header_consistency().map_err(|error| match error {
        ZipError::Io(_) => Refusal::Damaged,
        _ => Refusal::Contradictory,
    })?;
    let mut left = MOST_BYTES;
    let unpacked = names.into_iter().map(|(index, name)| {
        let bytes = unpacked(&mut archive, index, &name, left)?;
        left -= bytes.len();
        Ok((name, bytes))
    });
    unpacked.collect()
}

/// An honest archive has none of these, so it is not asked whether they would do harm here.
fn wrong(entry: &ZipFileEntry<'_>, name: &str) -> Option<&'static str> {
    let has_drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if name.contains('\\') || name.chars().any(char::is_control) {
        Some("has a name with a backslash or a control character")
    } else if name.starts_with('/') || has_drive {
        Some("has an absolute path")
    } else if name.split('/').any(|part| part == "..") {
        Some("has a path that leads out of the archive")
    } else if entry.is_symlink() {
        Some("is a symbolic link")
    } else if entry.encrypted() {
        Some("is encrypted")
    } else if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        Some("is packed in another way than freqtrade packs")
    } else if ends_with(name, ".zip") {
        Some("is an archive itself; send that one")
    } else {
        None
    }
}

/// Freqtrade names the result as the archive is named, but people rename archives.
fn may_be_the_result(name: &str) -> bool {
    ends_with(name, ".json") && !ends_with(name, "_config.json")
}

fn ends_with(name: &str, end: &str) -> bool {
    let start = name.len().checked_sub(end.len());
    start.and_then(|start| name.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// At most `most` bytes: counted as they come, whatever the archive says of their number.
fn unpacked(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    name: &str,
    most: usize,
) -> Result<Vec<u8>, Refusal> {
    let broken = || Refusal::entry(name, "is damaged");
    let file = archive.by_index(index).map_err(|_| broken())?;
    let mut bytes = Vec::new();
    // The checksum is compared where the entry ends.
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|_| broken())?;
    if bytes.len() > most {
        return Err(Refusal::TooLarge(MOST_BYTES));
    }
    if is_archive(&bytes) {
        return Err(Refusal::entry(name, "is an archive itself; send that one"));
    }
    Ok(bytes)
}
