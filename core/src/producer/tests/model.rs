//! Random operations and faults against a model of brokers that check sequences as Kafka's do.
//!
//! Whatever happens: each record has one outcome, it is true, nothing is twice in the log, and the order is that of
//! appending.

use core::time::Duration;
use std::{
    collections::{BTreeMap, VecDeque},
    format,
    string::String,
    vec,
    vec::Vec,
};

use klamm_protocol::ErrorCode;
use proptest::{prelude::*, test_runner::RngSeed};

use super::fixture::{Fixture, Produced, Received, Reply, ok, refuse, response};
use crate::{
    BrokerId, Effect,
    producer::{BatchId, Lost, Outcome, Portion, ProducerConfig},
};

const PARTITIONS: u32 = 2;

/// What a broker does with a request, besides what it has to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Appends nothing and says so.
    Refuse(ErrorCode),
    /// Appends and says this.
    Afterwards(ErrorCode),
}

#[derive(Clone, Debug)]
enum Operation {
    Append(u32, usize),
    /// A broker works off its oldest request.
    Process(i32, Fault),
    /// The oldest answer of a broker arrives.
    Answer(i32),
    /// A connection breaks. So many requests that the broker has not worked off yet still reach it.
    Break(i32, usize),
    Lead(u32, i32),
    Wait(u64),
    Flush,
    Abort,
}

/// What a broker knows of a producer: its epoch and its last five batches.
#[derive(Default)]
struct ProducerState {
    epoch: i16,
    next: i32,
    recent: VecDeque<(i32, usize, i64)>,
}

#[derive(Default)]
struct Log {
    values: Vec<String>,
    producers: BTreeMap<i64, ProducerState>,
    /// What was received under each identity: another batch under the same one is a false acknowledgement to come.
    named: BTreeMap<(i64, i16, i32), Vec<String>>,
}

impl Log {
    fn append(&mut self, batch: &Received) -> Reply {
        let identity = (batch.producer_id, batch.epoch, batch.sequence);
        let known = self.named.entry(identity).or_insert_with(|| batch.values.clone());
        // A part of a split batch begins like the whole.
        let same = known.len().min(batch.values.len());
        assert_eq!(known[..same], batch.values[..same], "two batches under the identity {identity:?}");
        let count = batch.values.len();
        let offset = i64::try_from(self.values.len()).unwrap();
        let next = batch.sequence + i32::try_from(count).unwrap();
        match self.producers.get_mut(&batch.producer_id) {
            None => {
                let state = ProducerState { epoch: batch.epoch, ..ProducerState::default() };
                self.producers.insert(batch.producer_id, state);
            }
            Some(state) => {
                let resent =
                    state.recent.iter().find(|recent| (recent.0, recent.1) == (batch.sequence, count));
                match (batch.epoch.cmp(&state.epoch), resent) {
                    (core::cmp::Ordering::Less, _) => {
                        return refuse(batch.partition, ErrorCode::INVALID_PRODUCER_EPOCH);
                    }
                    (core::cmp::Ordering::Equal, Some((_, _, offset))) => {
                        return ok(batch.partition, *offset);
                    }
                    (core::cmp::Ordering::Equal, None) if batch.sequence == state.next => {}
                    (core::cmp::Ordering::Greater, _) if batch.sequence == 0 => {
                        *state = ProducerState { epoch: batch.epoch, ..ProducerState::default() };
                    }
                    _ => return refuse(batch.partition, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
                }
            }
        }
        let state = self.producers.get_mut(&batch.producer_id).unwrap();
        state.next = next;
        state.recent.push_back((batch.sequence, count, offset));
        if state.recent.len() > 5 {
            state.recent.pop_front();
        }
        self.values.extend(batch.values.iter().cloned());
        ok(batch.partition, offset)
    }
}

#[derive(Default)]
struct Connection {
    requests: VecDeque<Produced>,
    answers: VecDeque<(Produced, Vec<Reply>)>,
}

struct World {
    f: Fixture,
    leaders: Vec<i32>,
    logs: Vec<Log>,
    connections: Vec<Connection>,
    /// The values of each batch, and the outcomes of its portions.
    batches: BTreeMap<(u32, BatchId), (Vec<String>, Vec<Outcome>)>,
    appended: u64,
}

impl World {
    fn new() -> Self {
        let config = ProducerConfig {
            batch_size: 200,
            delivery_timeout: Duration::from_secs(40),
            ..ProducerConfig::default()
        };
        Self {
            f: Fixture::new(PARTITIONS.cast_signed(), 2, config),
            leaders: vec![0, 1],
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            connections: (0..2).map(|_| Connection::default()).collect(),
            batches: BTreeMap::new(),
            appended: 0,
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Append(partition, size) => {
                let value = format!("{:06}{}", self.appended, "x".repeat(*size));
                self.appended += 1;
                let batch = self.f.append(*partition, &value);
                self.batches.entry((*partition, batch)).or_default().0.push(value);
            }
            Operation::Process(broker, fault) => {
                self.process(*broker, *fault);
            }
            Operation::Answer(broker) => {
                self.answer(*broker);
            }
            Operation::Break(broker, reached) => self.break_connection(*broker, *reached),
            Operation::Lead(partition, broker) => {
                self.leaders[*partition as usize] = *broker;
                self.f.metadata(2, &self.leaders);
            }
            Operation::Wait(millis) => self.f.wait_ms(*millis),
            Operation::Flush => {
                self.f.producer.flush(self.f.now);
            }
            Operation::Abort => self.f.producer.abort(self.f.now),
        }
        self.drain();
    }

    fn drain(&mut self) {
        self.f.drain();
        for request in self.f.requests.drain(..) {
            let partitions: Vec<_> = request.batches.iter().map(|batch| batch.partition).collect();
            assert!(partitions.is_sorted_by(|one, other| one < other), "{partitions:?} in one request");
            let connection = &mut self.connections[request.broker.0.cast_unsigned() as usize];
            connection.requests.push_back(request);
            assert!(connection.requests.len() + connection.answers.len() <= 5);
        }
        for outcome in self.f.outcomes.drain(..) {
            let batch = (outcome.partition.0, outcome.batch);
            self.batches.get_mut(&batch).expect("an outcome of no batch").1.push(outcome);
        }
    }

    fn process(&mut self, broker: i32, fault: Fault) -> bool {
        let connection = &mut self.connections[broker.cast_unsigned() as usize];
        let Some(request) = connection.requests.pop_front() else { return false };
        let mut replies = Vec::new();
        for batch in &request.batches {
            let at = batch.partition as usize;
            let reply = match fault {
                _ if self.leaders[at] != broker => refuse(batch.partition, ErrorCode::NOT_LEADER_OR_FOLLOWER),
                Fault::Refuse(code) => refuse(batch.partition, code),
                Fault::None => self.logs[at].append(batch),
                Fault::Afterwards(code) => match self.logs[at].append(batch) {
                    reply if reply.code.is_ok() => refuse(batch.partition, code),
                    refused => refused,
                },
            };
            replies.push(reply);
        }
        connection.answers.push_back((request, replies));
        true
    }

    fn answer(&mut self, broker: i32) -> bool {
        let connection = &mut self.connections[broker.cast_unsigned() as usize];
        let Some((request, replies)) = connection.answers.pop_front() else { return false };
        self.f.producer.handle_response(self.f.now, request.number, &response(&replies).into()).unwrap();
        true
    }

    fn break_connection(&mut self, broker: i32, reached: usize) {
        let requests = &mut self.connections[broker.cast_unsigned() as usize].requests;
        let unsent = requests.split_off(reached.min(requests.len()));
        while self.process(broker, Fault::None) {}
        let answers = core::mem::take(&mut self.connections[broker.cast_unsigned() as usize].answers);
        for (request, _) in answers {
            self.f.producer.handle_lost(self.f.now, request.number, Lost::MaybeSent);
        }
        for (at, request) in unsent.into_iter().enumerate() {
            let lost = if at == 0 { Lost::MaybeSent } else { Lost::NotSent };
            self.f.producer.handle_lost(self.f.now, request.number, lost);
        }
        self.f.producer.handle_unready(self.f.now, BrokerId(broker));
    }

    /// Everything works again, until nothing is outstanding.
    fn heal(&mut self) {
        for _ in 0..10_000 {
            self.drain();
            let mut busy = false;
            for broker in 0..2 {
                busy |= self.process(broker, Fault::None);
                busy |= self.answer(broker);
            }
            self.drain();
            if busy {
                continue;
            }
            let Some(due) = self.f.producer.poll_timeout() else { return };
            self.f.wait(due - self.f.now);
        }
        panic!("it does not come to rest");
    }

    fn check(&self) {
        assert_eq!(self.f.producer.outstanding(), 0);
        assert!(self.f.buffers.iter().all(|buffer| buffer.bytes() == 0), "buffers are not empty");
        for (partition, log) in (0..).zip(&self.logs) {
            assert!(log.values.is_sorted_by(|one, other| one < other), "{partition}: {:?}", log.values);
        }
        for ((partition, batch), (values, outcomes)) in &self.batches {
            let mut covered = vec![0; values.len()];
            for (at, outcome) in outcomes.iter().enumerate() {
                let range = match outcome.portion {
                    Portion::Whole => 0..values.len(),
                    Portion::Part { first, count, .. } => first as usize..(first + count) as usize,
                };
                covered[range.clone()].iter_mut().for_each(|times| *times += 1);
                assert_eq!(outcome.portion.is_last(), at + 1 == outcomes.len());
                self.check_portion(*partition, &values[range], outcome);
            }
            assert!(covered.iter().all(|times| *times == 1), "{batch:?} of {partition}: {outcomes:?}");
        }
    }

    fn check_portion(&self, partition: u32, values: &[String], outcome: &Outcome) {
        let log = &self.logs[partition as usize].values;
        for (at, value) in values.iter().enumerate() {
            let found = log.iter().position(|other| other == value);
            match outcome.result {
                Ok(acknowledged) => {
                    let expected =
                        acknowledged.base_offset.map(|offset| usize::try_from(offset).unwrap() + at);
                    let found = found.unwrap_or_else(|| panic!("{value} is acknowledged and lost"));
                    assert!(
                        expected.is_none_or(|expected| expected == found),
                        "{value}: {found}, {outcome:?}"
                    );
                }
                Err(error) if error.effect == Effect::None => {
                    assert_eq!(found, None, "{value} is in the log: {error}");
                }
                Err(_) => {}
            }
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    let refusals = vec![
        ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::INVALID_RECORD,
        ErrorCode::UNKNOWN_SERVER_ERROR,
        ErrorCode::MESSAGE_TOO_LARGE,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ErrorCode::CORRUPT_MESSAGE,
    ];
    let afterwards = vec![
        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::UNKNOWN_SERVER_ERROR,
    ];
    prop_oneof![
        6 => Just(Fault::None),
        2 => prop::sample::select(refusals).prop_map(Fault::Refuse),
        1 => prop::sample::select(afterwards).prop_map(Fault::Afterwards),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let broker = || 0..2_i32;
    prop_oneof![
        12 => (0..PARTITIONS, 0..90_usize).prop_map(|(partition, size)| Operation::Append(partition, size)),
        10 => (broker(), fault()).prop_map(|(broker, fault)| Operation::Process(broker, fault)),
        10 => broker().prop_map(Operation::Answer),
        2 => (broker(), 0..4_usize).prop_map(|(broker, reached)| Operation::Break(broker, reached)),
        2 => (0..PARTITIONS, broker()).prop_map(|(partition, broker)| Operation::Lead(partition, broker)),
        6 => (0..300_u64).prop_map(Operation::Wait),
        1 => (5_000..41_000_u64).prop_map(Operation::Wait),
        1 => Just(Operation::Flush),
        1 => prop_oneof![4 => Just(Operation::Flush), 1 => Just(Operation::Abort)],
    ]
}

fn run(operations: &[Operation]) {
    let mut world = World::new();
    for operation in operations {
        world.apply(operation);
    }
    world.f.producer.close(world.f.now);
    world.heal();
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn no_loss_no_duplicate_no_disorder_and_one_true_outcome_a_batch(
        operations in prop::collection::vec(operation(), 0..250)
    ) {
        run(&operations);
    }
}
