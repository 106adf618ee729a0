//! What is known of every record that was offered to a producer.

use std::collections::BTreeMap;

use klamm_core::Instant;
use klamm_protocol::Str;

use crate::observe::{ActorId, ClientId, ProducerFacts, ValueId};

/// What became of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// The number was not used.
    #[default]
    Unheard,
    Offered,
    Refused,
    /// There is no outcome yet.
    Accepted,
    /// Nobody will be told of the outcome.
    Abandoned,
    Written,
    FailedNone,
    FailedUnknown,
    FailedDone,
}

impl Fate {
    pub(super) const fn is_failed(self) -> bool {
        matches!(self, Self::FailedNone | Self::FailedUnknown | Self::FailedDone)
    }
}

/// A record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Value {
    pub(super) fate: Fate,
    /// In how many places of true logs it is now.
    pub(super) copies: u8,
    /// It was in a log at some time.
    pub(super) was_appended: bool,
    /// It got into the log behind a record that had been accepted later.
    pub(super) is_late: bool,
    /// It got into the log after a flush that had to cover it.
    pub(super) missed_flush: bool,
    /// The number of its topic.
    pub(super) topic: u32,
    /// The partition that the application named, or -1.
    pub(super) asked: i32,
    /// The partition in whose log it was last, or -1.
    pub(super) partition: i32,
    /// Its place in the order in which its producer accepted.
    pub(super) turn: u32,
    pub(super) salt: u64,
    /// When it was offered, and from its acceptance on when that was.
    pub(super) since: Instant,
    /// The offset that was reported, or -1.
    pub(super) offset: i64,
}

/// A producer.
#[derive(Debug)]
pub(super) struct Producer {
    pub(super) client: ClientId,
    pub(super) facts: ProducerFacts,
    values: Vec<Value>,
    /// Numbers of records in the order of acceptance.
    turns: Vec<u32>,
    /// All before this turn have their outcome.
    settled_turns: usize,
    pub(super) flush: Option<Flush>,
    /// The last flush that ended.
    pub(super) flushed: Option<Flush>,
    pub(super) close: Option<Close>,
    pub(super) is_gone: bool,
    /// Records that are offered and neither accepted nor refused: the room for them may be taken already.
    pub(super) offering: u32,
}

/// A flush.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flush {
    /// It covers the turns before this one.
    pub(super) covers: u32,
    /// When it began, and after its end when that was.
    pub(super) at: Instant,
}

/// A closing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Close {
    pub(super) deadline: Instant,
    pub(super) ended: bool,
}

impl Producer {
    pub(super) const fn new(client: ClientId, facts: ProducerFacts) -> Self {
        Self {
            client,
            facts,
            values: Vec::new(),
            turns: Vec::new(),
            settled_turns: 0,
            flush: None,
            flushed: None,
            close: None,
            is_gone: false,
            offering: 0,
        }
    }

    pub(super) fn value(&self, number: u32) -> Option<&Value> {
        self.values.get(number as usize).filter(|value| value.fate != Fate::Unheard)
    }

    pub(super) fn value_mut(&mut self, number: u32) -> Option<&mut Value> {
        self.values.get_mut(number as usize).filter(|value| value.fate != Fate::Unheard)
    }

    /// A record is offered. `false`: its number was used before, or is out of all reason.
    pub(super) fn offer(&mut self, number: u32, value: Value) -> bool {
        let at = number as usize;
        if at > self.values.len() + (1 << 20) || self.value(number).is_some() {
            return false;
        }
        if at >= self.values.len() {
            self.values.resize(at + 1, Value::default());
        }
        self.values[at] = value;
        self.offering += 1;
        true
    }

    /// The record is the next one that was accepted.
    pub(super) fn take_turn(&mut self, number: u32) -> u32 {
        self.turns.push(number);
        self.offering = self.offering.saturating_sub(1);
        self.next_turn() - 1
    }

    pub(super) fn next_turn(&self) -> u32 {
        u32::try_from(self.turns.len()).unwrap_or(u32::MAX)
    }

    /// The records that were accepted, by turn.
    pub(super) fn accepted(&self) -> impl Iterator<Item = &Value> {
        self.turns.iter().map(|number| &self.values[*number as usize])
    }

    /// The records that were accepted and have no outcome, by turn.
    pub(super) fn open(&mut self) -> impl Iterator<Item = (u32, &Value)> {
        while let Some(number) = self.turns.get(self.settled_turns)
            && self.values[*number as usize].fate != Fate::Accepted
        {
            self.settled_turns += 1;
        }
        let turns = self.turns.get(self.settled_turns..).unwrap_or_default();
        let open = turns.iter().map(|number| (*number, &self.values[*number as usize]));
        open.filter(|(_, value)| value.fate == Fate::Accepted)
    }
}

/// All producers, and the numbers of topics.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// How many produce requests the applications with transactions of a client may have in flight on a connection.
    pub(super) transactors: BTreeMap<ClientId, usize>,
    pub(super) producers: BTreeMap<ActorId, Producer>,
    topics: Vec<Str>,
}

/// A number for dense tables.
pub(super) fn dense(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Values {
    pub(super) fn topic_number(&mut self, topic: &Str) -> u32 {
        let at = self.topics.iter().position(|known| known == topic).unwrap_or_else(|| {
            self.topics.push(topic.clone());
            self.topics.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    pub(super) fn topic(&self, number: u32) -> Option<&Str> {
        self.topics.get(number as usize)
    }

    /// The record with this id, if it was offered as this id says.
    pub(super) fn find_mut(&mut self, id: ValueId) -> Option<(&mut Producer, u32)> {
        let number = dense(id.number);
        let producer = self.producers.get_mut(&id.actor)?;
        (producer.value(number)?.salt == id.salt).then_some((producer, number))
    }
}
