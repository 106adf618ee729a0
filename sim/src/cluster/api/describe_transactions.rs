//! DescribeTransactions (65).

use std::collections::BTreeMap;

use klamm_protocol::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TopicData, TransactionState,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::transactions::Txn;
use crate::cluster::{Cluster, Origin};

impl Serve for DescribeTransactionsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<DescribeTransactionsResponse> {
        let found = self.transactional_ids.iter().map(|id| match describe(cluster, origin, id) {
            Ok(txn) => state(txn),
            Err(error) => failed(id, error),
        });
        Reply::Now(DescribeTransactionsResponse {
            transaction_states: found.collect(),
            ..DescribeTransactionsResponse::default()
        })
    }

    fn refuse(&self, error: ErrorCode) -> DescribeTransactionsResponse {
        DescribeTransactionsResponse {
            transaction_states: self.transactional_ids.iter().map(|id| failed(id, error)).collect(),
            ..DescribeTransactionsResponse::default()
        }
    }
}

fn failed(id: &Str, error_code: ErrorCode) -> TransactionState {
    TransactionState { transactional_id: id.clone(), error_code, ..TransactionState::default() }
}

fn describe<'a>(cluster: &'a Cluster, origin: &Origin, id: &Str) -> Result<&'a Txn, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    cluster.check_transaction_coordinator(origin, id)?;
    cluster.transactions.get(origin.now, id).ok_or(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND)
}

fn state(txn: &Txn) -> TransactionState {
    let mut topics: BTreeMap<&Str, Vec<i32>> = BTreeMap::new();
    for (topic, index) in &txn.partitions {
        topics.entry(topic).or_default().push(*index);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| TopicData {
        topic: topic.clone(),
        partitions: partitions.into_iter().collect(),
        ..TopicData::default()
    });
    TransactionState {
        transactional_id: txn.id.clone(),
        transaction_state: Str::from_static(txn.state.name()),
        transaction_timeout_ms: i32::try_from(txn.timeout.as_millis()).unwrap_or(i32::MAX),
        transaction_start_time_ms: txn.started_ms,
        producer_id: txn.producer.id,
        producer_epoch: txn.producer.epoch,
        topics: topics.collect(),
        ..TransactionState::default()
    }
}
