//! The commits that wait, in their order.

use alloc::collections::{BTreeMap, VecDeque};

use klamm_protocol::{ErrorCode, Str, messages::offset_commit::OffsetCommitResponse};

use super::wire::{self, commit_codes, commit_request};
use crate::{
    Backoff, Effect, Entropy, Instant, OperationId,
    group::{
        CommitError, CommitErrorKind, CommitOffset, CommitResult, TopicPartition,
        membership::{Ask, Identity},
    },
};

/// One commit.
#[derive(Clone, Debug)]
pub(in crate::group) struct Commit {
    /// Who waits for it; none for an automatic one.
    pub(in crate::group) operation: Option<OperationId>,
    pub(in crate::group) offsets: BTreeMap<TopicPartition, CommitOffset>,
    pub(in crate::group) deadline: Instant,
}

/// What the commits report.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::group) enum CommitOutput {
    /// This is what the group has now.
    Stored(BTreeMap<TopicPartition, CommitOffset>),
    /// A commit is over.
    Done(Option<OperationId>, CommitResult),
    /// The coordinator says that the member is not what it says to be.
    Disowned(Identity, ErrorCode),
    /// The coordinator has to be found (again).
    Rediscover,
}

/// What a partition's code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Stored,
    Rediscover,
    Retry,
    Disowned,
    Refused,
}

/// As in the Java client; the coordinator's word on the member counts for all partitions of a commit.
fn verdict(code: ErrorCode) -> Verdict {
    match code {
        ErrorCode::NONE => Verdict::Stored,
        ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR | ErrorCode::REQUEST_TIMED_OUT => {
            Verdict::Rediscover
        }
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Verdict::Retry,
        ErrorCode::UNKNOWN_MEMBER_ID
        | ErrorCode::ILLEGAL_GENERATION
        | ErrorCode::REBALANCE_IN_PROGRESS
        | ErrorCode::FENCED_INSTANCE_ID
        | ErrorCode::FENCED_MEMBER_EPOCH => Verdict::Disowned,
        // A newer epoch is known, or will be; whether the partitions are still there is looked at again.
        ErrorCode::STALE_MEMBER_EPOCH => Verdict::Retry,
        code if code.is_retriable() => Verdict::Retry,
        _ => Verdict::Refused,
    }
}

#[derive(Clone, Debug)]
struct Flight {
    number: u64,
    identity: Identity,
}

/// See the [module](super).
#[derive(Clone, Debug)]
pub(in crate::group) struct Commits {
    group_id: Str,
    instance_id: Option<Str>,
    backoff: Backoff,
    queue: VecDeque<Commit>,
    flight: Option<Flight>,
    /// What has happened to the first of the queue so far.
    first: First,
    outputs: VecDeque<CommitOutput>,
}

#[derive(Clone, Debug, Default)]
struct First {
    failures: u32,
    retry_at: Option<Instant>,
    /// It may have been stored.
    uncertain: bool,
    /// Some of it was.
    stored: bool,
    last: ErrorCode,
    refused: BTreeMap<TopicPartition, ErrorCode>,
}

impl Commits {
    pub(in crate::group) const fn new(group_id: Str, instance_id: Option<Str>, backoff: Backoff) -> Self {
        Self {
            group_id,
            instance_id,
            backoff,
            queue: VecDeque::new(),
            flight: None,
            first: First {
                failures: 0,
                retry_at: None,
                uncertain: false,
                stored: false,
                last: ErrorCode::NONE,
                refused: BTreeMap::new(),
            },
            outputs: VecDeque::new(),
        }
    }

    /// Puts a commit behind those that wait.
    pub(in crate::group) fn push(&mut self, commit: Commit) {
        self.queue.push_back(commit);
    }

    pub(in crate::group) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether an automatic commit waits already.
    pub(in crate::group) fn has_automatic(&self) -> bool {
        self.queue.iter().any(|commit| commit.operation.is_none())
    }

    /// Whether there is something to send once the coordinator is known.
    pub(in crate::group) fn wants_coordinator(&self, now: Instant) -> bool {
        self.flight.is_none() && !self.queue.is_empty() && self.first.retry_at.is_none_or(|at| at <= now)
    }

    /// The next request. `owns` says whether offsets of a partition may be committed.
    pub(in crate::group) fn ask(
        &mut self,
        now: Instant,
        number: u64,
        identity: &Identity,
        owns: impl Fn(&TopicPartition) -> bool,
        timeout: core::time::Duration,
    ) -> Option<Ask> {
        while self.wants_coordinator(now) {
            let first = self.queue.front()?;
            if !first.offsets.keys().all(&owns) {
                self.finish(Err(CommitErrorKind::NotAssigned));
                continue;
            }
            self.first.retry_at = None;
            let request = commit_request(&self.group_id, self.instance_id.as_ref(), identity, &first.offsets);
            self.flight = Some(Flight { number, identity: identity.clone() });
            return Some(Ask { max_version: wire::MAX_VERSION, ..Ask::new(request, timeout) });
        }
        None
    }

    /// Takes an answer. One that nobody waits for is ignored.
    pub(in crate::group) fn handle_response(
        &mut self,
        now: Instant,
        number: u64,
        response: &OffsetCommitResponse,
        entropy: &mut Entropy,
    ) {
        let Some(flight) = self.flight.take_if(|flight| flight.number == number) else { return };
        let codes = commit_codes(response);
        let Some(commit) = self.queue.front_mut() else { return };
        let mut stored = BTreeMap::new();
        let (mut rediscover, mut disowned) = (false, None);
        commit.offsets.retain(|partition, offset| {
            // A broker that says nothing of a partition did nothing with it.
            let code = codes.get(&(&partition.0, partition.1)).copied();
            let code = code.unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR);
            match verdict(code) {
                Verdict::Stored => drop(stored.insert(partition.clone(), offset.clone())),
                Verdict::Refused => drop(self.first.refused.insert(partition.clone(), code)),
                Verdict::Disowned => disowned = Some(code),
                Verdict::Rediscover => rediscover = true,
                Verdict::Retry => {}
            }
            if !code.is_ok() {
                self.first.last = code;
            }
            !matches!(verdict(code), Verdict::Stored | Verdict::Refused)
        });
        let over = commit.offsets.is_empty();
        if !stored.is_empty() {
            self.first.stored = true;
            self.outputs.push_back(CommitOutput::Stored(stored));
        }
        if rediscover {
            self.outputs.push_back(CommitOutput::Rediscover);
        }
        if let Some(code) = disowned {
            self.first.last = code;
            self.outputs.push_back(CommitOutput::Disowned(flight.identity, code));
            self.finish(Err(CommitErrorKind::Rebalanced));
        } else if !over {
            self.retry(now, entropy);
        } else if self.first.refused.is_empty() {
            self.finish(Ok(()));
        } else {
            self.finish(Err(CommitErrorKind::Refused));
        }
    }

    /// A request will not be answered.
    pub(in crate::group) fn handle_lost(
        &mut self,
        now: Instant,
        number: u64,
        (written, unsupported): (bool, bool),
        entropy: &mut Entropy,
    ) {
        if self.flight.take_if(|flight| flight.number == number).is_none() {
            return;
        }
        self.first.uncertain |= written;
        if unsupported {
            self.finish(Err(CommitErrorKind::Unsupported));
        } else {
            self.retry(now, entropy);
        }
    }

    fn retry(&mut self, now: Instant, entropy: &mut Entropy) {
        self.first.failures = self.first.failures.saturating_add(1);
        self.first.retry_at = Some(now + self.backoff.delay(self.first.failures, entropy));
    }

    /// Ends what is overdue, but for what is under way: that is answered, or its connection ends.
    pub(in crate::group) fn handle_timeout(&mut self, now: Instant) {
        if self.flight.is_none() {
            while self.queue.front().is_some_and(|first| first.deadline <= now) {
                self.finish(Err(CommitErrorKind::TimedOut));
            }
        }
        let mut at = 1;
        while let Some(commit) = self.queue.get(at) {
            if commit.deadline > now {
                at += 1;
            } else if let Some(commit) = self.queue.remove(at) {
                let error = CommitError::new(CommitErrorKind::TimedOut, Effect::None);
                self.outputs.push_back(CommitOutput::Done(commit.operation, Err(error)));
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(in crate::group) fn poll_timeout(&self) -> Option<Instant> {
        let skip = usize::from(self.flight.is_some());
        self.queue.iter().skip(skip).map(|commit| commit.deadline).min()
    }

    /// When [`ask`](Self::ask) has something to say.
    pub(in crate::group) fn ask_timeout(&self) -> Option<Instant> {
        self.first.retry_at.filter(|_| self.flight.is_none() && !self.queue.is_empty())
    }

    /// Ends everything that waits for the coordinator, which will not be told.
    pub(in crate::group) fn refuse(&mut self, code: ErrorCode) {
        while self.flight.is_none() && !self.queue.is_empty() {
            self.first.last = code;
            self.finish(Err(CommitErrorKind::Refused));
        }
    }

    /// Ends everything that waits. What is under way has an unknown effect.
    pub(in crate::group) fn give_up(&mut self, kind: CommitErrorKind) {
        self.first.uncertain |= self.flight.take().is_some();
        while !self.queue.is_empty() {
            self.finish(Err(kind));
        }
    }

    pub(in crate::group) fn poll(&mut self) -> Option<CommitOutput> {
        self.outputs.pop_front()
    }

    fn finish(&mut self, result: Result<(), CommitErrorKind>) {
        let Some(commit) = self.queue.pop_front() else { return };
        let first = core::mem::take(&mut self.first);
        let result = result.map_err(|kind| {
            let effect = if first.uncertain {
                Effect::Unknown
            } else if first.stored {
                Effect::Done
            } else {
                Effect::None
            };
            let code = if first.last.is_ok() { ErrorCode::NONE } else { first.last };
            CommitError { kind, effect, code, partitions: first.refused }
        });
        self.outputs.push_back(CommitOutput::Done(commit.operation, result));
    }
}
