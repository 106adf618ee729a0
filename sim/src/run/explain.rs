//! A run as a person would tell it: who did what when.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::ApiKey;
use klamm_protocol::records::Batches;

use super::applications::{AGAIN, CONSUMERS, FRESH};
use crate::cluster::ConnectionId;
use crate::observe::{
    ActorId, ClientId, ClusterEvent, Consuming, Membering, Observation, Observe, Producing, TopicPartition,
    Transacting, ValueId, Wire,
};
use crate::plan::Plan;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimelineLine {
    /// The number of the observation, as in a [`Violation`](crate::check::Violation).
    pub event: u64,
    /// Since the run began.
    pub at: Duration,
    /// Who did it: a producer, a consumer, a client, a broker, or the plan.
    pub who: String,
    /// Everything and everybody concerned: names as in the plan, `b1` for a broker, `t0/1` for a partition.
    pub entities: Vec<String>,
    /// What happened.
    pub what: String,
}

impl fmt::Display for TimelineLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.at.as_micros();
        let (secs, micros) = (micros / 1_000_000, micros % 1_000_000);
        write!(f, "{:>7} {secs:>5}.{micros:06} s  {:<8} {}", self.event, self.who, self.what)
    }
}

/// Which lines of a timeline are kept.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Those with these numbers; all, if there is no range.
    pub events: Option<RangeInclusive<u64>>,
    /// Those that concern one of these; all, if there is none.
    pub entities: Vec<String>,
    /// So many of the last.
    pub last: Option<usize>,
}

/// Writes down what happens in a run: an observer for [`Options`](super::Options). Clones are the same timeline.
///
/// ```
/// use klamm_sim::plan::{Plan, Profile};
/// use klamm_sim::run::{Kept, Options, Timeline, run};
///
/// let plan = Plan::generate(Profile::Smoke, 0);
/// let timeline = Timeline::new(&plan, Kept { entities: vec!["p0".into()], last: Some(3), ..Kept::default() });
/// let mut options = Options::default();
/// options.observers.push(Box::new(timeline.clone()));
/// let report = run(&plan, options);
/// assert_eq!(timeline.lines().len(), 3);
/// assert_eq!(timeline.lines()[2].who, "p0");
/// # assert!(report.violations.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Timeline {
    inner: Rc<RefCell<Inner>>,
}

#[derive(Debug)]
struct Inner {
    kept: Kept,
    clients: Vec<String>,
    began: Option<Instant>,
    event: u64,
    connections: BTreeMap<ConnectionId, (String, i32)>,
    topics: BTreeMap<klamm_protocol::Uuid, String>,
    lines: VecDeque<TimelineLine>,
}

/// Who, who else, what.
type Told = (String, Vec<String>, String);

impl Timeline {
    /// A timeline of a run of this plan.
    #[must_use]
    pub fn new(plan: &Plan, kept: Kept) -> Self {
        let clients = plan.clients.iter().map(|(name, _)| name.to_string()).collect();
        let inner = Inner {
            kept,
            clients,
            began: None,
            event: 0,
            connections: BTreeMap::new(),
            topics: BTreeMap::new(),
            lines: VecDeque::new(),
        };
        Self { inner: Rc::new(RefCell::new(inner)) }
    }

    /// What was kept so far.
    #[must_use]
    pub fn lines(&self) -> Vec<TimelineLine> {
        self.inner.borrow().lines.iter().cloned().collect()
    }
}

impl Observe for Timeline {
    fn observe(&mut self, now: Instant, observation: &Observation<'_>) {
        self.inner.borrow_mut().observe(now, observation);
    }
}

impl Inner {
    fn observe(&mut self, now: Instant, observation: &Observation<'_>) {
        self.event += 1;
        let began = *self.began.get_or_insert(now);
        self.note_names(observation);
        if self.kept.events.as_ref().is_some_and(|events| !events.contains(&self.event)) {
            return;
        }
        let Some((who, mut entities, what)) = self.tell(observation) else { return };
        entities.push(who.clone());
        let wanted = &self.kept.entities;
        if !wanted.is_empty() && !entities.iter().any(|entity| wanted.contains(entity)) {
            return;
        }
        if self.kept.last.is_some_and(|last| self.lines.len() >= last.max(1)) {
            self.lines.pop_front();
        }
        let (event, at) = (self.event, now.since(began));
        self.lines.push_back(TimelineLine { event, at, who, entities, what });
    }

    /// Remembers what later observations refer to.
    fn note_names(&mut self, observation: &Observation<'_>) {
        match observation {
            Observation::Wire(
                connection,
                Wire::Connecting(client, broker) | Wire::Opened(client, broker),
            ) => {
                let name = self.client(*client);
                self.connections.insert(*connection, (name, *broker));
            }
            Observation::Cluster(ClusterEvent::Topic { topic_id, topic, .. }) => {
                self.topics.insert(*topic_id, topic.to_string());
            }
            _ => {}
        }
    }

    fn client(&self, client: ClientId) -> String {
        let name = self.clients.get(client.0 as usize).cloned();
        name.unwrap_or_else(|| String::from("fresh"))
    }

    fn tell(&self, observation: &Observation<'_>) -> Option<Told> {
        Some(match observation {
            Observation::Producing(actor, what) => producing(*actor, what),
            Observation::Consuming(actor, what) => consuming(*actor, what),
            Observation::Membering(actor, what) => membering(*actor, what),
            Observation::Transacting(actor, what) => transacting(*actor, what),
            Observation::Log(of, _, (end, stable)) => (
                String::from("plan"),
                vec![place(of)],
                format!("{} ends at {end}, decided up to {stable}", place(of)),
            ),
            Observation::Wire(connection, what) => self.wire(*connection, what),
            Observation::Cluster(event) => self.cluster(event)?,
            Observation::Process(client, process) => {
                (self.client(*client), Vec::new(), format!("process {process:?}").to_lowercase())
            }
            Observation::Plan(text) => {
                let words = text.split([' ', '=', ',', '@']).map(str::to_owned).collect();
                (String::from("plan"), words, (*text).to_owned())
            }
            Observation::Phase(phase) => {
                (String::from("plan"), Vec::new(), format!("{phase:?}").to_lowercase())
            }
        })
    }

    fn wire(&self, connection: ConnectionId, what: &Wire<'_>) -> Told {
        let (client, broker) = self.connections.get(&connection).cloned().unwrap_or_default();
        let broker = format!("b{broker}");
        let number = connection.0 & 0xFFFF_FFFF;
        let (who, text) = match what {
            Wire::Connecting(..) => (&client, format!("connects to {broker} (connection {number})")),
            Wire::Opened(..) => (&client, format!("is connected to {broker} (connection {number})")),
            Wire::Sending => (&client, format!("has begun to send to {broker} (connection {number})")),
            Wire::Sent(frame) => {
                (&client, format!("sent to {broker}: {} (connection {number})", request(frame)))
            }
            Wire::Request(frame) => {
                (&broker, format!("got of {client}: {} (connection {number})", request(frame)))
            }
            Wire::Response(pieces) => {
                let bytes: usize = pieces.iter().map(Bytes::len).sum();
                let first = pieces.first().map_or(&[][..], |piece| piece);
                (
                    &broker,
                    format!("answers {client}: {}, {bytes} bytes (connection {number})", correlation(first)),
                )
            }
            Wire::Received(frame) => {
                let (answer, bytes) = (correlation(frame), frame.len());
                (&client, format!("got of {broker}: answer {answer}, {bytes} bytes (connection {number})"))
            }
            Wire::Closed { by } => {
                let by = format!("{by:?}").to_lowercase();
                (&client, format!("connection {number} to {broker} closed by the {by}"))
            }
        };
        (who.clone(), vec![client.clone(), broker.clone()], text)
    }

    fn partition(&self, topic_id: klamm_protocol::Uuid, partition: i32) -> String {
        let topic = self.topics.get(&topic_id).map_or("?", String::as_str);
        format!("{topic}/{partition}")
    }

    fn cluster(&self, event: &ClusterEvent) -> Option<Told> {
        let of = |entity: String, what: String| Some((String::from("cluster"), vec![entity], what));
        match event {
            ClusterEvent::Appended { topic, partition, broker, leader_epoch, batches, .. } => {
                let place = format!("{topic}/{partition}");
                let what = format!("appends to {place} in epoch {leader_epoch}: {}", offsets(batches));
                Some((format!("b{broker}"), vec![place], what))
            }
            ClusterEvent::Committed { topic_id, partition, high_watermark, .. } => {
                let place = self.partition(*topic_id, *partition);
                of(place.clone(), format!("{place} is committed below {high_watermark}"))
            }
            ClusterEvent::Elected {
                topic_id, partition, leader, leader_epoch, end_offset, unclean, ..
            } => {
                let place = self.partition(*topic_id, *partition);
                let unclean = if *unclean { ", uncleanly" } else { "" };
                let what =
                    format!("b{leader} leads {place} in epoch {leader_epoch} from {end_offset} on{unclean}");
                Some((format!("b{leader}"), vec![place], what))
            }
            ClusterEvent::Lost { topic_id, partition, from_offset, .. } => {
                let place = self.partition(*topic_id, *partition);
                of(place.clone(), format!("committed records of {place} are lost from {from_offset} on"))
            }
            ClusterEvent::LogStart { topic_id, partition, offset } => {
                let place = self.partition(*topic_id, *partition);
                of(place.clone(), format!("{place} begins at {offset}"))
            }
            ClusterEvent::Topic { topic, partitions, .. } => {
                of(topic.to_string(), format!("{topic} has {partitions} partitions"))
            }
            ClusterEvent::TopicDeleted { topic, .. } => of(topic.to_string(), format!("{topic} is deleted")),
            ClusterEvent::Broker { broker, up } => {
                let what = if *up { "is up" } else { "is down" };
                Some((format!("b{broker}"), Vec::new(), what.to_owned()))
            }
            ClusterEvent::SessionsDropped { broker } => {
                Some((format!("b{broker}"), Vec::new(), String::from("forgets its fetch sessions")))
            }
            ClusterEvent::Injected { api, broker, error, applied } => {
                let applied = if *applied { ", having carried it out" } else { "" };
                let what = format!("fails {} on purpose: {error}{applied}", api_name(*api));
                Some((format!("b{broker}"), Vec::new(), what))
            }
            other => of(String::new(), format!("{other:?}")),
        }
    }
}

fn api_name(api: ApiKey) -> String {
    api.name().map_or_else(|| format!("API {}", api.0), str::to_owned)
}

/// What a request is, by its header.
fn request(frame: &Bytes) -> String {
    let short =
        |at: usize| frame.get(at..at + 2).and_then(|bytes| Some(i16::from_be_bytes(bytes.try_into().ok()?)));
    let (Some(api), Some(version)) = (short(0), short(2)) else {
        return String::from("a frame without a header");
    };
    let correlation = correlation(frame.get(4..).unwrap_or_default());
    format!("{} v{version} {correlation}, {} bytes", api_name(ApiKey(api)), frame.len())
}

fn correlation(bytes: &[u8]) -> String {
    let id = bytes.get(..4).and_then(|bytes| Some(i32::from_be_bytes(bytes.try_into().ok()?)));
    id.map_or_else(|| String::from("#?"), |id| format!("#{id}"))
}

/// Which offsets batches have, and whose they are.
fn offsets(batches: &[u8]) -> String {
    let all: Vec<String> = Batches::new(batches)
        .flatten()
        .map(|batch| {
            let (producer, epoch, sequence) =
                (batch.producer_id(), batch.producer_epoch(), batch.base_sequence());
            let (from, to) = (batch.base_offset(), batch.next_offset() - 1);
            if producer < 0 {
                return format!("{from} to {to}");
            }
            format!("{from} to {to} (producer {producer}, epoch {epoch}, from sequence {sequence})")
        })
        .collect();
    all.join(", ")
}

fn actor(actor: ActorId) -> String {
    match actor.0 {
        FRESH.. => format!("fresh-{}", actor.0 - FRESH),
        CONSUMERS.. => nth('r', actor.0 - CONSUMERS),
        producer => nth('p', producer),
    }
}

/// The name of an application, and in which life of its client, if not the first.
fn nth(letter: char, number: u32) -> String {
    match (number % AGAIN, number / AGAIN) {
        (number, 0) => format!("{letter}{number}"),
        (number, life) => format!("{letter}{number}.{life}"),
    }
}

fn place(of: &TopicPartition) -> String {
    format!("{}/{}", of.topic, of.partition)
}

fn name(value: ValueId) -> String {
    format!("{}#{}", actor(value.actor), value.number)
}

fn producing(who: ActorId, what: &Producing<'_>) -> Told {
    let mut entities = Vec::new();
    let text = match what {
        Producing::Made(_, facts) => format!("is made: {facts:?}"),
        Producing::Offered { value, topic, partition } => {
            entities.push(topic.to_string());
            let to = partition.map_or_else(|| topic.to_string(), |partition| format!("{topic}/{partition}"));
            format!("offers {} to {to}", name(*value))
        }
        Producing::Accepted(value) => format!("{} is accepted", name(*value)),
        Producing::Refused(value, why) => format!("{} is refused: {why}", name(*value)),
        Producing::Written { value, partition, offset } => match offset {
            Some(offset) => format!("{} is written to partition {partition} at {offset}", name(*value)),
            None => format!("{} is written to partition {partition}", name(*value)),
        },
        Producing::Failed { value, effect, error } => {
            format!("{} failed, effect {effect:?}: {error}", name(*value))
        }
        Producing::Abandoned(value) => format!("does not wait for {}", name(*value)),
        Producing::FlushBegan => String::from("flushes"),
        Producing::FlushEnded { buffered } => match buffered {
            Some(bytes) => format!("is flushed and holds {bytes} bytes"),
            None => String::from("is flushed"),
        },
        Producing::Holds(bytes) => format!("holds {bytes} bytes"),
        Producing::CloseBegan { .. } => String::from("closes"),
        Producing::CloseEnded { undelivered } => format!("is closed, {undelivered} records undelivered"),
    };
    (actor(who), entities, text)
}

fn membering(who: ActorId, what: &Membering<'_>) -> Told {
    let mut entities = Vec::new();
    let mut of = |partition: &TopicPartition| {
        entities.push(place(partition));
        place(partition)
    };
    let mut all =
        |partitions: &[TopicPartition]| partitions.iter().map(&mut of).collect::<Vec<_>>().join(", ");
    let text = match what {
        Membering::Made(_, facts) => format!("is made: {facts:?}"),
        Membering::Assigned { generation, member, partitions } => {
            format!("is assigned {} in generation {generation} as {member}", all(partitions))
        }
        Membering::Revoking(partitions) => format!("is to give up {}", all(partitions)),
        Membering::Released(partitions) => format!("gives up {}", all(partitions)),
        Membering::Lost(partitions) => format!("lost {}", all(partitions)),
        Membering::Delivered { from, offset, value, .. } => {
            let value = value.map_or_else(|| String::from("a value without an id"), name);
            format!("reads {value} at {offset} of {}", of(from))
        }
        Membering::Holds(partition, Some(first)) => format!("works on {first} of {}", of(partition)),
        Membering::Holds(partition, None) => format!("is done with {}", of(partition)),
        Membering::Commits => String::from("commits"),
        Membering::Idles => String::from("does not ask for records any more"),
        Membering::Reads => String::from("asks for records again"),
        Membering::CloseBegan => String::from("closes"),
        Membering::Closed => String::from("is closed"),
    };
    (actor(who), entities, text)
}

fn transacting(who: ActorId, what: &Transacting<'_>) -> Told {
    let mut entities = Vec::new();
    let mut of = |partition: &TopicPartition| {
        entities.push(place(partition));
        place(partition)
    };
    let text = match what {
        Transacting::Made(_, facts) => format!("is made: {facts:?}"),
        Transacting::Began(attempt) => format!("begins transaction {attempt}"),
        Transacting::Read { attempt, from, offset, value } => {
            format!("reads {} at {offset} of {} in transaction {attempt}", name(*value), of(from))
        }
        Transacting::Sent { attempt, value, to } => {
            format!("writes {} to {} in transaction {attempt}", name(*value), of(to))
        }
        Transacting::Committed(attempt) => format!("is told that transaction {attempt} is committed"),
        Transacting::Aborted(attempt) => format!("is told that transaction {attempt} is aborted"),
        Transacting::Unknown(attempt) => format!("does not know what became of transaction {attempt}"),
        Transacting::Fenced => String::from("is told that another has its transactional id"),
        Transacting::Closed => String::from("is closed"),
    };
    (actor(who), entities, text)
}

fn consuming(who: ActorId, what: &Consuming<'_>) -> Told {
    let mut entities = Vec::new();
    let mut of = |partition: &TopicPartition| {
        entities.push(place(partition));
        place(partition)
    };
    let text = match what {
        Consuming::Made(_, facts) => format!("is made: {facts:?}"),
        Consuming::Positioned(partition, -2) => format!("reads {} from the beginning", of(partition)),
        Consuming::Positioned(partition, -1) => format!("reads {} from the end", of(partition)),
        Consuming::Positioned(partition, offset) => format!("reads {} from {offset}", of(partition)),
        Consuming::Unassigned(partition) => format!("unassigns {}", of(partition)),
        Consuming::Paused(partition) => format!("pauses {}", of(partition)),
        Consuming::Resumed(partition) => format!("resumes {}", of(partition)),
        Consuming::Delivered { from, offset, value, .. } => {
            let value = value.map_or_else(|| String::from("a value without an id"), name);
            format!("reads {value} at {} of {}", offset, of(from))
        }
        Consuming::Moved { from, position, to, truncated } => {
            let why = if *truncated { ", because the log was truncated" } else { "" };
            let from_offset = position.map_or_else(String::new, |position| format!(" from {position}"));
            format!("is moved{from_offset} to {to} of {}{why}", of(from))
        }
        Consuming::End(partition, offset) => format!("is at the end of {}: {offset}", of(partition)),
        Consuming::Trouble { of: partition, fatal, error } => {
            of(partition);
            format!("{}: {error}", if *fatal { "stops" } else { "has trouble" })
        }
        Consuming::Closed => String::from("is closed"),
    };
    (actor(who), entities, text)
}
