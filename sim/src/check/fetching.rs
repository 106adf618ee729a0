//! Fetch requests and their sessions, as they are on the wire.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use klamm_core::Instant;
use klamm_protocol::messages::fetch::{FetchRequest, FetchResponse};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::batch::Batch;
use super::findings::Findings;
use super::oracle::Oracle;
use super::reading::Readers;
use super::{Bounds, Invariant};
use crate::observe::{ClientId, TopicPartition};

/// What a broker remembers of a client's session.
#[derive(Debug, Default)]
struct Session {
    /// The epoch that the next request must have.
    next: i32,
    partitions: BTreeSet<TopicPartition>,
}

/// What a client has fetched of a partition and not handed out.
#[derive(Debug, Default)]
struct Fetched {
    /// The last offset and the size of each batch.
    batches: VecDeque<(i64, usize)>,
    /// The broker that it came from.
    broker: i32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    /// By client, broker and id.
    sessions: BTreeMap<(ClientId, i32, i32), Session>,
    /// Requests with which sessions are to begin, by number.
    beginning: BTreeMap<i32, (Instant, BTreeSet<TopicPartition>)>,
    begun: i32,
    /// Since when the application does not want a partition.
    unwanted: BTreeMap<ClientId, BTreeMap<TopicPartition, Instant>>,
    fetched: BTreeMap<(ClientId, TopicPartition), Fetched>,
    buffered: BTreeMap<ClientId, usize>,
    /// Brokers that have answered a fetch of a client.
    answered: BTreeSet<(ClientId, i32)>,
    /// When brokers last forgot their sessions.
    forgot: BTreeMap<i32, Instant>,
    /// Fetches were answered with errors on purpose.
    pub(super) false_errors: bool,
}

/// What fetches are checked against.
pub(super) struct Fetcher<'a> {
    pub(super) client: ClientId,
    pub(super) broker: i32,
    /// The request may be an old one.
    pub(super) waited: bool,
    pub(super) bounds: &'a Bounds,
    pub(super) oracle: &'a Oracle,
    pub(super) readers: &'a Readers,
    pub(super) findings: &'a mut Findings,
}

impl Fetcher<'_> {
    pub(super) fn partition(&self, name: &Str, id: Uuid, partition: i32) -> Option<TopicPartition> {
        let topic =
            if id == Uuid::default() { Str::copy_of(name) } else { self.oracle.topic_name(id)?.clone() };
        Some(TopicPartition { topic, partition })
    }
}

impl Fetching {
    /// A request was sent. Returns the session that it is of and its epoch, or the number of the beginning and 0.
    pub(super) fn request(&mut self, request: &FetchRequest, fetcher: &mut Fetcher<'_>) -> (i32, i32) {
        let named: BTreeSet<TopicPartition> = request
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition.partition)))
            .filter_map(|(topic, partition)| fetcher.partition(&topic.topic, topic.topic_id, partition))
            .collect();
        let (client, broker, id, epoch) =
            (fetcher.client, fetcher.broker, request.session_id, request.session_epoch);
        if !fetcher.waited {
            self.are_wanted(&named, fetcher);
        }
        if epoch <= 0 {
            self.sessions.remove(&(client, broker, id));
            self.set_aside(&named, fetcher);
            if epoch == 0 {
                self.begun = self.begun.wrapping_add(1);
                self.beginning.insert(self.begun, (fetcher.findings.now.at, named));
                return (self.begun, 0);
            }
            return (id, epoch);
        }
        let Some(session) = self.sessions.get_mut(&(client, broker, id)) else { return (id, epoch) };
        if session.next != epoch {
            let what = format!(
                "client {} sent epoch {epoch} of fetch session {id} to broker {broker}, expected was {}",
                client.0, session.next
            );
            fetcher.findings.add(Invariant::FetchSessions, what);
        }
        session.next = epoch.checked_add(1).unwrap_or(1);
        session.partitions.extend(named);
        for topic in &request.forgotten_topics_data {
            for partition in topic.partitions.iter() {
                if let Some(of) = fetcher.partition(&topic.topic, topic.topic_id, *partition) {
                    session.partitions.remove(&of);
                }
            }
        }
        if let Some(unwanted) = self.unwanted.get(&client).filter(|_| !fetcher.waited) {
            stale(session, unwanted, id, fetcher);
        }
        let partitions = session.partitions.clone();
        self.set_aside(&partitions, fetcher);
        (id, epoch)
    }

    /// A broker is asked for these partitions. What was fetched of others may have been thrown away, if they are read each
    /// for itself, and nothing on the wire tells whether it was: it is not counted against the budget any more.
    fn set_aside(&mut self, asked: &BTreeSet<TopicPartition>, fetcher: &Fetcher<'_>) {
        let (client, broker) = (fetcher.client, fetcher.broker);
        let mut of_client = fetcher.readers.by_actor.values().filter(|reader| reader.client == client);
        if !of_client.any(|reader| reader.facts.reads_apart) {
            return;
        }
        let left = self.fetched.iter().filter(|((owner, of), fetched)| {
            *owner == client && fetched.broker == broker && !asked.contains(of)
        });
        let left: Vec<TopicPartition> = left.map(|((_, of), _)| of.clone()).collect();
        for of in &left {
            self.dropped(client, of);
        }
    }

    /// What is asked for is what an application wants.
    fn are_wanted(&self, named: &BTreeSet<TopicPartition>, fetcher: &mut Fetcher<'_>) {
        let Some(unwanted) = self.unwanted.get(&fetcher.client) else { return };
        let limit = fetcher.bounds.handover;
        for of in named {
            if let Some(since) = unwanted.get(of).filter(|since| fetcher.findings.now.at > **since + limit) {
                let what = format!(
                    "client {} fetches {}-{} from broker {}, which no application wants since {since}",
                    fetcher.client.0, of.topic, of.partition, fetcher.broker
                );
                fetcher.findings.add(Invariant::FetchSessions, what);
            }
        }
    }

    /// A response has arrived; whether it brought nothing but errors.
    pub(super) fn response(
        &mut self,
        response: &FetchResponse,
        session: (i32, i32),
        fetcher: &mut Fetcher<'_>,
    ) -> bool {
        let (client, broker) = (fetcher.client, fetcher.broker);
        self.session_answer(response, session, fetcher);
        self.answered.insert((client, broker));
        let mut failed = response.error_code != ErrorCode::NONE;
        let mut useful = false;
        for topic in &response.responses {
            for data in &topic.partitions {
                failed |= data.error_code != ErrorCode::NONE;
                useful |= data.error_code == ErrorCode::NONE;
                let Some(records) = data.records.clone().filter(|records| !records.is_empty()) else {
                    continue;
                };
                let Some(of) = fetcher.partition(&topic.topic, topic.topic_id, data.partition_index) else {
                    continue;
                };
                if let Some(next) = fetcher.readers.next_of(client, &of) {
                    self.buffer((client, broker), &of, &records.into_bytes(), next);
                }
            }
        }
        let held = self.buffered.get(&client).copied().unwrap_or(0);
        let of_client = fetcher.readers.by_actor.values().filter(|reader| reader.client == client);
        let budgets: usize = of_client.clone().map(|reader| reader.facts.buffer_memory).sum();
        // A broker returns one batch at least, however little was asked for.
        let brokers = self.answered.range((client, i32::MIN)..=(client, i32::MAX)).count();
        let largest = self.largest(client) * of_client.count() * brokers;
        if held > budgets + largest {
            let what = format!(
                "client {} has {held} bytes fetched from broker {broker} and others and not handed out, the budget is {budgets}",
                client.0
            );
            fetcher.findings.add(Invariant::FetchBudget, what);
        }
        failed && !useful
    }

    fn largest(&self, client: ClientId) -> usize {
        let of_client = self.fetched.iter().filter(|((owner, _), _)| *owner == client);
        of_client.flat_map(|(_, fetched)| fetched.batches.iter().map(|(_, len)| *len)).max().unwrap_or(0)
    }

    fn session_answer(
        &mut self,
        response: &FetchResponse,
        (id, epoch): (i32, i32),
        fetcher: &mut Fetcher<'_>,
    ) {
        let (client, broker) = (fetcher.client, fetcher.broker);
        let begins = if epoch == 0 { self.beginning.remove(&id) } else { None };
        match response.error_code {
            ErrorCode::NONE if epoch == 0 => {
                let Some((at, partitions)) = begins else { return };
                let is_forgotten = self.forgot.get(&broker).is_some_and(|forgot| *forgot >= at);
                if response.session_id != 0 && !is_forgotten {
                    self.sessions
                        .insert((client, broker, response.session_id), Session { next: 1, partitions });
                }
            }
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND | ErrorCode::INVALID_FETCH_SESSION_EPOCH => {
                let is_known = self.sessions.remove(&(client, broker, id)).is_some();
                if is_known && !self.false_errors {
                    let what = format!(
                        "broker {broker} refused epoch {epoch} of fetch session {id} of client {}: {}, and it had not forgotten any",
                        client.0, response.error_code
                    );
                    fetcher.findings.add(Invariant::FetchSessions, what);
                }
            }
            ErrorCode::NONE => {}
            _ => drop(self.sessions.remove(&(client, broker, id))),
        }
    }

    /// A broker has lost its sessions, or may have.
    pub(super) fn forget(&mut self, now: Instant, broker: i32) {
        self.forgot.insert(broker, now);
        self.sessions.retain(|(_, of, _), _| *of != broker);
    }

    /// Batches were fetched, and the reader goes on at `next` (or does not know yet where). Batches that do not follow
    /// from there are of no use any more, and thrown away.
    fn buffer(
        &mut self,
        (client, broker): (ClientId, i32),
        of: &TopicPartition,
        bytes: &[u8],
        next: Option<i64>,
    ) {
        let fetched = self.fetched.entry((client, of.clone())).or_default();
        fetched.broker = broker;
        let held = self.buffered.entry(client).or_default();
        let mut rest = bytes;
        while let Ok((batch, after)) = Batch::split(rest) {
            let (base, len) = (batch.header.base_offset, batch.bytes.len());
            let last = base + i64::from(batch.header.last_offset_delta);
            let follows = match (fetched.batches.back(), next) {
                (Some((before, _)), _) => base == *before + 1,
                (None, Some(next)) => (base..=last).contains(&next),
                (None, None) => true,
            };
            if follows {
                fetched.batches.push_back((last, len));
                *held += len;
            }
            rest = after;
        }
    }

    /// A record was handed out: the batches before it are done with, and its own from its last record on.
    pub(super) fn delivered(&mut self, client: ClientId, of: &TopicPartition, offset: i64) {
        let Some(fetched) = self.fetched.get_mut(&(client, of.clone())) else { return };
        let held = self.buffered.entry(client).or_default();
        while let Some((last, len)) = fetched.batches.front()
            && *last <= offset
        {
            *held = held.saturating_sub(*len);
            fetched.batches.pop_front();
        }
    }

    /// What was fetched of a partition is of no use any more.
    pub(super) fn dropped(&mut self, client: ClientId, of: &TopicPartition) {
        if let Some(fetched) = self.fetched.remove(&(client, of.clone())) {
            let held = self.buffered.entry(client).or_default();
            *held = held.saturating_sub(fetched.batches.iter().map(|(_, len)| *len).sum());
        }
    }

    /// The application wants a partition, or does not any more.
    pub(super) fn want(&mut self, now: Instant, client: ClientId, of: &TopicPartition, wanted: bool) {
        let unwanted = self.unwanted.entry(client).or_default();
        if wanted {
            unwanted.remove(of);
        } else {
            unwanted.insert(of.clone(), now);
        }
    }
}

/// What is unwanted has left the session.
fn stale(
    session: &Session,
    unwanted: &BTreeMap<TopicPartition, Instant>,
    id: i32,
    fetcher: &mut Fetcher<'_>,
) {
    for (of, since) in unwanted {
        if fetcher.findings.now.at > *since + fetcher.bounds.handover && session.partitions.contains(of) {
            let what = format!(
                "fetch session {id} of client {} at broker {} still has {}-{}, which no application wants since {since}",
                fetcher.client.0, fetcher.broker, of.topic, of.partition
            );
            fetcher.findings.add(Invariant::FetchSessions, what);
        }
    }
}
