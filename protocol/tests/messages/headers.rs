//! Headers, and which of their versions stands in front of what.

use bytes::Bytes;
use klamm_protocol::messages::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use klamm_protocol::wire::{Reader, Writer};
use klamm_protocol::{ApiKey, Message, Str};
use serde_json::Value as Json;

use crate::encoding::{hex, unhex};
use crate::vector_file;

fn vectors() -> Vec<Json> {
    serde_json::from_str(&vector_file("headers.json")).unwrap()
}

fn round_trip<M: Message>(text: &str, version: i16) -> M {
    let mut reader = Reader::new(Bytes::from(unhex(text)));
    let header = M::decode(&mut reader, version).unwrap();
    reader.finish().unwrap();
    let mut writer = Writer::new();
    header.encode(&mut writer, version).unwrap();
    assert_eq!(hex(&writer.into_bytes()), text);
    header
}

#[test]
fn java_headers() {
    let mut count = 0;
    for vector in vectors().iter().filter(|vector| vector["hex"].is_string()) {
        let name = vector["name"].as_str().unwrap();
        let text = vector["hex"].as_str().unwrap();
        let version = if name.contains("_v0") {
            0
        } else if name.contains("_v1") {
            1
        } else {
            2
        };
        if name.starts_with("request") {
            let header: RequestHeader = round_trip(text, version);
            if let Some(key) = vector["api_key"].as_i64() {
                assert_eq!(i64::from(header.request_api_key), key);
                assert_eq!(Json::from(header.request_api_version), vector["api_version"]);
                assert_eq!(Json::from(header.correlation_id), vector["correlation_id"]);
                assert_eq!(header.client_id.as_deref(), vector["client_id"].as_str());
            } else {
                assert_eq!(header.client_id, None);
            }
        } else {
            let header: ResponseHeader = round_trip(text, version);
            assert_eq!(header.correlation_id, 0x0102_0304);
        }
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn java_api_table() {
    let mut count = 0;
    for vector in vectors().iter().filter(|vector| vector["api"].is_string()) {
        let key = ApiKey(vector["key"].as_i64().unwrap() as i16);
        let name = key.name().unwrap().to_uppercase();
        assert_eq!(name, vector["api"].as_str().unwrap().replace('_', ""));
        count += 1;
        let (min, max) = (vector["min"].as_i64().unwrap() as i16, vector["max"].as_i64().unwrap() as i16);
        if max < 0 {
            continue;
        }
        assert!(key.min_version().unwrap() <= min && key.max_version().unwrap() >= max, "{key}");
        assert!(i64::from(key.max_stable_version().unwrap()) >= vector["max_stable"].as_i64().unwrap());
        for (index, version) in (min..=max).enumerate() {
            let request = vector["request_header_by_version"][index].as_i64();
            let response = vector["response_header_by_version"][index].as_i64();
            assert_eq!(request_header_version(key, version).map(i64::from), request, "{key} v{version}");
            assert_eq!(response_header_version(key, version).map(i64::from), response, "{key} v{version}");
        }
    }
    assert_eq!(count, 93);
}

#[test]
fn the_oldest_controlled_shutdown_has_no_client_id() {
    assert_eq!(request_header_version(ApiKey::CONTROLLED_SHUTDOWN, 0), Some(0));
    assert_eq!(request_header_version(ApiKey::CONTROLLED_SHUTDOWN, 1), Some(1));
    let header = RequestHeader { client_id: Some(Str::from("me")), ..RequestHeader::default() };
    // Which client it is may be left out, being ignorable.
    assert_eq!(header.encoded_len(0).unwrap(), 8);
}

#[test]
fn unknown_keys_have_no_header() {
    assert_eq!(request_header_version(ApiKey(-1), 0), None);
    assert_eq!(response_header_version(ApiKey(1000), 0), None);
}
