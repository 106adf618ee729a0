//! A producer with its buffers and a cluster of plain values, driven by hand.

use core::time::Duration;
use std::{collections::VecDeque, string::String, vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::{
        AnyRequest,
        init_producer_id::InitProducerIdResponse,
        metadata::{
            MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse},
    },
    records::{Batches, ReadOptions, RecordRef, Scratch},
};

use crate::{
    BrokerId, Effect, Entropy, Instant, PartitionIndex, ProducerHandle, Token,
    cluster::{Cluster, ClusterConfig, ClusterOutput},
    producer::{
        Acknowledged, BatchId, Lost, Outcome, PartitionBuffer, ProduceErrorKind, Producer, ProducerConfig,
        ProducerOutput, Seal, SealResult, SealedPartition,
    },
};

/// The version of Produce that brokers have, unless a test says otherwise.
pub(super) const VERSION: i16 = 13;
/// The topic's id, unless a test says otherwise.
pub(super) const TOPIC_ID: Uuid = Uuid([9; 16]);

/// A batch as a broker reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) partition: u32,
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    pub(super) sequence: i32,
    pub(super) values: Vec<String>,
}

/// A produce request that was not answered.
#[derive(Clone, Debug)]
pub(super) struct Produced {
    pub(super) number: u64,
    pub(super) broker: BrokerId,
    pub(super) request: ProduceRequest,
    pub(super) batches: Vec<Received>,
    pub(super) max_version: i16,
}

/// The answer for one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    pub(super) partition: u32,
    pub(super) code: ErrorCode,
    pub(super) base_offset: i64,
    pub(super) log_start_offset: i64,
}

pub(super) fn ok(partition: u32, base_offset: i64) -> Reply {
    Reply { partition, code: ErrorCode::NONE, base_offset, log_start_offset: 0 }
}

pub(super) fn refuse(partition: u32, code: ErrorCode) -> Reply {
    Reply { partition, code, base_offset: -1, log_start_offset: -1 }
}

pub(super) struct Fixture {
    pub(super) producer: Producer,
    pub(super) cluster: Cluster,
    cluster_now: Instant,
    pub(super) now: Instant,
    pub(super) buffers: Vec<PartitionBuffer>,
    /// Produce requests, the oldest first.
    pub(super) requests: VecDeque<Produced>,
    /// Requests for a producer id, unless they are answered at once.
    pub(super) id_requests: VecDeque<u64>,
    pub(super) outcomes: Vec<Outcome>,
    /// The brokers' words for outcomes.
    pub(super) reasons: Vec<(Outcome, Str)>,
    /// All other outputs.
    pub(super) others: Vec<ProducerOutput>,
    pub(super) give_ids: bool,
    pub(super) connect: bool,
    pub(super) version: i16,
    next_id: i64,
    topic_id: Uuid,
}

impl Fixture {
    /// `partitions` partitions of one topic, partition `n` led by broker `n % brokers`.
    pub(super) fn new(partitions: i32, brokers: i32, config: ProducerConfig) -> Self {
        Self::with_topic_id(partitions, brokers, config, TOPIC_ID)
    }

    /// The same with this topic id.
    pub(super) fn with_topic_id(
        partitions: i32,
        brokers: i32,
        config: ProducerConfig,
        topic_id: Uuid,
    ) -> Self {
        let now = Instant::from_millis(10_000);
        let producer = Producer::new(ProducerHandle(7), config.clone(), Entropy::new(1)).unwrap();
        let bootstrap = vec!["localhost:9092".parse().unwrap()];
        let mut cluster = Cluster::new(ClusterConfig::new(bootstrap), Entropy::new(2), now);
        cluster.want_topic("t");
        let mut fixture = Self {
            producer,
            cluster,
            cluster_now: now,
            now,
            buffers: (0..partitions).map(|_| PartitionBuffer::new(&config)).collect(),
            requests: VecDeque::new(),
            id_requests: VecDeque::new(),
            outcomes: Vec::new(),
            reasons: Vec::new(),
            others: Vec::new(),
            give_ids: true,
            connect: true,
            version: VERSION,
            next_id: 4000,
            topic_id,
        };
        fixture.metadata(brokers, &(0..partitions).map(|number| number % brokers).collect::<Vec<_>>());
        fixture
    }

    /// One partition on one broker.
    pub(super) fn simple() -> Self {
        Self::new(1, 1, ProducerConfig::default())
    }

    /// One partition on one broker; a record's batch is sent at once.
    pub(super) fn eager() -> Self {
        Self::new(1, 1, ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() })
    }

    /// Metadata arrive: so many brokers, and the leader of each partition (-1 for none). Epochs only grow.
    pub(super) fn metadata(&mut self, brokers: i32, leaders: &[i32]) {
        let epoch = i32::try_from(self.cluster.version()).unwrap() + 1;
        let partition = |(number, leader): (i32, &i32)| MetadataResponsePartition {
            error_code: if *leader < 0 { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE },
            partition_index: number,
            leader_id: *leader,
            leader_epoch: epoch,
            ..MetadataResponsePartition::default()
        };
        let topic = MetadataResponseTopic {
            name: Some(Str::from("t")),
            topic_id: self.topic_id,
            partitions: (0..).zip(leaders).map(partition).collect(),
            ..MetadataResponseTopic::default()
        };
        self.metadata_of(brokers, topic);
        for number in 0..leaders.len() {
            let number = u32::try_from(number).unwrap();
            assert_eq!(
                self.cluster.partitions().get("t", number.cast_signed()),
                Some(PartitionIndex(number))
            );
        }
    }

    pub(super) fn metadata_of(&mut self, brokers: i32, topic: MetadataResponseTopic) {
        let broker = |id| MetadataResponseBroker {
            node_id: id,
            host: Str::from("localhost"),
            port: 9092 + id,
            ..MetadataResponseBroker::default()
        };
        let response = MetadataResponse {
            brokers: (0..brokers).map(broker).collect(),
            topics: vec![topic],
            ..MetadataResponse::default()
        };
        self.cluster.request_refresh();
        let number = loop {
            match self.cluster.poll(self.cluster_now) {
                Some(ClusterOutput::Request(request)) => {
                    let Token::Cluster(number) = request.token else { panic!("{request:?}") };
                    break number;
                }
                Some(_) => {}
                None => self.cluster_now = self.cluster.poll_timeout().unwrap(),
            }
        };
        self.cluster.handle_response(self.cluster_now, number, 12, &response);
    }

    /// The cluster's own time passes, until it has given up on what is unknown.
    pub(super) fn cluster_waits(&mut self, duration: Duration) {
        self.cluster_now = self.cluster_now + duration;
        self.cluster.handle_timeout(self.cluster_now);
    }

    pub(super) fn append(&mut self, partition: u32, value: &str) -> BatchId {
        let record = RecordRef { value: Some(value.as_bytes()), timestamp: 1, ..RecordRef::default() };
        let appended = self.buffers[partition as usize].append(&record).unwrap();
        self.producer.handle_signal(self.now, PartitionIndex(partition), appended.batch, appended.signal);
        appended.batch
    }

    /// Appends a record, lets everything accepted go without lingering, and drains.
    pub(super) fn push(&mut self, partition: u32, value: &str) {
        self.append(partition, value);
        self.producer.flush(self.now);
        self.drain();
    }

    /// Drains all outputs, sealing and connecting on the way.
    pub(super) fn drain(&mut self) {
        for _ in 0..100_000 {
            let Some(output) = self.producer.poll(self.now, &self.cluster) else {
                let due = self.producer.poll_timeout();
                assert!(due.is_none_or(|due| due > self.now), "after a drain at {} due at {due:?}", self.now);
                return;
            };
            self.act(output);
        }
        panic!("outputs without end");
    }

    pub(super) fn act(&mut self, output: ProducerOutput) {
        match output {
            ProducerOutput::Connect(broker) if self.connect => {
                self.producer.handle_ready(self.now, broker, self.version);
            }
            ProducerOutput::Seal(seal) => {
                let sealed = self.seal(&seal);
                self.producer.handle_sealed(self.now, seal.broker, sealed);
            }
            ProducerOutput::Request(request) => {
                let Token::Producer(ProducerHandle(7), number) = request.token else { panic!("{request:?}") };
                match *request.request {
                    AnyRequest::Produce(produce) => {
                        let crate::Target::Broker(broker) = request.to else { panic!("{:?}", request.to) };
                        let batches = read(&produce);
                        let max_version = request.max_version;
                        let produced = Produced { number, broker, request: produce, batches, max_version };
                        self.requests.push_back(produced);
                    }
                    AnyRequest::InitProducerId(_) => {
                        self.id_requests.push_back(number);
                        if self.give_ids {
                            self.give_id();
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            ProducerOutput::Outcome { outcome, reason } => {
                self.outcomes.push(outcome);
                self.reasons.extend(reason.map(|reason| (outcome, reason)));
            }
            ProducerOutput::Discard { partition, through } => {
                if let Some(buffer) = self.buffers.get_mut(partition.0 as usize) {
                    buffer.discard(through);
                }
            }
            other => self.others.push(other),
        }
    }

    /// Seals as an engine does.
    pub(super) fn seal(&mut self, seal: &Seal) -> Vec<SealedPartition> {
        let mut bytes = 0;
        let mut results = Vec::new();
        for partition in &seal.partitions {
            let buffer = &mut self.buffers[partition.0 as usize];
            let next = buffer.next_len();
            let result = if bytes > 0 && bytes + next > seal.max_bytes {
                SealResult::Left
            } else if let Some(taken) = buffer.take() {
                bytes += next;
                SealResult::Sealed { batch: taken.batch, sealed: taken.encoder.seal(seal.compression) }
            } else {
                SealResult::Empty
            };
            results.push(SealedPartition { partition: *partition, result });
        }
        results
    }

    /// The oldest request for a producer id is answered with a new one, epoch 0.
    pub(super) fn give_id(&mut self) {
        let response = InitProducerIdResponse {
            producer_id: self.next_id,
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        };
        self.next_id += 1;
        self.answer_id(response);
    }

    pub(super) fn answer_id(&mut self, response: InitProducerIdResponse) {
        let number = self.id_requests.pop_front().expect("no id was asked for");
        self.producer.handle_response(self.now, number, &response.into()).unwrap();
    }

    /// Takes the oldest request.
    pub(super) fn request(&mut self) -> Produced {
        self.requests.pop_front().expect("no request was sent")
    }

    /// Answers a request and drains.
    pub(super) fn answer(&mut self, produced: &Produced, replies: &[Reply]) {
        self.producer.handle_response(self.now, produced.number, &response(replies).into()).unwrap();
        self.drain();
    }

    /// Answers the oldest request, which is for one partition.
    pub(super) fn answer_next(&mut self, reply: &Reply) -> Produced {
        let produced = self.request();
        self.answer(&produced, core::slice::from_ref(reply));
        produced
    }

    pub(super) fn lose(&mut self, produced: &Produced, lost: Lost) {
        self.producer.handle_lost(self.now, produced.number, lost);
        self.drain();
    }

    pub(super) fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.producer.handle_timeout(self.now);
        self.drain();
    }

    pub(super) fn wait_ms(&mut self, millis: u64) {
        self.wait(Duration::from_millis(millis));
    }

    /// The outcomes since the last call: `Ok` with the base offset or `Err` with kind and effect.
    pub(super) fn results(&mut self) -> Vec<Result<Option<i64>, (ProduceErrorKind, Effect)>> {
        let result = |outcome: Outcome| match outcome.result {
            Ok(Acknowledged { base_offset, .. }) => Ok(base_offset),
            Err(error) => Err((error.kind, error.effect)),
        };
        self.outcomes.drain(..).map(result).collect()
    }

    /// One batch is acknowledged, so that the leader is known to know this producer.
    pub(super) fn prove(&mut self, partition: u32) {
        self.push(partition, "proof");
        let produced = self.request();
        self.answer(&produced, &[ok(partition, 0)]);
        self.results();
        self.others.clear();
    }
}

pub(super) fn response(replies: &[Reply]) -> ProduceResponse {
    let partition = |reply: &Reply| PartitionProduceResponse {
        index: reply.partition.cast_signed(),
        error_code: reply.code,
        base_offset: reply.base_offset,
        log_append_time_ms: -1,
        log_start_offset: reply.log_start_offset,
        ..PartitionProduceResponse::default()
    };
    let topic = TopicProduceResponse {
        topic_id: TOPIC_ID,
        partition_responses: replies.iter().map(partition).collect(),
        ..TopicProduceResponse::default()
    };
    ProduceResponse { responses: vec![topic], ..ProduceResponse::default() }
}

/// Reads a request as a broker does.
pub(super) fn read(request: &ProduceRequest) -> Vec<Received> {
    let mut received = Vec::new();
    for topic in &request.topic_data {
        for partition in &topic.partition_data {
            let bytes = partition.records.clone().unwrap().into_bytes();
            let mut scratch = Scratch::new();
            for batch in Batches::new(&bytes) {
                let batch = batch.unwrap();
                let records = batch.open(&mut scratch, &ReadOptions::default()).unwrap();
                received.push(Received {
                    partition: partition.index.cast_unsigned(),
                    producer_id: batch.producer_id(),
                    epoch: batch.producer_epoch(),
                    sequence: batch.base_sequence(),
                    values: records.map(|record| text(record.unwrap().value)).collect(),
                });
            }
        }
    }
    received
}

fn text(value: Option<&[u8]>) -> String {
    String::from_utf8(value.unwrap_or_default().to_vec()).unwrap()
}
