//! Incremental fetch sessions (KIP-227): what one broker remembers of what a consumer wants and was told.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_core::{Entropy, Instant};
use klamm_protocol::{Str, Uuid};

use super::config::LimitConfig;

/// A topic as the request named it: by name up to version 12, by id from version 13 on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TopicRef {
    Name(Str),
    Id(Uuid),
}

impl TopicRef {
    /// A copy that does not keep the frame of the request in memory.
    pub(crate) fn detached(&self) -> Self {
        match self {
            Self::Name(name) => Self::Name(Str::copy_of(name)),
            Self::Id(id) => Self::Id(*id),
        }
    }
}

/// A partition in a session.
pub(crate) type Key = (TopicRef, i32);

/// What a consumer wants of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) offset: i64,
    pub(crate) max_bytes: i32,
    /// -1: not known to the consumer.
    pub(crate) leader_epoch: i32,
    /// -1: not told. The last epoch that the reader saw (KIP-595).
    pub(crate) last_epoch: i32,
}

/// What a response says of a partition, as far as a session cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) is_error: bool,
    pub(crate) has_records: bool,
    /// It carries something else that must be said, whatever was said before.
    pub(crate) must_tell: bool,
}

/// The session fields of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) id: i32,
    pub(crate) epoch: i32,
    pub(crate) by_topic_id: bool,
}

/// How to answer a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    Sessionless,
    /// A new session is to be opened with the response.
    Full,
    Incremental(i32),
}

/// Why a session's request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionError {
    NotFound,
    InvalidEpoch,
    TopicIds,
}

#[derive(Debug)]
struct Remembered {
    wanted: Wanted,
    high_watermark: i64,
    log_start_offset: i64,
    place: u64,
}

#[derive(Debug)]
struct Session {
    /// The epoch that the next request must have.
    epoch: i32,
    by_topic_id: bool,
    last_used: Instant,
    partitions: BTreeMap<Key, Remembered>,
    /// The order in which partitions are served; those that had records go to its end.
    order: BTreeMap<u64, Key>,
    next_place: u64,
}

impl Session {
    fn put(&mut self, key: Key, wanted: Wanted) {
        if let Some(known) = self.partitions.get_mut(&key) {
            known.wanted = wanted;
            return;
        }
        let place = self.next_place;
        self.next_place += 1;
        self.order.insert(place, key.clone());
        self.partitions.insert(key, Remembered { wanted, high_watermark: -1, log_start_offset: -1, place });
    }

    fn remove(&mut self, key: &Key) {
        if let Some(known) = self.partitions.remove(key) {
            self.order.remove(&known.place);
        }
    }

    /// Whether an incremental response has to tell this; remembers that it was told.
    fn tell(&mut self, key: &Key, told: &Told) -> bool {
        let Some(known) = self.partitions.get_mut(key) else { return true };
        let changed =
            known.high_watermark != told.high_watermark || known.log_start_offset != told.log_start_offset;
        known.high_watermark = if told.is_error { -1 } else { told.high_watermark };
        known.log_start_offset = told.log_start_offset;
        if told.has_records {
            self.order.remove(&known.place);
            known.place = self.next_place;
            self.order.insert(known.place, key.clone());
            self.next_place += 1;
        }
        changed || told.is_error || told.has_records || told.must_tell
    }
}

/// The sessions of one broker.
#[derive(Debug)]
pub(crate) struct Sessions {
    by_id: BTreeMap<i32, Session>,
    entropy: Entropy,
    /// Sessions that are kept.
    slots: usize,
    /// How long a session must have been idle before another may take its place.
    eviction_age: Duration,
}

impl Sessions {
    pub(crate) const fn new(entropy: Entropy, limits: &LimitConfig) -> Self {
        Self {
            by_id: BTreeMap::new(),
            entropy,
            slots: limits.fetch_sessions,
            eviction_age: limits.fetch_session_eviction,
        }
    }

    /// Decides how the request is to be answered, and applies its changes to its session.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        header: Header,
        wanted: &[(Key, Wanted)],
        forgotten: &[Key],
    ) -> Result<Context, SessionError> {
        if header.epoch == 0 || header.epoch == -1 {
            self.by_id.remove(&header.id);
            return Ok(if header.epoch == 0 { Context::Full } else { Context::Sessionless });
        }
        let session = self.by_id.get_mut(&header.id).ok_or(SessionError::NotFound)?;
        if session.epoch != header.epoch {
            return Err(SessionError::InvalidEpoch);
        }
        if session.by_topic_id != header.by_topic_id {
            return Err(SessionError::TopicIds);
        }
        for (key, wanted) in wanted {
            session.put((key.0.detached(), key.1), *wanted);
        }
        for key in forgotten {
            session.remove(key);
        }
        session.epoch = session.epoch.checked_add(1).unwrap_or(1);
        session.last_used = now;
        if session.partitions.is_empty() {
            self.by_id.remove(&header.id);
            return Ok(Context::Sessionless);
        }
        Ok(Context::Incremental(header.id))
    }

    /// The partitions of a session in the order in which to serve them.
    pub(crate) fn wanted(&self, id: i32) -> Vec<(Key, Wanted)> {
        let Some(session) = self.by_id.get(&id) else { return Vec::new() };
        let wanted = |key: &Key| session.partitions.get(key).map(|known| (key.clone(), known.wanted));
        session.order.values().filter_map(wanted).collect()
    }

    /// Opens a session for what a full response told. 0: there is no room for one.
    pub(crate) fn open(&mut self, now: Instant, by_topic_id: bool, told: &[(Key, Wanted, Told)]) -> i32 {
        if !self.make_room(now) {
            return 0;
        }
        let id = loop {
            let id = i32::try_from(self.entropy.below(1 << 31)).unwrap_or(0);
            if id != 0 && !self.by_id.contains_key(&id) {
                break id;
            }
        };
        let mut session = Session {
            epoch: 1,
            by_topic_id,
            last_used: now,
            partitions: BTreeMap::new(),
            order: BTreeMap::new(),
            next_place: 0,
        };
        for (key, wanted, told) in told {
            let key = (key.0.detached(), key.1);
            session.put(key.clone(), *wanted);
            session.tell(&key, &Told { has_records: false, ..*told });
        }
        self.by_id.insert(id, session);
        id
    }

    fn make_room(&mut self, now: Instant) -> bool {
        if self.by_id.len() < self.slots {
            return true;
        }
        let oldest = self.by_id.iter().min_by_key(|(_, session)| session.last_used);
        let evicted =
            oldest.filter(|(_, session)| now.since(session.last_used) > self.eviction_age).map(|(id, _)| *id);
        evicted.is_some_and(|id| self.by_id.remove(&id).is_some())
    }

    /// Whether the incremental response of session `id` has to tell this of a partition.
    pub(crate) fn tell(&mut self, id: i32, key: &Key, told: &Told) -> bool {
        self.by_id.get_mut(&id).is_none_or(|session| session.tell(key, told))
    }

    /// Whether a session has a partition for which `is_wanted`.
    pub(crate) fn has(&self, id: i32, is_wanted: impl Fn(&Key) -> bool) -> bool {
        self.by_id.get(&id).is_some_and(|session| session.partitions.keys().any(is_wanted))
    }

    /// Drops all sessions, as a restart of the broker does.
    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
mod tests;
