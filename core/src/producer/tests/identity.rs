//! Producer ids, epochs and sequences.

use core::time::Duration;

use klamm_protocol::{ErrorCode, messages::init_producer_id::InitProducerIdResponse};

use super::fixture::{Fixture, Received, ok, refuse};
use crate::{
    Effect,
    producer::{
        Lost, ProduceErrorKind, ProducerConfig,
        batch::Identity,
        sequences::{ProducerId, Sequences},
    },
};

fn identity(batch: &Received) -> (i64, i16, i32) {
    (batch.producer_id, batch.epoch, batch.sequence)
}

#[test]
fn the_producer_id_is_asked_for_at_the_start() {
    let mut f = Fixture::simple();
    f.give_ids = false;
    f.drain();
    assert_eq!(f.id_requests.len(), 1);
    assert_eq!(f.producer.poll_timeout(), None);
}

#[test]
fn batches_stay_open_until_the_producer_id_is_there() {
    let mut f = Fixture::eager();
    f.give_ids = false;
    f.append(0, "a");
    f.drain();
    f.append(0, "b");
    f.drain();
    assert!(f.requests.is_empty());
    f.give_id();
    f.drain();
    assert_eq!(f.request().batches[0].values, ["a", "b"]);
}

#[test]
fn a_refused_or_lost_id_request_is_repeated_after_a_pause() {
    let mut f = Fixture::eager();
    f.give_ids = false;
    f.append(0, "a");
    f.drain();
    f.answer_id(InitProducerIdResponse {
        error_code: ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ..InitProducerIdResponse::default()
    });
    f.drain();
    assert!(f.id_requests.is_empty());
    f.wait_ms(121);
    let number = f.id_requests.pop_front().unwrap();
    f.producer.handle_lost(f.now, number, Lost::MaybeSent);
    f.drain();
    f.wait_ms(241);
    assert_eq!(f.id_requests.len(), 1);
}

#[test]
fn a_producer_that_may_not_be_idempotent_fails_what_waits_and_tries_again_with_the_next() {
    let mut f = Fixture::eager();
    f.give_ids = false;
    f.append(0, "a");
    f.drain();
    f.answer_id(InitProducerIdResponse {
        error_code: ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        ..InitProducerIdResponse::default()
    });
    f.drain();
    assert_eq!(f.results(), [Err((ProduceErrorKind::Unauthorized, Effect::None))]);
    assert!(f.buffers[0].is_empty());
    f.wait_ms(10_000);
    assert!(f.id_requests.is_empty(), "nothing needs it");
    f.append(0, "b");
    f.drain();
    f.give_id();
    f.drain();
    assert_eq!(f.request().batches[0].values, ["b"]);
}

#[test]
fn a_cluster_without_idempotence_is_written_to_without_it_if_that_will_do() {
    let config =
        ProducerConfig { idempotence_optional: true, linger: Duration::ZERO, ..ProducerConfig::default() };
    let mut f = Fixture::new(1, 1, config);
    f.give_ids = false;
    f.append(0, "a");
    f.drain();
    let number = f.id_requests.pop_front().unwrap();
    f.producer.handle_lost(f.now, number, Lost::Unsupported);
    f.drain();
    let batch = f.request().batches.remove(0);
    assert_eq!((batch.values.len(), batch.producer_id), (1, -1));
    assert!(f.id_requests.is_empty());
}

#[test]
fn a_cluster_without_idempotence_is_fatal_and_later_records_hear_of_it() {
    let mut f = Fixture::eager();
    f.give_ids = false;
    f.append(0, "a");
    f.drain();
    let number = f.id_requests.pop_front().unwrap();
    f.producer.handle_lost(f.now, number, Lost::Unsupported);
    f.drain();
    f.append(0, "b");
    f.drain();
    let fatal = Err((ProduceErrorKind::Fatal, Effect::None));
    assert_eq!(f.results(), [fatal, fatal]);
    assert!(f.buffers[0].is_empty());
    assert_eq!(f.producer.poll_timeout(), None);
}

#[test]
fn sequences_count_records() {
    let mut f = Fixture::simple();
    f.append(0, "a");
    f.append(0, "b");
    f.append(0, "c");
    f.wait_ms(5);
    assert_eq!(identity(&f.answer_next(&ok(0, 0)).batches[0]), (4000, 0, 0));
    f.push(0, "d");
    assert_eq!(identity(&f.answer_next(&ok(0, 3)).batches[0]), (4000, 0, 3));
}

#[test]
fn sequences_wrap_from_the_largest_to_zero() {
    let id = Some(ProducerId { id: 1, epoch: 0 });
    let mut sequences = Sequences::default();
    assert_eq!(sequences.assign(i32::MAX, id).unwrap().sequence, 0);
    assert_eq!(sequences.assign(3, id).unwrap().sequence, i32::MAX);
    assert_eq!(sequences.assign(1, id).unwrap().sequence, 2);
}

#[test]
fn an_exhausted_epoch_needs_another_producer_id() {
    let old = ProducerId { id: 1, epoch: i16::MAX - 1 };
    let mut sequences = Sequences::default();
    sequences.assign(5, Some(old)).unwrap();
    sequences.renew();
    let last = Identity { producer_id: 1, epoch: i16::MAX, sequence: 0 };
    assert_eq!(sequences.assign(5, Some(old)), Some(last));
    sequences.renew();
    assert!(sequences.needs_id(Some(old)));
    assert_eq!(sequences.assign(5, Some(old)), None);
    let new = ProducerId { id: 2, epoch: 0 };
    assert_eq!(sequences.assign(5, Some(new)), Some(Identity { producer_id: 2, epoch: 0, sequence: 0 }));
}

#[test]
fn when_epochs_are_used_up_the_producer_gets_another_id_and_goes_on() {
    let mut f = Fixture::eager();
    f.give_ids = false;
    f.drain();
    f.answer_id(InitProducerIdResponse {
        producer_id: 1,
        producer_epoch: i16::MAX,
        ..InitProducerIdResponse::default()
    });
    f.push(0, "a");
    assert_eq!(identity(&f.answer_next(&refuse(0, ErrorCode::INVALID_RECORD)).batches[0]), (1, i16::MAX, 0));
    f.push(0, "b");
    assert!(f.requests.is_empty());
    f.give_id();
    f.drain();
    assert_eq!(identity(&f.request().batches[0]), (4000, 0, 0));
}

#[test]
fn an_epoch_is_raised_for_the_partition_concerned_alone() {
    let mut f = Fixture::new(2, 1, ProducerConfig::default());
    f.prove(0);
    f.prove(1);
    f.push(0, "refused");
    f.answer_next(&refuse(0, ErrorCode::INVALID_RECORD));
    f.push(0, "a");
    assert_eq!(identity(&f.request().batches[0]), (4000, 1, 0));
    f.push(1, "b");
    assert_eq!(identity(&f.request().batches[0]), (4000, 0, 1));
}

/// A batch that was sent and failed would lend its sequence to the next one. If both have as many records, the
/// broker takes the next for a resend and acknowledges what it does not write.
#[test]
fn no_false_acknowledgement_after_a_sent_batch_failed() {
    let mut f = Fixture::eager();
    f.prove(0);
    f.push(0, "lost");
    let lost = f.request();
    f.lose(&lost, Lost::MaybeSent);
    f.wait(Duration::from_secs(121));
    assert_eq!(f.results(), [Err((ProduceErrorKind::TimedOut, Effect::Unknown))]);
    for again in std::mem::take(&mut f.requests) {
        f.lose(&again, Lost::MaybeSent);
    }
    f.push(0, "next");
    let next = f.request();
    assert_eq!(next.batches[0].values, ["next"]);
    let (failed, fresh) = (identity(&lost.batches[0]), identity(&next.batches[0]));
    assert!(fresh.1 > failed.1, "epoch of {fresh:?} after {failed:?} failed");
    assert_eq!(fresh.2, 0);
}

#[test]
fn a_batch_that_was_never_sent_does_not_end_the_epoch() {
    let mut f = Fixture::eager();
    f.prove(0);
    f.metadata(1, &[-1]);
    f.push(0, "never sent");
    f.wait(Duration::from_secs(121));
    assert_eq!(f.results(), [Err((ProduceErrorKind::TimedOut, Effect::None))]);
    f.metadata(1, &[0]);
    f.push(0, "next");
    assert_eq!(identity(&f.request().batches[0]), (4000, 0, 1));
}
