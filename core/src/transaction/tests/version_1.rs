//! Transactions whose partitions are added first (KIP-98, KIP-360).

use core::time::Duration;
use std::vec;

use klamm_protocol::{ErrorCode, messages::AnyRequest};

use super::fixture::{Fixture, LIMIT, OLD, V1};
use crate::{
    BrokerId, Effect, PartitionIndex, Target,
    producer::ProducerId,
    transaction::{
        BatchFailure, TransactionCommand as C, TransactionErrorKind, TransactionOutput, TransactionStep,
    },
};

pub(super) const REFUSED: BatchFailure =
    BatchFailure { code: ErrorCode::MESSAGE_TOO_LARGE, was_sent: false, is_fatal: false };
pub(super) const GAP: BatchFailure = BatchFailure { code: ErrorCode::NONE, was_sent: true, is_fatal: false };

#[test]
fn first_transaction() {
    let mut f = Fixture::new(V1);
    let begin = f.start(C::Begin);
    let AnyRequest::FindCoordinator(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!((&*request.key, request.key_type), ("id", 1));
    f.reply(ErrorCode::NONE);
    let AnyRequest::InitProducerId(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!(request.transactional_id.as_deref(), Some("id"));
    assert_eq!((request.producer_id, request.producer_epoch), (-1, -1));
    assert_eq!(request.transaction_timeout_ms, 60_000);
    assert_eq!(f.asked[0].to, Target::Broker(BrokerId(1)));
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(begin), Some(Ok(())));
    let id = ProducerId { id: 4000, epoch: 0 };
    assert_eq!(f.said, [TransactionOutput::Begun { id, implicit: false }]);
    f.said.clear();

    f.want(2);
    f.want(5);
    let AnyRequest::AddPartitionsToTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!(&*request.v3_and_below_topics[0].partitions, &[2]);
    assert_eq!(f.asked[0].max_version, 3, "later versions are for brokers");
    f.reply(ErrorCode::NONE);
    // What was wanted meanwhile goes together.
    f.want(6);
    let AnyRequest::AddPartitionsToTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!(&*request.v3_and_below_topics[0].partitions, &[5]);
    f.reply(ErrorCode::NONE);
    f.reply(ErrorCode::NONE);
    let enrolled = |index| TransactionOutput::Enrolled(vec![PartitionIndex(index)]);
    assert_eq!(f.said, [enrolled(2), enrolled(5), enrolled(6)]);

    let commit = f.start(C::Commit);
    let AnyRequest::EndTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert!(request.committed);
    assert_eq!((request.producer_id, request.producer_epoch, f.asked[0].max_version), (4000, 0, 4));
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(commit), Some(Ok(())));
    // The next one needs nothing, and keeps the epoch.
    f.succeed(C::Begin);
    assert_eq!(f.said.last(), Some(&TransactionOutput::Begun { id, implicit: false }));
}

#[test]
fn end_is_not_sent_before_everything_is_written() {
    let mut f = Fixture::with_partitions(V1, 2);
    f.drains = false;
    f.start(C::Commit);
    assert!(f.asked.is_empty());
    assert_eq!(f.said, [TransactionOutput::Drain]);
    // What is still to be written may need another partition.
    f.want(7);
    f.reply(ErrorCode::NONE);
    assert!(f.asked.is_empty());
    f.machine.handle_drained();
    f.drain();
    assert!(matches!(f.asks(), AnyRequest::EndTxn(_)));
}

#[test]
fn nothing_is_ended_that_was_never_begun() {
    for command in [C::Commit, C::Abort] {
        let mut f = Fixture::open(V1);
        assert_eq!(f.run(command), Ok(()));
        assert!(f.asked.is_empty());
        f.succeed(C::Begin);
    }
}

#[test]
fn failed_batch_means_abort() {
    let mut f = Fixture::with_partitions(V1, 1);
    f.machine.handle_batch_failed(REFUSED);
    f.drain();
    assert_eq!(f.said, [TransactionOutput::Abandon { keep_sent: false }]);
    let failure = f.machine.failure().expect("a failure");
    assert!(failure.requires_abort() && !failure.is_fatal(), "{failure}");
    let refused = f.run(Fixture::offsets("g", 1)).unwrap_err();
    assert_eq!((refused.doing, refused.code), (TransactionStep::Produce, ErrorCode::MESSAGE_TOO_LARGE));
    let commit = f.start(C::Commit);
    let AnyRequest::EndTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert!(!request.committed, "a failed transaction is aborted");
    f.reply(ErrorCode::NONE);
    let error = f.result(commit).unwrap().unwrap_err();
    assert_eq!((error.kind, error.effect), (TransactionErrorKind::Abortable, Effect::None));
    // Nothing of it was sent: the epoch can be used further.
    f.succeed(C::Begin);
    assert_eq!(f.machine.producer_id(), Some(ProducerId { id: 4000, epoch: 0 }));
}

#[test]
fn epoch_is_renewed_after_a_gap() {
    let mut f = Fixture::with_partitions(V1, 1);
    f.machine.handle_batch_failed(GAP);
    let abort = f.start(C::Abort);
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(abort), Some(Ok(())));
    let AnyRequest::InitProducerId(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!((request.producer_id, request.producer_epoch), (4000, 0));
    f.reply(ErrorCode::NONE);
    f.succeed(C::Begin);
    let id = ProducerId { id: 4000, epoch: 1 };
    assert_eq!(f.said.last(), Some(&TransactionOutput::Begun { id, implicit: false }));
}

#[test]
fn without_renewal_a_gap_is_the_end() {
    let mut f = Fixture::with_partitions(OLD, 1);
    f.machine.handle_batch_failed(GAP);
    f.drain();
    assert_eq!(f.said, [TransactionOutput::Abandon { keep_sent: true }]);
    f.succeed(C::Abort);
    let error = f.run(C::Begin).unwrap_err();
    assert_eq!((error.kind, error.code), (TransactionErrorKind::Fatal, ErrorCode::UNSUPPORTED_VERSION));
}

#[test]
fn fenced_for_good() {
    let mut f = Fixture::with_partitions(V1, 1);
    let commit = f.start(C::Commit);
    f.reply(ErrorCode::PRODUCER_FENCED);
    let error = f.result(commit).unwrap().unwrap_err();
    assert!(error.fenced() && error.is_fatal() && !error.outcome_unknown(), "{error}");
    assert_eq!(f.said.last(), Some(&TransactionOutput::Doomed(ErrorCode::PRODUCER_FENCED)));
    for command in [C::Begin, C::Init, C::Commit, C::Abort, C::Resume, Fixture::offsets("g", 1)] {
        let error = f.run(command.clone()).unwrap_err();
        assert!(error.fenced(), "{command:?}: {error}");
    }
    assert!(f.asked.is_empty() && f.machine.poll_timeout().is_none());
}

#[test]
fn an_old_epoch_may_be_the_coordinators_own_doing() {
    // Its timeout passed: the coordinator has raised the epoch, and gives the next one (KIP-588).
    let mut f = Fixture::with_partitions(V1, 1);
    let commit = f.start(C::Commit);
    f.reply(ErrorCode::INVALID_PRODUCER_EPOCH);
    f.reply(ErrorCode::INVALID_PRODUCER_EPOCH);
    let error = f.result(commit).unwrap().unwrap_err();
    assert!(error.requires_abort() && error.effect == Effect::None, "{error}");
    f.succeed(C::Begin);
    // Or another producer's: then it does not.
    let mut f = Fixture::with_partitions(V1, 1);
    f.machine.handle_batch_failed(BatchFailure {
        code: ErrorCode::INVALID_PRODUCER_EPOCH,
        was_sent: true,
        is_fatal: false,
    });
    let abort = f.start(C::Abort);
    f.reply(ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(f.result(abort), Some(Ok(())), "whoever ended it, it is ended");
    f.reply(ErrorCode::PRODUCER_FENCED);
    assert!(f.run(C::Begin).unwrap_err().fenced());
}

#[test]
fn an_old_epoch_is_fenced_where_there_is_no_other() {
    let mut f = Fixture::with_partitions(OLD, 1);
    let commit = f.start(C::Commit);
    f.reply(ErrorCode::INVALID_PRODUCER_EPOCH);
    assert!(f.result(commit).unwrap().unwrap_err().fenced());
}

#[test]
fn begin_ends_what_is_open() {
    let mut f = Fixture::with_partitions(V1, 1);
    let begin = f.start(C::Begin);
    let AnyRequest::EndTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert!(!request.committed);
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(begin), Some(Ok(())));

    f.want(0);
    f.serve();
    f.machine.abandon();
    f.drain();
    let begin = f.start(C::Begin);
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(begin), Some(Ok(())));
}

#[test]
fn waits_for_the_transaction_before() {
    let mut f = Fixture::open(V1);
    f.want(0);
    let before = f.now;
    f.reply(ErrorCode::CONCURRENT_TRANSACTIONS);
    assert!(f.asked.is_empty());
    let at = f.machine.poll_timeout().unwrap();
    assert!(at > before && at < before + Duration::from_millis(20), "soon: {:?}", at.since(before));
    f.pass(at.since(before));
    assert!(matches!(f.asks(), AnyRequest::AddPartitionsToTxn(_)));
    f.reply(ErrorCode::NONE);
    assert!(matches!(f.said.last(), Some(TransactionOutput::Enrolled(_))));
}

#[test]
fn refusals_at_the_start_leave_it_as_it_was() {
    for code in [ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ErrorCode::INVALID_TRANSACTION_TIMEOUT] {
        let mut f = Fixture::new(V1);
        let init = f.start(C::Init);
        f.reply(ErrorCode::NONE);
        f.reply(code);
        let error = f.result(init).unwrap().unwrap_err();
        assert_eq!((error.kind, error.code), (TransactionErrorKind::Refused, code));
        assert!(error.cure().is_some());
        f.succeed(C::Init);
    }
    // The brokers have no transactions.
    let mut f = Fixture::new(OLD);
    let init = f.start(C::Init);
    f.refuse_version();
    let error = f.result(init).unwrap().unwrap_err();
    assert_eq!((error.kind, error.code), (TransactionErrorKind::Refused, ErrorCode::UNSUPPORTED_VERSION));
}

#[test]
fn an_expired_id_is_had_anew() {
    let mut f = Fixture::open(V1);
    f.want(0);
    f.reply(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    let failure = f.machine.failure().unwrap();
    assert!(failure.requires_abort() && failure.is_retriable(), "{failure}");
    f.succeed(C::Abort);
    f.succeed(C::Begin);
    assert_eq!(f.machine.producer_id(), Some(ProducerId { id: 4000, epoch: 1 }));
}

#[test]
fn deadlines_answer_and_the_abort_goes_on() {
    let mut f = Fixture::new(V1);
    let begin = f.start(C::Begin);
    f.lose(false);
    f.pass(LIMIT);
    assert_eq!(f.result(begin).unwrap().unwrap_err().kind, TransactionErrorKind::TimedOut);
    f.asked.clear();

    let mut f = Fixture::with_partitions(V1, 1);
    f.drains = false;
    let commit = f.start(C::Commit);
    f.pass(LIMIT);
    let error = f.result(commit).unwrap().unwrap_err();
    assert_eq!((error.kind, error.effect), (TransactionErrorKind::TimedOut, Effect::None));
    f.machine.handle_drained();
    f.drain();
    let AnyRequest::EndTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert!(!request.committed);
    f.drains = true;
    f.succeed(C::Begin);

    let mut f = Fixture::with_partitions(V1, 1);
    let abort = f.start(C::Abort);
    f.pass(LIMIT);
    assert_eq!(f.result(abort).unwrap().unwrap_err().kind, TransactionErrorKind::TimedOut);
    f.succeed(C::Begin);
}

#[test]
fn closing_aborts_what_is_open() {
    let mut f = Fixture::with_partitions(V1, 1);
    f.machine.close(f.now + LIMIT);
    f.drain();
    let AnyRequest::EndTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert!(!request.committed);
    f.reply(ErrorCode::NONE);
    assert_eq!(f.said.last(), Some(&TransactionOutput::Closed));
    let error = f.run(C::Begin).unwrap_err();
    assert_eq!((error.kind, error.effect), (TransactionErrorKind::Closed, Effect::None));
    // In time, whatever the coordinator does.
    let mut f = Fixture::with_partitions(V1, 1);
    f.machine.close(f.now + LIMIT);
    f.drain();
    f.pass(LIMIT);
    assert_eq!(f.said.last(), Some(&TransactionOutput::Closed));
    assert_eq!(f.machine.poll_timeout(), None);
}
