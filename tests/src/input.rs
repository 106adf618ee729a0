//! Real input: lines of source code that a Rust toolchain has left on the machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A line with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The name of the file that it is from, of which there are many.
    pub key: Vec<u8>,
    /// The line without its end.
    pub value: Vec<u8>,
}

/// `count` lines of Rust source files, in an order that is the same in every run on one machine. Where there are not
/// enough of them the rest is made up.
#[must_use]
pub fn lines(count: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut folders: Vec<_> = roots();
    while let Some(folder) = folders.pop() {
        if lines.len() >= count {
            break;
        }
        let mut entries: Vec<_> =
            fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                read_lines(&path, &mut lines);
            }
        }
    }
    lines.truncate(count);
    for number in lines.len()..count {
        let key = format!("made-{}", number % 97).into_bytes();
        lines.push(Line { key, value: format!("line {number} {}", "x".repeat(number % 120)).into_bytes() });
    }
    lines
}

fn roots() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let default = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let registry = home.or(default).map(|home| home.join("registry").join("src"));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // The last comes first.
    [Some(own.join("protocol")), Some(own.join("core")), registry].into_iter().flatten().collect()
}

fn read_lines(path: &Path, lines: &mut Vec<Line>) {
    let Ok(text) = fs::read(path) else { return };
    let Some(name) = path.file_name() else { return };
    let key = name.to_string_lossy().replace('\t', " ").into_bytes();
    lines.extend(
        text.split(|&byte| byte == b'\n').map(|value| Line { key: key.clone(), value: value.to_vec() }),
    );
}

/// The lines as a file of `KEY TAB LINE`.
#[must_use]
pub fn keyed(lines: &[Line]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines {
        text.extend_from_slice(&line.key);
        text.push(b'\t');
        text.extend_from_slice(&line.value);
        text.push(b'\n');
    }
    text
}

/// The same file sorted by key, the lines of one key in their order.
#[must_use]
pub fn sorted(lines: &[Line]) -> Vec<u8> {
    let mut by_key: BTreeMap<&[u8], Vec<&Line>> = BTreeMap::new();
    for line in lines {
        by_key.entry(&line.key).or_default().push(line);
    }
    keyed(&by_key.into_values().flatten().cloned().collect::<Vec<_>>())
}
