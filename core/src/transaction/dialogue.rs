//! What is being asked, and of whom.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::Str;

use super::{TransactionConfig, TransactionStep};
use crate::{BrokerId, Entropy, Instant, earliest, group::TopicPartition, whereabouts::Whereabouts};

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Where the transaction's coordinator is.
    Coordinator,
    /// Where a group's coordinator is.
    GroupCoordinator(Str),
    /// The producer id; with the epoch so far if it is known.
    Init,
    /// To add these.
    Partitions(Vec<TopicPartition>),
    /// To add a group.
    Group(Str),
    /// To commit the first offsets.
    Offsets,
    /// To commit, or to abort.
    End { commit: bool },
}

impl Asked {
    pub(super) const fn step(&self) -> TransactionStep {
        match self {
            Self::Coordinator | Self::GroupCoordinator(_) => TransactionStep::FindCoordinator,
            Self::Init => TransactionStep::Initialise,
            Self::Partitions(_) => TransactionStep::AddPartitions,
            Self::Group(_) | Self::Offsets => TransactionStep::SendOffsets,
            Self::End { commit: true } => TransactionStep::Commit,
            Self::End { commit: false } => TransactionStep::Abort,
        }
    }
}

/// A request that is not answered.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    pub(super) number: u64,
    pub(super) asked: Asked,
    pub(super) broker: Option<BrokerId>,
}

/// One request at a time, to one coordinator or another.
#[derive(Clone, Debug)]
pub(super) struct Dialogue {
    pub(super) coordinator: Whereabouts,
    pub(super) groups: BTreeMap<Str, Whereabouts>,
    pub(super) under_way: Option<UnderWay>,
    pub(super) last: u64,
    failures: u32,
    pub(super) retry_at: Option<Instant>,
    /// The group coordinators are too old to be told who the member is (before 2.5, KIP-447).
    pub(super) anonymous: bool,
}

impl Dialogue {
    pub(super) const fn new(config: &TransactionConfig) -> Self {
        Self {
            coordinator: Whereabouts::new(config.backoff),
            groups: BTreeMap::new(),
            under_way: None,
            last: 0,
            failures: 0,
            retry_at: None,
            anonymous: false,
        }
    }

    /// An answer brought things on.
    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }

    /// The same is asked again after a pause.
    pub(super) fn retry(
        &mut self,
        now: Instant,
        config: &TransactionConfig,
        soon: bool,
        entropy: &mut Entropy,
    ) {
        self.failures = self.failures.saturating_add(1);
        let backoff = if soon { config.completing_backoff } else { config.backoff };
        self.retry_at = Some(now + backoff.delay(self.failures, entropy));
    }

    /// The broker is not, or may not be, the coordinator of what was asked.
    pub(super) fn lost(
        &mut self,
        now: Instant,
        under_way: &UnderWay,
        group: Option<&Str>,
        entropy: &mut Entropy,
    ) {
        let Some(broker) = under_way.broker else { return };
        if under_way.asked == Asked::Offsets {
            if let Some(group) = group.and_then(|group| self.groups.get_mut(group)) {
                group.lost(now, broker, entropy);
            }
        } else {
            self.coordinator.lost(now, broker, entropy);
        }
    }

    /// Whether nothing may be asked now.
    pub(super) fn is_pausing(&self, now: Instant) -> bool {
        self.under_way.is_some() || self.retry_at.is_some_and(|at| at > now)
    }

    /// When `asked` can be asked, or its coordinator looked for; `None` if something has to happen first.
    pub(super) fn poll_timeout(&self, asked: &Asked, group: Option<&Str>) -> Option<Instant> {
        if self.under_way.is_some() {
            return None;
        }
        let whereabouts = match group.filter(|_| *asked == Asked::Offsets) {
            Some(group) => self.groups.get(group),
            None => Some(&self.coordinator),
        };
        earliest(self.retry_at, whereabouts.and_then(Whereabouts::poll_timeout))
    }
}
