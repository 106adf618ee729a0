//! When batches are sealed and sent, and what requests look like.

use core::time::Duration;
use std::{collections::BTreeSet, format, vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Uuid,
    compression::Compression,
    records::{Batches, Header, RecordRef},
};

use super::fixture::{Fixture, Received, ok, refuse};
use crate::{
    BrokerId, PartitionIndex,
    producer::{Acks, Codecs, ProduceErrorKind, ProducerConfig, ProducerOutput},
};

fn partitions(batches: &[Received]) -> Vec<u32> {
    batches.iter().map(|batch| batch.partition).collect()
}

#[test]
fn a_batch_lingers_and_takes_more_records_meanwhile() {
    let mut f = Fixture::simple();
    f.append(0, "a");
    f.wait_ms(4);
    assert!(f.requests.is_empty());
    f.append(0, "b");
    f.drain();
    f.wait_ms(1);
    assert_eq!(f.request().batches[0].values, ["a", "b"]);
}

#[test]
fn a_full_batch_does_not_linger() {
    let mut f = Fixture::simple();
    let large = "x".repeat(9_000);
    f.append(0, &large);
    f.drain();
    assert!(f.requests.is_empty());
    f.append(0, &large);
    f.drain();
    assert_eq!(f.request().batches[0].values.len(), 1);
    assert!(f.requests.is_empty(), "the second batch is open and lingers");
}

#[test]
fn lingering_is_per_broker_so_that_many_partitions_make_one_request() {
    let mut f = Fixture::new(256, 1, ProducerConfig::default());
    for partition in 0..256 {
        f.append(partition, "v");
        f.drain();
        f.now = f.now + Duration::from_micros(10);
    }
    assert!(f.requests.is_empty());
    f.wait_ms(5);
    let request = f.request();
    assert_eq!(partitions(&request.batches), (0..256).collect::<Vec<_>>());
    assert!(f.requests.is_empty());
}

#[test]
fn a_request_goes_to_each_leader() {
    let mut f = Fixture::new(4, 2, ProducerConfig::default());
    for partition in 0..4 {
        f.append(partition, "v");
    }
    f.wait_ms(5);
    let (first, second) = (f.request(), f.request());
    assert_eq!((first.broker, partitions(&first.batches)), (BrokerId(0), vec![0, 2]));
    assert_eq!((second.broker, partitions(&second.batches)), (BrokerId(1), vec![1, 3]));
}

#[test]
fn a_request_holds_one_batch_of_a_partition() {
    let mut f = Fixture::simple();
    f.prove(0);
    let large = "x".repeat(9_000);
    for _ in 0..3 {
        f.append(0, &large);
    }
    f.producer.flush(f.now);
    f.drain();
    assert_eq!(f.requests.len(), 3);
    assert!(f.requests.iter().all(|request| request.batches.len() == 1));
}

#[test]
fn after_a_lost_connection_a_batch_goes_alone_until_it_is_acknowledged() {
    let mut f = Fixture::simple();
    f.prove(0);
    f.producer.handle_unready(f.now, BrokerId(0));
    let large = "x".repeat(9_000);
    for _ in 0..3 {
        f.append(0, &large);
    }
    f.producer.flush(f.now);
    f.drain();
    assert_eq!(f.requests.len(), 1);
    f.answer_next(&ok(0, 1));
    assert_eq!(f.requests.len(), 2);
}

#[test]
fn requests_stay_below_max_request_size_and_partitions_take_turns() {
    let config = ProducerConfig { max_request_size: 40_000, ..ProducerConfig::default() };
    let mut f = Fixture::new(10, 1, config);
    let value = "x".repeat(9_000);
    for partition in 0..10 {
        f.append(partition, &value);
    }
    f.wait_ms(5);
    let mut seen = BTreeSet::new();
    let mut sizes = Vec::new();
    while let Some(request) = f.requests.pop_front() {
        let bytes: usize = request.request.topic_data[0]
            .partition_data
            .iter()
            .map(|data| data.records.as_ref().unwrap().len())
            .sum();
        assert!(bytes <= 40_000);
        sizes.push(request.batches.len());
        seen.extend(partitions(&request.batches));
    }
    assert_eq!(sizes, [4, 4, 2]);
    assert_eq!(seen.len(), 10);
}

#[test]
fn a_partition_that_always_has_more_does_not_keep_others_waiting() {
    let config = ProducerConfig {
        max_request_size: 12_000,
        max_in_flight: 1,
        linger: Duration::ZERO,
        ..ProducerConfig::default()
    };
    let mut f = Fixture::new(3, 1, config);
    let value = "x".repeat(9_000);
    for partition in [0, 0, 0, 1, 2] {
        f.append(partition, &value);
    }
    f.drain();
    let mut turns = Vec::new();
    for _ in 0..5 {
        let request = f.request();
        let sent = partitions(&request.batches);
        assert_eq!(sent.len(), 1, "there is room for one batch");
        turns.extend(sent.iter().copied());
        f.answer(&request, &[ok(sent[0], 0)]);
        f.drain();
    }
    assert_eq!(turns[..3], [0, 1, 2], "everybody before anybody twice: {turns:?}");
}

#[test]
fn at_most_five_requests_are_in_flight_to_a_broker() {
    let config = ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() };
    let mut f = Fixture::new(8, 1, config);
    for partition in 0..8 {
        f.append(partition, "v");
        f.drain();
    }
    assert_eq!(f.requests.len(), 5);
    f.answer_next(&ok(0, 0));
    let sixth = f.requests.pop_back().unwrap();
    assert_eq!(partitions(&sixth.batches), [5, 6, 7], "what waited goes together");
}

#[test]
fn batches_grow_while_the_window_is_full() {
    let mut f = Fixture::eager();
    f.append(0, "first");
    f.drain();
    for number in 0..50 {
        f.append(0, &format!("{number}"));
        f.drain();
    }
    assert_eq!(f.requests.len(), 1);
    f.answer_next(&ok(0, 0));
    assert_eq!(f.request().batches[0].values.len(), 50);
}

#[test]
fn records_arrive_as_they_were_appended_with_every_codec() {
    for compression in Compression::ALL {
        let mut f = Fixture::new(
            1,
            1,
            ProducerConfig { compression: compression.into(), ..ProducerConfig::default() },
        );
        let values: Vec<_> = (0..100).map(|number| format!("value {number} {}", "z".repeat(50))).collect();
        for value in &values {
            f.append(0, value);
        }
        f.wait_ms(5);
        let request = f.request();
        assert_eq!(request.batches[0].values, values);
        let bytes = request.request.topic_data[0].partition_data[0].records.clone().unwrap().into_bytes();
        let codec = Batches::new(&bytes).next().unwrap().unwrap().compression();
        assert_eq!(codec, compression);
    }
}

#[test]
fn the_first_codec_by_preference_that_the_broker_takes_is_used() {
    use Compression::{Gzip, Lz4, None, Zstd};
    let cases = [
        (vec![Zstd], None, Zstd),
        (vec![Zstd, Lz4, None], Lz4, Zstd),
        (vec![Zstd, Zstd, Gzip, Lz4], Gzip, Zstd),
        (vec![Lz4, Zstd], Lz4, Lz4),
        (vec![], None, None),
    ];
    for (codecs, old, new) in cases {
        let compression = Codecs::by_preference(codecs.clone());
        let config = ProducerConfig { compression, ..ProducerConfig::default() };
        for (version, expected) in [(6, old), (7, new)] {
            let mut f = Fixture::new(1, 1, config.clone());
            f.version = version;
            f.append(0, &"z".repeat(1000));
            f.wait_ms(5);
            let records = f.request().request.topic_data[0].partition_data[0].records.clone();
            let bytes = records.unwrap().into_bytes();
            let used = Batches::new(&bytes).next().unwrap().unwrap().compression();
            assert_eq!(used, expected, "{codecs:?} with Produce {version}");
        }
    }
}

/// The cap and the topic id of a request to a topic with this id.
fn request_with_topic_id(topic_id: Uuid) -> (i16, Uuid) {
    let config = ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::default() };
    let mut f = Fixture::with_topic_id(1, 1, config, topic_id);
    f.append(0, "v");
    let mut cap = None;
    while let Some(output) = f.producer.poll(f.now, &f.cluster) {
        if let ProducerOutput::Request(request) = &output {
            cap = Some(request.max_version);
        }
        f.act(output);
    }
    (cap.unwrap(), f.request().request.topic_data[0].topic_id)
}

#[test]
fn without_a_topic_id_the_version_is_capped_at_12() {
    assert_eq!(request_with_topic_id(Uuid([4; 16])), (13, Uuid([4; 16])));
    assert_eq!(request_with_topic_id(Uuid::ZERO), (12, Uuid::ZERO));
}

#[test]
fn brokers_before_0_11_get_messages_of_the_older_formats() {
    for (version, magic) in [(0, 0), (1, 0), (2, 1)] {
        let config = ProducerConfig { idempotent: false, ..ProducerConfig::default() };
        let mut f = Fixture::new(1, 1, config);
        f.version = version;
        f.append(0, "a");
        f.append(0, "b");
        f.wait_ms(5);
        let request = f.request();
        let bytes = request.request.topic_data[0].partition_data[0].records.clone().unwrap().into_bytes();
        assert_eq!(Batches::new(&bytes).next().unwrap().unwrap().magic(), magic);
        let values: Vec<_> = request.batches.into_iter().flat_map(|batch| batch.values).collect();
        assert_eq!(values, ["a", "b"]);
    }
}

#[test]
fn a_broker_that_became_too_old_for_identities_gets_no_batch_without_one() {
    for optional in [false, true] {
        let config = ProducerConfig { idempotence_optional: optional, ..ProducerConfig::default() };
        let mut f = Fixture::new(1, 1, config);
        f.prove(0);
        f.results();
        f.version = 2;
        f.producer.handle_ready(f.now, BrokerId(0), 2);
        f.append(0, "a");
        f.wait_ms(5);
        let sent = f.requests.pop_front().map(|request| request.batches.len());
        assert_eq!(sent, optional.then_some(1));
        let refused = Err((ProduceErrorKind::Unsupported, crate::Effect::None));
        assert_eq!(f.results(), if optional { vec![] } else { vec![refused] });
    }
}

#[test]
fn headers_are_refused_for_brokers_that_cannot_store_them() {
    let config = ProducerConfig { idempotent: false, ..ProducerConfig::default() };
    let mut f = Fixture::new(1, 1, config);
    f.version = 2;
    let headers = [Header { key: "h", value: None }];
    let record = RecordRef { headers: &headers, timestamp: 1, ..RecordRef::default() };
    let appended = f.buffers[0].append(&record).unwrap();
    f.producer.handle_signal(f.now, PartitionIndex(0), appended.batch, appended.signal);
    f.wait_ms(5);
    assert!(f.requests.is_empty());
    assert_eq!(f.results(), [Err((ProduceErrorKind::Unsupported, crate::Effect::None))]);
}

#[test]
fn without_acknowledgements_a_written_request_is_the_outcome() {
    let config = ProducerConfig { acks: Acks::None, idempotent: false, ..ProducerConfig::default() };
    let mut f = Fixture::new(1, 1, config);
    f.append(0, "v");
    let mut no_response = None;
    f.now = f.now + Duration::from_millis(5);
    while let Some(output) = f.producer.poll(f.now, &f.cluster) {
        if let ProducerOutput::Request(request) = &output {
            no_response = Some(request.no_response);
        }
        f.act(output);
    }
    assert_eq!(no_response, Some(true));
    let request = f.request();
    assert_eq!(request.request.acks, 0);
    f.producer.handle_written(f.now, request.number);
    f.drain();
    assert_eq!(f.results(), [Ok(None)]);
}

#[test]
fn acks_and_timeout_are_as_configured() {
    for (acks, wire) in [(Acks::Leader, 1), (Acks::All, -1)] {
        let config = ProducerConfig { acks, idempotent: false, ..ProducerConfig::default() };
        let mut f = Fixture::new(1, 1, config);
        f.push(0, "v");
        let request = f.request();
        assert_eq!((request.request.acks, request.request.timeout_ms), (wire, 30_000));
        assert_eq!(request.batches[0].producer_id, -1);
    }
}

#[test]
fn a_broker_without_connection_is_asked_for_once_until_answered() {
    let mut f = Fixture::eager();
    f.connect = false;
    f.append(0, "v");
    f.drain();
    f.append(0, "v");
    f.drain();
    assert_eq!(f.others, [ProducerOutput::Connect(BrokerId(0))]);
    f.producer.handle_unready(f.now, BrokerId(0));
    f.drain();
    assert_eq!(f.others.len(), 2);
    f.producer.handle_ready(f.now, BrokerId(0), 9);
    f.drain();
    assert_eq!(f.request().batches[0].values, ["v", "v"], "the batch took records until it could go");
}

#[test]
fn a_broker_that_takes_nothing_is_avoided_until_it_does() {
    let config = ProducerConfig {
        linger: Duration::ZERO,
        availability_timeout: Duration::from_millis(500),
        ..ProducerConfig::default()
    };
    let mut f = Fixture::new(2, 2, config);
    f.connect = false;
    f.push(0, "for the broker that cannot be reached");
    f.others.clear();
    f.wait_ms(499);
    assert!(f.producer.is_available(BrokerId(0)) && f.others.is_empty(), "it may only be slow");
    f.wait_ms(1);
    assert_eq!(f.others, [ProducerOutput::AvailabilityChanged]);
    assert!(!f.producer.is_available(BrokerId(0)));
    assert!(f.producer.is_available(BrokerId(1)), "nothing waits for the other");
    f.others.clear();
    f.producer.handle_ready(f.now, BrokerId(0), 9);
    f.drain();
    assert_eq!(f.others, [ProducerOutput::AvailabilityChanged]);
    assert!(f.producer.is_available(BrokerId(0)));
    f.answer_next(&ok(0, 1));
}

#[test]
fn a_broker_is_avoided_while_it_answers_nothing_and_more_waits() {
    let config = ProducerConfig {
        linger: Duration::ZERO,
        max_in_flight: 1,
        availability_timeout: Duration::from_millis(500),
        ..ProducerConfig::default()
    };
    let mut f = Fixture::new(2, 1, config);
    f.push(0, "under way");
    f.wait_ms(10_000);
    assert!(f.producer.is_available(BrokerId(0)), "nothing waits for it");
    f.push(1, "waits");
    f.wait_ms(500);
    assert!(!f.producer.is_available(BrokerId(0)));
    f.answer_next(&ok(0, 1));
    assert!(f.producer.is_available(BrokerId(0)), "it took what waited");
}

#[test]
fn signals_that_overtake_each_other_lose_nothing() {
    let mut f = Fixture::simple();
    let large = "x".repeat(9_000);
    let signals: Vec<_> = (0..4)
        .map(|_| {
            let record = RecordRef { value: Some(large.as_bytes()), timestamp: 1, ..RecordRef::default() };
            f.buffers[0].append(&record).unwrap()
        })
        .collect();
    for appended in signals.iter().rev() {
        f.producer.handle_signal(f.now, PartitionIndex(0), appended.batch, appended.signal);
        f.drain();
    }
    f.wait_ms(5);
    for offset in 0..4 {
        f.answer_next(&ok(0, offset));
    }
    assert_eq!(f.results(), [Ok(Some(0)), Ok(Some(1)), Ok(Some(2)), Ok(Some(3))]);
    assert_eq!(f.producer.outstanding(), 0);
}

#[test]
fn a_buffer_that_lacks_what_was_signalled_ends_the_batch_and_does_not_spin() {
    let mut f = Fixture::eager();
    f.append(0, "v");
    f.buffers[0].take();
    f.drain();
    assert_eq!(f.results(), [Err((ProduceErrorKind::Aborted, crate::Effect::None))]);
}

#[test]
fn the_log_append_time_is_reported_where_the_topic_has_it() {
    let mut f = Fixture::eager();
    f.append(0, "v");
    f.drain();
    let request = f.request();
    let mut response = super::fixture::response(&[ok(0, 5)]);
    response.responses[0].partition_responses[0].log_append_time_ms = 1234;
    f.producer.handle_response(f.now, request.number, &response.into()).unwrap();
    f.drain();
    let acknowledged = f.outcomes[0].result.unwrap();
    assert_eq!((acknowledged.base_offset, acknowledged.log_append_time_ms), (Some(5), Some(1234)));
}

#[test]
fn a_response_with_other_partitions_is_nonsense_and_settles_nothing() {
    let mut f = Fixture::new(2, 1, ProducerConfig::default());
    f.push(0, "v");
    let request = f.request();
    let answer = super::fixture::response(&[ok(1, 0)]);
    assert!(f.producer.handle_response(f.now, request.number, &answer.into()).is_err());
    f.drain();
    assert_eq!(f.results(), []);
    f.wait_ms(200);
    let again = f.request();
    assert_eq!(again.batches, request.batches);
    f.answer(&again, &[ok(0, 3)]);
    assert_eq!(f.results(), [Ok(Some(3))]);
}

#[test]
fn a_late_answer_is_ignored() {
    let mut f = Fixture::eager();
    f.append(0, "v");
    f.drain();
    let request = f.answer_next(&ok(0, 0));
    f.answer(&request, &[refuse(0, ErrorCode::NOT_LEADER_OR_FOLLOWER)]);
    assert_eq!(f.results(), [Ok(Some(0))]);
}

#[test]
fn what_is_sent_again_stays_below_max_request_size_as_well() {
    let config = ProducerConfig { max_request_size: 40_000, ..ProducerConfig::default() };
    let mut f = Fixture::new(10, 2, config);
    let value = "x".repeat(9_000);
    for partition in 0..10 {
        f.append(partition, &value);
    }
    f.wait_ms(5);
    while let Some(request) = f.requests.pop_front() {
        let refused = |partition| refuse(partition, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        let replies: Vec<_> = partitions(&request.batches).into_iter().map(refused).collect();
        f.answer(&request, &replies);
    }
    // All go to one broker at once, which ends every pause.
    f.metadata(2, &[1; 10]);
    f.drain();
    let mut sizes: Vec<_> = f.requests.iter().map(|request| request.batches.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes.iter().sum::<usize>(), 10);
    assert!(sizes.iter().all(|batches| *batches <= 4), "{sizes:?}");
}
