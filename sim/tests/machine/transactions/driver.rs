//! A producer with transactions.

use std::time::Duration;

use klamm_protocol::compression::Compression;
use klamm_protocol::messages::add_partitions_to_txn::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic};
use klamm_protocol::messages::describe_transactions::DescribeTransactionsRequest;
use klamm_protocol::messages::end_txn::EndTxnRequest;
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::produce::ProduceRequest;
use klamm_protocol::records::Stamp;
use klamm_protocol::{ErrorCode, Str};
use klamm_sim::cluster::ClusterConfig;

use crate::wire::{Wire, batch};

pub(super) const ID: &str = "mover";

/// A producer with the transactional id [`ID`], of newer versions or of older ones.
pub(super) struct Producer {
    pub(super) id: i64,
    pub(super) epoch: i16,
    pub(super) sequence: i32,
    pub(super) is_new: bool,
}

/// A cluster of three brokers with topic `t`, whose markers take a while.
pub(super) fn cluster(marker_delay: Duration) -> Wire {
    let mut config = ClusterConfig::default();
    config.brokers = 3;
    config.transactions.marker_delay = marker_delay..=marker_delay;
    config.transactions.abort_interval = Duration::from_millis(10);
    let mut wire = Wire::new(config);
    wire.cluster.create_topic("t", 1, 3).unwrap();
    wire
}

pub(super) fn coordinator(wire: &Wire) -> i32 {
    wire.cluster.transaction_coordinator(ID).unwrap()
}

impl Producer {
    pub(super) fn new(wire: &mut Wire, is_new: bool) -> Self {
        let mut producer = Self { id: -1, epoch: -1, sequence: 0, is_new };
        assert_eq!(producer.init(wire), ErrorCode::NONE);
        producer
    }

    pub(super) fn init(&mut self, wire: &mut Wire) -> ErrorCode {
        self.init_as(wire, (-1, -1))
    }

    pub(super) fn init_as(
        &mut self,
        wire: &mut Wire,
        (producer_id, producer_epoch): (i64, i16),
    ) -> ErrorCode {
        let request = InitProducerIdRequest {
            transactional_id: Some(Str::from(ID)),
            transaction_timeout_ms: 1000,
            producer_id,
            producer_epoch,
            ..InitProducerIdRequest::default()
        };
        let answer = wire.ask(coordinator(wire), 4, &request);
        if answer.error_code.is_ok() {
            (self.id, self.epoch, self.sequence) = (answer.producer_id, answer.producer_epoch, 0);
        }
        answer.error_code
    }

    pub(super) fn add(&self, wire: &mut Wire) -> ErrorCode {
        let topic = AddPartitionsToTxnTopic {
            name: Str::from("t"),
            partitions: [0].as_slice().into(),
            ..AddPartitionsToTxnTopic::default()
        };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: Str::from(ID),
            v3_and_below_producer_id: self.id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: vec![topic],
            ..AddPartitionsToTxnRequest::default()
        };
        let mut answer = wire.ask(coordinator(wire), 3, &request);
        answer.results_by_topic_v3_and_below.remove(0).results_by_partition.remove(0).partition_error_code
    }

    pub(super) fn produce(&mut self, wire: &mut Wire, values: &[&str]) -> ErrorCode {
        let version = if self.is_new { 12 } else { 11 };
        let stamp = Stamp::idempotent(self.id, self.epoch, self.sequence).transactional();
        let records = batch(values, Compression::None, &stamp);
        let request = ProduceRequest {
            transactional_id: Some(Str::from(ID)),
            ..wire.produce_request(version, -1, records)
        };
        let leader = wire.cluster.partition("t", 0).and_then(|partition| partition.leader).unwrap();
        let mut answer = wire.ask(leader, version, &request);
        let error = answer.responses.remove(0).partition_responses.remove(0).error_code;
        if error.is_ok() {
            self.sequence += i32::try_from(values.len()).unwrap();
        }
        error
    }

    /// Writes values as part of a transaction, which begins if it has not.
    pub(super) fn write(&mut self, wire: &mut Wire, values: &[&str]) {
        if !self.is_new {
            assert_eq!(self.add(wire), ErrorCode::NONE);
        }
        assert_eq!(self.produce(wire, values), ErrorCode::NONE);
    }

    pub(super) fn end(&mut self, wire: &mut Wire, committed: bool) -> ErrorCode {
        let request = EndTxnRequest {
            transactional_id: Str::from(ID),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed,
            ..EndTxnRequest::default()
        };
        let version = if self.is_new { 5 } else { 4 };
        let answer = wire.ask(coordinator(wire), version, &request);
        if answer.error_code.is_ok() && self.is_new {
            (self.id, self.epoch, self.sequence) = (answer.producer_id, answer.producer_epoch, 0);
        }
        answer.error_code
    }
}

/// Where the transaction is, as it is described.
pub(super) fn state(wire: &mut Wire) -> String {
    let request =
        DescribeTransactionsRequest { transactional_ids: vec![Str::from(ID)], ..Default::default() };
    let mut answer = wire.ask(coordinator(wire), 0, &request);
    answer.transaction_states.remove(0).transaction_state.to_string()
}

/// The last stable offset of `t`.
pub(super) fn stable(wire: &mut Wire) -> i64 {
    wire.fetch(12, 0).last_stable_offset
}
