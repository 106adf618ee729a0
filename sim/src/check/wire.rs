//! What goes over the wires.

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::messages::api_versions::ApiVersionsRequest;
use klamm_protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use klamm_protocol::messages::fetch::{FetchRequest, FetchResponse};
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::list_offsets::ListOffsetsRequest;
use klamm_protocol::messages::metadata::MetadataRequest;
use klamm_protocol::messages::offset_for_leader_epoch::OffsetForLeaderEpochRequest;
use klamm_protocol::messages::produce::ProduceRequest;
use klamm_protocol::{ApiKey, ErrorCode, Request, Str};

use super::dialogue::Dialogues;
use super::fetching::{Fetcher, Fetching};
use super::findings::Findings;
use super::leaders::{Leaders, Talk};
use super::links::{self, Asked, Head, Links};
use super::oracle::Oracle;
use super::rates::{Doing, Rates};
use super::reading::Readers;
use super::sending::{Sender, Sending};
use super::values::Values;
use super::{Bounds, Invariant};
use crate::cluster::ConnectionId;
use crate::observe::{ActorId, ClientId, Consuming, TopicPartition, Wire};

/// From these versions on a client is to wait as long as an answer says.
const FIRST_PATIENT_PRODUCE: i16 = 6;
const FIRST_PATIENT_FETCH: i16 = 8;
const FIRST_PATIENT_METADATA: i16 = 6;
/// For how long an answer of no further interest asks for patience, in milliseconds.
fn patience(asked: &Asked, frame: &Bytes) -> i32 {
    match asked.api {
        // An error's form may be that of another version.
        ApiKey::API_VERSIONS => since::<ApiVersionsRequest>(2, asked, frame)
            .filter(|response| response.error_code.is_ok())
            .map_or(0, |response| response.throttle_time_ms),
        ApiKey::INIT_PRODUCER_ID => {
            since::<InitProducerIdRequest>(1, asked, frame).map_or(0, |response| response.throttle_time_ms)
        }
        ApiKey::LIST_OFFSETS => {
            since::<ListOffsetsRequest>(3, asked, frame).map_or(0, |response| response.throttle_time_ms)
        }
        ApiKey::OFFSET_FOR_LEADER_EPOCH => since::<OffsetForLeaderEpochRequest>(2, asked, frame)
            .map_or(0, |response| response.throttle_time_ms),
        _ => 0,
    }
}

/// The answer, if it is of this version or a later one.
fn since<R: Request>(first: i16, asked: &Asked, frame: &Bytes) -> Option<R::Response> {
    links::response::<R>(frame, asked.version).filter(|_| asked.version >= first)
}

/// The partitions that do not have what was asked for.
fn out_of_range(response: &FetchResponse, fetcher: &Fetcher<'_>) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for topic in &response.responses {
        for data in &topic.partitions {
            if data.error_code == ErrorCode::OFFSET_OUT_OF_RANGE || data.diverging_epoch.epoch >= 0 {
                all.extend(fetcher.partition(&topic.topic, topic.topic_id, data.partition_index));
            }
        }
    }
    all
}

/// The partitions of which offsets were looked up.
fn looked_up(asked: &Asked, frame: &Bytes) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    let mut add = |topic: &Str, partition| all.push(TopicPartition { topic: topic.clone(), partition });
    if asked.api == ApiKey::LIST_OFFSETS {
        let response = links::response::<ListOffsetsRequest>(frame, asked.version);
        for topic in response.iter().flat_map(|response| &response.topics) {
            topic.partitions.iter().for_each(|partition| add(&topic.name, partition.partition_index));
        }
    } else {
        let response = links::response::<OffsetForLeaderEpochRequest>(frame, asked.version);
        for topic in response.iter().flat_map(|response| &response.topics) {
            topic.partitions.iter().for_each(|partition| add(&topic.topic, partition.partition));
        }
    }
    all
}

/// From these versions on topics are named by id.
const FIRST_PRODUCE_BY_ID: i16 = 13;

/// See the module.
#[derive(Default)]
pub(super) struct Wires {
    links: Links,
    sending: Sending,
    fetching: Fetching,
    leaders: Leaders,
    rates: Rates,
    dialogues: Dialogues,
    misled: Vec<(ClientId, TopicPartition)>,
    heartbeats: Vec<(Str, Str)>,
}

/// What frames are checked against.
pub(super) struct Context<'a> {
    pub(super) bounds: &'a Bounds,
    pub(super) oracle: &'a Oracle,
    pub(super) values: &'a Values,
    pub(super) readers: &'a Readers,
    pub(super) findings: &'a mut Findings,
}

/// Who asks whom.
#[derive(Clone, Copy)]
struct Peers {
    client: ClientId,
    broker: i32,
    /// The request may have waited in the client for long.
    waited: bool,
}

impl Context<'_> {
    fn talk(&mut self, Peers { client, broker, waited }: Peers) -> Talk<'_> {
        Talk { client, broker, waited, bounds: self.bounds, oracle: self.oracle, findings: self.findings }
    }

    fn fetcher(&mut self, Peers { client, broker, waited }: Peers) -> Fetcher<'_> {
        let Self { bounds, oracle, readers, .. } = *self;
        Fetcher { client, broker, waited, bounds, oracle, readers, findings: self.findings }
    }
}

impl Wires {
    pub(super) const fn batches(&self) -> u64 {
        self.sending.batches
    }

    pub(super) fn observe(&mut self, id: ConnectionId, what: &Wire<'_>, mut context: Context<'_>) {
        match what {
            Wire::Connecting(client, broker) => {
                self.links.connecting(id, *client, *broker);
                self.rates.tick(*client, Doing::Connecting(*broker), context.bounds, context.findings);
            }
            Wire::Opened(client, broker) => self.links.opened(id, *client, *broker),
            Wire::Sending => self.links.sending(id),
            Wire::Sent(frame) => self.sent(id, frame, false, &mut context),
            Wire::Request(frame) => self.sent(id, frame, true, &mut context),
            Wire::Received(frame) => self.received(id, frame, &mut context),
            Wire::Closed { .. } => {
                let link = self.links.closed(id);
                self.dialogues.closed(id, link.map(|link| link.client));
            }
            Wire::Response(_) => {}
        }
    }

    fn sent(&mut self, id: ConnectionId, frame: &Bytes, arrived: bool, context: &mut Context<'_>) {
        if !self.links.is_new(context.findings.now.at, id, arrived) {
            return;
        }
        let Some(head) = self.links.check(id, frame, context.bounds, context.findings) else { return };
        let Some(link) = self.links.link_mut(id) else { return };
        let peers = Peers {
            client: link.client,
            broker: link.broker,
            waited: link.waited(context.findings.now.at, context.bounds),
        };
        let Peers { client, broker, .. } = peers;
        let mut session = (0, -1);
        let mut is_answered = true;
        match head.api {
            ApiKey::PRODUCE => is_answered = self.produce(&head, frame, peers, context),
            ApiKey::FETCH => {
                let Some(request) = readable::<FetchRequest>(&head, frame, client, context) else { return };
                self.leaders.fetch(&request, &mut context.talk(peers));
                session = self.fetching.request(&request, &mut context.fetcher(peers));
            }
            ApiKey::METADATA => {
                self.rates.tick(client, Doing::AskingMetadata, context.bounds, context.findings)
            }
            ApiKey::HEARTBEAT | ApiKey::CONSUMER_GROUP_HEARTBEAT => {
                self.heartbeats.extend(heartbeat(&head, frame))
            }
            _ => self.dialogues.sent((id, client), &head, frame, context.findings),
        }
        if is_answered && let Some(link) = self.links.link_mut(id) {
            link.ask(&head, session);
            let producing = link.producing();
            in_flight(client, broker, producing, head.api, context);
        }
    }

    /// Returns whether the request will be answered.
    fn produce(&mut self, head: &Head, frame: &Bytes, peers: Peers, context: &mut Context<'_>) -> bool {
        let client = peers.client;
        let Some(request) = readable::<ProduceRequest>(head, frame, client, context) else { return true };
        self.leaders.produce(&request, &mut context.talk(peers));
        self.dialogues.produced(client, &request, context.findings);
        let Context { bounds, oracle, values, .. } = *context;
        let by_id = head.version >= FIRST_PRODUCE_BY_ID;
        let mut sender = Sender { client, by_id, bounds, oracle, values, findings: context.findings };
        self.sending.produce(&request, &mut sender);
        request.acks != 0
    }

    fn received(&mut self, id: ConnectionId, frame: &Bytes, context: &mut Context<'_>) {
        let Some(asked) = self.links.answered(id, frame, context.findings) else { return };
        let Some(link) = self.links.link_mut(id) else { return };
        let peers = Peers { client: link.client, broker: link.broker, waited: false };
        if asked.api == ApiKey::END_TXN {
            self.dialogues.answered(id, asked.correlation, asked.version, frame);
        }
        let throttle_ms = self.answer(&asked, frame, peers, context);
        if let Some(link) = self.links.link_mut(id) {
            link.throttle(context.findings.now.at, throttle_ms);
        }
    }

    /// Looks at an answer; for how long it asks for patience, in milliseconds.
    fn answer(&mut self, asked: &Asked, frame: &Bytes, peers: Peers, context: &mut Context<'_>) -> i32 {
        let Peers { client, broker, .. } = peers;
        match asked.api {
            ApiKey::PRODUCE => {
                let Some(response) = links::response::<ProduceRequest>(frame, asked.version) else {
                    return 0;
                };
                self.leaders.produce_response(&response, &context.talk(peers));
                for partition in response.responses.iter().flat_map(|topic| &topic.partition_responses) {
                    self.produce_error(partition.error_code);
                }
                if asked.version >= FIRST_PATIENT_PRODUCE { response.throttle_time_ms } else { 0 }
            }
            ApiKey::FETCH => {
                let Some(response) = links::response::<FetchRequest>(frame, asked.version) else { return 0 };
                self.leaders.fetch_response(&response, &context.talk(peers));
                self.note_outdated(out_of_range(&response, &context.fetcher(peers)), peers, context);
                let in_vain = self.fetching.response(&response, asked.session, &mut context.fetcher(peers));
                if in_vain {
                    self.rates.tick(client, Doing::FetchingInVain(broker), context.bounds, context.findings);
                }
                if asked.version >= FIRST_PATIENT_FETCH { response.throttle_time_ms } else { 0 }
            }
            ApiKey::METADATA => {
                let Some(response) = links::response::<MetadataRequest>(frame, asked.version) else {
                    return 0;
                };
                self.leaders.metadata(&response, asked.version, &context.talk(peers));
                if asked.version >= FIRST_PATIENT_METADATA { response.throttle_time_ms } else { 0 }
            }
            ApiKey::LIST_OFFSETS | ApiKey::OFFSET_FOR_LEADER_EPOCH => {
                self.note_outdated(looked_up(asked, frame), peers, context);
                patience(asked, frame)
            }
            _ => patience(asked, frame),
        }
    }

    /// Notes who was told of partitions by a broker that does not lead them any more.
    fn note_outdated(&mut self, told: Vec<TopicPartition>, peers: Peers, context: &Context<'_>) {
        let outdated = told.into_iter().filter(|of| context.oracle.is_outdated(of, peers.broker));
        self.misled.extend(outdated.map(|of| (peers.client, of)));
    }

    /// Clients that were told of partitions by a broker that does not lead them any more.
    pub(super) fn take_misled(&mut self) -> Vec<(ClientId, TopicPartition)> {
        std::mem::take(&mut self.misled)
    }

    /// The groups and ids of members of which a heartbeat was sent.
    pub(super) fn take_heartbeats(&mut self) -> Vec<(Str, Str)> {
        std::mem::take(&mut self.heartbeats)
    }

    pub(super) fn produce_error(&mut self, error: ErrorCode) {
        self.sending.splits |=
            matches!(error, ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE);
    }

    pub(super) const fn false_fetch_errors(&mut self) {
        self.fetching.false_errors = true;
    }

    pub(super) fn forget(&mut self, now: Instant, broker: i32) {
        self.fetching.forget(now, broker);
    }

    /// What the application does decides what is to be fetched.
    pub(super) fn consuming(
        &mut self,
        actor: ActorId,
        what: &Consuming<'_>,
        readers: &Readers,
        now: Instant,
    ) {
        let Some(client) = readers.by_actor.get(&actor).map(|reader| reader.client) else { return };
        let is_wanted =
            |of| readers.by_actor.values().any(|reader| reader.client == client && reader.wants(of));
        match what {
            Consuming::Delivered { from, offset, .. } => self.fetching.delivered(client, from, *offset),
            Consuming::Moved { from: of, .. } | Consuming::Trouble { of, fatal: true, .. } => {
                self.fetching.dropped(client, of);
            }
            Consuming::Positioned(of, _)
            | Consuming::Unassigned(of)
            | Consuming::Paused(of)
            | Consuming::Resumed(of) => {
                self.fetching.dropped(client, of);
                self.fetching.want(now, client, of, is_wanted(of));
            }
            Consuming::Made(..) | Consuming::End(..) | Consuming::Trouble { .. } | Consuming::Closed => {}
        }
    }

    pub(super) fn finish(&self, values: &Values, findings: &mut Findings) {
        self.sending.finish(values, findings);
    }
}

/// The group and the id of a member of which this is a heartbeat.
fn heartbeat(head: &Head, frame: &Bytes) -> Option<(Str, Str)> {
    if head.api == ApiKey::HEARTBEAT {
        let request = links::request::<HeartbeatRequest>(frame, head.version)?;
        return Some((request.group_id, request.member_id));
    }
    let request = links::request::<ConsumerGroupHeartbeatRequest>(frame, head.version)?;
    Some((request.group_id, request.member_id))
}

/// Reads a request as a strict broker does.
fn readable<R: Request>(
    head: &Head,
    frame: &Bytes,
    client: ClientId,
    context: &mut Context<'_>,
) -> Option<R> {
    let request = links::request::<R>(frame, head.version);
    if request.is_none() {
        let what = format!(
            "client {} sent API {} in version {}, and it cannot be read",
            client.0, head.api.0, head.version
        );
        context.findings.add(Invariant::WellFormed, what);
    }
    request
}

/// No more produce requests wait on a connection than may.
fn in_flight(client: ClientId, broker: i32, producing: usize, api: ApiKey, context: &mut Context<'_>) {
    if api != ApiKey::PRODUCE {
        return;
    }
    let producers = context.values.producers.values().filter(|producer| producer.client == client);
    let others = context.values.transactors.get(&client).copied().unwrap_or(0);
    let limit: usize = producers.map(|producer| producer.facts.max_in_flight).sum::<usize>() + others;
    if producing > limit {
        let what = format!(
            "client {} has {producing} produce requests in flight to broker {broker}, the limit is {limit}",
            client.0
        );
        context.findings.add(Invariant::InFlight, what);
    }
}
