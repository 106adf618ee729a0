//! All that a consumer knows of one assigned partition.

use klamm_protocol::Str;

use super::{
    Assignment, AssignmentEpoch, ConsumerConfig, Isolation, PartitionErrorKind, PartitionLeader,
    position::{Position, PositionState},
    replica::Closest,
};
use crate::{BrokerId, Instant};

/// One assigned partition.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub(super) topic: Str,
    pub(super) number: i32,
    pub(super) epoch: AssignmentEpoch,
    /// The epoch in which the application last said where to read.
    pub(super) placed: AssignmentEpoch,
    pub(super) position: Position,
    pub(super) leader: Option<PartitionLeader>,
    /// The last leader epoch that was told of this leader; -1 if none was.
    pub(super) told_epoch: i32,
    pub(super) closest: Closest,
    pub(super) paused: bool,
    /// The request under way that finds or validates its position, if its answer still matters.
    pub(super) asking: Option<u64>,
    /// Fetches with this number or a lower one do not concern it.
    turned_away: u64,
    /// The last fetch whose answer spoke of it.
    pub(super) heard: u64,
    pub(super) slot: Slot,
    pub(super) failures: Failures,
    pub(super) intake: Intake,
    pub(super) ends: Ends,
}

/// What has failed lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    /// How often in a row.
    pub(super) count: u32,
    /// Not to be tried again before.
    pub(super) retry_at: Option<Instant>,
    /// What the application was told of.
    pub(super) reported: Option<PartitionErrorKind>,
}

/// How much of a partition is fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    /// Fetched in this epoch and not returned, in bytes.
    pub(super) held: usize,
    /// The most to ask for at once; larger than configured when a batch of an old broker did not fit.
    pub(super) max_bytes: i32,
    /// Nothing more is, until its reader wants it: what was fetched and not read was dropped, for lack of memory.
    pub(super) aside: bool,
}

/// The ends of the log as the last response had them; -1 if it did not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) high_watermark: i64,
    pub(super) last_stable: i64,
    pub(super) log_start: i64,
    /// The end that the application was told of.
    pub(super) reported: Option<i64>,
}

impl Ends {
    const UNKNOWN: Self = Self { high_watermark: -1, last_stable: -1, log_start: -1, reported: None };

    /// The offset up to which records are visible.
    pub(super) fn visible(&self, isolation: Isolation) -> Option<i64> {
        let end = match isolation {
            Isolation::ReadCommitted if self.last_stable >= 0 => self.last_stable,
            Isolation::ReadCommitted | Isolation::ReadUncommitted => self.high_watermark,
        };
        (end >= 0).then_some(end)
    }
}

/// What is to be done about a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing: the application does not want it now, or it cannot go on by itself.
    #[default]
    Idle,
    /// It belongs into the next fetch.
    Ready,
    /// Its offset is to be looked up.
    Find,
    /// Its position is to be validated.
    Validate,
    /// Its leader was asked one of these.
    Asking,
    /// As much of it is fetched and not returned as may be.
    Unread,
    /// It failed, and is not to be tried again before this instant.
    Waiting(Instant),
}

/// Where a partition is, and how it stands there. [`Roster`](super::roster::Roster)s are kept by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    /// Whom to ask next about it.
    pub(super) home: Option<BrokerId>,
    /// Who leads it.
    pub(super) leader: Option<BrokerId>,
    pub(super) standing: Standing,
    /// Since when it waits for an answer, or for its reader.
    pub(super) blocked_since: Option<Instant>,
    /// Whether something of it is fetched and not returned.
    pub(super) reading: bool,
    /// What it may bring at once, in bytes.
    pub(super) bytes: usize,
    /// The id of its topic is not known.
    pub(super) without_id: bool,
}

impl Slot {
    pub(super) fn is_ready(&self) -> bool {
        self.standing == Standing::Ready
    }

    /// The broker that it is with, if that is not its leader.
    pub(super) fn host(&self) -> Option<BrokerId> {
        self.home.filter(|home| Some(*home) != self.leader)
    }

    /// The brokers that have to do with it.
    pub(super) fn brokers(&self) -> impl Iterator<Item = BrokerId> + use<> {
        self.leader.into_iter().chain(self.host())
    }
}

impl Partition {
    pub(super) fn new(assignment: Assignment, epoch: AssignmentEpoch, config: &ConsumerConfig) -> Self {
        let mut position = Position::new();
        position.seek(assignment.start);
        Self {
            topic: assignment.topic,
            number: assignment.partition,
            epoch,
            placed: epoch,
            position,
            leader: None,
            told_epoch: -1,
            closest: Closest::default(),
            paused: false,
            asking: None,
            turned_away: epoch.0,
            heard: 0,
            slot: Slot::default(),
            failures: Failures::default(),
            intake: Intake { held: 0, max_bytes: config.max_partition_fetch_bytes, aside: false },
            ends: Ends::UNKNOWN,
        }
    }

    /// A new assignment epoch begins: what is under way and what is not handed out belongs to the old one.
    pub(super) fn begin(&mut self, epoch: AssignmentEpoch) {
        self.epoch = epoch;
        self.turn_away(epoch.0);
        self.intake.held = 0;
        self.failures = Failures::default();
        self.ends.reported = None;
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = Failures::default();
    }

    /// Takes note of who leads it. Whether that is news: between brokers that tell epochs, one that is too old for them
    /// may answer, and that the same leader has no epoch for a while is none.
    pub(super) fn set_leader(&mut self, leader: Option<PartitionLeader>) -> bool {
        let before = core::mem::replace(&mut self.leader, leader);
        let told = leader.map_or(-1, |leader| leader.epoch);
        let same = match (before, leader) {
            (Some(before), Some(leader)) => {
                before.broker == leader.broker && before.topic_id == leader.topic_id
            }
            _ => false,
        };
        if same && (told < 0 || told == self.told_epoch) {
            return false;
        }
        self.told_epoch = told;
        true
    }

    /// Who is asked for its records.
    pub(super) fn source(&self) -> Option<BrokerId> {
        let leader = self.leader.map(|leader| leader.broker);
        leader.map(|leader| self.closest.replica.unwrap_or(leader))
    }

    /// What was asked so far does not concern it any more. `last` is the last number that was given out.
    pub(super) const fn turn_away(&mut self, last: u64) {
        self.turned_away = last;
        self.asking = None;
    }

    /// Whether the answer to a fetch concerns it.
    pub(super) const fn awaits(&self, number: u64) -> bool {
        self.turned_away < number
    }

    /// Where it belongs now.
    pub(super) fn judge(&self, now: Instant, tight: bool) -> Slot {
        let standing = self.standing(tight);
        let leader = self.leader.map(|leader| leader.broker);
        let blocked = match standing {
            Standing::Find | Standing::Validate | Standing::Asking => !self.paused,
            Standing::Unread => true,
            Standing::Idle | Standing::Ready | Standing::Waiting(_) => false,
        };
        let since = self.slot.blocked_since.filter(|_| self.slot.standing == standing);
        Slot {
            home: match standing {
                Standing::Find | Standing::Validate | Standing::Asking => leader,
                _ => self.source(),
            },
            leader,
            standing,
            blocked_since: blocked.then(|| since.unwrap_or(now)),
            reading: self.intake.held > 0,
            bytes: usize::try_from(self.intake.max_bytes).unwrap_or(0),
            without_id: self.leader.is_some_and(|leader| leader.topic_id.is_zero()),
        }
    }

    /// What is to be done about it. What is read ahead is at most about two fetches, and nothing once the budget is
    /// `tight`. A partition that is paused or set aside finds its position nevertheless.
    pub(super) fn standing(&self, tight: bool) -> Standing {
        let placed = self.position.to_fetch().is_some();
        if self.position.state() == PositionState::Stopped || (placed && (self.paused || self.intake.aside)) {
            return Standing::Idle;
        }
        if let Some(at) = self.failures.retry_at {
            return Standing::Waiting(at);
        }
        if self.asking.is_some() {
            return Standing::Asking;
        }
        if self.position.to_find().is_some() {
            return Standing::Find;
        }
        if self.position.to_validate().is_some() {
            return Standing::Validate;
        }
        let most = if planted!(FetchOverBudget) {
            usize::MAX
        } else if tight {
            0
        } else {
            usize::try_from(self.intake.max_bytes).unwrap_or(0)
        };
        if self.intake.held > most { Standing::Unread } else { Standing::Ready }
    }
}
