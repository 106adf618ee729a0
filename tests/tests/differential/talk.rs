//! One side of a comparison: requests to a cluster, and what is noted of the answers.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use klamm_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm_protocol::messages::fetch::FetchResponse;
use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm_protocol::{ApiKey, ErrorCode, RecordBytes, Request, Str, Uuid};
use klamm_tests::Outcome;
use klamm_tests::cluster::Cluster;
use klamm_tests::wire::{Wire, decode, frame};

use crate::records;
use crate::transcript::{Line, Transcript};

/// What the client of every case calls itself.
const CLIENT: &str = "differential";

/// How long a cluster may take to carry out what it has accepted.
const PATIENCE: Duration = Duration::from_secs(30);

/// A topic of a case.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: Str,
    pub(crate) id: Uuid,
}

/// A connection of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection(usize);

/// The connection that every case has to broker 1.
pub(crate) const FIRST: Connection = Connection(0);

struct Socket {
    broker: usize,
    wire: Option<Wire>,
}

/// A case's talk with one of the clusters.
pub(crate) struct Talk {
    addresses: Vec<String>,
    prefix: String,
    connections: Vec<Socket>,
    pub(crate) seen: Transcript,
    /// Timestamps of the case's records count from here, an hour before the run.
    pub(crate) epoch_ms: i64,
}

impl Talk {
    pub(crate) fn new(cluster: &Cluster, prefix: String, epoch_ms: i64) -> Self {
        Self {
            addresses: cluster.bootstrap(),
            seen: Transcript::new(prefix.clone(), epoch_ms),
            prefix,
            connections: vec![Socket { broker: 1, wire: None }],
            epoch_ms,
        }
    }

    pub(crate) fn into_lines(self) -> Vec<Line> {
        self.seen.into_lines()
    }

    /// A name that no other case uses.
    pub(crate) fn name(&self, name: &str) -> Str {
        Str::from(format!("{}-{name}", self.prefix))
    }

    /// One more connection, to this broker (1 to 3).
    pub(crate) fn connect(&mut self, broker: usize) -> Connection {
        self.connections.push(Socket { broker, wire: None });
        Connection(self.connections.len() - 1)
    }

    /// One more connection to the broker that another goes to.
    pub(crate) fn connect_as(&mut self, connection: Connection) -> Connection {
        self.connect(self.connections[connection.0].broker)
    }

    /// A connection to another broker than this one's.
    pub(crate) fn another_broker(&mut self, connection: Connection) -> Connection {
        self.connect(self.connections[connection.0].broker % 3 + 1)
    }

    fn wire(&mut self, connection: Connection) -> Outcome<&mut Wire> {
        let line = self.connections.get_mut(connection.0).ok_or("no such connection")?;
        if line.wire.is_none() {
            let address = self.addresses.get(line.broker - 1).ok_or("no such broker")?;
            line.wire = Some(Wire::connect(address, CLIENT)?);
        }
        line.wire.as_mut().ok_or_else(|| "not connected".into())
    }

    /// Sends bytes as a frame and returns what comes, `None` if the broker closes the connection: a later call
    /// connects anew.
    pub(crate) fn exchange(&mut self, connection: Connection, body: &[u8]) -> Outcome<Option<Bytes>> {
        let wire = self.wire(connection)?;
        let reply = match wire.send_frame(body) {
            Ok(()) => wire.receive_frame()?,
            // Closed already, for what was sent before.
            Err(_) => None,
        };
        if reply.is_none() {
            self.connections[connection.0].wire = None;
        }
        Ok(reply)
    }

    /// Sends a request and notes the answer, or that the connection was closed.
    pub(crate) fn try_on<R: Request>(
        &mut self,
        connection: Connection,
        step: &str,
        version: i16,
        request: &R,
    ) -> Outcome<Option<R::Response>> {
        let body = frame(CLIENT, version, request).map_err(|error| format!("{step}: {error}"))?;
        match self.exchange(connection, &body)? {
            None => {
                self.seen.note(step, "the connection is closed");
                Ok(None)
            }
            Some(reply) => {
                let response = decode::<R>(version, reply).map_err(|error| format!("{step}: {error}"))?;
                self.seen.note_response(step, R::API_KEY, &response);
                Ok(Some(response))
            }
        }
    }

    /// The same at broker 1.
    pub(crate) fn try_ask<R: Request>(
        &mut self,
        step: &str,
        version: i16,
        request: &R,
    ) -> Outcome<Option<R::Response>> {
        self.try_on(FIRST, step, version, request)
    }

    /// Sends a request that must be answered, and notes the answer.
    pub(crate) fn on<R: Request>(
        &mut self,
        connection: Connection,
        step: &str,
        version: i16,
        request: &R,
    ) -> Outcome<R::Response> {
        self.try_on(connection, step, version, request)?
            .ok_or_else(|| format!("{step}: closed instead of an answer").into())
    }

    /// The same at broker 1.
    pub(crate) fn ask<R: Request>(&mut self, step: &str, version: i16, request: &R) -> Outcome<R::Response> {
        self.on(FIRST, step, version, request)
    }

    /// Sends a request that is only a means to an end: nothing is noted.
    pub(crate) fn quiet<R: Request>(
        &mut self,
        connection: Connection,
        version: i16,
        request: &R,
    ) -> Outcome<R::Response> {
        let body = frame(CLIENT, version, request)?;
        let reply = self.exchange(connection, &body)?.ok_or("closed instead of an answer")?;
        decode::<R>(version, reply)
    }

    /// Sends a request and does not wait for the answer.
    pub(crate) fn send<R: Request>(
        &mut self,
        connection: Connection,
        version: i16,
        request: &R,
    ) -> Outcome<()> {
        self.wire(connection)?.send(version, request)
    }

    /// Waits for the answer to a request that was sent, and notes it.
    pub(crate) fn receive<R: Request>(
        &mut self,
        connection: Connection,
        step: &str,
        version: i16,
    ) -> Outcome<R::Response> {
        let response = self.receive_quietly::<R>(connection, version)?;
        self.seen.note_response(step, R::API_KEY, &response);
        Ok(response)
    }

    /// Waits for the answer to a request that was sent.
    pub(crate) fn receive_quietly<R: Request>(
        &mut self,
        connection: Connection,
        version: i16,
    ) -> Outcome<R::Response> {
        let reply = self.wire(connection)?.receive_frame()?.ok_or("closed instead of an answer")?;
        decode::<R>(version, reply)
    }

    /// The connection that was made last.
    pub(crate) fn last_connection(&self) -> Connection {
        Connection(self.connections.len() - 1)
    }

    /// Sends bytes as a frame at broker 1 and notes the answer's bytes, or that the connection was closed.
    pub(crate) fn raw(&mut self, step: &str, body: &[u8]) -> Outcome<Option<Bytes>> {
        let reply = self.exchange(FIRST, body)?;
        let seen = reply.as_ref().map_or_else(|| "the connection is closed".to_owned(), |reply| hex(reply));
        self.seen.note(step, seen);
        Ok(reply)
    }

    /// Sends bytes as they are, and notes whether the broker closes the connection, once nothing more is sent.
    pub(crate) fn raw_bytes(&mut self, step: &str, bytes: &[u8]) -> Outcome<()> {
        let wire = self.wire(FIRST)?;
        let reply = match wire.send_bytes(bytes) {
            Ok(()) => wire.receive_frame()?,
            Err(_) => None,
        };
        self.connections[FIRST.0].wire = None;
        let seen = reply.map_or_else(|| "the connection is closed".to_owned(), |reply| hex(&reply));
        self.seen.note(step, seen);
        Ok(())
    }

    /// Does something until it says that it is done.
    pub(crate) fn until(
        &mut self,
        what: &str,
        mut act: impl FnMut(&mut Self) -> Outcome<bool>,
    ) -> Outcome<()> {
        let start = Instant::now();
        while !act(self)? {
            if start.elapsed() > PATIENCE {
                return Err(format!("{what}: not so after {} s", PATIENCE.as_secs()).into());
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// A topic whose partitions are all led by broker 1, its only replica.
    pub(crate) fn topic(&mut self, name: &str, partitions: i32) -> Outcome<Topic> {
        self.topic_with(name, &vec![&[1][..]; usize::try_from(partitions)?], &[])
    }

    /// A topic with these replicas, the leader first, and these settings.
    pub(crate) fn topic_with(
        &mut self,
        name: &str,
        replicas: &[&[i32]],
        settings: &[(&'static str, &str)],
    ) -> Outcome<Topic> {
        let full_name = self.name(name);
        let topic = new_topic(&full_name, replicas, settings);
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
        let result = self.quiet(FIRST, 7, &request)?.topics.remove(0);
        if !result.error_code.is_ok() {
            return Err(format!("creating {full_name}: {result:?}").into());
        }
        self.seen.name_id(result.topic_id, name);
        self.await_topic(&full_name, replicas)?;
        Ok(Topic { name: full_name, id: result.topic_id })
    }

    /// Waits until every broker knows the topic and its leaders serve it.
    pub(crate) fn await_topic(&mut self, topic: &Str, replicas: &[&[i32]]) -> Outcome<()> {
        for broker in 1..=3 {
            let connection = self.connect(broker);
            let named = MetadataRequestTopic { name: Some(topic.clone()), ..Default::default() };
            let request = MetadataRequest {
                topics: Some(vec![named]),
                allow_auto_topic_creation: false,
                ..Default::default()
            };
            self.until("metadata", |talk| {
                let found = talk.quiet(connection, 12, &request)?.topics.remove(0);
                Ok(found.error_code.is_ok() && found.partitions.len() == replicas.len())
            })?;
            for (replicas, index) in replicas.iter().zip(0..) {
                if replicas.iter().any(|replica| usize::try_from(*replica) == Ok(broker)) {
                    self.until("replica", |talk| talk.has_replica(connection, topic, index))?;
                }
                if replicas.first().is_some_and(|leader| usize::try_from(*leader) == Ok(broker)) {
                    self.until("leader", |talk| Ok(talk.end_offset(connection, topic, index)?.0.is_ok()))?;
                }
            }
        }
        Ok(())
    }

    /// Whether the broker has taken its replica over: then it knows that the epoch asked for is yet to come.
    fn has_replica(&mut self, connection: Connection, topic: &Str, index: i32) -> Outcome<bool> {
        let partition = OffsetForLeaderPartition {
            partition: index,
            current_leader_epoch: i32::MAX,
            ..OffsetForLeaderPartition::default()
        };
        let topic =
            OffsetForLeaderTopic { topic: topic.clone(), partitions: vec![partition], ..Default::default() };
        let request =
            OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = self.quiet(connection, 4, &request)?.topics.remove(0).partitions.remove(0);
        Ok(answer.error_code == ErrorCode::UNKNOWN_LEADER_EPOCH)
    }

    /// Where a partition ends, without noting it.
    pub(crate) fn end_offset(
        &mut self,
        connection: Connection,
        topic: &Str,
        index: i32,
    ) -> Outcome<(ErrorCode, i64)> {
        let partition =
            ListOffsetsPartition { partition_index: index, timestamp: -1, ..ListOffsetsPartition::default() };
        let topic =
            ListOffsetsTopic { name: topic.clone(), partitions: vec![partition], ..Default::default() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = self.quiet(connection, 7, &request)?.topics.remove(0).partitions.remove(0);
        Ok((answer.error_code, answer.offset))
    }

    /// A connection to the coordinator of a group, once it serves the group.
    pub(crate) fn coordinator(&mut self, group: &Str) -> Outcome<Connection> {
        let request = FindCoordinatorRequest { coordinator_keys: vec![group.clone()], ..Default::default() };
        let mut coordinator = None;
        self.until("coordinator", |talk| {
            let found = talk.quiet(FIRST, 6, &request)?.coordinators.remove(0);
            if !found.error_code.is_ok() {
                return Ok(false);
            }
            let connection = talk.connect(usize::try_from(found.node_id)?);
            let probe = HeartbeatRequest { group_id: group.clone(), ..HeartbeatRequest::default() };
            let error = talk.quiet(connection, 4, &probe)?.error_code;
            coordinator = Some(connection);
            Ok(error == ErrorCode::UNKNOWN_MEMBER_ID)
        })?;
        coordinator.ok_or_else(|| "no coordinator".into())
    }

    /// Notes a response to a fetch with its records decoded.
    pub(crate) fn note_fetch(&mut self, step: &str, response: &FetchResponse) {
        let mut shown = response.clone();
        for partition in shown.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if let Some(bytes) = partition.records.take() {
                let text = records::describe(&bytes.into_bytes(), |time| self.seen.relative(time));
                partition.records = Some(RecordBytes::from(text.into_bytes()));
            }
        }
        self.seen.note_response(step, ApiKey::FETCH, &shown);
    }
}

/// A topic to create, with its replicas and settings. A single replica is enough to be written to.
pub(crate) fn new_topic(
    name: &Str,
    replicas: &[&[i32]],
    settings: &[(&'static str, &str)],
) -> CreatableTopic {
    let assignment = |(replicas, index): (&&[i32], i32)| CreatableReplicaAssignment {
        partition_index: index,
        broker_ids: replicas.iter().copied().collect(),
        ..CreatableReplicaAssignment::default()
    };
    let is_single = replicas.iter().all(|replicas| replicas.len() == 1);
    let own = is_single.then_some(("min.insync.replicas", "1"));
    let config = |(name, value): (&'static str, &str)| CreatableTopicConfig {
        name: Str::from_static(name),
        value: Some(Str::copy_of(value)),
        ..CreatableTopicConfig::default()
    };
    CreatableTopic {
        name: name.clone(),
        num_partitions: -1,
        replication_factor: -1,
        assignments: replicas.iter().zip(0..).map(assignment).collect(),
        configs: own.into_iter().chain(settings.iter().copied()).map(config).collect(),
        ..CreatableTopic::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}
