//! The table names what there is, and all that there is.

use std::{
    path::Path,
    string::{String, ToString},
    vec::Vec,
};

use super::{Probe, ProbeSet, take};
use crate::sources::text_of;

#[test]
fn each_is_marked_somewhere_and_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let engine = root.join("../engine/src");
    if !engine.exists() {
        return;
    }
    let text: String = [root.join("src"), engine].iter().map(|folder| text_of(folder)).collect();
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
