//! Rebalances of large groups, as their leader computes them.

use bytes::Bytes;
use klamm_core::group::assignor::{Assignments, Assignor, Joining, Member, Subscription, Topics};
use klamm_protocol::{Ints, Str};

/// What a group looks like.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// How many members it has.
    pub members: usize,
    /// How many topics there are.
    pub topics: usize,
    /// How many partitions each has.
    pub partitions: u32,
    /// Whether members and brokers are in three racks, with two replicas a partition.
    pub racks: bool,
    /// Whether each member wants a half of the topics of its own, instead of all.
    pub mixed: bool,
}

impl Group {
    /// 100 members and 160,000 partitions.
    pub const LARGE: Self = Self { members: 100, topics: 1_600, partitions: 100, racks: false, mixed: false };
    /// 20 members and 2,000 partitions.
    pub const SMALL: Self = Self { members: 20, topics: 100, partitions: 20, racks: false, mixed: false };

    /// How many partitions there are.
    #[must_use]
    pub const fn all(self) -> usize {
        self.topics * self.partitions as usize
    }

    fn cluster(self) -> Topics {
        let mut topics = Topics::new();
        if self.racks {
            topics.racks = (0..6).map(|broker| (broker, rack(broker as usize))).collect();
        }
        for topic in 0..self.topics {
            let replicas = (0..self.partitions as i32).map(|partition| {
                let first = (partition + topic as i32) % 6;
                Ints::from([first, (first + 1) % 6])
            });
            if self.racks {
                topics.insert_with_replicas(name(topic), replicas.collect());
            } else {
                topics.insert(name(topic), self.partitions);
            }
        }
        topics
    }

    fn joining(self, member: usize) -> Joining {
        let wants = |topic: &usize| !self.mixed || (topic * 7 + member * 13) % 20 < 10;
        Joining {
            topics: (0..self.topics).filter(wants).map(name).collect(),
            rack: self.racks.then(|| rack(member)),
            ..Joining::default()
        }
    }
}

fn rack(number: usize) -> Str {
    format!("rack-{}", number % 3).into()
}

fn name(topic: usize) -> Str {
    format!("orders-{topic:04}").into()
}

fn id(member: usize) -> Str {
    format!("member-{member:03}").into()
}

/// A group of which one member has just come or gone.
#[derive(Debug)]
pub struct Rejoin {
    assignor: Assignor,
    topics: Topics,
    /// What each member sent.
    sent: Vec<(Str, Bytes)>,
    members: Vec<Member>,
}

impl Rejoin {
    /// The group was assigned everything, and then one more member came.
    #[must_use]
    pub fn joined(assignor: Assignor, group: Group) -> Self {
        let before = Self::new(assignor, group, group.members - 1);
        before.after(group, group.members)
    }

    /// The group was assigned everything, and then its first member left.
    #[must_use]
    pub fn left(assignor: Assignor, group: Group) -> Self {
        let before = Self::new(assignor, group, group.members + 1);
        let mut after = before.after(group, group.members + 1);
        after.sent.remove(0);
        after.members.remove(0);
        after
    }

    /// Nobody was assigned anything yet.
    #[must_use]
    pub fn new(assignor: Assignor, group: Group, members: usize) -> Self {
        let joining: Vec<Joining> = (0..members).map(|member| group.joining(member)).collect();
        Self::of(assignor, group.cluster(), &joining)
    }

    fn of(assignor: Assignor, topics: Topics, joining: &[Joining]) -> Self {
        let said = joining.iter().map(|joining| assignor.subscription(joining).encode().unwrap_or_default());
        let sent: Vec<(Str, Bytes)> = said.enumerate().map(|(member, bytes)| (id(member), bytes)).collect();
        let members = decode(&sent);
        Self { assignor, topics, sent, members }
    }

    /// The group after an assignment, with its members and those that came.
    fn after(&self, group: Group, members: usize) -> Self {
        let mut joining: Vec<Joining> = (0..members).map(|member| group.joining(member)).collect();
        for (joining, (_, assignment)) in joining.iter_mut().zip(self.assign()) {
            joining.generation = Some(1);
            if self.assignor == Assignor::CooperativeSticky {
                joining.owned.clone_from(&assignment.partitions);
            }
            joining.assigned = assignment.partitions;
        }
        Self::of(self.assignor, self.topics.clone(), &joining)
    }

    /// The assignor alone.
    #[must_use]
    pub fn assign(&self) -> Assignments {
        self.assignor.assign(&self.members, &self.topics)
    }

    /// From the bytes of JoinGroup to those of SyncGroup.
    #[must_use]
    pub fn lead(&self) -> Vec<Bytes> {
        let assignments = self.assignor.assign(&decode(&self.sent), &self.topics);
        assignments.iter().map(|(_, assignment)| assignment.encode().unwrap_or_default()).collect()
    }
}

fn decode(sent: &[(Str, Bytes)]) -> Vec<Member> {
    let one = |(id, bytes): &(Str, Bytes)| Member {
        id: id.clone(),
        instance_id: None,
        subscription: Subscription::decode(bytes.clone()).unwrap_or_default(),
    };
    sent.iter().map(one).collect()
}
