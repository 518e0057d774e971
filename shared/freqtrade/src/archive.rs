//! Unpacking of the JSON files in a zip archive.

use std::io::{Cursor, Read};

use zip::read::ZipFileEntry;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::ExportError;

/// Maximum size of an unpacked export, in bytes. Freqtrade's exports of several years of trades have at most a tenth of
/// it.
pub const MAX_EXPORT_BYTES: usize = 64 << 20;

/// Maximum number of entries. Freqtrade writes five, and two or three more for each strategy.
const MAX_ENTRIES: usize = 1_000;

/// `true` if the upload begins like a zip archive.
pub(crate) fn is_archive(upload: &[u8]) -> bool {
    upload.starts_with(b"PK")
}

/// Unpacks the entries that may be the backtest result, judging by their names. Returns names and contents.
pub(crate) fn unpack_candidates(upload: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ExportError> {
    let mut archive = ZipArchive::new(Cursor::new(upload)).map_err(|_| ExportError::Damaged)?;
    if archive.len() > MAX_ENTRIES {
        return Err(ExportError::TooManyEntries(MAX_ENTRIES));
    }
    let mut names = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|_| ExportError::Damaged)?;
        let name = entry.name().map_err(|_| ExportError::Damaged)?.into_owned();
        if let Some(violation) = find_violation(&entry, &name) {
            return Err(ExportError::entry(&name, violation));
        }
        if is_candidate(&name) {
            names.push((index, name));
        }
    }
    // If two headers differ, or two entries share a name or bytes, another program would read different contents.
    archive.validate_header_consistency().map_err(|error| match error {
        ZipError::Io(_) => ExportError::Damaged,
        _ => ExportError::Inconsistent,
    })?;
    let mut remaining = MAX_EXPORT_BYTES;
    let unpacked = names.into_iter().map(|(index, name)| {
        let bytes = unpack(&mut archive, index, &name, remaining)?;
        remaining -= bytes.len();
        Ok((name, bytes))
    });
    unpacked.collect()
}

/// Reason to refuse an entry. No archive of freqtrade contains such an entry, so even harmless ones are refused.
fn find_violation(entry: &ZipFileEntry<'_>, name: &str) -> Option<&'static str> {
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
        Some("uses a compression method other than deflate")
    } else if has_suffix(name, ".zip") {
        Some("is an archive itself; upload that one")
    } else {
        None
    }
}

/// `true` if an entry may be the result. Freqtrade gives it the name of the archive, but people rename archives.
fn is_candidate(name: &str) -> bool {
    has_suffix(name, ".json") && !has_suffix(name, "_config.json")
}

fn has_suffix(name: &str, suffix: &str) -> bool {
    let start = name.len().checked_sub(suffix.len());
    start.and_then(|start| name.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(suffix))
}

/// Unpacks at most `limit` bytes, counted while unpacking; the size that the archive declares is not trusted.
fn unpack(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    name: &str,
    limit: usize,
) -> Result<Vec<u8>, ExportError> {
    let damaged = || ExportError::entry(name, "is damaged");
    let file = archive.by_index(index).map_err(|_| damaged())?;
    let mut bytes = Vec::new();
    // The reader compares the checksum at the end of the entry.
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|_| damaged())?;
    if bytes.len() > limit {
        return Err(ExportError::TooLarge(MAX_EXPORT_BYTES));
    }
    if is_archive(&bytes) {
        return Err(ExportError::entry(name, "is an archive itself; upload that one"));
    }
    Ok(bytes)
}
