//! The sticky assignors, after the cases of the Java client's tests of them.

use super::{super::*, member, text, topics};
use std::{string::String, vec::Vec};

fn assigned(members: &[Member], topics: &Topics) -> String {
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

/// Everybody after an assignment, in the next generation.
fn settled(members: &[Member], assignments: &Assignments, generation: i32) -> Vec<Member> {
    let next = members.iter().zip(assignments).map(|(member, (_, assignment))| {
        let mut member = member.clone();
        member.subscription.owned.clone_from(&assignment.partitions);
        member.subscription.generation = Some(generation);
        member
    });
    next.collect()
}

/// Assigns in as many rounds as cooperation needs, and returns how many partitions changed hands.
fn rounds(members: &mut Vec<Member>, topics: &Topics) -> usize {
    let before: std::collections::BTreeMap<(Str, i32), Str> = owners(members);
    for generation in 10..12 {
        let assignments = Assignor::CooperativeSticky.assign(members, topics);
        *members = settled(members, &assignments, generation);
    }
    let after = owners(members);
    after.iter().filter(|(partition, owner)| before.get(*partition).is_some_and(|it| it != *owner)).count()
}

fn owners(members: &[Member]) -> std::collections::BTreeMap<(Str, i32), Str> {
    let all = members.iter().flat_map(|member| {
        let owned = member.subscription.owned.iter();
        owned.flat_map(|each| each.partitions.iter().map(|it| ((each.topic.clone(), *it), member.id.clone())))
    });
    all.collect()
}

fn loads(members: &[Member]) -> Vec<usize> {
    let load = |member: &Member| member.subscription.owned.iter().map(|each| each.partitions.len()).sum();
    members.iter().map(load).collect()
}

#[test]
fn who_joins_takes_its_share_and_who_leaves_gives_it_back_and_nothing_else_moves() {
    let names: Vec<String> = (0..40).map(|number| std::format!("t{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = topics(&names.iter().map(|name| (*name, 25)).collect::<Vec<_>>());
    let mut members: Vec<Member> = (0..9).map(|number| member(&std::format!("m{number}"), &names)).collect();
    rounds(&mut members, &all);
    assert_eq!(loads(&members), [112, 111, 111, 111, 111, 111, 111, 111, 111]);
    members.push(member("m9", &names));
    assert_eq!(rounds(&mut members, &all), 100);
    assert_eq!(loads(&members), [100; 10]);
    // Nothing happened: nothing moves.
    assert_eq!(rounds(&mut members, &all), 0);
    members.remove(3);
    assert_eq!(rounds(&mut members, &all), 0);
    assert_eq!(loads(&members).iter().sum::<usize>(), 1_000);
    // What came of it is of many topics, not a few whole ones.
    let m9 = members.last().unwrap();
    assert!(m9.subscription.owned.len() >= 35, "{} topics", m9.subscription.owned.len());
}

#[test]
fn mixed_subscriptions_in_a_large_group_stay_as_they_are_when_nothing_happens() {
    let names: Vec<String> = (0..60).map(|number| std::format!("t{number:02}")).collect();
    let all: Topics = names.iter().map(|name| (Str::copy_of(name), 20)).collect();
    let wants = |number: usize| {
        let wants = names.iter().enumerate().filter(move |(topic, _)| (topic * 7 + number * 13) % 10 < 5);
        wants.map(|(_, name)| name.as_str()).collect::<Vec<_>>()
    };
    let mut members: Vec<Member> =
        (0..30).map(|number| member(&std::format!("m{number:02}"), &wants(number))).collect();
    rounds(&mut members, &all);
    assert_eq!(loads(&members), [40; 30]);
    assert_eq!(rounds(&mut members, &all), 0);
    members.remove(7);
    let moved = rounds(&mut members, &all);
    assert!(loads(&members).iter().all(|load| [41, 42].contains(load)), "{:?}", loads(&members));
    // Hardly more moves than what was the one's that left.
    assert!(moved <= 4, "{moved} moved");
}

#[test]
fn topics_that_are_gone_or_not_wanted_any_more_are_forgotten() {
    let gone = [owning("a", &["t", "gone"], 1, &[("gone", &[0, 1]), ("t", &[0])])];
    assert_eq!(assigned(&gone, &topics(&[("t", 2)])), "a: t-0 t-1");
    // It owns it still: the other gets it once that is given up.
    let unwanted = [owning("a", &["t"], 1, &[("u", &[0])]), owning("b", &["t", "u"], 1, &[])];
    assert_eq!(assigned(&unwanted, &topics(&[("t", 1), ("u", 1)])), "a: t-0, b:");
}

#[test]
fn partitions_that_are_not_there_are_no_claims() {
    let wild =
        [owning("a", &["t"], i32::MAX, &[("t", &[-1, 7, i32::MIN, i32::MAX, 0, 0])]), member("b", &["t"])];
    assert_eq!(assigned(&wild, &topics(&[("t", 2)])), "a: t-0, b: t-1");
}

#[test]
fn nonsense_as_user_data_is_as_good_as_nothing() {
    let mut members = [member("a", &["t"]), member("b", &["t"])];
    members[0].subscription.user_data = Some(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0]));
    assert_eq!(text(&Assignor::Sticky.assign(&members, &topics(&[("t", 3)]))), "a: t-0 t-2, b: t-1");
}
