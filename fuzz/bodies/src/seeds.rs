//! The seeds of each target: in `fuzz/seeds/NAME.txt`, one input a line, in hex; and in `NAME-found.txt` the inputs
//! that once showed a fault.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The seeds of a target; none when it has no file of them.
///
/// # Errors
/// When its file cannot be read, or is not in hex.
pub fn of(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for file in [format!("{target}.txt"), format!("{target}-found.txt")] {
        let file = folder().join(file);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let bad = || io::Error::other(format!("{} is not in hex", file.display()));
        for line in text.lines() {
            seeds.push(from_hex(line).ok_or_else(bad)?);
        }
    }
    Ok(seeds)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds")
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.bytes().map(|digit| char::from(digit).to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| if let [high, low] = pair { Some(high << 4 | low) } else { None }).collect()
}
