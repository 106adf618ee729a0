//! A transaction, and coordinators of plain values that answer when they are told to.

use core::time::Duration;
use std::{
    collections::{BTreeMap, VecDeque},
    vec,
    vec::Vec,
};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest, AnyResponse,
        add_offsets_to_txn::AddOffsetsToTxnResponse,
        add_partitions_to_txn::{
            AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
        },
        end_txn::EndTxnResponse,
        find_coordinator::FindCoordinatorResponse,
        init_producer_id::InitProducerIdResponse,
        txn_offset_commit::{
            TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
        },
    },
};

use crate::{
    Entropy, Instant, OperationId, PartitionIndex, ProducerHandle, Target, Token,
    group::{CommitOffset, GroupMetadata},
    transaction::{
        Offered, Transaction, TransactionCommand, TransactionConfig, TransactionError, TransactionOutput,
    },
};

pub(super) const V1: Offered = Offered { transaction_version: 0, renewal: true };
pub(super) const V2: Offered = Offered { transaction_version: 2, renewal: true };
pub(super) const OLD: Offered = Offered { transaction_version: 0, renewal: false };

/// How long an operation of a test has.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// A request that was not answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) to: Target,
    pub(super) max_version: i16,
    pub(super) request: AnyRequest,
}

pub(super) struct Fixture {
    pub(super) machine: Transaction,
    pub(super) now: Instant,
    pub(super) asked: VecDeque<Asked>,
    pub(super) done: Vec<(OperationId, Result<(), TransactionError>)>,
    /// All other outputs.
    pub(super) said: Vec<TransactionOutput>,
    /// Whether the producer settles everything at once.
    pub(super) drains: bool,
    /// The coordinator of the transaction and that of groups.
    pub(super) brokers: (i32, i32),
    pub(super) epoch: i16,
    next: u64,
}

impl Fixture {
    pub(super) fn new(offered: Offered) -> Self {
        let config =
            TransactionConfig { completing_pause: Duration::ZERO, ..TransactionConfig::new("id".into()) };
        let mut machine = Transaction::new(ProducerHandle(3), config, Entropy::new(1));
        machine.handle_offered(offered);
        Self {
            machine,
            now: Instant::from_millis(10_000),
            asked: VecDeque::new(),
            done: Vec::new(),
            said: Vec::new(),
            drains: true,
            brokers: (1, 2),
            epoch: -1,
            next: 0,
        }
    }

    /// With a transaction that is open.
    pub(super) fn open(offered: Offered) -> Self {
        let mut fixture = Self::new(offered);
        fixture.succeed(TransactionCommand::Begin);
        fixture.said.clear();
        fixture
    }

    /// With these partitions in it.
    pub(super) fn with_partitions(offered: Offered, partitions: u32) -> Self {
        let mut fixture = Self::open(offered);
        for partition in 0..partitions {
            fixture.want(partition);
        }
        fixture.serve();
        fixture.said.clear();
        fixture
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.machine.poll(self.now) {
            match output {
                TransactionOutput::Request(request) => {
                    let Token::Transaction(ProducerHandle(3), number) = request.token else {
                        panic!("token: {:?}", request.token);
                    };
                    let (to, max_version) = (request.to, request.max_version);
                    self.asked.push_back(Asked { number, to, max_version, request: *request.request });
                }
                TransactionOutput::Done { operation, result } => self.done.push((operation, result)),
                TransactionOutput::Drain if self.drains => {
                    self.said.push(TransactionOutput::Drain);
                    self.machine.handle_drained();
                }
                other => self.said.push(other),
            }
        }
        assert!(self.asked.len() <= 1, "more than one request at a time: {:?}", self.asked);
    }

    /// Keeps an output, without an answer.
    pub(super) fn take(&mut self, output: TransactionOutput) {
        match output {
            TransactionOutput::Request(request) => {
                let Token::Transaction(_, number) = request.token else { return };
                let (to, max_version) = (request.to, request.max_version);
                self.asked.push_back(Asked { number, to, max_version, request: *request.request });
            }
            other => self.said.push(other),
        }
    }

    /// Starts something without draining.
    pub(super) fn start_quietly(&mut self, command: TransactionCommand) {
        self.next += 1;
        self.machine.start(OperationId(self.next), command, self.now + LIMIT, BTreeMap::new());
    }

    /// Answers what was asked, if anything was, without draining.
    pub(super) fn reply_quietly(&mut self, code: ErrorCode) {
        let Some(asked) = self.asked.pop_front() else { return };
        let response = self.response(&asked.request, code);
        drop(self.machine.handle_response(self.now, asked.number, &response));
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.machine.poll_timeout().filter(|at| *at <= end) {
            assert!(at > self.now, "a deadline that lies behind");
            self.now = at;
            self.machine.handle_timeout(at);
            self.drain();
        }
        self.now = end;
    }

    pub(super) fn start(&mut self, command: TransactionCommand) -> OperationId {
        self.next += 1;
        let operation = OperationId(self.next);
        self.machine.start(operation, command, self.now + LIMIT, BTreeMap::new());
        self.drain();
        operation
    }

    pub(super) fn result(&mut self, operation: OperationId) -> Option<Result<(), TransactionError>> {
        let at = self.done.iter().position(|(done, _)| *done == operation)?;
        Some(self.done.remove(at).1)
    }

    /// What came of it, with coordinators that do what they are asked.
    pub(super) fn run(&mut self, command: TransactionCommand) -> Result<(), TransactionError> {
        let operation = self.start(command);
        self.serve();
        self.result(operation).expect("an answer")
    }

    pub(super) fn succeed(&mut self, command: TransactionCommand) {
        self.run(command).expect("success");
    }

    pub(super) fn want(&mut self, partition: u32) {
        let number = i32::try_from(partition).unwrap();
        self.machine.handle_wanted(PartitionIndex(partition), &"t".into(), number);
        self.drain();
    }

    pub(super) fn offsets(group: &str, generation: i32) -> TransactionCommand {
        let group = GroupMetadata {
            group_id: Str::copy_of(group),
            generation,
            member_id: "m".into(),
            instance_id: None,
        };
        let offsets = BTreeMap::from([((Str::from("t"), 0), CommitOffset::new(5))]);
        TransactionCommand::SendOffsets { group, offsets }
    }

    /// What is asked now.
    pub(super) fn asks(&self) -> &AnyRequest {
        &self.asked.front().expect("a request").request
    }

    /// Answers what was asked with this code.
    pub(super) fn reply(&mut self, code: ErrorCode) {
        let asked = self.asked.pop_front().expect("a request");
        let response = self.response(&asked.request, code);
        self.machine.handle_response(self.now, asked.number, &response).expect("sense");
        self.drain();
    }

    /// What was asked gets no answer.
    pub(super) fn lose(&mut self, written: bool) {
        let asked = self.asked.pop_front().expect("a request");
        self.machine.handle_lost(self.now, asked.number, written, false);
        self.drain();
    }

    /// The broker does not understand what was asked.
    pub(super) fn refuse_version(&mut self) {
        let asked = self.asked.pop_front().expect("a request");
        self.machine.handle_lost(self.now, asked.number, false, true);
        self.drain();
    }

    /// Answers everything well, and waits out pauses, until nothing is asked.
    pub(super) fn serve(&mut self) {
        for _ in 0..100 {
            while !self.asked.is_empty() {
                self.reply(ErrorCode::NONE);
            }
            match self.machine.ask_timeout() {
                Some(at) if at > self.now => self.pass(at.since(self.now)),
                _ => return,
            }
        }
        panic!("it asks for ever");
    }

    fn response(&mut self, request: &AnyRequest, code: ErrorCode) -> AnyResponse {
        match request {
            AnyRequest::FindCoordinator(request) => {
                let node_id = if request.key_type == 1 { self.brokers.0 } else { self.brokers.1 };
                let node_id = if code.is_ok() { node_id } else { -1 };
                FindCoordinatorResponse { error_code: code, node_id, ..Default::default() }.into()
            }
            AnyRequest::InitProducerId(_) => {
                self.epoch += i16::from(code.is_ok());
                InitProducerIdResponse {
                    error_code: code,
                    producer_id: if code.is_ok() { 4000 } else { -1 },
                    producer_epoch: if code.is_ok() { self.epoch } else { -1 },
                    ..Default::default()
                }
                .into()
            }
            AnyRequest::AddPartitionsToTxn(request) => {
                let topics = request.v3_and_below_topics.iter().map(|topic| {
                    let each = |partition: &i32| AddPartitionsToTxnPartitionResult {
                        partition_index: *partition,
                        partition_error_code: code,
                        ..Default::default()
                    };
                    AddPartitionsToTxnTopicResult {
                        name: topic.name.clone(),
                        results_by_partition: topic.partitions.iter().map(each).collect(),
                        ..Default::default()
                    }
                });
                let results_by_topic_v3_and_below = topics.collect();
                AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() }.into()
            }
            AnyRequest::AddOffsetsToTxn(_) => {
                AddOffsetsToTxnResponse { error_code: code, ..Default::default() }.into()
            }
            AnyRequest::TxnOffsetCommit(_) => {
                let partition = TxnOffsetCommitResponsePartition {
                    partition_index: 0,
                    error_code: code,
                    ..Default::default()
                };
                let topic = TxnOffsetCommitResponseTopic {
                    name: "t".into(),
                    partitions: vec![partition],
                    ..Default::default()
                };
                TxnOffsetCommitResponse { topics: vec![topic], ..Default::default() }.into()
            }
            AnyRequest::EndTxn(_) => {
                let mut response = EndTxnResponse { error_code: code, ..Default::default() };
                (response.producer_id, response.producer_epoch) = (-1, -1);
                if code.is_ok() && self.machine.is_implicit() {
                    self.epoch += 1;
                    (response.producer_id, response.producer_epoch) = (4000, self.epoch);
                }
                response.into()
            }
            other => panic!("asked for {other:?}"),
        }
    }
}
