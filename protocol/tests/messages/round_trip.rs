//! Every version of every message there and back.

use klamm_protocol::schema::Schema;
use serde_json::Value as Json;

use crate::encoding::hex;
use crate::random::Random;
use crate::{AnyMessage, debug, oracle, random, schemas};

const PER_VERSION: u64 = 12;

/// Calls a check with random messages of every version of every API.
pub(crate) fn for_each_message(per_version: u64, mut check: impl FnMut(&Schema, i16, Json)) {
    for schema in schemas() {
        for version in schema.versions.low..=schema.versions.high {
            for seed in 0..per_version {
                let message = random::message(&schema, version, &mut Random::new(seed));
                check(&schema, version, message);
            }
        }
    }
}

#[test]
fn generated_code_agrees_with_the_interpreter() {
    let mut count = 0;
    for_each_message(PER_VERSION, |schema, version, json| {
        let context = format!("{} v{version} {json}", schema.name);
        let bytes = oracle::encode(schema, version, &json);
        assert_eq!(oracle::decode(schema, version, &bytes).as_ref(), Some(&json), "{context}");

        let message = AnyMessage::decode_all(schema, version, &bytes)
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        debug::check(&message.text(), &json);
        let written = message.encode(version).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(hex(&written), hex(&bytes), "{context}");
        assert_eq!(message.encoded_len(version), bytes.len(), "{context}");
        assert_eq!(AnyMessage::decode_all(schema, version, &written).unwrap(), message, "{context}");
        count += 1;
    });
    assert_eq!(count, 728 * PER_VERSION);
}

#[test]
fn unknown_tagged_fields_survive() {
    for_each_message(2, |schema, version, json| {
        if !schema.flexible.contains(version) {
            return;
        }
        let mut bytes = oracle::encode(schema, version, &json);
        // The section of tagged fields stands last: make it hold two unknown ones.
        let known = schema.fields.iter().any(|field| field.tag.is_some());
        if known || bytes.pop() != Some(0) {
            return;
        }
        bytes.extend([2, 100, 0, 0xc8, 0x01, 3, 7, 8, 9]);
        let message = AnyMessage::decode_all(schema, version, &bytes).unwrap();
        assert_eq!(hex(&message.encode(version).unwrap()), hex(&bytes), "{} v{version}", schema.name);
        assert_eq!(message.encoded_len(version), bytes.len());
    });
}

#[test]
fn defaults_can_be_written_in_every_version() {
    for schema in schemas() {
        for version in schema.versions.low..=schema.versions.high {
            let newest = AnyMessage::default_of(&schema);
            newest.encode(version).unwrap_or_else(|error| panic!("{} v{version}: {error}", schema.name));
        }
    }
}
