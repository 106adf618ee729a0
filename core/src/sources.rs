//! The sources of this workspace as text, for tests of tables that name places in them.

use std::{fs, path::Path, string::String};

/// The text of all sources below a folder; empty if it is not there, as in a published package.
pub(crate) fn text_of(folder: &Path) -> String {
    let mut text = String::new();
    let Ok(entries) = fs::read_dir(folder) else { return text };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            text.push_str(&text_of(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
    text
}
