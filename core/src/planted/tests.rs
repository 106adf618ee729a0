//! The table and the switch.

use std::{fs, path::Path, string::String, vec::Vec};

use super::{PlantedBug, plant};

/// The text of all sources below a folder; empty if it is not there, as in a published package.
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
fn each_is_asked_for_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let engine = root.join("../engine/src");
    if !engine.exists() {
        return;
    }
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    sources(&engine, &mut text);
    sources(&root.join("../sim/src"), &mut text);
    let asked = |bug: &PlantedBug| {
        let question = |end: &str| text.contains(&["planted!(", bug.name(), end].concat());
        question(")") || question(", every") || text.contains(&["PlantedBug::", bug.name(), ");"].concat())
    };
    let idle: Vec<_> = PlantedBug::ALL.iter().filter(|bug| !asked(bug)).collect();
    assert_eq!(idle, Vec::<&PlantedBug>::new(), "asked for nowhere");
    assert!(PlantedBug::ALL.iter().all(|bug| (1..1_000).contains(&bug.seeds())));
}

#[test]
fn a_defect_is_on_while_it_is_planted() {
    let times = || (0..9).filter(|_| planted!(BudgetLeak, every 3)).count();
    assert!(!planted!(LostAck));
    let planted = plant(PlantedBug::LostAck);
    assert!(planted!(LostAck) && !planted!(EffectNoneLie));
    assert_eq!(times(), 0);
    drop(planted);
    assert!(!planted!(LostAck));
    let _planted = plant(PlantedBug::BudgetLeak);
    assert_eq!(times(), 3);
}
