//! What answers other than an acknowledgement lead to.

use core::time::Duration;
use std::{format, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::{
        metadata::{MetadataResponsePartition, MetadataResponseTopic},
        produce::{LeaderIdAndEpoch, NodeEndpoint},
    },
};

use super::fixture::{Fixture, Produced, Received, Reply, ok, refuse, response};
use crate::{
    BrokerId, Effect, PartitionIndex,
    cluster::Leader,
    producer::{Acks, Lost, Portion, ProduceErrorKind, ProducerConfig, ProducerOutput},
};

fn identity(produced: &Produced) -> (i16, i32) {
    (produced.batches[0].epoch, produced.batches[0].sequence)
}

fn values(batches: &[Received]) -> Vec<&str> {
    batches.iter().flat_map(|batch| &batch.values).map(|value| value.as_str()).collect()
}

/// One partition whose leader knows this producer, with `count` requests of one record in flight.
fn in_flight(count: usize) -> (Fixture, Vec<Produced>) {
    let mut f = Fixture::simple();
    f.prove(0);
    for number in 0..count {
        f.push(0, &format!("{number}"));
    }
    let requests: Vec<_> = f.requests.drain(..).collect();
    assert_eq!(requests.len(), count);
    (f, requests)
}

fn not_leader() -> Reply {
    refuse(0, ErrorCode::NOT_LEADER_OR_FOLLOWER)
}

fn out_of_order() -> Reply {
    refuse(0, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
}

#[test]
fn a_resent_batch_keeps_its_identity_and_its_bytes() {
    let (mut f, sent) = in_flight(1);
    f.answer(&sent[0], &[refuse(0, ErrorCode::NOT_ENOUGH_REPLICAS)]);
    assert!(f.requests.is_empty(), "not without a pause");
    f.wait_ms(121);
    let again = f.request();
    assert_eq!(again.request, sent[0].request);
}

#[test]
fn pauses_grow_with_each_refusal() {
    let (mut f, mut sent) = in_flight(1);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        f.answer(&sent[0], &[refuse(0, ErrorCode::NOT_ENOUGH_REPLICAS)]);
        let due = f.producer.poll_timeout().unwrap();
        pauses.push(due - f.now);
        f.wait(due - f.now);
        sent = f.requests.drain(..).collect();
    }
    let bounds = [(80, 120), (160, 240), (320, 480), (640, 960), (800, 1200), (800, 1200)];
    for (pause, (least, most)) in pauses.iter().zip(bounds) {
        let range = Duration::from_millis(least)..=Duration::from_millis(most);
        assert!(range.contains(pause), "{pauses:?}");
    }
}

#[test]
fn while_a_batch_waits_to_be_sent_again_nothing_overtakes_it() {
    let (mut f, sent) = in_flight(3);
    f.push(0, "later");
    let later = f.request();
    f.answer(&sent[0], &[refuse(0, ErrorCode::NOT_ENOUGH_REPLICAS)]);
    for behind in [&sent[1], &sent[2], &later] {
        f.answer(behind, &[out_of_order()]);
    }
    f.push(0, "fresh");
    for (expected, in_flight) in [("0", 1), ("1", 1), ("2", 1), ("later", 2), ("fresh", 1)] {
        f.wait_ms(1300);
        assert_eq!(
            f.requests.len(),
            in_flight,
            "one after the other until the last that was refused is sent"
        );
        let request = f.request();
        assert_eq!(values(&request.batches), [expected]);
        assert_eq!(request.batches[0].epoch, 0);
        f.answer(&request, &[ok(0, 1)]);
    }
}

/// The broker has taken the first of five; were a sixth written, it would no longer know the first.
#[test]
fn nothing_fresh_is_sent_while_a_resend_is_not_settled() {
    let (mut f, sent) = in_flight(5);
    f.answer(&sent[0], &[refuse(0, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND)]);
    for (request, offset) in sent[1..].iter().zip(2..) {
        f.answer(request, &[ok(0, offset)]);
    }
    f.push(0, "fresh");
    f.wait_ms(121);
    let again = f.request();
    assert_eq!(values(&again.batches), ["0"]);
    assert!(f.requests.is_empty());
    f.answer(&again, &[ok(0, 1)]);
    assert_eq!(values(&f.request().batches), ["fresh"]);
}

#[test]
fn one_request_is_in_flight_until_the_leader_has_acknowledged_something() {
    let mut f = Fixture::eager();
    for number in 0..3 {
        f.push(0, &format!("{number}"));
    }
    assert_eq!(f.requests.len(), 1, "a broker takes any first sequence of a producer that it does not know");
    f.answer_next(&ok(0, 0));
    f.push(0, "a");
    f.push(0, "b");
    assert_eq!(f.requests.len(), 3);
}

#[test]
fn a_new_leader_has_to_acknowledge_something_first_as_well() {
    let mut f = Fixture::new(1, 2, ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() });
    f.prove(0);
    f.metadata(2, &[1]);
    f.push(0, "a");
    f.push(0, "b");
    assert_eq!(f.requests.len(), 1);
    assert_eq!(f.answer_next(&ok(0, 1)).broker, BrokerId(1));
    f.push(0, "c");
    assert_eq!(f.requests.len(), 2);
}

#[test]
fn a_leader_that_was_away_has_to_acknowledge_something_first_as_well() {
    let mut f = Fixture::new(1, 2, ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() });
    f.prove(0);
    // The same broker, of a newer epoch.
    f.metadata(2, &[0]);
    f.push(0, "a");
    f.push(0, "b");
    assert_eq!(f.requests.len(), 1);
    f.answer_next(&ok(0, 1));
    f.push(0, "c");
    assert_eq!(f.requests.len(), 2);
}

#[test]
fn a_topic_that_replaced_another_has_to_acknowledge_something_first_as_well() {
    let mut f = Fixture::new(1, 1, ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() });
    f.prove(0);
    let leader = f.cluster.leader(PartitionIndex(0)).unwrap();
    let partition = MetadataResponsePartition {
        leader_id: leader.broker.0,
        leader_epoch: leader.epoch,
        ..MetadataResponsePartition::default()
    };
    let replaced = MetadataResponseTopic {
        name: Some(Str::from("t")),
        topic_id: Uuid([8; 16]),
        partitions: Vec::from([partition]),
        ..MetadataResponseTopic::default()
    };
    f.metadata_of(1, replaced);
    f.push(0, "a");
    f.push(0, "b");
    assert_eq!(f.requests.len(), 1);
}

#[test]
fn an_answer_of_the_old_leader_says_nothing_of_the_new_one() {
    let mut f = Fixture::new(1, 2, ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() });
    f.push(0, "old");
    let old = f.request();
    f.metadata(2, &[1]);
    f.drain();
    f.answer(&old, &[ok(0, 0)]);
    f.push(0, "a");
    f.push(0, "b");
    assert_eq!(f.requests.len(), 1);
}

#[test]
fn a_new_epoch_has_to_be_acknowledged_first_as_well() {
    let (mut f, sent) = in_flight(1);
    f.answer(&sent[0], &[refuse(0, ErrorCode::INVALID_RECORD)]);
    f.push(0, "a");
    f.push(0, "b");
    assert_eq!(f.requests.len(), 1);
}

#[test]
fn a_partition_moves_to_a_new_leader_once_the_old_one_has_answered() {
    let mut f = Fixture::new(1, 2, ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() });
    f.prove(0);
    f.push(0, "a");
    f.push(0, "b");
    let sent: Vec<_> = f.requests.drain(..).collect();
    f.metadata(2, &[1]);
    f.push(0, "c");
    assert!(f.requests.is_empty());
    f.answer(&sent[0], &[ok(0, 1)]);
    assert!(f.requests.is_empty());
    f.answer(&sent[1], &[not_leader()]);
    f.wait_ms(121);
    let moved = f.request();
    assert_eq!((moved.broker, values(&moved.batches)), (BrokerId(1), ["b"].to_vec()));
}

#[test]
fn a_partition_that_moves_there_and_back_waits_for_the_leader_between() {
    let mut f = Fixture::new(1, 2, ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() });
    f.prove(0);
    f.metadata(2, &[1]);
    f.push(0, "a");
    f.metadata(2, &[0]);
    f.push(0, "b");
    assert_eq!(f.requests.len(), 1);
    assert_eq!(f.answer_next(&ok(0, 1)).broker, BrokerId(1));
    assert_eq!(f.answer_next(&ok(0, 2)).broker, BrokerId(0));
}

#[test]
fn what_the_old_leader_did_not_take_goes_to_the_new_one_first_and_in_order() {
    let mut f = Fixture::new(1, 2, ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() });
    f.prove(0);
    for number in 0..3 {
        f.push(0, &format!("{number}"));
    }
    let sent: Vec<_> = f.requests.drain(..).collect();
    f.push(0, "fresh");
    let fresh = f.request();
    for request in sent.iter().chain([&fresh]) {
        f.answer(request, &[not_leader()]);
    }
    f.metadata(2, &[1]);
    f.push(0, "newest");
    for (expected, sequence) in [("0", 1), ("1", 2), ("2", 3), ("fresh", 4), ("newest", 5)] {
        let request = f.request();
        assert_eq!((request.broker, values(&request.batches)), (BrokerId(1), [expected].to_vec()));
        assert_eq!(identity(&request), (0, sequence));
        f.answer(&request, &[ok(0, i64::from(sequence))]);
    }
}

#[test]
fn a_new_leader_ends_the_pause() {
    let mut f = Fixture::new(1, 2, ProducerConfig::default());
    f.prove(0);
    f.push(0, "a");
    f.answer_next(&not_leader());
    assert!(f.others.contains(&ProducerOutput::WantLeader(PartitionIndex(0))));
    assert!(f.requests.is_empty());
    f.metadata(2, &[1]);
    f.drain();
    assert_eq!(f.request().broker, BrokerId(1));
}

#[test]
fn the_leader_that_an_answer_names_is_passed_on() {
    let (mut f, sent) = in_flight(1);
    let mut answer = response(&[not_leader()]);
    let partition = &mut answer.responses[0].partition_responses[0];
    partition.current_leader =
        LeaderIdAndEpoch { leader_id: 3, leader_epoch: 8, ..LeaderIdAndEpoch::default() };
    answer.node_endpoints.push(NodeEndpoint {
        node_id: 3,
        host: Str::from("new"),
        port: 9093,
        ..NodeEndpoint::default()
    });
    f.producer.handle_response(f.now, sent[0].number, &answer.into()).unwrap();
    f.drain();
    let hint = f.others.iter().find_map(|output| match output {
        ProducerOutput::Leader(hint) => Some(hint.clone()),
        _ => None,
    });
    let hint = hint.unwrap();
    assert_eq!((hint.partition, hint.leader), (PartitionIndex(0), Leader { broker: BrokerId(3), epoch: 8 }));
    let endpoint = hint.endpoint.clone().unwrap();
    assert_eq!(std::string::ToString::to_string(&endpoint.address), "new:9093");
    assert!(f.cluster.handle_leader_hint(hint.partition, hint.leader, hint.endpoint));
    f.drain();
    assert_eq!(f.request().broker, BrokerId(3));
}

#[test]
fn out_of_order_behind_a_refused_batch_keeps_the_epoch() {
    let (mut f, sent) = in_flight(2);
    f.answer(&sent[0], &[not_leader()]);
    f.answer(&sent[1], &[out_of_order()]);
    f.wait_ms(121);
    let first = f.answer_next(&ok(0, 1));
    let second = f.answer_next(&ok(0, 2));
    assert_eq!((identity(&first), identity(&second)), ((0, 1), (0, 2)));
}

#[test]
fn out_of_order_though_it_is_next_begins_a_new_epoch_with_everything_that_waits() {
    let (mut f, sent) = in_flight(3);
    for request in &sent {
        f.answer(request, &[out_of_order()]);
    }
    f.wait_ms(121);
    for sequence in 0..3 {
        let request = f.answer_next(&ok(0, i64::from(sequence)));
        assert_eq!(identity(&request), (1, sequence));
        assert_eq!(values(&request.batches), [format!("{sequence}")]);
    }
    assert_eq!(f.results(), [Ok(Some(0)), Ok(Some(1)), Ok(Some(2))]);
}

#[test]
fn a_new_epoch_waits_for_what_is_in_flight_in_the_old_one() {
    let (mut f, sent) = in_flight(3);
    f.answer(&sent[0], &[out_of_order()]);
    f.wait_ms(121);
    assert!(f.requests.is_empty());
    f.answer(&sent[1], &[out_of_order()]);
    assert!(f.requests.is_empty());
    f.lose(&sent[2], Lost::MaybeSent);
    f.wait_ms(1200);
    let requests: Vec<_> = (0..3).map(|offset| f.answer_next(&ok(0, offset))).collect();
    assert_eq!(requests.iter().map(identity).collect::<Vec<_>>(), [(1, 0), (1, 1), (1, 2)]);
}

#[test]
fn an_unknown_producer_id_without_a_log_start_is_retried_as_it_is() {
    let (mut f, sent) = in_flight(1);
    f.answer(&sent[0], &[refuse(0, ErrorCode::UNKNOWN_PRODUCER_ID)]);
    f.wait_ms(121);
    assert_eq!(identity(&f.request()), (0, 1));
}

#[test]
fn an_unknown_producer_id_begins_a_new_epoch() {
    let (mut f, sent) = in_flight(1);
    f.answer(&sent[0], &[Reply { log_start_offset: 100, ..refuse(0, ErrorCode::UNKNOWN_PRODUCER_ID) }]);
    f.wait_ms(121);
    assert_eq!(identity(&f.request()), (1, 0));
}

#[test]
fn a_recognised_resend_is_an_acknowledgement_without_offset() {
    let (mut f, sent) = in_flight(1);
    f.answer(&sent[0], &[refuse(0, ErrorCode::DUPLICATE_SEQUENCE_NUMBER)]);
    assert_eq!(f.results(), [Ok(None)]);
}

#[test]
fn a_batch_that_may_be_written_stays_so_whatever_a_later_answer_says() {
    for first in [ErrorCode::REQUEST_TIMED_OUT, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND] {
        let (mut f, sent) = in_flight(1);
        f.answer(&sent[0], &[refuse(0, first)]);
        f.wait_ms(121);
        f.answer_next(&refuse(0, ErrorCode::TOPIC_AUTHORIZATION_FAILED));
        assert_eq!(f.results(), [Err((ProduceErrorKind::Unauthorized, Effect::Unknown))]);
    }
}

/// A leader that waits for its followers, and is succeeded meanwhile, has appended the batch and refuses it.
#[test]
fn who_refuses_after_waiting_for_followers_may_have_written() {
    for code in [ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION] {
        for (acks, effect) in [(Acks::All, Effect::Unknown), (Acks::Leader, Effect::None)] {
            let idempotent = acks == Acks::All;
            let config = ProducerConfig {
                acks,
                idempotent,
                retries: 0,
                linger: Duration::ZERO,
                ..ProducerConfig::default()
            };
            let mut f = Fixture::new(1, 1, config);
            f.push(0, "refused");
            f.answer_next(&refuse(0, code));
            assert_eq!(f.results(), [Err((ProduceErrorKind::Refused, effect))], "{code} {acks:?}");
        }
    }
}

#[test]
fn retries_are_bounded_but_not_for_what_may_be_written() {
    let config = ProducerConfig { retries: 2, linger: Duration::ZERO, ..ProducerConfig::default() };
    let mut f = Fixture::new(1, 1, config.clone());
    f.push(0, "refused");
    for _ in 0..3 {
        f.answer_next(&refuse(0, ErrorCode::NOT_ENOUGH_REPLICAS));
        f.wait_ms(1200);
    }
    assert!(f.requests.is_empty());
    assert_eq!(f.results(), [Err((ProduceErrorKind::Refused, Effect::None))]);

    let mut f = Fixture::new(1, 1, config);
    f.push(0, "unsure");
    f.answer_next(&refuse(0, ErrorCode::REQUEST_TIMED_OUT));
    for _ in 0..10 {
        f.wait_ms(1200);
        f.answer_next(&refuse(0, ErrorCode::NOT_ENOUGH_REPLICAS));
    }
    f.wait_ms(1200);
    f.answer_next(&ok(0, 8));
    assert_eq!(f.results(), [Ok(Some(8))]);
}

#[test]
fn a_sure_refusal_has_no_effect_and_an_unknown_error_an_unknown_one() {
    let (mut f, sent) = in_flight(2);
    f.answer(&sent[0], &[refuse(0, ErrorCode::INVALID_TIMESTAMP)]);
    f.answer(&sent[1], &[refuse(0, ErrorCode::UNKNOWN_SERVER_ERROR)]);
    let outcomes = f.outcomes.clone();
    assert_eq!(outcomes[0].result.unwrap_err().code, ErrorCode::INVALID_TIMESTAMP);
    assert_eq!(
        f.results(),
        [Err((ProduceErrorKind::Refused, Effect::None)), Err((ProduceErrorKind::Refused, Effect::Unknown))]
    );
}

/// What was sent and may be written is recognised only under the identity that it was sent with.
#[test]
fn what_may_be_written_keeps_its_identity_when_an_earlier_batch_fails() {
    let (mut f, sent) = in_flight(2);
    for request in &sent {
        f.lose(request, Lost::MaybeSent);
    }
    f.wait_ms(121);
    f.answer_next(&refuse(0, ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    f.push(0, "fresh");
    let second = f.request();
    assert_eq!((values(&second.batches), identity(&second)), (["1"].to_vec(), (0, 2)));
    assert!(f.requests.is_empty());
    f.answer(&second, &[ok(0, 2)]);
    let fresh = f.request();
    assert_eq!((values(&fresh.batches), identity(&fresh)), (["fresh"].to_vec(), (1, 0)));
}

#[test]
fn an_authorisation_error_concerns_its_partition_alone() {
    let mut f = Fixture::new(2, 1, ProducerConfig::default());
    f.append(0, "a");
    f.append(1, "b");
    f.wait_ms(5);
    let request = f.request();
    f.answer(&request, &[refuse(0, ErrorCode::TOPIC_AUTHORIZATION_FAILED), ok(1, 5)]);
    assert_eq!(f.results(), [Err((ProduceErrorKind::Unauthorized, Effect::None)), Ok(Some(5))]);
    f.push(0, "c");
    assert_eq!(values(&f.request().batches), ["c"], "the next record tries again");
}

#[test]
fn a_batch_that_is_too_large_is_split_and_its_parts_keep_their_sequences() {
    let mut f = Fixture::simple();
    f.prove(0);
    for number in 0..5 {
        f.append(0, &format!("record {number} {}", "x".repeat(100)));
    }
    f.wait_ms(5);
    f.push(0, "behind");
    let whole = f.request();
    let behind = f.request();
    f.answer(&whole, &[refuse(0, ErrorCode::MESSAGE_TOO_LARGE)]);
    f.answer(&behind, &[out_of_order()]);
    let mut received = Vec::new();
    let mut next = 1;
    while received.len() < 6 {
        let part = f.request();
        assert!(f.requests.is_empty());
        assert_eq!(identity(&part), (0, next));
        next += i32::try_from(part.batches[0].values.len()).unwrap();
        f.answer(&part, &[ok(0, i64::from(next))]);
        f.wait_ms(1200);
        received.extend(part.batches[0].values.clone());
    }
    let expected: Vec<_> = whole.batches[0].values.iter().chain(&behind.batches[0].values).cloned().collect();
    assert_eq!(received, expected);
    let mut covered = 0;
    let parts = f.outcomes.len() - 1;
    for (at, outcome) in f.outcomes[..parts].iter().enumerate() {
        let Portion::Part { first, count, last } = outcome.portion else { panic!("{outcome:?}") };
        assert_eq!((first, last), (covered, at + 1 == parts));
        covered += count;
    }
    assert_eq!(covered, 5);
    assert_eq!(f.outcomes[parts].portion, Portion::Whole);
    assert_eq!(f.producer.outstanding(), 0);
}

#[test]
fn a_single_record_that_is_too_large_fails() {
    let (mut f, sent) = in_flight(1);
    f.answer(&sent[0], &[refuse(0, ErrorCode::MESSAGE_TOO_LARGE)]);
    assert_eq!(f.results(), [Err((ProduceErrorKind::TooLarge, Effect::None))]);
}

#[test]
fn a_fenced_producer_fails_everything_and_stays_so() {
    let (mut f, sent) = in_flight(3);
    f.answer(&sent[0], &[refuse(0, ErrorCode::PRODUCER_FENCED)]);
    f.append(0, "later");
    f.drain();
    let unknown = Err((ProduceErrorKind::Fatal, Effect::Unknown));
    let none = Err((ProduceErrorKind::Fatal, Effect::None));
    assert_eq!(f.results(), [none, unknown, unknown, none]);
    assert_eq!(f.producer.fatal(), Some(ErrorCode::PRODUCER_FENCED));
    f.answer(&sent[1], &[ok(0, 5)]);
    assert_eq!(f.results(), []);
}

#[test]
fn a_request_that_was_not_sent_leaves_no_doubt() {
    let config = ProducerConfig { retries: 0, ..ProducerConfig::default() };
    let mut f = Fixture::new(1, 1, config);
    f.push(0, "v");
    let sent = f.request();
    f.lose(&sent, Lost::NotSent);
    assert_eq!(f.results(), [Err((ProduceErrorKind::Refused, Effect::None))]);
}

#[test]
fn a_version_that_the_broker_does_not_have_fails_the_batch() {
    let (mut f, sent) = in_flight(1);
    f.lose(&sent[0], Lost::Unsupported);
    assert_eq!(f.results(), [Err((ProduceErrorKind::Unsupported, Effect::None))]);
}

#[test]
fn without_idempotence_a_refused_batch_is_not_overtaken_either() {
    let config = ProducerConfig {
        acks: Acks::Leader,
        idempotent: false,
        linger: Duration::ZERO,
        ..ProducerConfig::default()
    };
    let mut f = Fixture::new(1, 1, config);
    f.push(0, "a");
    f.push(0, "b");
    assert_eq!(f.requests.len(), 1);
    f.answer_next(&not_leader());
    f.wait_ms(121);
    assert_eq!(values(&f.answer_next(&ok(0, 0)).batches), ["a"]);
    assert_eq!(values(&f.answer_next(&out_of_order()).batches), ["b"]);
    assert_eq!(f.results(), [Ok(Some(0)), Err((ProduceErrorKind::Refused, Effect::None))]);
}
