//! The table and the switch.

use std::{path::Path, string::String, vec::Vec};

use super::{PlantedBug, plant};
use crate::sources::text_of;

#[test]
fn each_is_asked_for_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let engine = root.join("../engine/src");
    if !engine.exists() {
        return;
    }
    let folders = [root.join("src"), engine, root.join("../sim/src")];
    let text: String = folders.iter().map(|folder| text_of(folder)).collect();
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
