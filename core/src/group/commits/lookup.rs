//! Looking up what is committed.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use klamm_protocol::{ErrorCode, Str, messages::offset_fetch::OffsetFetchResponse};

use super::wire::{Form, fetch_request, fetched};
use crate::{
    Backoff, Effect, Entropy, Instant, OperationId, earliest,
    group::{
        CommitError, CommitErrorKind, CommittedOffsets, TopicPartition,
        membership::{Ask, Identity},
    },
};

/// Who looks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::group) enum LookupId {
    /// The application.
    Operation(OperationId),
    /// The group, for partitions that were assigned under this number.
    Adoption(u64),
}

/// What the look-ups report.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::group) enum LookupOutput {
    Done(LookupId, Result<CommittedOffsets, CommitError>),
    /// The coordinator has to be found (again).
    Rediscover,
}

#[derive(Clone, Debug)]
struct Lookup {
    partitions: BTreeSet<TopicPartition>,
    deadline: Instant,
    /// The number of the request under way, and the form that it has.
    sent: Option<(u64, Form)>,
    retry_at: Option<Instant>,
    failures: u32,
    last: ErrorCode,
}

/// See the [module](super).
#[derive(Clone, Debug)]
pub(in crate::group) struct Lookups {
    group_id: Str,
    backoff: Backoff,
    form: Form,
    all: BTreeMap<LookupId, Lookup>,
    outputs: VecDeque<LookupOutput>,
}

impl Lookups {
    pub(in crate::group) const fn new(group_id: Str, backoff: Backoff) -> Self {
        Self { group_id, backoff, form: Form::Groups, all: BTreeMap::new(), outputs: VecDeque::new() }
    }

    /// Begins to look up.
    pub(in crate::group) fn push(
        &mut self,
        id: LookupId,
        partitions: impl IntoIterator<Item = TopicPartition>,
        deadline: Instant,
    ) {
        let partitions: BTreeSet<TopicPartition> = partitions.into_iter().collect();
        if partitions.is_empty() {
            self.outputs.push_back(LookupOutput::Done(id, Ok(BTreeMap::new())));
            return;
        }
        let lookup =
            Lookup { partitions, deadline, sent: None, retry_at: None, failures: 0, last: ErrorCode::NONE };
        self.all.insert(id, lookup);
    }

    /// As [`push`](Self::push) for the group, but not before `begin`.
    pub(in crate::group) fn push_later(
        &mut self,
        id: LookupId,
        partitions: impl IntoIterator<Item = TopicPartition>,
        begin: Instant,
    ) {
        self.push(id, partitions, Instant::MAX);
        if let Some(lookup) = self.all.get_mut(&id) {
            lookup.retry_at = Some(begin);
        }
    }

    /// Of the look-ups of the group, only these are still wanted.
    pub(in crate::group) fn keep_adoptions(&mut self, keep: impl Fn(u64) -> bool) {
        self.all.retain(|id, _| match id {
            LookupId::Operation(_) => true,
            LookupId::Adoption(id) => keep(*id),
        });
    }

    pub(in crate::group) fn wants_coordinator(&self, now: Instant) -> bool {
        self.all.values().any(|lookup| lookup.is_due(now))
    }

    pub(in crate::group) fn ask(
        &mut self,
        now: Instant,
        number: u64,
        identity: Option<&Identity>,
        timeout: core::time::Duration,
    ) -> Option<Ask> {
        let lookup = self.all.values_mut().find(|lookup| lookup.is_due(now))?;
        lookup.sent = Some((number, self.form));
        lookup.retry_at = None;
        let request = fetch_request(&self.group_id, identity, &lookup.partitions, self.form);
        Some(Ask { max_version: self.form.max_version(), ..Ask::new(request, timeout) })
    }

    fn sent(&self, number: u64) -> Option<LookupId> {
        self.all
            .iter()
            .find(|(_, lookup)| lookup.sent.is_some_and(|(sent, _)| sent == number))
            .map(|(id, _)| *id)
    }

    pub(in crate::group) fn handle_response(
        &mut self,
        now: Instant,
        number: u64,
        response: &OffsetFetchResponse,
        entropy: &mut Entropy,
    ) {
        let Some(id) = self.sent(number) else { return };
        let Some(lookup) = self.all.get_mut(&id) else { return };
        lookup.sent = None;
        let answer = match fetched(&self.group_id, response) {
            Ok(answer) => answer,
            Err(code) => return self.refused(now, id, code, entropy),
        };
        let mut found = CommittedOffsets::new();
        let (mut passing, mut rediscover) = (None, false);
        for partition in &lookup.partitions {
            match answer.get(partition) {
                Some(Err(code)) if is_passing(*code) => {
                    passing = Some(*code);
                    rediscover |= is_elsewhere(*code);
                }
                Some(value) => drop(found.insert(partition.clone(), value.clone())),
                None => passing = Some(ErrorCode::UNKNOWN_SERVER_ERROR),
            }
        }
        if rediscover {
            self.outputs.push_back(LookupOutput::Rediscover);
        }
        match passing {
            None => {
                self.all.remove(&id);
                self.outputs.push_back(LookupOutput::Done(id, Ok(found)));
            }
            // All are asked for again: what is told is of one moment, and not in part from before a transaction that took
            // long to end.
            Some(code) => {
                lookup.last = code;
                lookup.retry(now, self.backoff, entropy);
            }
        }
    }

    fn refused(&mut self, now: Instant, id: LookupId, code: ErrorCode, entropy: &mut Entropy) {
        let Some(lookup) = self.all.get_mut(&id) else { return };
        lookup.last = code;
        if is_elsewhere(code) {
            self.outputs.push_back(LookupOutput::Rediscover);
        }
        // The member joins again by itself, and may ask then. What it looked up for an assignment is void.
        let comes_back = code == ErrorCode::UNKNOWN_MEMBER_ID && matches!(id, LookupId::Operation(_));
        if is_passing(code) || comes_back {
            lookup.retry(now, self.backoff, entropy);
        } else {
            self.fail(id, CommitErrorKind::Refused);
        }
    }

    pub(in crate::group) fn handle_lost(
        &mut self,
        now: Instant,
        number: u64,
        unsupported: bool,
        entropy: &mut Entropy,
    ) {
        let Some(id) = self.sent(number) else { return };
        let Some(lookup) = self.all.get_mut(&id) else { return };
        let form = lookup.sent.take().map_or(self.form, |(_, form)| form);
        match (unsupported, self.form.older()) {
            // Several may be under way in the same form: that one of them is not understood says it all.
            (true, _) if form != self.form => {}
            (true, Some(older)) => self.form = older,
            (true, None) => self.fail(id, CommitErrorKind::Unsupported),
            (false, _) => lookup.retry(now, self.backoff, entropy),
        }
    }

    pub(in crate::group) fn handle_timeout(&mut self, now: Instant) {
        let due = |(_, lookup): &(&LookupId, &Lookup)| lookup.deadline <= now;
        let overdue: Vec<LookupId> = self.all.iter().filter(due).map(|(id, _)| *id).collect();
        for id in overdue {
            self.fail(id, CommitErrorKind::TimedOut);
        }
    }

    pub(in crate::group) fn poll_timeout(&self) -> Option<Instant> {
        self.all.values().map(|lookup| Some(lookup.deadline)).fold(None, earliest)
    }

    /// When [`ask`](Self::ask) has something to say.
    pub(in crate::group) fn ask_timeout(&self) -> Option<Instant> {
        self.all.values().map(|lookup| lookup.retry_at).fold(None, earliest)
    }

    /// Ends what the application waits for: the coordinator will not be told.
    pub(in crate::group) fn refuse(&mut self, code: ErrorCode) {
        let waits = |(id, lookup): &(&LookupId, &mut Lookup)| {
            matches!(id, LookupId::Operation(_)) && lookup.sent.is_none()
        };
        let refuse = |(id, lookup): (&LookupId, &mut Lookup)| {
            lookup.last = code;
            *id
        };
        let all: Vec<LookupId> = self.all.iter_mut().filter(waits).map(refuse).collect();
        for id in all {
            self.fail(id, CommitErrorKind::Refused);
        }
    }

    pub(in crate::group) fn give_up(&mut self, kind: CommitErrorKind) {
        let all: Vec<LookupId> = self.all.keys().copied().collect();
        for id in all {
            self.fail(id, kind);
        }
    }

    pub(in crate::group) fn poll(&mut self) -> Option<LookupOutput> {
        self.outputs.pop_front()
    }

    fn fail(&mut self, id: LookupId, kind: CommitErrorKind) {
        let Some(lookup) = self.all.remove(&id) else { return };
        let error = CommitError::with(kind, Effect::None, lookup.last);
        self.outputs.push_back(LookupOutput::Done(id, Err(error)));
    }
}

impl Lookup {
    fn is_due(&self, now: Instant) -> bool {
        self.sent.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }

    fn retry(&mut self, now: Instant, backoff: Backoff, entropy: &mut Entropy) {
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + backoff.delay(self.failures, entropy));
    }
}

/// The broker is not the coordinator.
fn is_elsewhere(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR)
}

/// It may be answered later: a transaction is not decided yet, the coordinator loads, the member's epoch is behind.
fn is_passing(code: ErrorCode) -> bool {
    is_elsewhere(code)
        || matches!(code, ErrorCode::UNSTABLE_OFFSET_COMMIT | ErrorCode::STALE_MEMBER_EPOCH)
        || (code.is_retriable() && code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}
