//! Who consumes what: the assignors of the classic group protocol.
//!
//! In that protocol one member, the leader, learns what all members subscribed to and computes everybody's
//! assignment. What members tell each other is a [`Subscription`]; what the leader answers, an [`Assignment`].
//!
//! | assignor | balance | moves little | racks (KIP-881) | while rebalancing |
//! |---|---|---|---|---|
//! | [`Range`] | each topic on its own | no | matches what it can; topics stay co-partitioned | all stop (eager) |
//! | [`RoundRobin`] | all topics together | no | no | all stop (eager) |
//! | [`Sticky`] | as even as the subscriptions allow | yes | matches what it can | all stop (eager) |
//! | [`CooperativeSticky`] | as even as the subscriptions allow | yes | matches what it can | what does not move goes on |
//!
//! [`Range`] and [`RoundRobin`] give what the Java client's assignors of that name give. The sticky ones pursue the
//! same aims in a strict order: first balance, then racks, then that little moves.
//!
//! Everything here is a function of its arguments. The arguments come from other members and are not trusted:
//! whatever they say, each partition has one owner at most.
//!
//! [`Range`]: Assignor::Range
//! [`RoundRobin`]: Assignor::RoundRobin
//! [`Sticky`]: Assignor::Sticky
//! [`CooperativeSticky`]: Assignor::CooperativeSticky

mod check;
mod claims;
mod fair;
mod problem;
mod racks;
mod range;
mod round_robin;
mod sticky;
mod subscription;
mod topics;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use bytes::Bytes;
use klamm_protocol::Str;

pub use check::{InvalidAssignment, check};
use problem::Problem;
pub use subscription::{Assignment, Subscription, TopicPartitions, sorted};
pub use topics::{TopicLayout, Topics};

/// How members behave while their group rebalances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RebalanceProtocol {
    /// Every member gives up all its partitions before it joins.
    Eager,
    /// Members keep their partitions, and give up only what the new assignment lacks (KIP-429).
    Cooperative,
}

/// The assignors that are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assignor {
    /// Ranges of each topic's partitions. Members get the same partitions of topics of equal size that they all
    /// subscribe to.
    Range,
    /// All partitions of all topics in turns.
    RoundRobin,
    /// Balanced, with as few moves as that allows (KIP-54).
    Sticky,
    /// The same without stopping what does not move (KIP-429). A partition that moves is first taken from its owner
    /// and given to nobody; the owner joins again, and then it is given away.
    CooperativeSticky,
}

/// An assignor that a member offers in its group: one that is built in, or one of the application's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// One that is built in.
    BuiltIn(Assignor),
    /// One of the application's: if this member leads the group and the group picks it, the application is asked.
    Custom(CustomStrategy),
}

/// An assignor of the application's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomStrategy {
    /// The name by which the members of the group agree on it.
    pub name: Str,
    /// Whether what does not move may go on during a rebalance. Its assignments must then give no partition to a
    /// member while another still owns it: see [`check`].
    pub cooperative: bool,
    /// What this member tells the leader, in a form of the application's.
    pub user_data: Option<Bytes>,
}

/// What a member knows of itself when it joins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joining {
    /// The topics that it wants.
    pub topics: Vec<Str>,
    /// What it consumes and keeps while the group rebalances: nothing if the group is eager.
    pub owned: Vec<TopicPartitions>,
    /// What it was last assigned, also if it gave that up for this rebalance.
    pub assigned: Vec<TopicPartitions>,
    /// The generation of that assignment; none if it has none, or lost it.
    pub generation: Option<i32>,
    /// Where it is (`client.rack`).
    pub rack: Option<Str>,
}

/// One member of the group, as the leader sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: Str,
    /// Its name if it is static (KIP-345).
    pub instance_id: Option<Str>,
    /// What it said when it joined.
    pub subscription: Subscription,
}

/// Everybody's assignment: member id and what it gets, in the order in which the members were given.
pub type Assignments = Vec<(Str, Assignment)>;

impl Assignor {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky];

    /// The name in the group protocol, equal to the other clients'.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The assignor of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// The rebalance protocols that it can take part in.
    #[must_use]
    pub const fn protocols(self) -> &'static [RebalanceProtocol] {
        match self {
            Self::CooperativeSticky => &[RebalanceProtocol::Cooperative, RebalanceProtocol::Eager],
            Self::Range | Self::RoundRobin | Self::Sticky => &[RebalanceProtocol::Eager],
        }
    }

    /// What a member that offers this assignor says when it joins.
    #[must_use]
    pub fn subscription(self, joining: &Joining) -> Subscription {
        let user_data = match self {
            Self::Range | Self::RoundRobin => None,
            Self::Sticky => subscription::sticky_user_data(&joining.assigned, joining.generation),
            Self::CooperativeSticky => Some(subscription::generation_user_data(joining.generation)),
        };
        Subscription::new(joining, user_data)
    }

    /// Assigns the topics' partitions to the members that subscribe to them.
    ///
    /// Topics that nobody subscribes to are left out, and so are those that [`Topics`] does not have. The order of
    /// the members does not matter but for that of the result. If two have the same id, both get what is assigned to
    /// them as two members.
    #[must_use]
    pub fn assign(self, members: &[Member], topics: &Topics) -> Assignments {
        let problem = Problem::new(members, topics);
        let solution = match self {
            Self::Range => range::assign(&problem),
            Self::RoundRobin => round_robin::assign(&problem),
            Self::Sticky => sticky::assign(&problem, &claims::Claims::from_user_data(&problem)),
            Self::CooperativeSticky => sticky::assign_cooperatively(&problem),
        };
        problem.assignments(&solution)
    }
}

impl Strategy {
    /// The name in the group protocol.
    #[must_use]
    pub fn name(&self) -> Str {
        match self {
            Self::BuiltIn(assignor) => Str::from_static(assignor.name()),
            Self::Custom(custom) => custom.name.clone(),
        }
    }

    /// The rebalance protocols that it can take part in.
    #[must_use]
    pub const fn protocols(&self) -> &'static [RebalanceProtocol] {
        match self {
            Self::BuiltIn(assignor) => assignor.protocols(),
            Self::Custom(CustomStrategy { cooperative: true, .. }) => {
                &[RebalanceProtocol::Cooperative, RebalanceProtocol::Eager]
            }
            Self::Custom(_) => &[RebalanceProtocol::Eager],
        }
    }

    /// What a member that offers this assignor says when it joins.
    #[must_use]
    pub fn subscription(&self, joining: &Joining) -> Subscription {
        match self {
            Self::BuiltIn(assignor) => assignor.subscription(joining),
            Self::Custom(custom) => Subscription::new(joining, custom.user_data.clone()),
        }
    }

    /// How a member behaves that offers these: cooperatively only if all of them allow it. That is why a group
    /// goes from an eager assignor to a cooperative one in two rounds of restarts: the first offers both.
    #[must_use]
    pub fn rebalance_protocol(offered: &[Self]) -> RebalanceProtocol {
        let cooperative =
            offered.iter().all(|each| each.protocols().contains(&RebalanceProtocol::Cooperative));
        if cooperative && !offered.is_empty() {
            RebalanceProtocol::Cooperative
        } else {
            RebalanceProtocol::Eager
        }
    }
}
