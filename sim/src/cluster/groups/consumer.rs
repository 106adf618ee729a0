//! Consumer groups (KIP-848): the coordinator assigns, and members follow at their own pace.
//!
//! Each change of the members or of what they want raises the epoch of the group, and the coordinator computes a
//! target: who shall have what. A member's heartbeats lead it there: it gives up what it has to, and gets what others
//! have given up. There is no moment at which all wait for each other.
//!
//! | module | what |
//! |---|---|
//! | `member` | a member: what it wants, what it has |
//! | `heartbeat` | what a heartbeat does, and how members come and leave |
//! | `reconcile` | one step of a member towards its target |
//! | `classic_members`, `embedded` | members that still speak the classic protocol, and what they say within it |
//! | `assignor`, `uneven` | the assignors of the coordinator |
//! | `patterns` | subscriptions by regular expression |
//! | `fence` | members that are sent away or do not answer |
//! | `describe` | what others are told of the group |

mod assignor;
mod classic_members;
mod describe;
pub(crate) mod embedded;
mod fence;
mod heartbeat;
mod member;
mod patterns;
mod reconcile;
mod uneven;

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::{ErrorCode, Str, Uuid};

use crate::cluster::topics::Topics;
use assignor::Wanted;
use patterns::Patterns;

pub(crate) use assignor::Assignor;
pub(crate) use classic_members::Downgrade;
pub(crate) use heartbeat::{Beat, Modern};
pub(crate) use member::{ClassicSide, Member, Partitions, Phase, Progress, Wishes};

/// Why a request was not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<String>,
}

impl Refused {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// An error that says all.
    pub(crate) const fn by(code: ErrorCode) -> Self {
        Self { code, message: None }
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub(crate) struct ConsumerGroup {
    pub(crate) id: Str,
    /// Rises with each change of what the members want or can have; 0: there was none yet.
    pub(crate) epoch: i32,
    /// The epoch of the group that the target is for.
    pub(crate) assignment_epoch: i32,
    pub(crate) members: BTreeMap<Str, Member>,
    /// What each member shall have.
    pub(crate) target: BTreeMap<Str, Partitions>,
    /// The topics that the members want, as they were when the epoch last rose: id and number of partitions.
    known: BTreeMap<Str, (Uuid, i32)>,
    patterns: Patterns,
}

impl ConsumerGroup {
    pub(crate) fn new(id: Str) -> Self {
        Self {
            id,
            epoch: 0,
            assignment_epoch: 0,
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            known: BTreeMap::new(),
            patterns: Patterns::default(),
        }
    }

    /// As it is listed.
    pub(crate) fn state_name(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().all(|member| member.is_settled_in(self.assignment_epoch)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// The member with a name of its own.
    pub(crate) fn static_member(&self, instance_id: &str) -> Option<&Member> {
        self.members.values().find(|member| member.instance_id.as_deref() == Some(instance_id))
    }

    pub(crate) fn member(&self, id: &str) -> Result<&Member, Refused> {
        let unknown = || {
            let message = format!("Group {} has no member {id}.", self.id);
            Refused::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
        };
        self.members.get(id).ok_or_else(unknown)
    }

    /// The member of this id, which has to be that of the name if there is one.
    pub(crate) fn claimed(&self, id: &str, instance_id: Option<&Str>) -> Result<&Member, Refused> {
        let Some(instance_id) = instance_id else { return self.member(id) };
        let unknown = || {
            let message = format!("Group {} has no static member {instance_id}.", self.id);
            Refused::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
        };
        let member = self.static_member(instance_id).ok_or_else(unknown)?;
        if member.id != id {
            let message = format!("Static member {instance_id} goes by another id than {id} now.");
            return Err(Refused::new(ErrorCode::FENCED_INSTANCE_ID, message));
        }
        Ok(member)
    }

    /// Whether any member wants a topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.members.values().any(|member| self.names_wanted_by(&member.wishes).contains(topic))
    }

    /// What a member wants by name and by pattern, as far as patterns are resolved.
    fn names_wanted_by<'a>(&'a self, wishes: &'a Wishes) -> BTreeSet<&'a str> {
        let named = wishes.topics.iter();
        named.chain(self.patterns.topics_of(wishes)).map(Str::as_str).collect()
    }

    /// What a member wants of what there is.
    fn wanted_ids(&self, wishes: &Wishes, topics: &Topics) -> BTreeSet<Uuid> {
        let names = self.names_wanted_by(wishes);
        names.into_iter().filter_map(|name| topics.get(name)).map(|topic| topic.id()).collect()
    }

    /// What the members want, as it is now.
    fn look_up(&self, topics: &Topics) -> BTreeMap<Str, (Uuid, i32)> {
        let wanted = self.members.values().flat_map(|member| self.names_wanted_by(&member.wishes));
        let wanted: BTreeSet<_> = wanted.collect();
        let known = wanted.into_iter().filter_map(|name| topics.get(name));
        known
            .map(|topic| {
                let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
                (topic.name().clone(), (topic.id(), count))
            })
            .collect()
    }

    /// Raises the epoch if something changed, or if it has to rise anyhow.
    fn refresh(&mut self, topics: &Topics, must_rise: bool) {
        let known = self.look_up(topics);
        if must_rise || known != self.known {
            self.epoch = self.epoch.wrapping_add(1);
        }
        self.known = known;
    }

    /// Takes the topics as known that there are, without a new epoch.
    pub(crate) fn look_around(&mut self, topics: &Topics) {
        self.known = self.look_up(topics);
    }

    /// Computes the target, if there is none for the epoch of the group.
    fn retarget(&mut self, topics: &Topics) {
        if self.epoch <= self.assignment_epoch {
            return;
        }
        let nothing = Partitions::new();
        let wanted: Vec<_> = self
            .members
            .values()
            .map(|member| Wanted {
                member_id: &member.id,
                instance_id: member.instance_id.as_ref(),
                topics: self.wanted_ids(&member.wishes, topics),
                current: self.target.get(&member.id).unwrap_or(&nothing),
            })
            .collect();
        let counts = self.known.values().copied().collect();
        let target = self.assignor().assign(&wanted, &counts, self.is_even());
        drop(wanted);
        self.target = target;
        self.assignment_epoch = self.epoch;
    }

    /// The assignor that most members ask for.
    pub(crate) fn assignor(&self) -> Assignor {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for assignor in self.members.values().filter_map(|member| member.wishes.assignor) {
            *votes.entry(assignor).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map_or(Assignor::Uniform, |(assignor, _)| assignor)
    }

    /// Whether all members want the same, in the same way.
    fn is_even(&self) -> bool {
        let mut wishes = self.members.values().map(|member| &member.wishes);
        let Some(first) = wishes.next() else { return true };
        let is_mixed = first.regex().is_some() && !first.topics.is_empty();
        !is_mixed && wishes.all(|other| other.topics == first.topics && other.regex() == first.regex())
    }

    /// The partitions that other members have, or have not given up yet.
    fn owned_by_others(&self, member_id: &str) -> BTreeSet<(Uuid, i32)> {
        let others = self.members.values().filter(|other| other.id != member_id);
        let held = others.flat_map(|other| [&other.progress.assigned, &other.progress.revoking]);
        held.flat_map(|partitions| partitions.iter())
            .flat_map(|(topic, indexes)| indexes.iter().map(|index| (*topic, *index)))
            .collect()
    }
}
