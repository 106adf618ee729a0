//! What consumers promise to their applications.

use std::collections::BTreeMap;

use klamm_core::Instant;
use klamm_protocol::Uuid;

use super::findings::Findings;
use super::log::{Found, PartitionLog};
use super::oracle::{self, Oracle};
use super::{Bounds, Invariant};
use crate::observe::{ActorId, ClientId, ConsumerFacts, Consuming, TopicPartition, ValueId};

/// In the error of a reader that can get no further with a broker that returns no whole batch.
const TOO_LARGE: &str = "larger than a fetch may be";

/// Where the next record of a partition has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Exactly here. `fresh`: nothing was delivered since it was said to be here.
    At { offset: i64, fresh: bool },
    /// At the beginning, which was here when that was said.
    Beginning(i64),
    /// At the end, which was here when that was said.
    End(i64),
    /// The broker picks, by a timestamp.
    Anywhere,
}

/// A partition of a reader.
#[derive(Clone, Copy, Debug)]
struct Reading {
    next: Next,
    /// Why nothing may be delivered, if nothing may.
    silent: Option<&'static str>,
    /// The topic that was read when the position was said.
    topic_id: Option<Uuid>,
    /// So many cuts of the log were looked at.
    cuts: usize,
    /// So many falls of the log's start were looked at.
    falls: usize,
    /// The log lost its end here, below the position, and the reader has not been told.
    cut: Option<i64>,
    /// What comes next is larger than the reader may fetch from an old broker, and it was told so.
    too_large: bool,
    /// The log lost its end, or was another one, since the position was said; or it may have been another one that a broker
    /// spoke of: those that had the name before, until something was read of the one that has it now.
    unsteady: bool,
    /// Something was read of the topic that has the name now.
    is_known: bool,
    /// Where the log began and what was committed when the position was said or the last record was delivered.
    readable: (i64, i64),
}

/// A consumer.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) client: ClientId,
    pub(super) facts: ConsumerFacts,
    partitions: BTreeMap<TopicPartition, Reading>,
    closed: Option<Instant>,
    pub(super) is_gone: bool,
}

/// All consumers.
#[derive(Debug, Default)]
pub(super) struct Readers {
    pub(super) by_actor: BTreeMap<ActorId, Reader>,
    /// Brokers were made to answer that an offset is out of range.
    pub(super) false_ranges: bool,
    pub(super) delivered: u64,
}

/// What consumers promise, checked against the oracle.
pub(super) struct Reads<'a> {
    pub(super) bounds: &'a Bounds,
    pub(super) oracle: &'a Oracle,
    pub(super) findings: &'a mut Findings,
}

/// A record that was handed out.
struct Delivered<'a> {
    actor: ActorId,
    from: &'a TopicPartition,
    offset: i64,
    value: Option<ValueId>,
    bytes: &'a [u8],
}

/// A position that the client moved.
struct Moved<'a> {
    actor: ActorId,
    from: &'a TopicPartition,
    position: Option<i64>,
    to: i64,
    truncated: bool,
}

impl Reading {
    /// Looks at what the log lost since the last look, and what came back at its beginning.
    fn look(&mut self, log: &PartitionLog, topic_id: Option<Uuid>) {
        if self.topic_id != topic_id {
            (self.topic_id, self.cuts, self.falls, self.unsteady) = (topic_id, 0, 0, true);
            self.is_known = false;
            self.may_begin_at(0);
        }
        for cut in log.cuts.get(self.cuts..).unwrap_or_default() {
            self.unsteady = true;
            if let Next::At { offset, .. } = self.next
                && cut.at < offset
            {
                self.cut = Some(self.cut.map_or(cut.at, |known| known.min(cut.at)));
            }
        }
        self.cuts = log.cuts.len();
        for start in log.falls.get(self.falls..).unwrap_or_default() {
            self.unsteady = true;
            self.may_begin_at(*start);
        }
        self.falls = log.falls.len();
    }

    /// Whether the reader is to come to the end.
    const fn must_read(&self) -> bool {
        self.silent.is_none() && !self.too_large
    }

    /// The log began here for a while.
    fn may_begin_at(&mut self, start: i64) {
        self.readable.0 = self.readable.0.min(start);
        if let Next::Beginning(low) = &mut self.next {
            *low = (*low).min(start);
        }
    }
}

impl Readers {
    pub(super) fn observe(&mut self, actor: ActorId, what: &Consuming<'_>, reads: &mut Reads<'_>) {
        if let Consuming::Made(client, facts) = what {
            let facts = (*facts).clone();
            let reader =
                Reader { client: *client, facts, partitions: BTreeMap::new(), closed: None, is_gone: false };
            self.by_actor.insert(actor, reader);
            return;
        }
        let false_ranges = self.false_ranges;
        let Some(reader) = self.by_actor.get_mut(&actor) else { return };
        match what {
            Consuming::Made(..) => {}
            Consuming::Positioned(of, offset) => reader.position(of, *offset, reads.oracle),
            Consuming::Unassigned(of) => reader.silence(of, Some("unassigned")),
            Consuming::Paused(of) => reader.pause(of, true),
            Consuming::Resumed(of) => reader.pause(of, false),
            Consuming::Delivered { from, offset, value, bytes } => {
                self.delivered += 1;
                reads.delivered(reader, &Delivered { actor, from, offset: *offset, value: *value, bytes });
            }
            Consuming::Moved { from, position, to, truncated } => {
                let moved = Moved { actor, from, position: *position, to: *to, truncated: *truncated };
                reads.moved(reader, &moved, false_ranges);
            }
            Consuming::End(of, offset) => reads.end(reader, actor, of, *offset),
            Consuming::Trouble { of, fatal, error } => {
                super::no_secret(reads.bounds, error, reads.findings);
                if *fatal {
                    reader.silence(of, Some("stopped"));
                }
                if let Some(reading) = reader.partitions.get_mut(of) {
                    reading.too_large |= error.contains(TOO_LARGE);
                }
            }
            Consuming::Closed => reader.closed = Some(reads.findings.now.at),
        }
    }

    /// A broker that does not lead any more has told a client where its log begins or ends.
    pub(super) fn misled(&mut self, client: ClientId, of: &TopicPartition) {
        for reader in self.by_actor.values_mut().filter(|reader| reader.client == client) {
            if let Some(reading) = reader.partitions.get_mut(of) {
                reading.unsteady = true;
                reading.may_begin_at(0);
            }
        }
    }

    /// Everything that is committed has been delivered.
    pub(super) fn settled(&mut self, reads: &mut Reads<'_>) {
        for (actor, reader) in &mut self.by_actor {
            if reader.closed.is_some() || reader.is_gone {
                continue;
            }
            let client = reader.client;
            for (of, reading) in &mut reader.partitions {
                let Some(log) = reads.oracle.log(of).filter(|log| reading.must_read() && !log.is_deleted)
                else {
                    continue;
                };
                let end = log.high_watermark;
                let unseen = match reading.next {
                    Next::At { offset, .. } => (offset < end).then_some(offset),
                    Next::Beginning(from) => (from.max(log.start) < end).then_some(log.start),
                    Next::End(from) => (from < end).then_some(from),
                    Next::Anywhere => None,
                };
                if let Some(offset) = unseen {
                    let (topic, partition) = (&of.topic, of.partition);
                    let what = format!(
                        "consumer {} of client {} has not got what is from offset {offset} on in {topic}-{partition}, where records below {end} are committed",
                        actor.0, client.0
                    );
                    reads.findings.add(Invariant::NothingUnseen, what);
                }
            }
        }
    }
}

impl Readers {
    /// Where the reader of a partition in a client goes on, as far as that is known. `None`: no reader wants it, or
    /// several do.
    pub(super) fn next_of(&self, client: ClientId, of: &TopicPartition) -> Option<Option<i64>> {
        let mut readers = self.by_actor.values().filter(|reader| reader.client == client && reader.wants(of));
        let (reader, other) = (readers.next()?, readers.next());
        let next = reader.partitions.get(of).filter(|_| other.is_none())?.next;
        Some(if let Next::At { offset, .. } = next { Some(offset) } else { None })
    }
}

impl Reader {
    /// Whether the application wants this partition at the moment.
    pub(super) fn wants(&self, of: &TopicPartition) -> bool {
        self.closed.is_none() && self.partitions.get(of).is_some_and(|reading| reading.silent.is_none())
    }

    fn position(&mut self, of: &TopicPartition, offset: i64, oracle: &Oracle) {
        let log = oracle.log(of);
        let next = match offset {
            -1 => Next::End(log.map_or(0, |log| log.high_watermark)),
            -2 => Next::Beginning(log.map_or(0, |log| log.start)),
            0.. => Next::At { offset, fresh: true },
            _ => Next::Anywhere,
        };
        // A pause outlives a seek.
        let silent =
            self.partitions.get(of).and_then(|reading| reading.silent).filter(|why| *why == "paused");
        let (topic_id, cuts) = (oracle.topic_id(&of.topic), log.map_or(0, |log| log.cuts.len()));
        let falls = log.map_or(0, |log| log.falls.len());
        let readable = log.map_or((0, 0), |log| (log.start, log.high_watermark));
        let reading = Reading {
            next,
            silent,
            topic_id,
            cuts,
            falls,
            cut: None,
            too_large: false,
            unsteady: oracle.generations(&of.topic) > 1,
            is_known: false,
            readable,
        };
        self.partitions.insert(of.clone(), reading);
    }

    fn silence(&mut self, of: &TopicPartition, why: Option<&'static str>) {
        if let Some(reading) = self.partitions.get_mut(of) {
            reading.silent = why;
        }
    }

    fn pause(&mut self, of: &TopicPartition, pause: bool) {
        if let Some(reading) = self.partitions.get_mut(of)
            && matches!(reading.silent, None | Some("paused"))
        {
            reading.silent = pause.then_some("paused");
        }
    }
}

fn place(of: &TopicPartition) -> String {
    format!("{}-{}", of.topic, of.partition)
}

impl Reads<'_> {
    fn delivered(&mut self, reader: &mut Reader, record: &Delivered<'_>) {
        self.is_there(record);
        let (from, offset) = (record.from, record.offset);
        let Some(reading) = reader.partitions.get_mut(from) else {
            let what = format!(
                "consumer {} got offset {offset} of {}, which was never assigned",
                record.actor.0,
                place(from)
            );
            return self.findings.add(Invariant::NothingAfter, what);
        };
        let silent = reader.closed.map(|_| "closed").or(reading.silent);
        if let Some(why) = silent {
            let what =
                format!("consumer {} got offset {offset} of {}, which is {why}", record.actor.0, place(from));
            self.findings.add(Invariant::NothingAfter, what);
        }
        let next = Next::At { offset: offset.saturating_add(1), fresh: false };
        let Some(log) = self.oracle.log(from) else {
            // Of a topic that was deleted.
            (reading.next, reading.unsteady) = (next, true);
            return;
        };
        reading.look(log, self.oracle.topic_id(&from.topic));
        self.is_next(reading, log, record);
        if let Some(cut) = reading.cut
            && offset >= cut
            && self.bounds.truncation_is_told
            && matches!(log.find(offset, record.value), Found::InLog { .. })
            && log.slot(cut).is_some()
        {
            reading.cut = None;
            let what = format!(
                "consumer {} goes on at offset {offset} of {}, although the log was replaced from offset {cut} on after it had read that; it was not told",
                record.actor.0,
                place(from)
            );
            self.findings.add(Invariant::PositionsExact, what);
        }
        (reading.next, reading.too_large) = (next, false);
        reading.is_known |= matches!(log.find(offset, record.value), Found::InLog { .. });
        reading.readable = (log.start, log.high_watermark);
    }

    /// The offset is the one that comes next.
    fn is_next(&mut self, reading: &Reading, log: &PartitionLog, record: &Delivered<'_>) {
        let offset = record.offset;
        let (invariant, expected) = match reading.next {
            Next::At { offset: next, .. } if next == offset => return,
            Next::At { offset: next, fresh: true } => {
                (Invariant::PositionsExact, format!("offset {next}, which was asked for"))
            }
            Next::At { offset: next, .. } if offset < next => {
                (Invariant::OffsetsRise, format!("offset {next} after the one before"))
            }
            Next::At { offset: next, .. } => {
                (Invariant::NoSkip, format!("offset {next} after the one before"))
            }
            Next::Beginning(low) if (low..=log.start.max(low)).contains(&offset) => return,
            Next::Beginning(low) => {
                (Invariant::PositionsExact, format!("the beginning, offset {low} to {}", log.start))
            }
            Next::End(low) if offset >= low || reading.unsteady => return,
            Next::End(low) => (Invariant::PositionsExact, format!("the end, offset {low} or later")),
            Next::Anywhere => return,
        };
        let what = format!(
            "consumer {} got offset {offset} of {}, expected was {expected}",
            record.actor.0,
            place(record.from)
        );
        self.findings.add(invariant, what);
    }

    /// It is what is in the log at the offset, and committed.
    fn is_there(&mut self, record: &Delivered<'_>) {
        let whole = record.value.is_none_or(|id| id.is_whole(record.bytes));
        let seen = match self.oracle.find(record.from, record.offset, record.value) {
            Found::InLog { committed: true } | Found::Gone { was_committed: true } if whole => return,
            Found::InLog { committed: true } | Found::Gone { was_committed: true } => {
                "with other bytes than were written".to_owned()
            }
            Found::InLog { .. } | Found::Gone { .. } => "which was not committed".to_owned(),
            Found::Another(slot) => match slot.value() {
                Some((actor, number)) => format!("where record {number} of producer {} is", actor.0),
                None => "where something else is".to_owned(),
            },
            Found::Nothing => "where nothing ever was".to_owned(),
        };
        let value = record.value.map_or_else(|| "a record without id".to_owned(), oracle::name);
        let what = format!(
            "consumer {} got {value} as offset {} of {}, {seen}",
            record.actor.0,
            record.offset,
            place(record.from)
        );
        self.findings.add(Invariant::OneValuePerOffset, what);
    }

    fn moved(&mut self, reader: &mut Reader, moved: &Moved<'_>, false_ranges: bool) {
        let reset = reader.facts.reset;
        let (Some(reading), Some(log)) = (reader.partitions.get_mut(moved.from), self.oracle.log(moved.from))
        else {
            return;
        };
        reading.look(log, self.oracle.topic_id(&moved.from.topic));
        let before = *reading;
        let may_be_another = self.oracle.generations(&moved.from.topic) > 1 && !reading.is_known;
        (reading.next, reading.cut, reading.unsteady) =
            (Next::At { offset: moved.to, fresh: true }, None, may_be_another);
        reading.readable = (log.start, log.high_watermark);
        if let (Next::At { offset, .. }, Some(position)) = (before.next, moved.position)
            && offset != position
        {
            let what = format!(
                "consumer {} was moved from position {position} of {}, and its next record was {offset}",
                moved.actor.0,
                place(moved.from)
            );
            self.findings.add(Invariant::PositionsExact, what);
        }
        let wrong = if moved.truncated {
            wrong_truncation(&before, log, moved.to)
        } else {
            wrong_reset(&before, log, moved.to, reset, false_ranges)
        };
        if let Some((invariant, why)) = wrong {
            let kind = if moved.truncated { "by a truncation" } else { "by a reset" };
            let what = format!(
                "consumer {} was moved to offset {} of {} {kind}, {why}",
                moved.actor.0,
                moved.to,
                place(moved.from)
            );
            self.findings.add(invariant, what);
        }
    }

    fn end(&mut self, reader: &Reader, actor: ActorId, of: &TopicPartition, offset: i64) {
        let Some(Reading { next: Next::At { offset: next, .. }, .. }) = reader.partitions.get(of) else {
            return;
        };
        if offset != *next {
            let what = format!(
                "consumer {} was told of the end of {} at offset {offset}, and its next record is {next}",
                actor.0,
                place(of)
            );
            self.findings.add(Invariant::NoSkip, what);
        }
    }
}

/// What is wrong with being told that the log was truncated.
fn wrong_truncation(before: &Reading, log: &PartitionLog, to: i64) -> Option<(Invariant, String)> {
    match before.cut {
        // The new leader names the end of its last epoch before the one that was read, and has more of that.
        Some(cut) if log.is_older_at(cut) => None,
        Some(cut) if to > cut => Some((
            Invariant::NoSkip,
            format!("and the log was replaced from offset {cut} on after it had read that"),
        )),
        Some(_) => None,
        None if before.unsteady => None,
        // It stays where it is: the log begins anew, and nothing of it had been read.
        None if matches!(before.next, Next::At { offset, .. } if offset == to) => None,
        None => Some((Invariant::PositionsExact, "and nothing that it had read was lost".to_owned())),
    }
}

/// What is wrong with a reset.
fn wrong_reset(
    before: &Reading,
    log: &PartitionLog,
    to: i64,
    reset: Option<i64>,
    false_ranges: bool,
) -> Option<(Invariant, String)> {
    let (policy, low) = match before.next {
        Next::Beginning(low) => (Some(-2), low),
        Next::End(low) => (Some(-1), low),
        Next::Anywhere => return None,
        Next::At { offset, .. } => {
            let exists = offset >= log.start && offset <= before.readable.1;
            if exists && !before.unsteady && !false_ranges {
                let (start, end) = (log.start, log.high_watermark);
                return Some((
                    Invariant::PositionsExact,
                    format!("and offset {offset} exists: the log has {start} to {end}"),
                ));
            }
            (reset, if reset == Some(-2) { before.readable.0 } else { before.readable.1 })
        }
    };
    let (is_right, place) = match policy {
        Some(-2) => (
            (low..=log.start.max(low)).contains(&to),
            format!("the beginning was at {low} and is at {}", log.start),
        ),
        Some(-1) => {
            let is_end = (low..=log.end()).contains(&to) || before.unsteady;
            (is_end, format!("the end was at {low} and is at {}", log.high_watermark))
        }
        Some(_) => (true, String::new()),
        None => (false, "which the configuration forbids".to_owned()),
    };
    (!is_right).then(|| (Invariant::PositionsExact, format!("and {place}")))
}
