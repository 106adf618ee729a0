//! The table names what there is, and all that there is.

use std::{
    fs,
    path::Path,
    string::{String, ToString},
    vec::Vec,
};

use super::{Probe, ProbeSet, take};

/// The text of all sources of a crate of this workspace; empty if it is not there, as in a published package.
fn sources(folder: &Path, text: &mut String) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

#[test]
fn each_is_marked_somewhere_and_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let engine = root.join("../engine/src");
    if !engine.exists() {
        return;
    }
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    sources(&engine, &mut text);
    let marks = |probe: &Probe| {
        let mark = |end: &str| text.contains(&["probe!(", probe.name(), end].concat());
        mark(")") || mark(",")
    };
    let unmarked: Vec<_> = Probe::ALL.iter().filter(|probe| !marks(probe)).collect();
    assert_eq!(unmarked, Vec::<&Probe>::new(), "marked nowhere");
    let tested = |probe: &Probe| {
        let name = probe.test().rsplit("::").next().unwrap_or_default();
        !name.is_empty() && text.contains(&["fn ", name, "("].concat())
    };
    let untested: Vec<_> = Probe::ALL.iter().filter(|probe| !tested(probe)).collect();
    assert_eq!(untested, Vec::<&Probe>::new(), "whose test is not there");
}

#[test]
fn a_set_keeps_what_was_reached_until_it_is_taken() {
    let _before = take();
    assert!(take().is_empty());
    probe!(TopicDeleted);
    probe!(TopicRecreated, 1 + 1 == 3);
    probe!(BatchSplit, 1 + 1 == 2);
    let reached = take();
    assert_eq!(reached.iter().map(|probe| probe.name()).collect::<Vec<_>>(), ["TopicDeleted", "BatchSplit"]);
    assert_eq!((reached.len(), reached.missing().count()), (2, Probe::ALL.len() - 2));
    assert_eq!(take(), ProbeSet::EMPTY);
    assert!(reached.union(ProbeSet::EMPTY).contains(Probe::BatchSplit));
    assert!(
        Probe::BatchSplit.meaning().starts_with("A batch was too large"),
        "{}",
        Probe::BatchSplit.meaning().to_string()
    );
}
