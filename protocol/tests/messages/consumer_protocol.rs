//! What members of a classic group tell each other.

use bytes::Bytes;
use klamm_protocol::Message;
use klamm_protocol::messages::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use klamm_protocol::wire::{Reader, Writer};
use serde_json::{Value as Json, json};

use crate::encoding::{hex, unhex};
use crate::vector_file;

/// Decodes a document behind its version. Versions that are not known are read as the newest that is.
fn decode<M: Message>(vector: &Json) -> (i16, M, Reader) {
    let mut reader = Reader::new(Bytes::from(unhex(vector["hex"].as_str().unwrap())));
    let version = reader.read_i16().min(M::MAX_VERSION);
    let document = M::decode(&mut reader, version).unwrap();
    (version, document, reader)
}

fn encode<M: Message>(version: i16, document: &M) -> String {
    let mut writer = Writer::new();
    writer.write_i16(version);
    document.encode(&mut writer, version).unwrap();
    hex(&writer.into_bytes())
}

fn pairs<'a>(topics: impl Iterator<Item = (&'a str, &'a [i32])>) -> Json {
    let pairs =
        topics.flat_map(|(topic, partitions)| partitions.iter().map(move |each| json!([topic, each])));
    Json::Array(pairs.collect())
}

fn check_subscription(vector: &Json) {
    let (version, document, reader) = decode::<ConsumerProtocolSubscription>(vector);
    if vector["name"].as_str().unwrap().ends_with("unknown") {
        assert_eq!(reader.remaining(), 6);
    } else {
        reader.finish().unwrap();
        assert_eq!(Json::from(encode(version, &document)), vector["hex"]);
    }
    let owned = document.owned_partitions.iter().map(|each| (each.topic.as_str(), &each.partitions[..]));
    if vector.get("owned").is_some() {
        assert_eq!(pairs(owned), vector["owned"]);
        assert_eq!(i64::from(document.generation_id), vector["generation"].as_i64().unwrap_or(-1));
        assert_eq!(document.rack_id.as_deref(), vector["rack"].as_str());
    }
    if vector.get("topics").is_some() {
        let topics: Vec<&str> = document.topics.iter().map(|topic| topic.as_str()).collect();
        assert_eq!(json!(topics), vector["topics"]);
        assert_eq!(document.user_data.map(|data| hex(&data)).as_deref(), vector["user_data"].as_str());
    }
}

fn check_assignment(vector: &Json) {
    let (version, document, reader) = decode::<ConsumerProtocolAssignment>(vector);
    reader.finish().unwrap();
    assert_eq!(Json::from(encode(version, &document)), vector["hex"]);
    let assigned =
        document.assigned_partitions.iter().map(|each| (each.topic.as_str(), &each.partitions[..]));
    let expected = vector.get("partitions").cloned().unwrap_or_else(|| json!([]));
    assert_eq!(pairs(assigned), expected);
}

#[test]
fn java_documents() {
    let vectors: Vec<Json> = serde_json::from_str(&vector_file("consumer_protocol.json")).unwrap();
    let (mut subscriptions, mut assignments) = (0, 0);
    for vector in &vectors {
        let name = vector["name"].as_str().unwrap();
        if name.starts_with("subscription") {
            check_subscription(vector);
            subscriptions += 1;
        } else if name.starts_with("assignment") {
            check_assignment(vector);
            assignments += 1;
        }
    }
    assert_eq!((subscriptions, assignments), (6, 5));
}
