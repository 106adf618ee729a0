//! Ranges, after the cases of the Java client's test of that assignor.

use super::{super::*, member, text, topics};

fn assigned(members: &[Member], topics: &Topics) -> std::string::String {
    text(&Assignor::Range.assign(members, topics))
}

#[test]
fn one_member() {
    assert_eq!(assigned(&[member("a", &[])], &topics(&[])), "a:");
    assert_eq!(assigned(&[member("a", &["t"])], &topics(&[])), "a:");
    assert_eq!(assigned(&[member("a", &["t"])], &topics(&[("t", 0)])), "a:");
    assert_eq!(assigned(&[member("a", &["t"])], &topics(&[("t", 3), ("u", 3)])), "a: t-0 t-1 t-2");
    assert_eq!(assigned(&[member("a", &["t", "u", "t"])], &topics(&[("t", 1), ("u", 2)])), "a: t-0 u-0 u-1");
}

#[test]
fn several_members() {
    let both = [member("b", &["t"]), member("a", &["t"])];
    assert_eq!(assigned(&both, &topics(&[("t", 1)])), "b:, a: t-0");
    assert_eq!(assigned(&both, &topics(&[("t", 2)])), "b: t-1, a: t-0");
    let mixed = [member("a", &["t"]), member("b", &["t", "u"]), member("c", &["t"])];
    assert_eq!(assigned(&mixed, &topics(&[("t", 3), ("u", 2)])), "a: t-0, b: t-1 u-0 u-1, c: t-2");
    let two = [member("a", &["t", "u"]), member("b", &["t", "u"])];
    assert_eq!(assigned(&two, &topics(&[("t", 3), ("u", 3)])), "a: t-0 t-1 u-0 u-1, b: t-2 u-2");
}

#[test]
fn static_members_come_first_and_keep_their_part_when_their_ids_change() {
    let named = |id: &str, instance: &str| Member {
        instance_id: Some(Str::copy_of(instance)),
        ..member(id, &["t", "u"])
    };
    let all = topics(&[("t", 3), ("u", 3)]);
    let before = [named("x", "1"), named("y", "2"), member("a", &["t", "u"])];
    assert_eq!(assigned(&before, &all), "x: t-0 u-0, y: t-1 u-1, a: t-2 u-2");
    let after = [named("z", "1"), named("b", "2"), member("a", &["t", "u"])];
    assert_eq!(assigned(&after, &all), "z: t-0 u-0, b: t-1 u-1, a: t-2 u-2");
}

fn in_racks(racks: &[&str], all: &[&str]) -> Vec<Member> {
    let ids = ["a", "b", "c", "d"];
    let one = |(id, rack): (&&str, &&str)| {
        let mut member = member(id, all);
        member.subscription.rack = Some(Str::copy_of(rack)).filter(|rack| !rack.is_empty());
        member
    };
    ids.iter().zip(racks).map(one).collect()
}

/// Topics whose partition p is on the brokers p, p + 1, .. p + replicas - 1 (of three); broker n is in rack n.
fn replicated(all: &[(&str, u32)], replicas: u32) -> Topics {
    let mut topics = Topics::new();
    topics.racks = (0..3).map(|broker| (broker, std::format!("rack-{broker}").into())).collect();
    for (name, partitions) in all {
        let brokers =
            (0..*partitions).map(|it| (it..it + replicas).map(|broker| (broker % 3) as i32).collect());
        topics.insert_with_replicas(Str::copy_of(name), brokers.collect());
    }
    topics
}

#[test]
fn racks_are_matched_as_far_as_the_shares_go() {
    let one = replicated(&[("t", 6)], 1);
    let members = in_racks(&["rack-2", "rack-1", "rack-0"], &["t"]);
    assert_eq!(assigned(&members, &one), "a: t-2 t-5, b: t-1 t-4, c: t-0 t-3");
    // Nobody is in a rack that there is.
    let members = in_racks(&["x", "y", "z"], &["t"]);
    assert_eq!(assigned(&members, &one), "a: t-0 t-1, b: t-2 t-3, c: t-4 t-5");
    // Every partition is in every rack.
    let everywhere = replicated(&[("t", 6)], 3);
    let members = in_racks(&["rack-2", "rack-1", "rack-0"], &["t"]);
    assert_eq!(assigned(&members, &everywhere), "a: t-0 t-1, b: t-2 t-3, c: t-4 t-5");
    // Who has no rack matches all of them.
    let members = in_racks(&["", "rack-1", "rack-0"], &["t"]);
    assert_eq!(assigned(&members, &one), "a: t-0 t-1, b: t-2 t-4, c: t-3 t-5");
}

#[test]
fn with_racks_too_topics_of_equal_size_stay_together() {
    let same = replicated(&[("t", 6), ("u", 6)], 1);
    let members = in_racks(&["rack-2", "rack-1", "rack-0"], &["t", "u"]);
    assert_eq!(assigned(&members, &same), "a: t-2 t-5 u-2 u-5, b: t-1 t-4 u-1 u-4, c: t-0 t-3 u-0 u-3");
    // The sizes differ: each topic on its own.
    let different = replicated(&[("t", 6), ("u", 3)], 1);
    assert_eq!(assigned(&members, &different), "a: t-2 t-5 u-2, b: t-1 t-4 u-1, c: t-0 t-3 u-0");
}
