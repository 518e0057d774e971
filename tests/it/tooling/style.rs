//! Rules of style that a program can check; CONTRIBUTING.md has the others.

use std::path::PathBuf;

use crate::support::database::workspace;
use crate::support::files::read_below;

/// Maximum length of a source file, in lines. A longer file is about two things.
const MAX_LINES: usize = 500;

/// Words that begin a question or a fragment. A doc comment begins with the noun or verb of what the item is or does.
const REFUSED_FIRST_WORDS: [&str; 12] =
    ["What", "Who", "Whose", "Of", "How", "So", "Where", "Whether", "Which", "Those", "To", "As"];

fn rust_files() -> Vec<(PathBuf, String)> {
    let folders = ["bench", "dev", "functions", "ops", "shared", "tests"];
    let files: Vec<_> = folders.iter().flat_map(|folder| read_below(&workspace().join(folder), "rs")).collect();
    assert!(files.len() > 300, "{}", files.len());
    files
}

/// First line of each doc comment.
fn first_doc_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut is_inside = false;
    for line in text.lines().map(str::trim_start) {
        let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim);
        lines.extend(doc.filter(|doc| !is_inside && !doc.is_empty()));
        is_inside = doc.is_some();
    }
    lines
}

#[test]
fn every_doc_comment_begins_with_a_noun_or_a_verb() {
    let mut count = 0;
    for (path, text) in rust_files() {
        for line in first_doc_lines(&text) {
            let word = line.split_whitespace().next().unwrap_or_default();
            assert!(!REFUSED_FIRST_WORDS.contains(&word), "{}: {line}", path.display());
            count += 1;
        }
    }
    assert!(count > 2_000, "{count}");
}

#[test]
fn no_source_file_is_too_long() {
    for (path, text) in rust_files() {
        assert!(text.lines().count() <= MAX_LINES, "{} has more than {MAX_LINES} lines", path.display());
    }
}
