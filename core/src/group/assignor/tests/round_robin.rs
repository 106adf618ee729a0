//! Turns, after the cases of the Java client's test of that assignor.

use super::{super::*, member, text, topics};

fn assigned(members: &[Member], topics: &Topics) -> std::string::String {
    text(&Assignor::RoundRobin.assign(members, topics))
}

#[test]
fn one_member() {
    assert_eq!(assigned(&[member("a", &[])], &topics(&[])), "a:");
    assert_eq!(assigned(&[member("a", &["t"])], &topics(&[("u", 2)])), "a:");
    assert_eq!(
        assigned(&[member("a", &["t", "u"])], &topics(&[("t", 1), ("u", 2), ("v", 1)])),
        "a: t-0 u-0 u-1"
    );
}

#[test]
fn the_turns_go_on_over_topics() {
    let two = [member("b", &["t", "u"]), member("a", &["t", "u"])];
    assert_eq!(assigned(&two, &topics(&[("t", 3), ("u", 3)])), "b: t-1 u-0 u-2, a: t-0 t-2 u-1");
    let mixed = [member("a", &["t"]), member("b", &["t", "u"]), member("c", &["t"])];
    assert_eq!(assigned(&mixed, &topics(&[("t", 3), ("u", 2)])), "a: t-0, b: t-1 u-0 u-1, c: t-2");
}

#[test]
fn static_members_come_first() {
    let mut two = [member("a", &["t"]), member("b", &["t"])];
    two[1].instance_id = Some("z".into());
    assert_eq!(assigned(&two, &topics(&[("t", 3)])), "a: t-1, b: t-0 t-2");
}
