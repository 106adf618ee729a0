//! The fetch session with one broker (KIP-227): what the broker remembers of the last fetch, so that the next
//! says only what changed.
//!
//! | id, epoch | the request means |
//! |---|---|
//! | 0, 0 | everything, and open a session if you can |
//! | n, 0 | everything; close session n and open another |
//! | n, m | what changed since request m-1 of session n |
//! | n, -1 | close session n |
//!
//! A session names topics by id (Fetch v13 and up) or by name, never both: whether it does is settled when it is
//! opened. At most one request of a session is under way.

mod build;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::fetch::{FetchResponse, FetchableTopicResponse},
};

use crate::PartitionIndex;

/// The first version of Fetch with topic ids instead of names.
const FIRST_WITH_IDS: i16 = 13;

/// What to fetch of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) index: PartitionIndex,
    pub(super) topic: Str,
    pub(super) topic_id: Uuid,
    pub(super) partition: i32,
    pub(super) from: From,
}

/// From where to fetch a partition, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct From {
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) max_bytes: i32,
}

/// What the broker knows of one partition, once the request under way is answered.
#[derive(Clone, Debug)]
struct Member {
    wanted: Wanted,
    /// The broker's idea of it is not ours any more.
    stale: bool,
}

/// What a response means for its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its partitions are to be used.
    Use,
    /// It does not fit the request: nothing of it is to be used.
    Drop,
    /// The broker refused the request as a whole.
    Refused(ErrorCode),
}

/// The session with one broker.
#[derive(Clone, Debug, Default)]
pub(super) struct FetchSession {
    id: i32,
    epoch: i32,
    /// The broker refused a session that was just being opened: it has none to give.
    refused: bool,
    /// The session names topics by id.
    by_id: bool,
    /// Topics were named because some had no id, though the broker may know ids.
    for_want_of_ids: bool,
    members: BTreeMap<PartitionIndex, Member>,
    /// By topic name, then by partition.
    topics: BTreeMap<Str, BTreeMap<i32, PartitionIndex>>,
    names: BTreeMap<Uuid, Str>,
}

impl FetchSession {
    /// Whether the next request carries everything.
    pub(super) const fn is_full(&self) -> bool {
        self.epoch <= 0
    }

    /// The session's id; 0 if there is none.
    pub(super) const fn id(&self) -> i32 {
        self.id
    }

    /// The request was not answered: the broker may or may not have seen it.
    pub(super) fn handle_lost(&mut self) {
        probe!(SessionLost, self.id != 0);
        self.start_over(self.id);
    }

    /// What was fetched of a partition is not used, so the broker is told again where to fetch from.
    pub(super) fn mark_stale(&mut self, index: PartitionIndex) {
        if let Some(member) = self.members.get_mut(&index) {
            member.stale = true;
        }
    }

    /// The partition that a response speaks of; `None` if it was not asked for.
    pub(super) fn partition(&self, topic: &FetchableTopicResponse, partition: i32) -> Option<PartitionIndex> {
        let name = if topic.topic_id.is_zero() { &topic.topic } else { self.names.get(&topic.topic_id)? };
        self.topics.get(name)?.get(&partition).copied()
    }

    /// Takes note of a response.
    pub(super) fn handle_response(&mut self, version: i16, response: &FetchResponse) -> Verdict {
        if !response.error_code.is_ok() {
            return self.handle_refusal(response.error_code);
        }
        let full = self.is_full();
        if !self.fits(full, response) {
            self.start_over(if full { 0 } else { self.id });
            return Verdict::Drop;
        }
        if full {
            self.id = response.session_id.max(0);
            self.epoch = i32::from(self.id != 0);
            self.by_id = version >= FIRST_WITH_IDS;
        } else if response.session_id == 0 {
            self.start_over(0);
        } else if !planted!(SessionEpochStuck, every 10) {
            self.epoch = if self.epoch == i32::MAX { 1 } else { self.epoch + 1 };
        }
        Verdict::Use
    }

    fn handle_refusal(&mut self, code: ErrorCode) -> Verdict {
        probe!(SessionEpochRefused, code == ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        probe!(SessionTopicIdRefused, code == ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        if code == ErrorCode::FETCH_SESSION_ID_NOT_FOUND {
            probe!(SessionEvicted, self.id != 0);
            probe!(SessionRefused, self.id == 0);
            self.refused = self.refused || self.id == 0;
            self.start_over(0);
        } else {
            self.start_over(self.id);
        }
        Verdict::Refused(code)
    }

    /// Whether a response speaks of exactly (full) or only (incremental) what is in the session. A full response
    /// without any partition is a broker that throttles (KIP-219) or has no session to give: not an error.
    fn fits(&self, full: bool, response: &FetchResponse) -> bool {
        let mut count = 0;
        for topic in &response.responses {
            for partition in &topic.partitions {
                if self.partition(topic, partition.partition_index).is_none() {
                    return false;
                }
                count += 1;
            }
        }
        !full || count == self.members.len() || (count == 0 && response.throttle_time_ms > 0)
    }

    const fn start_over(&mut self, id: i32) {
        self.id = id;
        self.epoch = 0;
    }

    /// Whether the last request had a partition fetched from there.
    pub(super) fn has(&self, index: PartitionIndex, from: Option<From>) -> bool {
        let member = self.members.get(&index);
        member.is_some_and(|member| !member.stale && Some(member.wanted.from) == from)
    }

    /// The partitions of an open session.
    #[cfg(test)]
    pub(super) fn open_members(&self) -> impl Iterator<Item = &PartitionIndex> {
        self.members.keys().filter(|_| !self.is_full())
    }

    /// Whether nothing is to be told of a partition: it is known from where it is fetched, or all will be told.
    #[cfg(test)]
    pub(super) fn knows(&self, index: PartitionIndex, from: Option<From>) -> bool {
        self.is_full() || self.has(index, from)
    }
}
