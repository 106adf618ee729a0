//! What administration asks of groups, and answers.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::Str;

use super::super::PerItem;
use crate::{BrokerId, group::assignor::TopicPartitions};

/// An operation on groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupCommand {
    /// List all groups of all brokers.
    List,
    /// Describe groups.
    Describe {
        /// Which.
        groups: Vec<Str>,
    },
    /// Ask for committed offsets.
    ListOffsets {
        /// Of which group.
        group: Str,
        /// Of which partitions; `None`: of all that have one (Kafka 0.10.2).
        partitions: Option<Vec<(Str, i32)>>,
        /// Wait for transactions that are about to commit offsets (Kafka 2.5, KIP-447).
        require_stable: bool,
    },
    /// Commit offsets in the place of a group without members.
    AlterOffsets {
        /// Of which group; it is made if there is none.
        group: Str,
        /// By topic and partition.
        offsets: BTreeMap<(Str, i32), CommittedOffset>,
    },
    /// Forget committed offsets (Kafka 2.4, KIP-496).
    DeleteOffsets {
        /// Of which group.
        group: Str,
        /// Topic and partition.
        partitions: Vec<(Str, i32)>,
    },
    /// Delete groups without members, with their offsets (Kafka 1.1, KIP-229).
    Delete {
        /// Which.
        groups: Vec<Str>,
    },
    /// Make members leave a classic group (Kafka 2.4, KIP-345).
    RemoveMembers {
        /// Which group.
        group: Str,
        /// Which members.
        members: Vec<MemberName>,
        /// Why, for the brokers' logs (Kafka 3.1, KIP-800).
        reason: Option<Str>,
    },
}

impl GroupCommand {
    /// What it does, in words, for error texts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::List => "list groups",
            Self::Describe { .. } => "describe groups",
            Self::ListOffsets { .. } => "list the offsets of a group",
            Self::AlterOffsets { .. } => "alter the offsets of a group",
            Self::DeleteOffsets { .. } => "delete offsets of a group",
            Self::Delete { .. } => "delete groups",
            Self::RemoveMembers { .. } => "remove members of a group",
        }
    }

    pub(in super::super) const fn changes_the_cluster(&self) -> bool {
        match self {
            Self::List | Self::Describe { .. } | Self::ListOffsets { .. } => false,
            Self::AlterOffsets { .. }
            | Self::DeleteOffsets { .. }
            | Self::Delete { .. }
            | Self::RemoveMembers { .. } => true,
        }
    }

    /// What it needs of the brokers.
    pub(in super::super) const fn needs(&self) -> Option<&'static str> {
        match self {
            Self::ListOffsets { require_stable: true, .. } => {
                Some("waiting for stable offsets needs Kafka 2.5 or later")
            }
            Self::ListOffsets { partitions: None, .. } => {
                Some("listing all offsets of a group needs Kafka 0.10.2 or later")
            }
            Self::DeleteOffsets { .. } => Some("deleting offsets of a group needs Kafka 2.4 or later"),
            Self::Delete { .. } => Some("deleting groups needs Kafka 1.1 or later"),
            Self::RemoveMembers { .. } => Some("removing members of a group needs Kafka 2.4 or later"),
            Self::List | Self::Describe { .. } | Self::ListOffsets { .. } | Self::AlterOffsets { .. } => None,
        }
    }
}

/// The answer to a [`GroupCommand`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupReply {
    /// By broker: the groups that it coordinates.
    List(PerItem<BrokerId, Vec<GroupListing>>),
    /// By group.
    Describe(PerItem<Str, GroupDescription>),
    /// By topic and partition; `None` if none is committed.
    ListOffsets(PerItem<(Str, i32), Option<CommittedOffset>>),
    /// By topic and partition.
    AlterOffsets(PerItem<(Str, i32), ()>),
    /// By topic and partition.
    DeleteOffsets(PerItem<(Str, i32), ()>),
    /// By group.
    Delete(PerItem<Str, ()>),
    /// By member.
    RemoveMembers(PerItem<MemberName, ()>),
}

/// What a member of a group is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberName {
    /// A static member's `group.instance.id`.
    Instance(Str),
    /// The member id that the coordinator knows.
    Id(Str),
}

/// A committed offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The offset of the next record to be read.
    pub offset: i64,
    /// The leader epoch of the last record that was read, if known (KIP-320).
    pub leader_epoch: Option<i32>,
    /// What the application noted with it.
    pub metadata: Str,
}

/// Which of the two protocols the members of a group speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupType {
    /// The members assign partitions themselves.
    Classic,
    /// The coordinator does (KIP-848).
    Consumer,
}

/// A group in the list of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub id: Str,
    /// What its members are: `consumer`, `connect`, .., or nothing if it never had members.
    pub protocol_type: Str,
    /// Its state, as the broker calls it; `None` before Kafka 2.6 (KIP-518).
    pub state: Option<Str>,
    /// `Classic`, `Consumer`, `Share` or `Streams`; `None` before Kafka 3.8 (KIP-1043).
    pub group_type: Option<Str>,
}

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// The broker that coordinates it.
    pub coordinator: BrokerId,
    /// Its state, as the broker calls it: `Stable`, `Empty`, ..
    pub state: Str,
    /// Which protocol its members speak.
    pub protocol: GroupType,
    /// What its members are: `consumer`, `connect`, .., or nothing if it never had members.
    pub protocol_type: Str,
    /// The assignor in use; empty without members.
    pub assignor: Str,
    /// The epoch of the group (KIP-848).
    pub epoch: Option<i32>,
    /// The epoch of its target assignment (KIP-848).
    pub assignment_epoch: Option<i32>,
    /// Its members, in the coordinator's order.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub id: Str,
    /// Its name if it is static (KIP-345).
    pub instance_id: Option<Str>,
    /// What its client calls itself.
    pub client_id: Str,
    /// Where it connects from.
    pub host: Str,
    /// Its rack.
    pub rack: Option<Str>,
    /// Its epoch (KIP-848).
    pub epoch: Option<i32>,
    /// The topics that it subscribes to by name.
    pub topics: Vec<Str>,
    /// The regular expression by which it subscribes (KIP-848).
    pub regex: Option<Str>,
    /// What it is assigned.
    pub assigned: Vec<TopicPartitions>,
    /// What it shall have, where that is not the same already (KIP-848).
    pub target: Option<Vec<TopicPartitions>>,
}
