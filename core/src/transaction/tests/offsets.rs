//! Offsets that are committed with a transaction (KIP-447, KIP-1319).

use std::collections::BTreeMap;

use klamm_protocol::{ErrorCode, Str, Uuid, messages::AnyRequest};

use super::fixture::{Fixture, LIMIT, OLD, V1, V2};
use crate::{
    BrokerId, OperationId, Target,
    transaction::{TransactionCommand as C, TransactionErrorKind, TransactionStep},
};

#[test]
fn group_is_added_first_and_once() {
    let mut f = Fixture::open(V1);
    let send = f.start(Fixture::offsets("g", 7));
    let AnyRequest::AddOffsetsToTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!(&*request.group_id, "g");
    assert_eq!(f.asked[0].to, Target::Broker(BrokerId(1)), "the transaction's coordinator");
    f.reply(ErrorCode::NONE);
    let AnyRequest::FindCoordinator(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!((&*request.key, request.key_type), ("g", 0));
    f.reply(ErrorCode::NONE);
    let AnyRequest::TxnOffsetCommit(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!((request.generation_id_or_member_epoch, &*request.member_id), (7, "m"));
    assert_eq!(request.topics[0].partitions[0].committed_offset, 5);
    assert_eq!((f.asked[0].to, f.asked[0].max_version), (Target::Broker(BrokerId(2)), 4));
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(send), Some(Ok(())));
    f.start(Fixture::offsets("g", 7));
    assert!(matches!(f.asks(), AnyRequest::TxnOffsetCommit(_)), "the group is in it");
    f.reply(ErrorCode::NONE);
    f.start(C::Commit);
    assert!(matches!(f.asks(), AnyRequest::EndTxn(_)), "a group alone makes a transaction");
}

#[test]
fn version_2_adds_the_group_by_itself() {
    let mut f = Fixture::open(V2);
    let send = f.start(Fixture::offsets("g", 7));
    f.reply(ErrorCode::NONE);
    assert!(matches!(f.asks(), AnyRequest::TxnOffsetCommit(_)));
    assert_eq!(f.asked[0].max_version, 5, "by name: the topic's id is not known");
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(send), Some(Ok(())));
    f.start(C::Abort);
    assert!(matches!(f.asks(), AnyRequest::EndTxn(_)));
}

#[test]
fn topics_go_by_their_ids_where_they_are_known() {
    let mut f = Fixture::open(V2);
    let id = Uuid([7; 16]);
    let ids = BTreeMap::from([(Str::from("t"), id)]);
    f.machine.start(OperationId(99), Fixture::offsets("g", 7), f.now + LIMIT, ids);
    f.drain();
    f.reply(ErrorCode::NONE);
    let AnyRequest::TxnOffsetCommit(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!(request.topics[0].topic_id, id);
    assert_eq!(f.asked[0].max_version, i16::MAX);
    // The answer has the id alone.
    let asked = f.asked.pop_front().unwrap();
    let partition = klamm_protocol::messages::txn_offset_commit::TxnOffsetCommitResponsePartition::default();
    let topic = klamm_protocol::messages::txn_offset_commit::TxnOffsetCommitResponseTopic {
        topic_id: id,
        partitions: std::vec![partition],
        ..Default::default()
    };
    let response = klamm_protocol::messages::txn_offset_commit::TxnOffsetCommitResponse {
        topics: std::vec![topic],
        ..Default::default()
    };
    f.machine.handle_response(f.now, asked.number, &response.into()).unwrap();
    f.drain();
    assert_eq!(f.result(OperationId(99)), Some(Ok(())));
}

#[test]
fn a_member_that_the_group_went_on_without_has_to_abort() {
    for code in [
        ErrorCode::UNKNOWN_MEMBER_ID,
        ErrorCode::ILLEGAL_GENERATION,
        ErrorCode::STALE_MEMBER_EPOCH,
        ErrorCode::FENCED_INSTANCE_ID,
    ] {
        let mut f = Fixture::open(V1);
        let send = f.start(Fixture::offsets("g", 7));
        f.reply(ErrorCode::NONE);
        f.reply(ErrorCode::NONE);
        f.reply(code);
        let error = f.result(send).unwrap().unwrap_err();
        assert!(error.requires_abort() && error.cure().is_some(), "{error}");
        assert_eq!((error.doing, error.code), (TransactionStep::SendOffsets, code));
        f.succeed(C::Abort);
    }
}

#[test]
fn old_coordinators_are_not_told_the_member() {
    let mut f = Fixture::open(OLD);
    let send = f.start(Fixture::offsets("g", 7));
    f.reply(ErrorCode::NONE);
    f.reply(ErrorCode::NONE);
    f.refuse_version();
    let AnyRequest::TxnOffsetCommit(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!((request.generation_id_or_member_epoch, &*request.member_id), (-1, ""));
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(send), Some(Ok(())));
}

#[test]
fn group_coordinator_is_looked_for_again() {
    let mut f = Fixture::open(V1);
    let send = f.start(Fixture::offsets("g", 7));
    f.reply(ErrorCode::NONE);
    f.reply(ErrorCode::NONE);
    f.brokers.1 = 6;
    f.reply(ErrorCode::NOT_COORDINATOR);
    f.reply(ErrorCode::NONE);
    assert!(matches!(f.asks(), AnyRequest::TxnOffsetCommit(_)));
    assert_eq!(f.asked[0].to, Target::Broker(BrokerId(6)));
    f.serve();
    assert_eq!(f.result(send), Some(Ok(())));
}

#[test]
fn offsets_that_take_too_long_end_the_transaction() {
    let mut f = Fixture::open(V1);
    let send = f.start(Fixture::offsets("g", 7));
    f.pass(LIMIT);
    let error = f.result(send).unwrap().unwrap_err();
    assert_eq!(error.kind, TransactionErrorKind::TimedOut);
    assert!(f.machine.failure().is_some());
}

#[test]
fn commit_waits_for_offsets_under_way() {
    let mut f = Fixture::open(V1);
    f.start(Fixture::offsets("g", 7));
    f.start(C::Commit);
    assert!(matches!(f.asks(), AnyRequest::AddOffsetsToTxn(_)));
    f.reply(ErrorCode::NONE);
    f.reply(ErrorCode::NONE);
    f.reply(ErrorCode::NONE);
    assert!(matches!(f.asks(), AnyRequest::EndTxn(_)));
}
