//! What is known of a commit that is not answered.

use klamm_protocol::{ErrorCode, messages::AnyRequest};

use super::fixture::{Fixture, LIMIT, V1, V2};
use crate::{
    BrokerId, Effect, Target,
    transaction::{TransactionCommand as C, TransactionErrorKind, TransactionOutput},
};

#[test]
fn unanswered_commit_is_in_doubt() {
    for offered in [V1, V2] {
        let mut f = Fixture::with_partitions(offered, 1);
        let commit = f.start(C::Commit);
        f.lose(true);
        f.pass(LIMIT);
        let error = f.result(commit).unwrap().unwrap_err();
        assert_eq!((error.kind, error.effect), (TransactionErrorKind::InDoubt, Effect::Unknown));
        assert!(error.outcome_unknown() && !error.requires_abort() && !error.is_fatal(), "{error}");
        // Nothing is taken for granted.
        for command in [C::Begin, C::Commit, C::Abort] {
            assert!(f.run(command).unwrap_err().outcome_unknown());
        }
        let resume = f.start(C::Resume);
        f.serve();
        assert_eq!(f.result(resume), Some(Ok(())));
        f.succeed(C::Begin);
    }
}

#[test]
fn commit_that_was_not_sent_is_known_to_have_failed() {
    let mut f = Fixture::with_partitions(V1, 1);
    let commit = f.start(C::Commit);
    f.lose(false);
    while f.machine.poll_timeout().is_some_and(|at| at < f.now + LIMIT) && f.done.is_empty() {
        let at = f.machine.poll_timeout().unwrap();
        f.pass(at.since(f.now));
        while !f.asked.is_empty() && f.done.is_empty() {
            f.lose(false);
        }
    }
    let error = f.result(commit).unwrap().unwrap_err();
    assert_eq!((error.kind, error.effect), (TransactionErrorKind::TimedOut, Effect::None));
    f.succeed(C::Begin);
}

#[test]
fn commit_is_asked_again_until_it_is_answered() {
    let mut f = Fixture::with_partitions(V1, 1);
    let commit = f.start(C::Commit);
    f.lose(true);
    f.serve();
    assert_eq!(f.result(commit), Some(Ok(())));
    // A server's error says nothing either.
    let mut f = Fixture::with_partitions(V1, 1);
    let commit = f.start(C::Commit);
    f.reply(ErrorCode::UNKNOWN_SERVER_ERROR);
    f.pass(LIMIT);
    assert!(f.result(commit).unwrap().unwrap_err().outcome_unknown());
}

#[test]
fn commit_follows_the_coordinator() {
    let mut f = Fixture::with_partitions(V1, 1);
    let commit = f.start(C::Commit);
    f.brokers.0 = 5;
    f.reply(ErrorCode::NOT_COORDINATOR);
    f.reply(ErrorCode::NONE);
    assert!(matches!(f.asks(), AnyRequest::EndTxn(_)));
    assert_eq!(f.asked[0].to, Target::Broker(BrokerId(5)));
    f.reply(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert!(f.asked.is_empty());
    f.serve();
    assert_eq!(f.result(commit), Some(Ok(())));
}

#[test]
fn fenced_after_an_unanswered_commit_leaves_it_unknown() {
    for code in [ErrorCode::PRODUCER_FENCED, ErrorCode::INVALID_PRODUCER_EPOCH, ErrorCode::INVALID_TXN_STATE]
    {
        let mut f = Fixture::with_partitions(V1, 1);
        let commit = f.start(C::Commit);
        f.lose(true);
        while f.asked.is_empty() || matches!(f.asks(), AnyRequest::FindCoordinator(_)) {
            match f.asked.is_empty() {
                true => f.pass(core::time::Duration::from_millis(200)),
                false => f.reply(ErrorCode::NONE),
            }
        }
        f.reply(code);
        let error = f.result(commit).unwrap().unwrap_err();
        assert!(error.outcome_unknown() && error.is_fatal(), "{code}: {error}");
        assert_eq!(error.fenced(), code == ErrorCode::PRODUCER_FENCED);
        assert_eq!(f.said.last(), Some(&TransactionOutput::Doomed(code)));
    }
}

#[test]
fn answers_that_come_too_late_are_ignored() {
    let mut f = Fixture::with_partitions(V1, 1);
    let commit = f.start(C::Commit);
    f.pass(LIMIT);
    assert!(f.result(commit).unwrap().unwrap_err().outcome_unknown());
    f.reply(ErrorCode::NONE);
    assert!(f.run(C::Begin).unwrap_err().outcome_unknown());
}

#[test]
fn an_answer_to_something_else_costs_the_connection_and_nothing_more() {
    let mut f = Fixture::with_partitions(V1, 1);
    let commit = f.start(C::Commit);
    let asked = f.asked.pop_front().unwrap();
    let nonsense = klamm_protocol::messages::heartbeat::HeartbeatResponse::default();
    assert!(f.machine.handle_response(f.now, asked.number, &nonsense.into()).is_err());
    f.serve();
    assert_eq!(f.result(commit), Some(Ok(())));
}

/// A coordinator that fails at something may have done it before.
#[test]
fn rule_8_an_unknown_error_leaves_the_commit_in_doubt() {
    for offered in [V1, V2] {
        let mut f = Fixture::with_partitions(offered, 1);
        let commit = f.start(C::Commit);
        f.reply(ErrorCode::UNKNOWN_SERVER_ERROR);
        assert!(f.asked.is_empty(), "it pauses");
        f.pass(core::time::Duration::from_secs(1));
        assert!(matches!(f.asks(), AnyRequest::EndTxn(request) if request.committed));
        // Of what the first attempt did, nothing is left to be found out.
        f.reply(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        let error = f.result(commit).unwrap().unwrap_err();
        assert_eq!((error.kind, error.effect), (TransactionErrorKind::Fatal, Effect::Unknown));
    }
}

/// A begin that nobody waits for any more must not take the place of the next one.
#[test]
fn a_begin_that_was_given_up_does_not_hold_up_the_next() {
    let mut f = Fixture::new(V1);
    let first = f.start(C::Begin);
    let second = f.start(C::Begin);
    assert_eq!(f.result(first).unwrap().unwrap_err().kind, TransactionErrorKind::Misuse);
    let third = f.start(C::Begin);
    f.serve();
    assert_eq!(f.result(third), Some(Ok(())));
    assert!(f.result(second).unwrap().is_err());
    // What was begun unheard is given up by the next.
    let fourth = f.start(C::Begin);
    f.serve();
    assert_eq!(f.result(fourth), Some(Ok(())));
}
