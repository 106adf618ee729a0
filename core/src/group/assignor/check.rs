//! Whether an assignment of the application's may be sent to the group.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;

use klamm_protocol::Str;

use super::{Assignments, Member};

/// What is wrong with an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAssignment {
    /// It is for somebody who is no member.
    UnknownMember {
        /// Who.
        member: Str,
    },
    /// It lists a member twice.
    MemberTwice {
        /// Who.
        member: Str,
    },
    /// It gives a partition to two members, or twice to one.
    GivenTwice {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
    },
    /// The group is cooperative, and it gives a member what another still owns.
    StillOwned {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The owner, who must give it up first: give it to nobody, and the owner joins again.
        owner: Str,
    },
}

impl fmt::Display for InvalidAssignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMember { member } => write!(f, "{member} is no member of the group"),
            Self::MemberTwice { member } => write!(f, "the member {member} is listed twice"),
            Self::GivenTwice { topic, partition } => {
                write!(f, "partition {partition} of {topic} is given twice")
            }
            Self::StillOwned { topic, partition, owner } => write!(
                f,
                "partition {partition} of {topic} is given away while the member {owner} still owns it; in a cooperative group it must be given to nobody first"
            ),
        }
    }
}

impl core::error::Error for InvalidAssignment {}

/// Checks that an assignment can do no harm: it is for the members, gives each partition once, and, if `cooperative`,
/// gives nobody what another member still owns.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(
    members: &[Member],
    assignments: &Assignments,
    cooperative: bool,
) -> Result<(), InvalidAssignment> {
    let ids: BTreeSet<&Str> = members.iter().map(|member| &member.id).collect();
    let mut listed = BTreeSet::new();
    let mut given = BTreeMap::new();
    for (member, assignment) in assignments {
        if !ids.contains(member) {
            return Err(InvalidAssignment::UnknownMember { member: member.clone() });
        }
        if !listed.insert(member) {
            return Err(InvalidAssignment::MemberTwice { member: member.clone() });
        }
        for (topic, partition) in assignment.iter() {
            if given.insert((topic, partition), member).is_some() {
                return Err(InvalidAssignment::GivenTwice { topic: topic.clone(), partition });
            }
        }
    }
    if cooperative { check_ownership(members, &given) } else { Ok(()) }
}

fn check_ownership(members: &[Member], given: &BTreeMap<(&Str, i32), &Str>) -> Result<(), InvalidAssignment> {
    let mut owners: BTreeMap<(&Str, i32), BTreeSet<&Str>> = BTreeMap::new();
    for member in members {
        for owned in &member.subscription.owned {
            for partition in &owned.partitions {
                owners.entry((&owned.topic, *partition)).or_default().insert(&member.id);
            }
        }
    }
    for ((topic, partition), owners) in owners {
        let Some(to) = given.get(&(topic, partition)) else { continue };
        // If several say that they own it, it is left to the one to whom it is given.
        if let Some(owner) = owners.first().filter(|_| !owners.contains(to)) {
            let (topic, owner) = (topic.clone(), Str::clone(owner));
            return Err(InvalidAssignment::StillOwned { topic, partition, owner });
        }
    }
    Ok(())
}
