//! One partition's batches, and what it can do next.

use alloc::collections::VecDeque;

use super::{
    batch::{Batch, BatchKey},
    sequences::{ProducerId, Sequences},
    unsealed::Unsealed,
};
use crate::{BrokerId, Instant, cluster::Leader};

/// What a partition could do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is nothing to send.
    Idle,
    /// Its leader is unknown.
    FindLeader,
    /// It is not in the transaction.
    Enrol,
    /// A new producer id is needed first.
    AwaitId,
    /// An answer, the end of a backoff, or sealing has to come first.
    Wait,
    /// Its oldest unsealed batch may wait for more records.
    Linger,
    /// Its oldest unsealed batch should be sealed.
    Seal,
    /// The sealed batch at this place in the queue can be sent.
    Send(usize),
}

/// In which of its broker's lists a partition is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Listed {
    /// In none.
    #[default]
    No,
    /// Among those that have something to send.
    Ready(BrokerId),
    /// Among those that may wait for more records.
    Lingering(BrokerId),
}

/// Whether a partition is in the transaction that is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Enrolment {
    /// No.
    #[default]
    No,
    /// It is to be.
    Asked,
    /// It is.
    Done,
}

/// What a partition's step depends on besides itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) idempotent: bool,
    /// In-flight requests of one partition, once its leader has acknowledged something.
    pub(super) max_in_flight: u32,
    pub(super) producer_id: Option<ProducerId>,
    pub(super) transactional: bool,
}

/// The control plane's side of one partition.
#[derive(Debug)]
pub(super) struct Partition {
    /// The topic's place in `Topics`, and the partition's number: known once the cluster was asked.
    pub(super) name: Option<(usize, i32)>,
    pub(super) leader: Option<Leader>,
    /// Batches in their buffer, all younger than those in `queue`.
    pub(super) unsealed: Unsealed,
    /// Sealed batches without an outcome, in their order.
    pub(super) queue: VecDeque<Batch>,
    pub(super) sequences: Sequences,
    /// Requests not answered that hold a batch of this partition, also one that has its outcome already.
    pub(super) in_flight: u32,
    /// The broker that has acknowledged a batch since it became leader, and since the epoch began.
    pub(super) proven_on: Option<BrokerId>,
    /// Nothing is sent before.
    pub(super) retry_at: Option<Instant>,
    pub(super) listed: Listed,
    pub(super) enrolment: Enrolment,
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            name: None,
            leader: None,
            unsealed: Unsealed::default(),
            queue: VecDeque::new(),
            sequences: Sequences::default(),
            in_flight: 0,
            proven_on: None,
            retry_at: None,
            listed: Listed::No,
            enrolment: Enrolment::No,
        }
    }
}

impl Partition {
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.unsealed.is_empty()
    }

    /// What it could do at `now`.
    pub(super) fn step(&self, now: Instant, rules: &Rules) -> Step {
        if self.is_idle() {
            return Step::Idle;
        }
        if rules.transactional && self.enrolment != Enrolment::Done {
            return Step::Enrol;
        }
        let Some(leader) = self.leader else { return Step::FindLeader };
        if self.retry_at.is_some_and(|at| at > now) {
            return Step::Wait;
        }
        let waiting = self.queue.iter().position(Batch::is_waiting);
        let resend = waiting.and_then(|at| self.queue.get(at)).is_some_and(|batch| batch.identity.is_some());
        if resend {
            // What was sent before goes alone and in order, so that an earlier failure is settled first.
            return if self.in_flight == 0 { waiting.map_or(Step::Wait, Step::Send) } else { Step::Wait };
        }
        if rules.idempotent && self.sequences.needs_id(rules.producer_id) {
            return Step::AwaitId;
        }
        if self.is_resending() || self.in_flight >= self.window(leader, rules) {
            return Step::Wait;
        }
        match waiting {
            Some(at) => Step::Send(at),
            None if self.unsealed.is_empty() || self.unsealed.is_sealing() => Step::Wait,
            None if self.unsealed.is_due() => Step::Seal,
            None => Step::Linger,
        }
    }

    /// Whether a batch that was refused or lost is under way again.
    ///
    /// A broker remembers the last five batches of a producer. Fresh batches behind one that it may have taken
    /// would make it forget that one before the resend is settled.
    pub(super) fn is_resending(&self) -> bool {
        self.queue.iter().any(|batch| batch.refusals > 0 && batch.identity.is_some())
    }

    /// Takes the leader that the cluster names now.
    pub(super) fn set_leader(&mut self, leader: Option<Leader>) {
        if planted!(OldLeaderUsed) && self.leader.is_some() {
            return;
        }
        if leader.is_some() && leader != self.leader {
            // The backoff was for the old leader.
            self.retry_at = None;
        }
        if leader != self.leader {
            // Two brokers at once could write in any order: so nothing is sent before the old leader has answered.
            // And even if it is the same broker, its log may have been without this producer in between.
            probe!(LeaderMovedInFlight, leader.is_some() && self.in_flight > 0);
            probe!(ResendToNewLeader, leader.is_some() && self.is_resending());
            self.proven_on = None;
        }
        self.leader = leader;
    }

    /// A broker that went down may have lost what it had, and would then take any batch as the first one.
    pub(super) fn connection_lost(&mut self, broker: BrokerId) {
        self.proven_on.take_if(|proven| *proven == broker);
    }

    /// The topic is another one of the same name, whose log does not know this producer.
    pub(super) const fn topic_replaced(&mut self) {
        self.proven_on = None;
    }

    /// How many requests with fresh batches may be in flight.
    fn window(&self, leader: Leader, rules: &Rules) -> u32 {
        // Without sequences a refused batch would be overtaken by the one behind it. With them it still would, if
        // the broker does not know this producer yet: it takes any first sequence. And a new epoch has to begin
        // after the end of the old one.
        let pipelined =
            rules.idempotent && self.proven_on == Some(leader.broker) && !self.sequences.is_renewing();
        if pipelined || planted!(ReorderOnRetry) { rules.max_in_flight } else { 1 }
    }

    /// Where in the queue the batch `key` is that went with the request `number`. `None` if it has its outcome.
    pub(super) fn find(&self, key: BatchKey, number: u64) -> Option<usize> {
        self.queue.iter().position(|batch| batch.key == key && batch.in_flight == Some(number))
    }

    /// When its oldest batch was opened.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let sealed = self.queue.front().map(|batch| batch.opened.at);
        sealed.or_else(|| self.unsealed.oldest().map(|opened| opened.at))
    }

    /// The broker took nothing of what waits in this epoch: all of it is named anew, in a new epoch.
    pub(super) fn begin_epoch(&mut self) {
        probe!(EpochBumpWithInflight, self.in_flight > 0);
        self.sequences.renew();
        self.proven_on = None;
        for batch in &mut self.queue {
            if batch.is_waiting() {
                batch.rename();
            }
        }
    }

    /// The batch at `at` came back without an acknowledgement and waits again.
    pub(super) fn put_back(&mut self, at: usize) {
        // If a batch before it is named anew, the broker did not take that one, and so not this one either.
        let renamed =
            self.sequences.is_renewing() && self.queue.iter().take(at).any(|batch| batch.identity.is_none());
        let Some(batch) = self.queue.get_mut(at) else { return };
        batch.in_flight = None;
        if renamed {
            probe!(RenamedBehind);
            batch.rename();
        }
    }
}
