//! The primitives, and the values that messages are made of.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use klamm_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::wire::{DecodeReason, EncodeReason, Reader, Writer};
use klamm_protocol::{ApiKey, ErrorCode, Ints, Message, RecordBytes, Str, UnknownTags, Uuid};

#[test]
fn varints_at_every_width() {
    for (value, bytes) in [
        (0, vec![0]),
        (127, vec![0x7f]),
        (128, vec![0x80, 1]),
        (16_383, vec![0xff, 0x7f]),
        (16_384, vec![0x80, 0x80, 1]),
        (u32::MAX, vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        let mut writer = Writer::new();
        writer.write_varint(value);
        assert_eq!(writer.into_bytes(), bytes);
        let mut reader = Reader::new(Bytes::from(bytes));
        assert_eq!(reader.read_varint(), value);
        reader.finish().unwrap();
    }
    let mut reader = Reader::new(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x1f]));
    assert_eq!(reader.read_varint(), 0);
    assert_eq!(reader.check().unwrap_err().reason(), DecodeReason::Varint);
}

#[test]
fn a_failed_reader_yields_nothing_more() {
    let mut reader = Reader::new(Bytes::from_static(&[0, 5, b'a', 1, 2, 3]));
    assert_eq!(reader.read_string(), "");
    let first = reader.check().unwrap_err();
    assert_eq!(first.reason(), DecodeReason::Truncated { needed: 5, remaining: 4 });
    assert_eq!((reader.read_i32(), reader.read_ints().len(), reader.remaining()), (0, 0, 0));
    assert_eq!(reader.finish().unwrap_err(), first);
}

#[test]
fn trailing_bytes_are_an_error_only_at_the_end() {
    let mut reader = Reader::new(Bytes::from_static(&[1, 2, 3]));
    reader.read_i8();
    reader.check().unwrap();
    assert_eq!(reader.finish().unwrap_err().reason(), DecodeReason::Trailing(2));
}

/// A produce request with a header of 61 bytes and a payload of a size.
fn produce(payload: &Bytes) -> ProduceRequest {
    let records = RecordBytes::new(Bytes::from(vec![7; 61]), payload.clone());
    let partition = PartitionProduceData { records: Some(records), ..PartitionProduceData::default() };
    let topic = TopicProduceData { partition_data: vec![partition; 2], ..TopicProduceData::default() };
    ProduceRequest { topic_data: vec![topic], ..ProduceRequest::default() }
}

#[test]
fn large_buffers_are_passed_on_by_reference() {
    let payload = Bytes::from(vec![42; 5000]);
    let request = produce(&payload);
    let mut writer = Writer::new();
    let frame = writer.begin_length();
    request.encode(&mut writer, 13).unwrap();
    writer.end_length(&frame);
    let len = writer.len();
    assert_eq!(len, 4 + request.encoded_len(13).unwrap());

    let segments = writer.into_segments();
    let shared = segments.iter().filter(|segment| segment.as_ptr() == payload.as_ptr()).count();
    assert_eq!((segments.len(), shared), (5, 2));
    let mut reader = Reader::new(Bytes::from(segments.concat()));
    assert_eq!(reader.read_i32() as usize, len - 4);
    assert_eq!(ProduceRequest::decode(&mut reader, 13).unwrap(), request);
    reader.finish().unwrap();
}

#[test]
fn a_large_buffer_in_a_tagged_field_moves_with_it() {
    let mut tags = UnknownTags::new();
    tags.insert(9, Bytes::from(vec![9; 3000]));
    tags.insert(4, Bytes::from_static(&[4]));
    let request = ProduceRequest { unknown_tags: tags, ..produce(&Bytes::from(vec![1; 2000])) };
    let mut writer = Writer::new();
    request.encode(&mut writer, 9).unwrap();
    let bytes = writer.into_bytes();
    assert_eq!(bytes.len(), request.encoded_len(9).unwrap());
    assert_eq!(ProduceRequest::decode(&mut Reader::new(bytes), 9).unwrap(), request);
}

#[test]
fn texts_beyond_their_length_field_are_errors() {
    let long = Str::from("x".repeat(32_768));
    let request = ProduceRequest { transactional_id: Some(long), ..ProduceRequest::default() };
    for version in [3, 9] {
        let error = request.encoded_len(version).unwrap_err();
        assert_eq!(error.reason(), EncodeReason::TooLong(32_768));
    }
}

#[test]
fn strings_behave_as_str() {
    let text = Str::copy_of("Gerstäcker");
    assert_eq!(text, "Gerstäcker");
    assert_eq!((text.len(), text.to_string()), (11, "Gerstäcker".to_owned()));
    assert_eq!(format!("{:?}", Str::from("a\"b")), "\"a\\\"b\"");
    assert!(HashSet::from([text.clone()]).contains("Gerstäcker"));
    assert!(BTreeSet::from([text]).contains("Gerstäcker"));
    let [first, second] = ["a", "b"].map(Str::from);
    assert!(first < second && Str::default().is_empty());
    assert_eq!(Str::from_utf8(Bytes::from_static(&[0xff])), None);
}

#[test]
fn uuids_are_written_as_kafka_writes_them() {
    let id = Uuid([
        0x5c, 0xe0, 0x0b, 0xb4, 0xd3, 0x1c, 0x4c, 0x4d, 0x9f, 0xff, 0x01, 0x80, 0x7e, 0x22, 0x03, 0xa5,
    ]);
    assert_eq!(id.to_string(), "XOALtNMcTE2f_wGAfiIDpQ");
    assert_eq!("XOALtNMcTE2f_wGAfiIDpQ".parse(), Ok(id));
    assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
    assert!(Uuid::ZERO.is_zero() && !id.is_zero());
    for wrong in ["", "XOALtNMcTE2f_wGAfiIDp", "XOALtNMcTE2f_wGAfiIDpR", "XOALtNMcTE2f+wGAfiIDpQ"] {
        assert!(wrong.parse::<Uuid>().is_err(), "{wrong}");
    }
}

#[test]
fn integer_lists_of_every_length() {
    for len in 0..10 {
        let values: Vec<i32> = (0..len).map(|value| value * 1000 - 3).collect();
        let list = Ints::from(values.clone());
        assert_eq!((&list[..], &list), (&values[..], &values.iter().copied().collect()));
        for flexible in [false, true] {
            let mut writer = Writer::new();
            writer.set_flexible(flexible);
            writer.write_ints(&list);
            let mut reader = Reader::new(writer.into_bytes());
            reader.set_flexible(flexible);
            assert_eq!(reader.read_nullable_ints(), Some(list.clone()));
            reader.finish().unwrap();
        }
    }
}

#[test]
fn error_codes_know_their_names() {
    assert_eq!(ErrorCode::NOT_LEADER_OR_FOLLOWER.to_string(), "NOT_LEADER_OR_FOLLOWER (6)");
    assert!(ErrorCode::NOT_LEADER_OR_FOLLOWER.is_stale_metadata());
    assert!(ErrorCode::REQUEST_TIMED_OUT.is_retriable() && !ErrorCode::REQUEST_TIMED_OUT.is_stale_metadata());
    assert!(!ErrorCode::UNKNOWN_SERVER_ERROR.is_retriable());
    assert_eq!((ErrorCode::NONE.ok(), ErrorCode(-1).ok()), (Ok(()), Err(ErrorCode::UNKNOWN_SERVER_ERROR)));
    assert_eq!((ErrorCode(137).name(), ErrorCode(-2).name(), ErrorCode(i16::MIN).name()), (None, None, None));
    assert_eq!((ErrorCode::all().len(), ErrorCode(999).to_string()), (138, "error 999".into()));
}

#[test]
fn api_keys_know_their_versions() {
    assert_eq!((ApiKey::METADATA.name(), ApiKey::METADATA.max_version()), (Some("Metadata"), Some(13)));
    assert_eq!(ApiKey::INIT_PRODUCER_ID.max_version(), Some(6));
    assert_eq!(ApiKey::INIT_PRODUCER_ID.max_stable_version(), Some(5));
    assert!(ApiKey::FETCH.is_client_facing() && !ApiKey::VOTE.is_client_facing());
    assert_eq!((ApiKey(95).name(), ApiKey(-1).min_version(), ApiKey::all().len()), (None, None, 95));
}
