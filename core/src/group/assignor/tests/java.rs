//! Groups made at random, with what the Java client's assignors (4.4.0) make of them.

use std::{collections::BTreeMap, string::String, vec::Vec};

use serde_json::Value as Json;

use super::super::{subscription::sticky_user_data, *};
use klamm_protocol::Ints;

struct Case {
    json: Json,
    members: Vec<Member>,
    topics: Topics,
}

fn text(json: &Json) -> Str {
    Str::copy_of(json.as_str().unwrap())
}

/// `t0-4` is partition 4 of `t0`.
fn partitions(json: &Json) -> Vec<(Str, i32)> {
    let one = |each: &Json| {
        let (topic, partition) = each.as_str().unwrap().split_once('-').unwrap();
        (Str::copy_of(topic), partition.parse().unwrap())
    };
    json.as_array().unwrap().iter().map(one).collect()
}

fn cases() -> Vec<Case> {
    let all: Vec<Json> =
        serde_json::from_str(include_str!("../../../../tests/vectors/assignors.json")).unwrap();
    all.into_iter().map(case).collect()
}

fn case(json: Json) -> Case {
    let mut topics = Topics::new();
    if json["racks"] == true {
        topics.racks = (0..6).map(|broker| (broker, std::format!("r{}", broker % 3).into())).collect();
    }
    for (name, replicas) in json["topics"].as_object().unwrap() {
        let brokers = |each: &Json| -> Ints {
            each.as_array().unwrap().iter().map(|broker| broker.as_i64().unwrap() as i32).collect()
        };
        let replicas = replicas.as_array().unwrap().iter().map(brokers).collect();
        topics.insert_with_replicas(Str::copy_of(name), replicas);
    }
    let member = |each: &Json| Member {
        id: text(&each["id"]),
        instance_id: each["instance"].as_str().map(Str::copy_of),
        subscription: Subscription {
            topics: each["topics"].as_array().unwrap().iter().map(text).collect(),
            user_data: sticky_user_data(&sorted(partitions(&each["owned"])), Some(3)),
            rack: each["rack"].as_str().map(Str::copy_of),
            ..Default::default()
        },
    };
    let members = json["members"].as_array().unwrap().iter().map(member).collect();
    Case { json, members, topics }
}

type Owners = BTreeMap<Str, Vec<(Str, i32)>>;

fn ours(case: &Case, assignor: Assignor) -> Owners {
    let assignments = assignor.assign(&case.members, &case.topics);
    let one = |(member, assignment): (Str, Assignment)| {
        let partitions = assignment.iter().map(|(topic, partition)| (topic.clone(), partition)).collect();
        (member, partitions)
    };
    assignments.into_iter().map(one).collect()
}

fn javas(case: &Case, assignor: Assignor) -> Owners {
    let assigned = case.json[assignor.name()].as_object().unwrap();
    assigned.iter().map(|(member, list)| (Str::copy_of(member), partitions(list))).collect()
}

#[test]
fn range_and_round_robin_are_as_in_java() {
    for (number, case) in cases().iter().enumerate() {
        for assignor in [Assignor::Range, Assignor::RoundRobin] {
            assert_eq!(ours(case, assignor), javas(case, assignor), "case {number}, {}", assignor.name());
        }
    }
}

/// Unevenness, partitions outside their member's rack, partitions that moved.
fn score(case: &Case, owners: &Owners) -> (usize, usize, usize) {
    let mut score = (0, 0, 0);
    let members = case.json["members"].as_array().unwrap();
    for (member, json) in case.members.iter().zip(members) {
        let owned = &owners[&member.id];
        score.0 += owned.len() * owned.len();
        let before = partitions(&json["owned"]);
        let kept =
            |each: &&(Str, i32)| member.subscription.topics.contains(&each.0) && !owned.contains(*each);
        score.2 += before.iter().filter(kept).count();
        let Some(rack) = &member.subscription.rack else { continue };
        let outside = |(topic, partition): &&(Str, i32)| {
            let brokers = &case.topics.layouts[topic].replicas[*partition as usize];
            !brokers.iter().any(|broker| case.topics.racks.get(broker) == Some(rack))
        };
        score.1 += owned.iter().filter(outside).count();
    }
    score
}

#[test]
fn sticky_is_never_worse_than_javas() {
    let mut better: Vec<String> = Vec::new();
    let mut compared = 0;
    for (number, case) in cases().iter().enumerate() {
        let javas = javas(case, Assignor::Sticky);
        // Java's takes a member that wants nothing for one that wants the same as the others.
        let invalid = |member: &Member| {
            javas[&member.id].iter().any(|(topic, _)| !member.subscription.topics.contains(topic))
        };
        if case.members.iter().any(invalid) {
            continue;
        }
        let (ours, javas) = (score(case, &ours(case, Assignor::Sticky)), score(case, &javas));
        compared += 1;
        assert!(ours <= javas, "case {number}: {ours:?}, Java {javas:?}");
        if ours < javas {
            better.push(std::format!("case {number}: {ours:?}, Java {javas:?}"));
        }
    }
    // Java's does not look for the best in everything: if it were equal everywhere, the scores would tell nothing.
    assert!(!better.is_empty());
    assert!(compared > 100, "{compared}");
}
