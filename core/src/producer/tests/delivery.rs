//! Deadlines, and topics that are not to be had.

use core::time::Duration;
use std::{vec, vec::Vec};

use klamm_protocol::{ErrorCode, Str, messages::metadata::MetadataResponseTopic};

use super::fixture::{Fixture, Reply, ok, refuse};
use crate::{
    Effect, PartitionIndex,
    producer::{Lost, ProduceErrorKind, ProducerConfig, ProducerOutput},
};

const DELIVERY: Duration = Duration::from_secs(120);
const NANO: Duration = Duration::from_nanos(1);

#[test]
fn the_delivery_timeout_is_kept_to_the_nanosecond() {
    let mut f = Fixture::eager();
    f.append(0, "v");
    f.drain();
    f.wait(DELIVERY - NANO);
    assert_eq!(f.results(), []);
    assert_eq!(f.producer.poll_timeout(), Some(f.now + NANO));
    f.wait(NANO);
    assert_eq!(f.results(), [Err((ProduceErrorKind::TimedOut, Effect::Unknown))]);
    assert_eq!(f.producer.poll_timeout(), None);
}

#[test]
fn an_answer_after_the_delivery_timeout_changes_nothing() {
    let mut f = Fixture::eager();
    f.append(0, "v");
    f.drain();
    f.wait(DELIVERY);
    f.results();
    let late = f.request();
    f.answer(&late, &[ok(0, 0)]);
    assert_eq!(f.results(), []);
    assert_eq!(f.producer.outstanding(), 0);
}

#[test]
fn what_was_never_sent_times_out_without_effect_and_leaves_its_buffer() {
    let mut f = Fixture::eager();
    f.connect = false;
    f.append(0, "v");
    f.drain();
    f.wait(DELIVERY);
    assert_eq!(f.results(), [Err((ProduceErrorKind::TimedOut, Effect::None))]);
    assert_eq!(f.buffers[0].bytes(), 0);
}

#[test]
fn what_was_surely_refused_times_out_without_effect() {
    let mut f = Fixture::eager();
    f.append(0, "v");
    f.drain();
    let end = f.now + DELIVERY;
    while let Some(request) = f.requests.pop_front() {
        f.answer(&request, &[refuse(0, ErrorCode::NOT_ENOUGH_REPLICAS)]);
        let due = f.producer.poll_timeout().unwrap();
        f.wait(due - f.now);
    }
    assert_eq!(f.now, end);
    assert_eq!(f.outcomes[0].result.unwrap_err().code, ErrorCode::NOT_ENOUGH_REPLICAS);
    assert_eq!(f.results(), [Err((ProduceErrorKind::TimedOut, Effect::None))]);
}

#[test]
fn each_batch_has_its_own_deadline() {
    let mut f = Fixture::eager();
    f.connect = false;
    f.append(0, &"x".repeat(16_000));
    f.drain();
    f.wait_ms(1000);
    f.append(0, &"x".repeat(16_000));
    f.drain();
    f.wait(DELIVERY - Duration::from_secs(1));
    assert_eq!(f.results().len(), 1);
    assert!(!f.buffers[0].is_empty());
    f.wait_ms(1000);
    assert_eq!(f.results().len(), 1);
    assert!(f.buffers[0].is_empty());
}

#[test]
fn a_batch_that_expires_while_it_is_sealed_is_not_sent() {
    let mut f = Fixture::eager();
    f.append(0, "v");
    let mut seal = None;
    while let Some(output) = f.producer.poll(f.now, &f.cluster) {
        match output {
            ProducerOutput::Seal(wanted) => seal = Some(wanted),
            output => f.act(output),
        }
    }
    let seal = seal.unwrap();
    let sealed = f.seal(&seal);
    f.wait(DELIVERY);
    assert_eq!(f.results(), [Err((ProduceErrorKind::TimedOut, Effect::None))]);
    f.producer.handle_sealed(f.now, seal.broker, sealed);
    f.drain();
    assert!(f.requests.is_empty());
    f.push(0, "next");
    assert_eq!(f.request().batches[0].values, ["next"]);
}

#[test]
fn records_appended_to_a_batch_that_just_expired_share_its_fate() {
    let mut f = Fixture::eager();
    f.connect = false;
    f.append(0, "v");
    f.drain();
    f.now = f.now + DELIVERY;
    f.producer.handle_timeout(f.now);
    let late = f.append(0, "late");
    f.drain();
    assert_eq!(f.outcomes.len(), 1);
    assert_eq!(f.outcomes[0].batch, late);
    assert!(f.buffers[0].is_empty());
}

#[test]
fn while_an_expired_batch_is_in_flight_its_epoch_is_not_followed_by_another() {
    let mut f = Fixture::eager();
    f.append(0, "a");
    f.drain();
    let stuck = f.request();
    f.wait(DELIVERY);
    f.push(0, "b");
    assert!(f.requests.is_empty());
    f.lose(&stuck, Lost::MaybeSent);
    assert_eq!((f.requests[0].batches[0].epoch, f.requests[0].batches[0].sequence), (1, 0));
}

#[test]
fn a_partition_without_leader_waits_and_asks_for_metadata() {
    let mut f = Fixture::eager();
    f.metadata(1, &[-1]);
    f.push(0, "v");
    assert!(f.others.contains(&ProducerOutput::WantLeader(PartitionIndex(0))));
    assert!(f.requests.is_empty());
    f.metadata(1, &[0]);
    f.drain();
    assert_eq!(f.request().batches[0].values, ["v"]);
}

fn topic_fails_with(code: ErrorCode) -> Vec<Result<Option<i64>, (ProduceErrorKind, Effect)>> {
    let mut f = Fixture::new(1, 1, ProducerConfig::default());
    f.metadata(1, &[-1]);
    f.drain();
    let topic = MetadataResponseTopic {
        error_code: code,
        name: Some(Str::from("t")),
        ..MetadataResponseTopic::default()
    };
    f.metadata_of(1, topic.clone());
    f.push(0, "v");
    for _ in 0..20 {
        f.cluster_waits(Duration::from_secs(1));
        f.metadata_of(1, topic.clone());
        f.drain();
    }
    assert!(f.buffers[0].is_empty());
    f.results()
}

#[test]
fn a_topic_that_the_cluster_does_not_have_fails_its_batches_after_a_while() {
    let unknown = Err((ProduceErrorKind::UnknownTopic, Effect::None));
    assert_eq!(topic_fails_with(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), vec![unknown]);
}

#[test]
fn a_topic_that_may_not_be_seen_fails_its_batches() {
    let unauthorized = Err((ProduceErrorKind::Unauthorized, Effect::None));
    assert_eq!(topic_fails_with(ErrorCode::TOPIC_AUTHORIZATION_FAILED), vec![unauthorized]);
}

/// Who forgets producers may deny what it has appended: then the batch is sent once more, and if that fails it is not
/// said that nothing was written.
#[test]
fn what_may_be_written_and_is_then_denied_may_still_be_written() {
    for denied in [ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode::UNKNOWN_PRODUCER_ID] {
        let config = ProducerConfig { retries: 2, linger: Duration::ZERO, ..ProducerConfig::default() };
        let mut f = Fixture::new(1, 1, config);
        f.push(0, "v");
        f.answer_next(&refuse(0, ErrorCode::REQUEST_TIMED_OUT));
        for _ in 0..2 {
            f.wait_ms(1200);
            f.answer_next(&Reply { log_start_offset: 9, ..refuse(0, denied) });
        }
        assert_eq!(f.results(), [Err((ProduceErrorKind::Refused, Effect::Unknown))], "{denied}");
    }
}
