//! Scripts of requests and answers.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest,
        describe_transactions::{DescribeTransactionsResponse, TransactionState as Described},
        find_coordinator::FindCoordinatorResponse,
        list_transactions::{ListTransactionsResponse, TransactionState as Listed},
        metadata::{
            MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        write_txn_markers::{
            WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
            WriteTxnMarkersResponse,
        },
    },
};

use super::{HangingTransaction, Transactions, TransactionsCommand, TransactionsReply};
use crate::{
    BrokerId, Effect, Target,
    admin::{AdminError, AdminErrorKind},
};

/// Asks, with the requests numbered on from `from`.
fn ask(operation: &mut Transactions, from: u64) -> Vec<(Target, AnyRequest)> {
    let asks = operation.ask();
    for (_, serial) in asks.iter().zip(from..) {
        operation.asked(serial);
    }
    asks.into_iter().map(|ask| (ask.to, ask.request)).collect()
}

fn metadata(leader: i32) -> MetadataResponse {
    let broker = |node_id| MetadataResponseBroker { node_id, ..Default::default() };
    let partition = MetadataResponsePartition { leader_id: leader, ..Default::default() };
    let topic =
        MetadataResponseTopic { name: Some("t".into()), partitions: vec![partition], ..Default::default() };
    MetadataResponse { brokers: vec![broker(1), broker(2)], topics: vec![topic], ..Default::default() }
}

#[test]
fn every_broker_lists_its_own() {
    let mut operation = Transactions::new(TransactionsCommand::List { producer_ids: vec![7] });
    assert!(matches!(ask(&mut operation, 0)[..], [(Target::Any, AnyRequest::Metadata(_))]));
    operation.answer(0, metadata(1).into()).unwrap();
    let asks = ask(&mut operation, 1);
    let AnyRequest::ListTransactions(request) = &asks[0].1 else { panic!("{asks:?}") };
    assert_eq!((&request.producer_id_filters[..], asks[0].0), (&[7_i64][..], Target::Broker(BrokerId(1))));
    let state = Listed { transactional_id: "a".into(), producer_id: 7, ..Default::default() };
    let listed = ListTransactionsResponse { transaction_states: vec![state], ..Default::default() };
    operation.answer(1, listed.into()).unwrap();
    let loading = ListTransactionsResponse {
        error_code: ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ..Default::default()
    };
    assert!(operation.answer(2, loading.into()).unwrap().retry.is_some());
    assert!(matches!(ask(&mut operation, 3)[..], [(Target::Broker(BrokerId(2)), _)]));
    let error = AdminError::new(AdminErrorKind::TimedOut, Effect::None);
    assert!(!operation.give_up(&error), "one broker told");
    let TransactionsReply::List(answers) = &operation.reply else { panic!() };
    assert_eq!(answers[&BrokerId(1)].as_ref().unwrap().len(), 1);
    assert_eq!(answers[&BrokerId(2)], Err(error));
}

#[test]
fn coordinators_describe_and_move() {
    let mut operation = Transactions::new(TransactionsCommand::Describe { ids: vec!["a".into()] });
    let found = |node_id| FindCoordinatorResponse { node_id, ..Default::default() };
    let described = |error_code| {
        let state = Described {
            transactional_id: "a".into(),
            error_code,
            transaction_start_time_ms: -1,
            ..Default::default()
        };
        DescribeTransactionsResponse { transaction_states: vec![state], ..Default::default() }
    };
    let asks = ask(&mut operation, 0);
    let AnyRequest::FindCoordinator(request) = &asks[0].1 else { panic!("{asks:?}") };
    assert_eq!(request.key_type, 1);
    operation.answer(0, found(1).into()).unwrap();
    assert!(matches!(ask(&mut operation, 1)[..], [(Target::Broker(BrokerId(1)), _)]));
    operation.answer(1, described(ErrorCode::NOT_COORDINATOR).into()).unwrap();
    assert!(matches!(ask(&mut operation, 2)[..], [(Target::Any, AnyRequest::FindCoordinator(_))]));
    operation.answer(2, found(2).into()).unwrap();
    ask(&mut operation, 3);
    operation.answer(3, described(ErrorCode::NONE).into()).unwrap();
    assert!(ask(&mut operation, 4).is_empty());
    let TransactionsReply::Describe(answers) = &operation.reply else { panic!() };
    let described = answers[&Str::from("a")].as_ref().unwrap();
    assert_eq!((described.coordinator, described.started_ms), (BrokerId(2), None));
    assert_eq!(described.partitions, BTreeMap::new());
}

#[test]
fn hanging_ones_are_aborted_by_the_leader() {
    let hanging = HangingTransaction {
        topic: "t".into(),
        partition: 0,
        producer_id: 7,
        producer_epoch: 3,
        coordinator_epoch: 2,
    };
    let mut operation = Transactions::new(TransactionsCommand::Abort(hanging));
    assert!(operation.changes_the_cluster());
    assert!(matches!(ask(&mut operation, 0)[..], [(Target::Any, AnyRequest::Metadata(_))]));
    operation.answer(0, metadata(2).into()).unwrap();
    let asks = ask(&mut operation, 1);
    assert_eq!(asks[0].0, Target::Broker(BrokerId(2)));
    let AnyRequest::WriteTxnMarkers(request) = &asks[0].1 else { panic!("{asks:?}") };
    let marker = &request.markers[0];
    assert_eq!((marker.producer_id, marker.producer_epoch, marker.transaction_result), (7, 3, false));
    let partition = WritableTxnMarkerPartitionResult::default();
    let topic =
        WritableTxnMarkerTopicResult { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let marker = WritableTxnMarkerResult { producer_id: 7, topics: vec![topic], ..Default::default() };
    let response = WriteTxnMarkersResponse { markers: vec![marker], ..Default::default() };
    operation.answer(1, response.into()).unwrap();
    assert_eq!(operation.reply, TransactionsReply::Abort(BTreeMap::from([(("t".into(), 0), Ok(()))])));
}
