//! A consumer and the model of brokers, and between them everything that can go wrong.

use std::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use klamm_protocol::{
    Str,
    records::{ReadOptions, Scratch},
};

use super::{
    broker::{Brokers, Log},
    rosters,
};
use crate::{
    BrokerId, ConsumerId, Entropy, Instant, PartitionIndex, Request, Target, Token,
    consumer::{
        Assignment, Chunk, ChunkReader, Consumer, ConsumerConfig, ConsumerEvent, ConsumerOutput,
        PartitionLeader, StartAt,
    },
};

pub(super) const TOPIC: &str = "t";

/// What the application sees of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The offset of the next record that may be seen; `None` until it is known.
    pub(super) expected: Option<i64>,
    /// How many records were seen.
    pub(super) count: usize,
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) consumer: Consumer,
    pub(super) brokers: Brokers,
    pub(super) requests: Vec<Request>,
    pub(super) queue: VecDeque<Chunk>,
    pub(super) events: Vec<ConsumerEvent>,
    pub(super) seen: BTreeMap<u32, Seen>,
    /// Memory was short while chunks held more of it than they need.
    pub(super) relieve: bool,
    /// Partitions of which nothing was fetched waited for memory.
    pub(super) room: bool,
    limit: usize,
}

impl World {
    pub(super) fn new(config: ConsumerConfig, fetch_version: i16, partitions: u32, brokers: i32) -> Self {
        let mut world = Self {
            now: Instant::from_millis(1_000),
            limit: config.buffer_bytes,
            consumer: Consumer::new(ConsumerId(1), config, Entropy::new(7)),
            brokers: Brokers::new(fetch_version),
            requests: Vec::new(),
            queue: VecDeque::new(),
            events: Vec::new(),
            seen: BTreeMap::new(),
            relieve: false,
            room: false,
        };
        for partition in 0..partitions {
            let leader = BrokerId(i32::try_from(partition).unwrap() % brokers);
            world.brokers.logs.insert(key(partition), Log::new(leader));
        }
        world
    }

    pub(super) fn log(&mut self, partition: u32) -> &mut Log {
        self.brokers.logs.get_mut(&key(partition)).unwrap()
    }

    pub(super) fn assign(&mut self, partition: u32, start: StartAt) {
        let expected = match start {
            StartAt::Offset(offset) | StartAt::OffsetAndEpoch { offset, .. } => Some(offset),
            _ => None,
        };
        self.seen.insert(partition, Seen { expected, count: 0 });
        let assignment = Assignment {
            index: PartitionIndex(partition),
            topic: Str::from(TOPIC),
            partition: i32::try_from(partition).unwrap(),
            start,
        };
        self.consumer.assign(self.now, [assignment]);
        self.tell_leader(partition);
    }

    pub(super) fn tell_leader(&mut self, partition: u32) {
        let log = &self.brokers.logs[&key(partition)];
        let topic_id = self.brokers.topic_id(TOPIC);
        let leader = PartitionLeader { broker: log.leader, epoch: log.epoch, topic_id };
        self.consumer.handle_leader(self.now, PartitionIndex(partition), Some(leader));
    }

    pub(super) fn seek(&mut self, partition: u32, offset: i64) {
        if self.consumer.seek(self.now, PartitionIndex(partition), StartAt::Offset(offset)).is_ok() {
            self.seen.get_mut(&partition).unwrap().expected = Some(offset);
        }
    }

    /// Takes all outputs, and checks what holds at any time.
    pub(super) fn drain(&mut self) {
        while let Some(output) = self.consumer.poll(self.now) {
            match output {
                ConsumerOutput::Request(request) => self.requests.push(*request),
                ConsumerOutput::Deliver(chunk) => self.queue.push_back(chunk),
                ConsumerOutput::Event { epoch, event } => {
                    if let ConsumerEvent::Reset { partition, .. } = event {
                        assert!(self.consumer.is_event_current(epoch, &event));
                        assert!(!self.waits(partition), "reset while there is something to read");
                    }
                    self.note(&event);
                    self.events.push(event);
                }
                ConsumerOutput::WantTopic(_)
                | ConsumerOutput::ReleaseTopic(_)
                | ConsumerOutput::RefreshTopic(_)
                | ConsumerOutput::LeaderHint(_) => {}
                ConsumerOutput::Relieve => self.relieve = true,
                ConsumerOutput::MakeRoom { .. } => self.room = true,
            }
        }
        assert!(self.consumer.poll_timeout().is_none_or(|at| at > self.now), "a deadline in the past");
        rosters::check(&self.consumer, self.now);
        for request in &self.requests {
            let same = self
                .requests
                .iter()
                .filter(|other| other.to == request.to && other.purpose == request.purpose);
            assert!(
                !matches!(request.purpose, crate::Purpose::Fetch(_)) || same.count() == 1,
                "two fetches to one broker"
            );
        }
        // One batch a response may come on top.
        assert!(self.consumer.used_bytes() <= self.limit + 4 * 1_000, "{} bytes", self.consumer.used_bytes());
    }

    /// Whether something waits that may still be handed out.
    fn waits(&self, partition: PartitionIndex) -> bool {
        let mut tickets =
            self.queue.iter().map(|chunk| chunk.ticket).filter(|ticket| ticket.partition == partition);
        tickets.any(|ticket| self.consumer.is_current(partition, ticket.epoch))
    }

    /// The application hears of a reset.
    pub(super) fn note(&mut self, event: &ConsumerEvent) {
        if let ConsumerEvent::Reset { partition, to, .. } = event {
            self.seen.get_mut(&partition.0).unwrap().expected = Some(*to);
        }
    }

    /// Answers the request at `at`, modulo how many there are.
    pub(super) fn answer(&mut self, at: usize) {
        if self.requests.is_empty() {
            return;
        }
        let request = self.requests.remove(at % self.requests.len());
        let (broker, number) = route(&request);
        let (version, response) = self.brokers.answer(broker, &request.request, request.max_version);
        self.consumer.handle_response(self.now, number, version, &response);
    }

    /// Loses the request at `at`; the broker may have seen it.
    pub(super) fn lose(&mut self, at: usize, seen: bool) {
        if self.requests.is_empty() {
            return;
        }
        let request = self.requests.remove(at % self.requests.len());
        let (broker, number) = route(&request);
        if seen {
            let _lost = self.brokers.answer(broker, &request.request, request.max_version);
        }
        self.consumer.handle_lost(self.now, number, None);
    }

    /// Reads the chunk at `at` of the queue that is the first of its partition, as the application does.
    pub(super) fn read(&mut self, at: usize) {
        if self.queue.is_empty() {
            return;
        }
        let partition = self.queue[at % self.queue.len()].ticket.partition;
        let first = self.queue.iter().position(|chunk| chunk.ticket.partition == partition).unwrap();
        let chunk = self.queue.remove(first).unwrap();
        let epoch = chunk.ticket.epoch;
        if self.consumer.take(partition, epoch, chunk.next_offset, chunk.leader_epoch) {
            let seen = self.seen.get_mut(&partition.0).unwrap();
            let mut reader = ChunkReader::new(&chunk, ReadOptions::default());
            let mut scratch = Scratch::new();
            while let Some(batch) = reader.next_batch(&mut scratch) {
                for record in batch.unwrap() {
                    let record = record.unwrap();
                    assert_eq!(Some(record.offset), seen.expected, "partition {}", partition.0);
                    assert_eq!(record.value, Some(&record.offset.to_be_bytes()[..]));
                    seen.expected = Some(record.offset + 1);
                    seen.count += 1;
                }
            }
            assert_eq!(reader.next_offset(), chunk.next_offset);
            assert_eq!(self.consumer.position(partition), seen.expected);
        }
        self.consumer.handle_consumed(self.now, chunk.ticket);
    }

    pub(super) fn advance(&mut self, millis: u64) {
        self.now = self.now + core::time::Duration::from_millis(millis);
        self.consumer.handle_timeout(self.now);
    }

    /// Lets everything go well until nothing changes any more.
    pub(super) fn settle(&mut self) {
        let partitions: Vec<u32> = self.seen.keys().copied().collect();
        for log in self.brokers.logs.values_mut() {
            log.lag = 0;
        }
        for _ in 0..2_000 {
            for partition in &partitions {
                self.tell_leader(*partition);
            }
            self.drain();
            while !self.queue.is_empty() {
                self.read(0);
            }
            self.drain();
            for _ in 0..self.requests.len() {
                self.answer(0);
            }
            self.advance(50);
            self.drain();
            let done = |world: &Self, partition: &u32| {
                let log = &world.brokers.logs[&key(*partition)];
                world.seen[partition].expected == Some(log.end)
            };
            if self.queue.is_empty() && partitions.iter().all(|partition| done(self, partition)) {
                return;
            }
        }
        panic!("not at the end: {:?}", self.seen);
    }
}

fn key(partition: u32) -> (Str, i32) {
    (Str::from(TOPIC), i32::try_from(partition).unwrap())
}

fn route(request: &Request) -> (BrokerId, u64) {
    match (request.to, request.token) {
        (Target::Broker(broker), Token::Consumer(ConsumerId(1), number)) => (broker, number),
        other => panic!("not routed to a broker: {other:?}"),
    }
}
