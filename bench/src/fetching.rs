//! Planning fetches: the consumer's machine alone, against a broker that has records for one partition at a time.
#![expect(clippy::expect_used, reason = "a benchmark that goes wrong has to stop")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use klamm_core::{
    BrokerId, ConsumerId, Entropy, Instant, PartitionIndex, Request, Token,
    consumer::{Assignment, Consumer, ConsumerConfig, ConsumerOutput, PartitionLeader, StartAt, Ticket},
};
use klamm_protocol::{
    RecordBytes, Str, Uuid,
    compression::Compression,
    messages::{
        AnyRequest,
        fetch::{FetchResponse, FetchableTopicResponse, PartitionData},
    },
    records::{BatchEncoder, BatchLimits, RecordRef, Stamp},
};

/// Fetches in a measured round.
pub const FETCHES: usize = 100;

const NOW: Instant = Instant::from_millis(1_000);
const VERSION: i16 = 17;
const TOPIC_ID: Uuid = Uuid([7; 16]);

/// A consumer with many partitions, all of one broker, in an open session.
#[derive(Debug)]
pub struct Fetching {
    consumer: Consumer,
    offsets: Vec<i64>,
    turn: usize,
    batch: Bytes,
    request: Box<Request>,
    delivered: Vec<Ticket>,
}

impl Fetching {
    /// Assigns `partitions` partitions, and opens the session.
    ///
    /// # Panics
    /// The consumer does not ask for what it is assigned.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        let mut consumer = Consumer::new(ConsumerId(0), ConsumerConfig::default(), Entropy::new(1));
        let topic = Str::from("topic");
        let assignments = (0..partitions).map(|number| Assignment {
            index: PartitionIndex(number),
            topic: topic.clone(),
            partition: i32::try_from(number).expect("a small number"),
            start: StartAt::Offset(0),
        });
        consumer.assign(NOW, assignments);
        let leader = PartitionLeader { broker: BrokerId(1), epoch: 1, topic_id: TOPIC_ID };
        for number in 0..partitions {
            consumer.handle_leader(NOW, PartitionIndex(number), Some(leader));
        }
        let (request, delivered) = drain(&mut consumer);
        let mut this = Self {
            consumer,
            offsets: (0..partitions).map(|_| 0).collect(),
            turn: 0,
            batch: one_record(),
            request: request.expect("a fetch"),
            delivered,
        };
        this.answer((0..this.offsets.len()).map(|at| data(at, Bytes::new())).collect());
        this
    }

    /// Fetches [`FETCHES`] times. Each brings a record of another partition, which is read.
    ///
    /// # Panics
    /// The consumer does not ask for more.
    pub fn fetch(&mut self) {
        for _ in 0..FETCHES {
            let at = self.turn % self.offsets.len();
            self.turn += 1;
            let mut batch = BytesMut::from(&self.batch[..]);
            batch[..8].copy_from_slice(&self.offsets[at].to_be_bytes());
            self.offsets[at] += 1;
            self.answer(vec![data(at, batch.freeze())]);
            let AnyRequest::Fetch(fetch) = &*self.request.request else { unreachable!("only fetches") };
            assert_eq!(fetch.topics.len(), 1, "what changed");
            for ticket in core::mem::take(&mut self.delivered) {
                self.consumer.handle_consumed(NOW, ticket);
            }
        }
    }

    fn answer(&mut self, partitions: Vec<PartitionData>) {
        let Token::Consumer(_, number) = self.request.token else { unreachable!("a consumer's request") };
        let topic =
            FetchableTopicResponse { topic_id: TOPIC_ID, partitions, ..FetchableTopicResponse::default() };
        let response =
            FetchResponse { session_id: 1, responses: vec![topic], ..FetchResponse::default() }.into();
        self.consumer.handle_response(NOW, number, VERSION, black_box(&response));
        let (request, delivered) = drain(&mut self.consumer);
        self.request = request.expect("the next fetch");
        self.delivered = delivered;
    }
}

fn data(at: usize, records: Bytes) -> PartitionData {
    PartitionData {
        partition_index: i32::try_from(at).expect("a small number"),
        high_watermark: i64::MAX,
        records: Some(RecordBytes::from(records)),
        ..PartitionData::default()
    }
}

/// Takes all outputs; what was fetched counts as handed out.
fn drain(consumer: &mut Consumer) -> (Option<Box<Request>>, Vec<Ticket>) {
    let (mut request, mut delivered) = (None, Vec::new());
    while let Some(output) = consumer.poll(NOW) {
        match output {
            ConsumerOutput::Request(next) => request = Some(next),
            ConsumerOutput::Deliver(chunk) => {
                let Ticket { partition, epoch, .. } = chunk.ticket;
                assert!(consumer.take(partition, epoch, chunk.next_offset, chunk.leader_epoch));
                delivered.push(chunk.ticket);
            }
            _ => {}
        }
    }
    (request, delivered)
}

fn one_record() -> Bytes {
    let mut encoder = BatchEncoder::new(BatchLimits::default());
    let record = RecordRef { key: None, value: Some(b"value"), headers: &[], timestamp: 1 };
    encoder.append(&record).expect("room for a record");
    encoder.seal(Compression::None).to_bytes(&Stamp::default())
}
