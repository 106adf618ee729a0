//! Rules that are easily broken, each by its name.

use klamm_protocol::{
    ErrorCode,
    messages::{
        AnyRequest,
        add_partitions_to_txn::{
            AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
        },
    },
};

use super::fixture::{Fixture, LIMIT, V1, V2};
use crate::transaction::{TransactionCommand as C, TransactionOutput};

/// What some partitions are refused for leaves those in the transaction that were added before: it has to be ended, or
/// readers would wait for its timeout.
#[test]
fn rule_7_partitions_added_before_stay_added() {
    let mut f = Fixture::with_partitions(V1, 1);
    f.want(1);
    f.want(2);
    let asked = f.asked.pop_front().unwrap();
    f.machine.handle_response(f.now, asked.number, &refusal(&[(1, 29)]).into()).unwrap();
    f.drain();
    assert_eq!(f.machine.failure().unwrap().code, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    f.start(C::Abort);
    let AnyRequest::EndTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert!(!request.committed);

    // Where none was added before, there is nothing to end.
    let mut f = Fixture::open(V1);
    f.want(1);
    f.reply(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    f.start(C::Abort);
    assert!(f.asked.is_empty());

    // Unless the coordinator may have added it.
    let mut f = Fixture::open(V1);
    f.want(1);
    f.lose(true);
    let abort = f.start(C::Abort);
    while !matches!(f.asked.front().map(|asked| &asked.request), Some(AnyRequest::EndTxn(_))) {
        f.reply(ErrorCode::NONE);
    }
    f.reply(ErrorCode::INVALID_TXN_STATE);
    assert_eq!(f.result(abort), Some(Ok(())), "it had not");
    let AnyRequest::InitProducerId(_) = f.asks() else { panic!("what is late has an old epoch then") };
}

fn refusal(codes: &[(i32, i16)]) -> AddPartitionsToTxnResponse {
    let each = |(partition_index, code): &(i32, i16)| AddPartitionsToTxnPartitionResult {
        partition_index: *partition_index,
        partition_error_code: ErrorCode(*code),
        ..Default::default()
    };
    let topic = AddPartitionsToTxnTopicResult {
        name: "t".into(),
        results_by_partition: codes.iter().map(each).collect(),
        ..Default::default()
    };
    AddPartitionsToTxnResponse { results_by_topic_v3_and_below: std::vec![topic], ..Default::default() }
}

/// What was not attempted is not what was refused.
#[test]
fn rule_7_the_refusal_is_told_and_not_what_was_not_attempted() {
    let mut f = Fixture::open(V1);
    f.drains = false;
    f.want(0);
    f.reply(ErrorCode::NONE);
    for partition in [1, 2, 3] {
        f.machine.handle_wanted(
            crate::PartitionIndex(partition),
            &"t".into(),
            1 + i32::try_from(partition).unwrap(),
        );
    }
    f.drain();
    let asked = f.asked.pop_front().unwrap();
    let not_attempted = ErrorCode::OPERATION_NOT_ATTEMPTED.0;
    let response = refusal(&[(2, not_attempted), (3, 29), (4, not_attempted)]);
    f.machine.handle_response(f.now, asked.number, &response.into()).unwrap();
    f.drain();
    assert_eq!(f.machine.failure().unwrap().code, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
}

/// After a commit without an answer neither a commit nor an abort is taken for done; only the same question finds out.
#[test]
fn rule_8_unknown_outcome_is_resumed_and_never_aborted() {
    let mut f = Fixture::with_partitions(V1, 1);
    let commit = f.start(C::Commit);
    f.lose(true);
    f.pass(LIMIT);
    assert!(f.result(commit).unwrap().unwrap_err().outcome_unknown());
    assert!(f.run(C::Abort).is_err());
    f.start(C::Resume);
    for turn in 0.. {
        assert!(turn < 100, "it is not asked");
        match f.asked.front().map(|asked| asked.request.clone()) {
            Some(AnyRequest::EndTxn(request)) => {
                assert!(request.committed, "the same question");
                assert_eq!((request.producer_id, request.producer_epoch), (4000, 0), "of the same epoch");
                break;
            }
            Some(_) => f.reply(ErrorCode::NONE),
            None => f.pass(core::time::Duration::from_millis(100)),
        }
    }
}

/// Version 2: that nothing was acknowledged does not mean that nothing was added.
#[test]
fn rule_8_what_was_tried_is_ended() {
    let mut f = Fixture::open(V2);
    f.want(0);
    f.machine.handle_batch_failed(super::version_1::GAP);
    f.start(C::Abort);
    assert!(matches!(f.asks(), AnyRequest::EndTxn(_)));
}

/// The end is not sent before the offsets are taken, and a member that the group went on without never commits.
#[test]
fn rule_9_offsets_come_before_the_end() {
    let mut f = Fixture::with_partitions(V1, 1);
    f.start(Fixture::offsets("g", 3));
    let commit = f.start(C::Commit);
    assert!(matches!(f.asks(), AnyRequest::AddOffsetsToTxn(_)));
    f.reply(ErrorCode::NONE);
    f.reply(ErrorCode::NONE);
    assert!(matches!(f.asks(), AnyRequest::TxnOffsetCommit(_)));
    f.reply(ErrorCode::ILLEGAL_GENERATION);
    let AnyRequest::EndTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert!(!request.committed);
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(commit).unwrap().unwrap_err().code, ErrorCode::ILLEGAL_GENERATION);
    assert!(!f.said.contains(&TransactionOutput::Closed));
}
