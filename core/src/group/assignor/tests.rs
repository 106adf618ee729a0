mod java;
mod range;
mod round_robin;
mod sticky;
mod wire;

use super::*;

/// A member that subscribes to topics.
pub(super) fn member(id: &str, topics: &[&str]) -> Member {
    Member {
        id: id.to_owned().into(),
        instance_id: None,
        subscription: Subscription {
            topics: topics.iter().map(|it| Str::copy_of(it)).collect(),
            ..Default::default()
        },
    }
}

/// Topics by name and number of partitions.
pub(super) fn topics(all: &[(&str, u32)]) -> Topics {
    all.iter().map(|(name, partitions)| (Str::copy_of(name), *partitions)).collect()
}

/// An assignment as text: `a: t0-0 t0-1, b: t1-0`.
pub(super) fn text(assignments: &Assignments) -> String {
    let one = |(member, assignment): &(Str, Assignment)| {
        let all: Vec<String> =
            assignment.iter().map(|(topic, partition)| format!(" {topic}-{partition}")).collect();
        format!("{member}:{}", all.concat())
    };
    assignments.iter().map(one).collect::<Vec<_>>().join(", ")
}

use std::{borrow::ToOwned as _, format, string::String, vec::Vec};
