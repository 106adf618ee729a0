//! The sticky assignors, after the cases of the Java client's tests of them.

use super::{super::*, member, text, topics};

fn assigned(members: &[Member], topics: &Topics) -> std::string::String {
    text(&Assignor::CooperativeSticky.assign(members, topics))
}

fn owning(id: &str, all: &[&str], generation: i32, owned: &[(&'static str, &[i32])]) -> Member {
    let mut member = member(id, all);
    member.subscription.generation = Some(generation);
    member.subscription.owned =
        owned.iter().map(|(topic, partitions)| TopicPartitions::new(*topic, *partitions)).collect();
    member
}

#[test]
fn a_new_group_gets_turns() {
    let two = [member("a", &["t", "u"]), member("b", &["t", "u"])];
    assert_eq!(assigned(&two, &topics(&[("t", 3), ("u", 2)])), "a: t-0 t-2 u-1, b: t-1 u-0");
}

#[test]
fn what_moves_is_taken_first_and_given_in_the_next_round() {
    let all = topics(&[("t", 4)]);
    let first = [owning("a", &["t"], 1, &[("t", &[0, 1, 2, 3])]), member("b", &["t"])];
    assert_eq!(assigned(&first, &all), "a: t-0 t-1, b:");
    let second = [owning("a", &["t"], 2, &[("t", &[0, 1])]), owning("b", &["t"], 2, &[])];
    assert_eq!(assigned(&second, &all), "a: t-0 t-1, b: t-2 t-3");
}

#[test]
fn the_newest_claim_counts_and_equal_claims_count_nothing() {
    let all = topics(&[("t", 4)]);
    let newer = [owning("a", &["t"], 1, &[("t", &[0, 1])]), owning("b", &["t"], 2, &[("t", &[0, 1])])];
    assert_eq!(assigned(&newer, &all), "a: t-2 t-3, b: t-0 t-1");
    let equal = [owning("a", &["t"], 2, &[("t", &[0, 1])]), owning("b", &["t"], 2, &[("t", &[0, 2])])];
    // t-0 goes to neither until both have given it up.
    assert_eq!(assigned(&equal, &all), "a: t-1, b: t-2 t-3");
}
