//! Administration.

use std::{collections::BTreeMap, time::Duration};

use klamm_engine::{
    AdminError, ClusterDescription, CommittedOffset, CreatedTopic, GroupDescription, GroupListings,
    HangingTransaction, ListedOffset, MemberName, NewTopic, OffsetSpec, PartitionProducer, PerItem, Str,
    TopicDescription, TopicListing, TransactionDescription, TransactionListings,
};

/// Administration of a cluster. See [`klamm_engine::Admin`].
#[derive(Clone, Debug)]
pub struct Admin {
    pub(crate) inner: klamm_engine::Admin,
}

impl Admin {
    /// How long an operation may take (`default.api.timeout.ms`). Default: 60 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inner: self.inner.timeout(timeout) }
    }

    /// Whether to check only if topics could be created. Default: false.
    #[must_use]
    pub fn validate_only(self, validate_only: bool) -> Self {
        Self { inner: self.inner.validate_only(validate_only) }
    }

    forward! { klamm_engine::Admin:
        /// Creates topics.
        wait create_topics(
            topics: impl IntoIterator<Item = NewTopic> + Send,
        ) -> Result<PerItem<Str, CreatedTopic>, AdminError>;
        /// Deletes topics.
        wait delete_topics(
            names: impl IntoIterator<Item = impl AsRef<str>> + Send,
        ) -> Result<PerItem<Str, ()>, AdminError>;
        /// Lists the topics that the client may see.
        wait list_topics() -> Result<BTreeMap<Str, TopicListing>, AdminError>;
        /// Describes topics: where their partitions are.
        wait describe_topics(
            names: impl IntoIterator<Item = impl AsRef<str>> + Send,
        ) -> Result<PerItem<Str, TopicDescription>, AdminError>;
        /// Asks where in the log of each partition something is. The end is the high watermark.
        wait list_offsets(
            of: impl IntoIterator<Item = (impl AsRef<str>, i32, OffsetSpec)> + Send,
        ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError>;
        /// Asks for the brokers and the controller.
        wait describe_cluster() -> Result<ClusterDescription, AdminError>;
    }
}

/// Groups.
impl Admin {
    forward! { klamm_engine::Admin:
        /// Lists the groups of all brokers that the client may see.
        wait list_groups() -> Result<GroupListings, AdminError>;
        /// Describes groups of either protocol: state, coordinator, members and what they are assigned.
        wait describe_groups(
            groups: impl IntoIterator<Item = impl AsRef<str>> + Send,
        ) -> Result<PerItem<Str, GroupDescription>, AdminError>;
        /// Asks for the committed offsets of a group: all of them. A group that does not exist has none.
        wait list_group_offsets(
            group: &str,
            require_stable: bool,
        ) -> Result<PerItem<(Str, i32), Option<CommittedOffset>>, AdminError>;
        /// As [`list_group_offsets`](Self::list_group_offsets), of these partitions.
        wait list_group_offsets_of(
            group: &str,
            partitions: impl IntoIterator<Item = (impl AsRef<str>, i32)> + Send,
            require_stable: bool,
        ) -> Result<PerItem<(Str, i32), Option<CommittedOffset>>, AdminError>;
        /// Commits offsets in the place of a group that has no members.
        wait alter_group_offsets(
            group: &str,
            offsets: impl IntoIterator<Item = ((impl AsRef<str>, i32), CommittedOffset)> + Send,
        ) -> Result<PerItem<(Str, i32), ()>, AdminError>;
        /// Deletes committed offsets (KIP-496).
        wait delete_group_offsets(
            group: &str,
            partitions: impl IntoIterator<Item = (impl AsRef<str>, i32)> + Send,
        ) -> Result<PerItem<(Str, i32), ()>, AdminError>;
        /// Deletes groups and their offsets (KIP-229).
        wait delete_groups(
            groups: impl IntoIterator<Item = impl AsRef<str>> + Send,
        ) -> Result<PerItem<Str, ()>, AdminError>;
        /// Makes members leave a classic group (KIP-345).
        wait remove_members(
            group: &str,
            members: impl IntoIterator<Item = MemberName> + Send,
            reason: Option<&str>,
        ) -> Result<PerItem<MemberName, ()>, AdminError>;
        /// Makes all members leave that a classic group has at the moment.
        wait remove_all_members(
            group: &str,
            reason: Option<&str>,
        ) -> Result<PerItem<MemberName, ()>, AdminError>;
    }
}

/// Transactions (KIP-664).
impl Admin {
    forward! { klamm_engine::Admin:
        /// Lists the transactional ids of all brokers that the client may see; with `producer_ids`, only those that have
        /// one of these. Needs Kafka 3.0.
        wait list_transactions(
            producer_ids: impl IntoIterator<Item = i64> + Send,
        ) -> Result<TransactionListings, AdminError>;
        /// Describes transactions: state, producer, partitions, since when. Needs Kafka 3.0.
        wait describe_transactions(
            transactional_ids: impl IntoIterator<Item = impl AsRef<str>> + Send,
        ) -> Result<PerItem<Str, TransactionDescription>, AdminError>;
        /// Describes who writes to partitions, and where the open transaction of each begins. Needs Kafka 2.8.
        wait describe_producers(
            partitions: impl IntoIterator<Item = (impl AsRef<str>, i32)> + Send,
        ) -> Result<PerItem<(Str, i32), Vec<PartitionProducer>>, AdminError>;
        /// Aborts a transaction in one partition, past its coordinator.
        wait abort_transaction(hanging: HangingTransaction) -> Result<(), AdminError>;
    }
}
