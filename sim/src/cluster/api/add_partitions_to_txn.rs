//! AddPartitionsToTxn (24), of clients and, since version 4, of brokers that ask for them.

use std::collections::BTreeMap;

use klamm_protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve, as_fenced_before};
use crate::cluster::transactions::{Adding, Identity, OFFSETS_TOPIC, Place};
use crate::cluster::{Cluster, Origin};

/// Since this version a client knows the error `PRODUCER_FENCED` (KIP-588).
const FIRST_WITH_FENCED: i16 = 2;
/// Since this version a request is about several transactions, and comes from brokers.
const BATCHED: i16 = 4;
/// Since this version the producer's epoch rises with each transaction (KIP-890).
const FIRST_WITH_BUMP: i16 = 5;

impl Serve for AddPartitionsToTxnRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<AddPartitionsToTxnResponse> {
        if origin.version < BATCHED {
            let result = add(cluster, origin, &single(&self), false);
            return Reply::Now(AddPartitionsToTxnResponse {
                results_by_topic_v3_and_below: result.topic_results,
                ..AddPartitionsToTxnResponse::default()
            });
        }
        let is_bumping = origin.version >= FIRST_WITH_BUMP;
        let results = self.transactions.iter().map(|asked| add(cluster, origin, asked, is_bumping));
        Reply::Now(AddPartitionsToTxnResponse {
            results_by_transaction: results.collect(),
            ..AddPartitionsToTxnResponse::default()
        })
    }

    fn refuse(&self, error: ErrorCode) -> AddPartitionsToTxnResponse {
        AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: answer(&self.v3_and_below_topics, |_| error),
            ..AddPartitionsToTxnResponse::default()
        }
    }

    fn refuse_in(&self, version: i16, error: ErrorCode) -> AddPartitionsToTxnResponse {
        if version < BATCHED {
            return self.refuse(error);
        }
        AddPartitionsToTxnResponse { error_code: error, ..AddPartitionsToTxnResponse::default() }
    }
}

/// The only transaction of a client's request.
fn single(request: &AddPartitionsToTxnRequest) -> AddPartitionsToTxnTransaction {
    AddPartitionsToTxnTransaction {
        transactional_id: request.v3_and_below_transactional_id.clone(),
        producer_id: request.v3_and_below_producer_id,
        producer_epoch: request.v3_and_below_producer_epoch,
        topics: request.v3_and_below_topics.clone(),
        ..AddPartitionsToTxnTransaction::default()
    }
}

/// An entry for each partition; a topic that is named twice is answered once.
fn answer(
    topics: &[AddPartitionsToTxnTopic],
    mut error_of: impl FnMut(&Place) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut results: BTreeMap<Str, Vec<AddPartitionsToTxnPartitionResult>> = BTreeMap::new();
    for topic in topics {
        let partitions = results.entry(topic.name.clone()).or_default();
        for &partition_index in topic.partitions.iter() {
            partitions.push(AddPartitionsToTxnPartitionResult {
                partition_index,
                partition_error_code: error_of(&(topic.name.clone(), partition_index)),
                ..AddPartitionsToTxnPartitionResult::default()
            });
        }
    }
    let result = |(name, results_by_partition)| AddPartitionsToTxnTopicResult {
        name,
        results_by_partition,
        ..AddPartitionsToTxnTopicResult::default()
    };
    results.into_iter().map(result).collect()
}

fn add(
    cluster: &mut Cluster,
    origin: &Origin,
    asked: &AddPartitionsToTxnTransaction,
    is_bumping: bool,
) -> AddPartitionsToTxnResult {
    let result = |topic_results| AddPartitionsToTxnResult {
        transactional_id: asked.transactional_id.clone(),
        topic_results,
        ..AddPartitionsToTxnResult::default()
    };
    let is_known = |cluster: &Cluster, (topic, index): &Place| {
        topic == OFFSETS_TOPIC
            || cluster.topics.get(topic).is_some_and(|topic| topic.partition(*index).is_some())
    };
    let places = asked.topics.iter().flat_map(|topic| {
        // Without what keeps the frame of the request in memory.
        let name = Str::copy_of(&topic.name);
        topic.partitions.iter().map(move |index| (name.clone(), *index))
    });
    let places: Vec<Place> = places.collect();
    if !places.iter().all(|place| is_known(cluster, place)) {
        return result(answer(&asked.topics, |place| match is_known(cluster, place) {
            true => ErrorCode::OPERATION_NOT_ATTEMPTED,
            false => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        }));
    }
    let id = &asked.transactional_id;
    let producer = Identity { id: asked.producer_id, epoch: asked.producer_epoch };
    let adding = Adding { id, producer, is_bumping };
    let checked = match id.is_empty() {
        true => Err(ErrorCode::INVALID_REQUEST),
        false => cluster.check_transaction_coordinator(origin, id),
    };
    if checked.is_ok() && asked.verify_only {
        return result(answer(&asked.topics, |place| {
            let not_part = ErrorCode::TRANSACTION_ABORTABLE;
            let verified = cluster.transactions.verify(origin.now, &adding, place, not_part);
            verified.err().unwrap_or(ErrorCode::NONE)
        }));
    }
    let clock = cluster.clock(origin.now);
    let added = checked.and_then(|()| cluster.transactions.add(clock, &adding, places));
    let error = as_fenced_before(FIRST_WITH_FENCED, origin.version, added.err().unwrap_or(ErrorCode::NONE));
    result(answer(&asked.topics, |_| error))
}
