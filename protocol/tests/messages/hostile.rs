//! Bytes that are no message.

use bytes::Bytes;
use klamm_protocol::Message;
use klamm_protocol::messages::fetch::{
    FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use klamm_protocol::wire::{DecodeReason, EncodeReason, Reader, Writer};

use crate::encoding::{hex, unhex};
use crate::random::Random;
use crate::round_trip::for_each_message;
use crate::{AnyMessage, oracle, random};

#[test]
fn truncated_messages_are_errors() {
    for_each_message(2, |schema, version, json| {
        let bytes = oracle::encode(schema, version, &json);
        for len in 0..bytes.len().min(300) {
            let result = AnyMessage::decode_all(schema, version, &bytes[..len]);
            let error = result.expect_err("a part of a message");
            assert_eq!(error.message(), schema.name, "{error}");
            assert!(error.offset() <= len, "{error}");
        }
    });
}

#[test]
fn mutated_messages_do_no_harm() {
    let mut accepted = 0;
    let mut refused = 0;
    for_each_message(4, |schema, version, json| {
        let original = oracle::encode(schema, version, &json);
        let mut random = Random::new(original.len() as u64);
        for _ in 0..20 {
            let mut bytes = original.clone();
            for _ in 0..1 + random.below(3) {
                if !bytes.is_empty() {
                    let place = random.below(bytes.len().min(200));
                    bytes[place] = [0, 1, 0x7f, 0x80, 0xff, random.next() as u8][random.below(6)];
                }
            }
            match AnyMessage::decode_all(schema, version, &bytes) {
                // What can be read can be written, and reads the same again. NaN does not equal itself.
                Ok(message) if !message.text().contains("NaN") => {
                    let written = message.encode(version).unwrap();
                    assert_eq!(AnyMessage::decode_all(schema, version, &written).unwrap(), message);
                    accepted += 1;
                }
                Ok(_) => {}
                Err(error) => {
                    assert!(error.offset() <= bytes.len(), "{error}");
                    refused += 1;
                }
            }
        }
    });
    assert!(accepted > 1000 && refused > 1000, "{accepted} {refused}");
}

#[test]
fn the_densest_lists_fit_the_budget() {
    for_each_message(1, |schema, version, _| {
        // Elements at their smallest, very many: what costs the most memory for a byte.
        let json = random::densest(schema, version, 300);
        let bytes = oracle::encode(schema, version, &json);
        AnyMessage::decode_all(schema, version, &bytes)
            .unwrap_or_else(|error| panic!("{} v{version}: {error}", schema.name));
    });
}

fn failure<M: Message>(text: &str, version: i16) -> (String, usize, DecodeReason) {
    let mut reader = Reader::new(Bytes::from(unhex(text)));
    let error = M::decode(&mut reader, version).expect_err("not a message");
    assert_eq!((error.message(), error.version()), (M::NAME, version));
    (error.path(), error.offset(), error.reason())
}

#[test]
fn errors_name_the_field_and_the_offset() {
    // A claim of a billion brokers.
    let claim = failure::<MetadataResponse>("000000003b9aca000000000000", 3);
    assert_eq!(claim, ("brokers".into(), 4, DecodeReason::Count { count: 1_000_000_000, remaining: 5 }));

    // No brokers, and two topics of which the second one's second partition ends in its leader.
    let topics = "00000000 00000002 0000 000161 00000000 0000 000162 00000002";
    let replicas = "00000005 00000001 00000002 00000003 00000004 00000005";
    let partitions = format!("0000 00000000 00000001 {replicas} 00000000 0000 00000001 0000");
    let text = format!("{topics}{partitions}").replace(' ', "");
    let cut = failure::<MetadataResponse>(&text, 0);
    let offset = text.len() / 2 - 2;
    let reason = DecodeReason::Truncated { needed: 4, remaining: 2 };
    assert_eq!(cut, ("topics[1].partitions[1].leader_id".into(), offset, reason));
}

#[test]
fn every_kind_of_damage_has_its_reason() {
    let topics = |text: &str| failure::<MetadataRequest>(text, 0);
    assert_eq!(topics("ffffffff"), ("topics".into(), 0, DecodeReason::Null));
    assert_eq!(topics("fffffffe"), ("topics".into(), 0, DecodeReason::NegativeLength(-2)));
    assert_eq!(topics("000000010001ff"), ("topics[0].name".into(), 4, DecodeReason::Utf8));
    assert_eq!(
        topics("000000017fff"),
        ("topics[0].name".into(), 4, DecodeReason::Truncated { needed: 32767, remaining: 0 })
    );
    let flexible = |text: &str| failure::<MetadataRequest>(text, 12);
    assert_eq!(flexible("ffffffff7f"), ("topics".into(), 0, DecodeReason::Varint));
}

#[test]
fn a_tagged_field_must_have_the_size_it_claims() {
    let leader = LeaderIdAndEpoch { leader_id: 1, ..LeaderIdAndEpoch::default() };
    let partition = PartitionData { current_leader: leader, ..PartitionData::default() };
    let topic = FetchableTopicResponse { partitions: vec![partition], ..FetchableTopicResponse::default() };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    let mut writer = Writer::new();
    response.encode(&mut writer, 12).unwrap();
    let mut bytes = writer.into_bytes().to_vec();
    // The size stands before the nine bytes of the field and the ends of the topic and of the message.
    let size = bytes.len() - 12;
    assert_eq!(bytes[size], 9);
    bytes[size] = 10;
    let (path, offset, reason) = failure::<FetchResponse>(&hex(&bytes), 12);
    assert_eq!(
        (path.as_str(), offset, reason),
        ("responses[0].partitions[0]", size + 10, DecodeReason::TagSize)
    );
    bytes[size] = 12;
    assert!(matches!(failure::<FetchResponse>(&hex(&bytes), 12).2, DecodeReason::Truncated { .. }));
}

#[test]
fn versions_out_of_range_are_errors() {
    let mut reader = Reader::new(Bytes::new());
    let error = MetadataRequest::decode(&mut reader, 99).unwrap_err();
    assert_eq!(error.to_string(), "MetadataRequest v99: no such version at byte 0");
    let error = MetadataRequest::default().encode(&mut Writer::new(), -1).unwrap_err();
    assert_eq!(error.reason(), EncodeReason::Version);
}

#[test]
fn a_field_that_the_version_lacks_is_an_error_unless_ignorable() {
    let request = MetadataRequest { include_topic_authorized_operations: true, ..MetadataRequest::default() };
    let error = request.encode(&mut Writer::new(), 7).unwrap_err();
    assert_eq!(error.field(), "MetadataRequest.include_topic_authorized_operations");
    assert_eq!(error.reason(), EncodeReason::Unsupported);
    request.encode(&mut Writer::new(), 8).unwrap();

    let response = MetadataResponse { throttle_time_ms: 7, ..MetadataResponse::default() };
    assert_eq!(response.encoded_len(3).unwrap(), response.encoded_len(2).unwrap() + 4);

    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    assert_eq!(request.encode(&mut Writer::new(), 0).unwrap_err().reason(), EncodeReason::Null);
}

#[test]
fn nullable_structs_have_a_marker() {
    use klamm_protocol::messages::describe_topic_partitions::{Cursor, DescribeTopicPartitionsRequest};
    let none = DescribeTopicPartitionsRequest::default();
    let mut writer = Writer::new();
    none.encode(&mut writer, 0).unwrap();
    assert_eq!(&writer.into_bytes()[..], unhex("01000007d0ff00"));
    let some = DescribeTopicPartitionsRequest { cursor: Some(Cursor::default()), ..none };
    let mut writer = Writer::new();
    some.encode(&mut writer, 0).unwrap();
    assert_eq!(&writer.into_bytes()[..], unhex("01000007d001010000000000 00".replace(' ', "").as_str()));
    let bad = failure::<DescribeTopicPartitionsRequest>("01000007d00500", 0);
    assert_eq!(bad, ("cursor".into(), 5, DecodeReason::Presence(5)));
}
