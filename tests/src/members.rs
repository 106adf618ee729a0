//! What a scenario sees of a member of a group: plain blocking calls, the same for every adapter.

use std::time::Duration;

use klamm_engine::GroupMetadata;

use crate::Outcome;
use crate::client::{PartitionStream, Received};

/// How a scenario wants its member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSettings {
    /// The group.
    pub group: String,
    /// What it subscribes to.
    pub topics: Vec<String>,
    /// Its name if it is static.
    pub instance: Option<String>,
    /// How it offers to assign, by the assignors' names.
    pub assignors: Vec<&'static str>,
    /// Whether the coordinator assigns (KIP-848).
    pub coordinator_assigns: bool,
    /// Whether what is done with is committed by itself.
    pub auto_commit: bool,
    /// How long it may be idle.
    pub max_poll_interval: Duration,
    /// What it subscribes by instead of names.
    pub pattern: Option<String>,
    /// Whether it begins at the end of partitions of which nothing is committed.
    pub from_end: bool,
}

impl MemberSettings {
    /// A member of a group that reads a topic from its beginning.
    #[must_use]
    pub fn new(group: &str, topic: &str) -> Self {
        Self {
            group: group.into(),
            topics: vec![topic.into()],
            instance: None,
            assignors: vec!["range"],
            coordinator_assigns: false,
            auto_commit: true,
            max_poll_interval: Duration::from_secs(300),
            pattern: None,
            from_end: false,
        }
    }
}

/// What a member of a group is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Records of one partition.
    Records(Vec<Received>),
    /// These partitions were assigned.
    Assigned(Vec<(String, i32)>),
    /// These partitions were given up.
    Revoked(Vec<(String, i32)>),
    /// These partitions were lost.
    Lost(Vec<(String, i32)>),
    /// Something else.
    Other(String),
}

/// A member of a group.
pub trait Member: Send {
    /// What it is told next; none if that takes too long.
    ///
    /// # Errors
    /// When the membership failed.
    fn next(&mut self, within: Duration) -> Outcome<Option<Told>>;

    /// Commits everything that it was handed.
    ///
    /// # Errors
    /// When it was not committed.
    fn commit(&mut self) -> Outcome<()>;

    /// What the group has committed of a partition.
    ///
    /// # Errors
    /// When it cannot be had.
    fn committed(&mut self, topic: &str, partition: i32) -> Outcome<Option<i64>>;

    /// What a transaction has to know of it.
    fn metadata(&self) -> Option<GroupMetadata>;

    /// Reads a partition for itself.
    ///
    /// # Errors
    /// When that is not possible.
    fn partition_stream(&mut self, topic: &str, partition: i32) -> Outcome<Box<dyn PartitionStream>>;

    /// The partitions that it reads, in order.
    fn assignment(&self) -> Vec<(String, i32)>;

    /// Subscribes to something else.
    fn subscribe(&mut self, topics: &[&str]);

    /// Ends in good order.
    fn close(self: Box<Self>);
}

/// What a reader of records that are to be acknowledged is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    /// A record, which is with the application until it is acknowledged or dropped.
    Record(Received),
    /// A record was dropped without having been acknowledged.
    Abandoned(i32, i64),
    /// These partitions are to be given up; that waits for [`RecordReader::release`].
    Revoking(Vec<i32>),
    /// Something else.
    Other(String),
}

/// A member of a group that acknowledges record by record, of one topic.
pub trait RecordReader: Send {
    /// What it is told next; none if that takes too long.
    ///
    /// # Errors
    /// When the membership failed.
    fn next(&mut self, within: Duration) -> Outcome<Option<Handed>>;

    /// What is told next, if it is there.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    fn try_next(&mut self) -> Outcome<Option<Handed>>;

    /// Acknowledges a record that it has.
    ///
    /// # Errors
    /// When that does not count.
    fn ack(&mut self, partition: i32, offset: i64) -> Outcome<()>;

    /// Drops a record that it has.
    fn abandon(&mut self, partition: i32, offset: i64);

    /// Gives up what is to be given up.
    fn release(&mut self);

    /// How many records are not acknowledged.
    fn unacknowledged(&self) -> usize;

    /// Where the first of them is, or would be.
    fn done_with(&self, topic: &str, partition: i32) -> Option<i64>;

    /// Reads on elsewhere.
    ///
    /// # Errors
    /// When the partition is not assigned.
    fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Outcome<()>;

    /// Commits what is acknowledged.
    ///
    /// # Errors
    /// When it was not committed.
    fn commit(&mut self) -> Outcome<()>;

    /// What the group has committed of a partition.
    ///
    /// # Errors
    /// When it cannot be had.
    fn committed(&mut self, topic: &str, partition: i32) -> Outcome<Option<i64>>;

    /// Ends in good order.
    fn close(self: Box<Self>);
}
