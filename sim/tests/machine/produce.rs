use klamm_protocol::compression::{Compression, Compressor};
use klamm_protocol::records::{BatchEncoder, BatchLimits, LegacyFormat, RecordRef, Stamp};
use klamm_protocol::{ErrorCode, RecordBytes};

use crate::wire::{Got, WALL, Wire, batch, plain};

#[test]
fn offsets_count_up_over_batches_and_codecs() {
    let mut wire = Wire::with_topic(1, "4.2");
    let mut offset = 0;
    for compression in Compression::ALL {
        let result = wire.produce(9, batch(&["a", "b", "c"], compression, &Stamp::default()));
        assert_eq!((result.error_code, result.base_offset), (ErrorCode::NONE, offset));
        assert_eq!((result.log_append_time_ms, result.log_start_offset), (-1, 0));
        offset += 3;
    }
    assert_eq!(wire.values(), ["a", "b", "c"].repeat(5));
}

#[test]
fn a_repeated_batch_is_stored_once_and_a_gap_is_refused() {
    let mut wire = Wire::with_topic(1, "4.2");
    let at = |sequence| batch(&["x", "y"], Compression::None, &Stamp::idempotent(7, 0, sequence));
    for (sequence, expected) in [(0, 0), (2, 2), (4, 4), (0, 0), (2, 2), (4, 4)] {
        let result = wire.produce(9, at(sequence));
        assert_eq!((result.error_code, result.base_offset), (ErrorCode::NONE, expected));
    }
    assert_eq!(wire.produce(9, at(8)).error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(wire.values().len(), 6);
    let newer = batch(&["z"], Compression::None, &Stamp::idempotent(7, 1, 0));
    assert_eq!(wire.produce(9, newer).error_code, ErrorCode::NONE);
    assert_eq!(wire.produce(9, at(6)).error_code, ErrorCode::INVALID_PRODUCER_EPOCH);
}

#[test]
fn an_unknown_producer_is_refused_before_2_5() {
    for (release, expected) in [("2.4", ErrorCode::UNKNOWN_PRODUCER_ID), ("2.5", ErrorCode::NONE)] {
        let mut wire = Wire::with_topic(1, release);
        let late = batch(&["x"], Compression::None, &Stamp::idempotent(7, 0, 5));
        assert_eq!(wire.produce(7, late).error_code, expected, "{release}");
    }
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let mut wire = Wire::with_topic(1, "4.2");
    let good = plain(&["a", "b"]).into_bytes();
    let damaged = |index: usize, value: u8| {
        let mut bytes = good.to_vec();
        bytes[index] = value;
        RecordBytes::from(bytes)
    };
    let twice = RecordBytes::new(good.clone(), good.clone());
    let cut = RecordBytes::from(good.slice(..good.len() - 1));
    let transactional = Stamp::idempotent(7, 0, 0).transactional();
    for (what, records, expected) in [
        ("a wrong checksum", damaged(good.len() - 1, 0xff), ErrorCode::CORRUPT_MESSAGE),
        ("an unknown format", damaged(16, 3), ErrorCode::CORRUPT_MESSAGE),
        ("two batches", twice, ErrorCode::INVALID_RECORD),
        ("half a batch", cut, ErrorCode::INVALID_RECORD),
        ("no batch", RecordBytes::default(), ErrorCode::INVALID_RECORD),
        ("a base offset", damaged(7, 9), ErrorCode::INVALID_RECORD),
        (
            "no transaction",
            batch(&["a"], Compression::None, &transactional),
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        ),
        ("too large", plain(&["x".repeat(1_100_000).as_str()]), ErrorCode::MESSAGE_TOO_LARGE),
    ] {
        let result = wire.produce(9, records);
        assert_eq!((result.error_code, result.base_offset), (expected, -1), "{what}");
    }
    let zstd = batch(&["compressible, compressible"; 9], Compression::Zstd, &Stamp::default());
    assert_eq!(wire.produce(6, zstd).error_code, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    assert_eq!(wire.values(), Vec::<String>::new());
}

#[test]
fn settings_of_the_topic_are_obeyed() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.configure_topic("t", "cleanup.policy", Some("compact")).unwrap();
    let mut encoder = BatchEncoder::new(BatchLimits::default());
    encoder.append(&RecordRef { key: None, value: Some(b"v"), headers: &[], timestamp: WALL }).unwrap();
    let keyless = RecordBytes::from(encoder.seal(Compression::None).to_bytes(&Stamp::default()));
    assert_eq!(wire.produce(9, keyless).error_code, ErrorCode::INVALID_RECORD);

    wire.cluster.configure_topic("t", "message.timestamp.after.max.ms", Some("0")).unwrap();
    assert_eq!(wire.produce(9, plain(&["a", "b"])).error_code, ErrorCode::INVALID_TIMESTAMP);

    wire.cluster.configure_topic("t", "message.timestamp.type", Some("LogAppendTime")).unwrap();
    let result = wire.produce(9, plain(&["a", "b"]));
    assert_eq!((result.error_code, result.log_append_time_ms), (ErrorCode::NONE, WALL));
    let records = wire.cluster.records("t", 0).unwrap();
    assert!(records.iter().all(|record| record.timestamp == WALL) && records.len() == 2);
}

#[test]
fn acks_decide_what_is_answered() {
    let mut wire = Wire::with_topic(3, "4.2");
    let connection = wire.connect(1);
    let quiet = wire.produce_request(9, 0, plain(&["a"]));
    assert_eq!(wire.try_call(connection, 9, &quiet), Got::Nothing);
    assert_eq!(wire.values(), ["a"]);
    let strange = wire.produce_request(9, 2, plain(&["b"]));
    let response = wire.call(connection, 9, &strange);
    assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::INVALID_REQUIRED_ACKS);
    let broken = wire.produce_request(9, 0, RecordBytes::default());
    assert_eq!(wire.try_call(connection, 9, &broken), Got::Closed);

    wire.cluster.configure_topic("t", "min.insync.replicas", Some("3")).unwrap();
    wire.cluster.kill(wire.now, 3);
    assert_eq!(wire.produce(9, plain(&["c"])).error_code, ErrorCode::NOT_ENOUGH_REPLICAS);
    let connection = wire.connect(1);
    let leader_only = wire.produce_request(9, 1, plain(&["d"]));
    let response = wire.call(connection, 9, &leader_only);
    assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    assert_eq!(wire.values(), ["a", "d"]);
}

#[test]
fn who_does_not_lead_says_who_does() {
    let mut wire = Wire::with_topic(3, "4.2");
    wire.cluster.set_address(1, "leader.example", 1234);
    let request = wire.produce_request(10, -1, plain(&["a"]));
    let response = wire.ask(2, 10, &request);
    let partition = &response.responses[0].partition_responses[0];
    assert_eq!(partition.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!((partition.current_leader.leader_id, partition.current_leader.leader_epoch), (1, 0));
    let endpoint = &response.node_endpoints[0];
    assert_eq!((endpoint.node_id, endpoint.host.as_str(), endpoint.port), (1, "leader.example", 1234));
    let older = wire.produce_request(9, -1, plain(&["a"]));
    assert!(wire.ask(2, 9, &older).node_endpoints.is_empty());
}

/// Three records as messages of an older format.
fn legacy(format: LegacyFormat, compression: Compression) -> RecordBytes {
    let mut encoder = BatchEncoder::new(BatchLimits::default());
    for value in ["one-one-one-one-one", "one-one-one-one-two", "one-one-one-one-six"] {
        let record =
            RecordRef { key: Some(b"k"), value: Some(value.as_bytes()), headers: &[], timestamp: WALL };
        encoder.append(&record).unwrap();
    }
    let sealed = encoder.seal(Compression::None);
    RecordBytes::from(sealed.to_legacy(format, &mut Compressor::new(compression)).unwrap())
}

#[test]
fn older_formats_are_stored_in_the_format_of_the_release_and_read_in_that_of_the_request() {
    for release in ["0.10.0", "0.10.2", "0.11.0", "2.8", "3.9"] {
        let mut wire = Wire::with_topic(1, release);
        let codecs = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4];
        for (index, compression) in codecs.into_iter().enumerate() {
            for (version, format) in [(0, LegacyFormat::V0), (1, LegacyFormat::V0), (2, LegacyFormat::V1)] {
                let result = wire.produce(version, legacy(format, compression));
                let expected = 9 * i64::try_from(index).unwrap() + 3 * i64::from(version);
                assert_eq!((result.error_code, result.base_offset), (ErrorCode::NONE, expected), "{release}");
            }
        }
        let values = wire.values();
        assert_eq!(values.len(), 36, "{release}");
        assert!(values.chunks(3).all(|three| three[0].ends_with("one") && three[2].ends_with("six")));
        let newest = if release == "0.10.0" { 2 } else { 3 };
        for (version, magic) in [(0, 0), (1, 0), (2, 1), (newest, 1)] {
            let data = wire.fetch(version, 4);
            let bytes = data.records.unwrap().into_bytes();
            let batches: Vec<_> =
                klamm_protocol::records::Batches::new(&bytes).collect::<Result<_, _>>().unwrap();
            assert!(batches.iter().all(|batch| batch.magic() == magic), "{release} v{version}");
            assert_eq!(batches.last().unwrap().last_offset(), 35, "{release} v{version}");
        }
    }
}
