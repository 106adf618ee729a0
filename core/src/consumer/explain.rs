//! Why nothing comes from a partition.

use core::{fmt, time::Duration};

use super::{
    Consumer, Isolation, PartitionErrorKind, PositionState,
    node::Node,
    partition::{Partition, Standing},
    plan::from_of,
};
use crate::{BrokerId, Instant, PartitionIndex};

/// Why nothing comes from a partition, as far as the client knows: the one thing that is to happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// The consumer is closed.
    Closed,
    /// The partition is not assigned to the consumer.
    NotAssigned,
    /// It is paused.
    Paused,
    /// Reading failed for good; only a seek leads out.
    Stopped {
        /// What failed, if that is known.
        why: Option<PartitionErrorKind>,
    },
    /// The metadata do not tell who leads it: they are not there yet, there is no such partition, or it has no leader.
    NoLeader {
        /// What the brokers answered, if that was reported.
        why: Option<PartitionErrorKind>,
    },
    /// It failed, and will be tried again.
    Backoff {
        /// How long that takes.
        retry_in: Duration,
        /// How often it failed in a row.
        failures: u32,
        /// What failed, if that was reported.
        why: Option<PartitionErrorKind>,
    },
    /// Its broker did not answer, and will be tried again.
    BrokerFails {
        /// Which broker.
        broker: BrokerId,
        /// How long that takes.
        retry_in: Duration,
        /// How often it failed in a row.
        failures: u32,
    },
    /// The leader is asked for the offset to start at.
    FindingOffset {
        /// The leader.
        broker: BrokerId,
    },
    /// The leader is asked whether the log was truncated below the position (KIP-320).
    Validating {
        /// The leader.
        broker: BrokerId,
    },
    /// As much of it is fetched as may be, and waits to be read or is not given back; or it was, for long, and was dropped
    /// when others needed the memory: it is fetched again when its reader asks for it.
    Unread {
        /// In bytes.
        bytes: usize,
    },
    /// The consumer's memory is used up by what is fetched of any partition and not given back.
    Memory {
        /// What is used, in bytes.
        used: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Its end is reached. The broker will answer as soon as there is more.
    AtEnd {
        /// The end.
        offset: i64,
        /// Whom the next records will come from.
        broker: BrokerId,
    },
    /// What comes next belongs to a transaction that is neither committed nor aborted.
    OpenTransaction {
        /// The offset at which the first such transaction begins.
        last_stable_offset: i64,
        /// The end of the log.
        high_watermark: i64,
    },
    /// A fetch is under way.
    Fetching {
        /// To whom: the leader, or the closest replica.
        broker: BrokerId,
        /// For how long.
        under_way: Duration,
    },
    /// It will be part of the next fetch of its broker.
    NextFetch {
        /// From whom: the leader, or the closest replica.
        broker: BrokerId,
    },
}

impl Consumer {
    /// Why nothing comes from a partition. If something does come, that is what it waits for next.
    #[must_use]
    pub fn explain(&self, now: Instant, index: PartitionIndex) -> Explanation {
        if self.closed {
            return Explanation::Closed;
        }
        let Some(partition) = self.partitions.get(&index) else { return Explanation::NotAssigned };
        let why = partition.failures.reported;
        if partition.position.state() == PositionState::Stopped {
            return Explanation::Stopped { why };
        }
        if partition.paused {
            return Explanation::Paused;
        }
        if partition.intake.aside {
            return Explanation::Unread { bytes: partition.intake.held };
        }
        let (Some(leader), Some(source)) = (partition.leader, partition.source()) else {
            return Explanation::NoLeader { why };
        };
        let (leader, failures) = (leader.broker, partition.failures.count);
        let tight = self.nodes.get(&source).is_some_and(|node| node.roster.tight);
        match partition.standing(tight) {
            Standing::Waiting(at) => Explanation::Backoff { retry_in: at.since(now), failures, why },
            Standing::Find | Standing::Validate | Standing::Asking => {
                self.broker_fails(now, leader).unwrap_or_else(|| match partition.position.state() {
                    PositionState::AwaitValidation => Explanation::Validating { broker: leader },
                    _ => Explanation::FindingOffset { broker: leader },
                })
            }
            Standing::Unread if partition.standing(false) == Standing::Ready => self.memory(),
            Standing::Unread => Explanation::Unread { bytes: partition.intake.held },
            Standing::Ready | Standing::Idle => self.explain_fetch(now, index, partition, source),
        }
    }

    fn broker_fails(&self, now: Instant, broker: BrokerId) -> Option<Explanation> {
        let node = self.nodes.get(&broker)?;
        let retry_in = node.retry_at.filter(|at| *at > now)?.since(now);
        Some(Explanation::BrokerFails { broker, retry_in, failures: node.failures })
    }

    const fn memory(&self) -> Explanation {
        Explanation::Memory { used: self.budget.used(), limit: self.config.buffer_bytes }
    }

    /// Why nothing comes of a partition that belongs into a fetch.
    fn explain_fetch(
        &self,
        now: Instant,
        index: PartitionIndex,
        partition: &Partition,
        broker: BrokerId,
    ) -> Explanation {
        if let Some(fails) = self.broker_fails(now, broker) {
            return fails;
        }
        let node = self.nodes.get(&broker);
        let Some(since) = node.and_then(|node| node.fetching) else {
            let waits = self.budget.waits(broker);
            return if waits { self.memory() } else { Explanation::NextFetch { broker } };
        };
        if !node.is_some_and(|node: &Node| node.session.has(index, from_of(partition))) {
            return Explanation::NextFetch { broker };
        }
        let (at, ends) = (partition.position.to_fetch().map_or(-1, |at| at.offset), &partition.ends);
        match ends.visible(self.config.isolation) {
            Some(end) if at < end => {}
            None => {}
            Some(end) if self.config.isolation == Isolation::ReadCommitted && end < ends.high_watermark => {
                let (last_stable_offset, high_watermark) = (end, ends.high_watermark);
                return Explanation::OpenTransaction { last_stable_offset, high_watermark };
            }
            Some(offset) => return Explanation::AtEnd { offset, broker },
        }
        Explanation::Fetching { broker, under_way: now.since(since) }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the consumer is closed"),
            Self::NotAssigned => f.write_str("it is not assigned to the consumer"),
            Self::Paused => f.write_str("it is paused"),
            Self::Stopped { why } => {
                f.write_str("reading failed for good; seek to go on")?;
                because(f, *why)
            }
            Self::NoLeader { why } => {
                f.write_str("the cluster has told of no leader of it yet")?;
                because(f, *why)
            }
            Self::Backoff { retry_in, failures, why } => {
                write!(f, "it failed {failures} times in a row and is tried again in {}", Millis(*retry_in))?;
                because(f, *why)
            }
            Self::BrokerFails { broker, retry_in, failures } => write!(
                f,
                "broker {} failed {failures} times in a row and is tried again in {}",
                broker.0,
                Millis(*retry_in)
            ),
            Self::FindingOffset { broker } => {
                write!(f, "its leader, broker {}, is asked for the offset to start at", broker.0)
            }
            Self::Validating { broker } => {
                write!(f, "its leader, broker {}, is asked whether the log was truncated", broker.0)
            }
            Self::Unread { bytes } => {
                write!(f, "{bytes} bytes of it are fetched and wait to be read or to be given back")
            }
            Self::Memory { used, limit } => {
                write!(f, "the consumer's memory is used up: {used} of {limit} bytes wait to be given back")
            }
            Self::AtEnd { offset, broker } => {
                write!(f, "its end, offset {offset}, is reached; broker {} will send what comes", broker.0)
            }
            Self::OpenTransaction { last_stable_offset, high_watermark } => write!(
                f,
                "a transaction that began at offset {last_stable_offset} is open; the log goes on to {high_watermark}"
            ),
            Self::Fetching { broker, under_way } => {
                write!(f, "broker {} was asked {} ago", broker.0, Millis(*under_way))
            }
            Self::NextFetch { broker } => write!(f, "it is part of the next fetch of broker {}", broker.0),
        }
    }
}

/// A time as people read it.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            millis @ 0..10_000 => write!(f, "{millis} ms"),
            millis => write!(f, "{} s", millis / 1_000),
        }
    }
}

fn because(f: &mut fmt::Formatter<'_>, why: Option<PartitionErrorKind>) -> fmt::Result {
    match why {
        Some(why) => write!(f, ": {why}"),
        None => Ok(()),
    }
}
