//! Message bodies as the Java classes encode them.

use serde_json::Value as Json;

use crate::encoding::{hex, unhex};
use crate::{AnyMessage, debug, oracle, schemas, vector_file};

#[test]
fn java_bytes_and_values() {
    let schemas = schemas();
    let mut count = 0;
    for line in vector_file("protocol.jsonl").lines() {
        let vector: Json = serde_json::from_str(line).unwrap();
        let kind = if vector["kind"] == "request" { "Request" } else { "Response" };
        let name = format!("{}{kind}", vector["api"].as_str().unwrap());
        let version = vector["version"].as_i64().unwrap() as i16;
        let expected = vector["hex"].as_str().unwrap();
        let bytes = unhex(expected);
        let schema = schemas.iter().find(|schema| schema.name == name).unwrap();
        let context = format!("{name} v{version}");

        let read = oracle::decode(schema, version, &bytes).unwrap();
        let mut json = vector["json"].clone();
        restore_records(&mut json, &read);
        if name == "TxnOffsetCommitRequest" {
            rename(&mut json, "generationId", "generationIdOrMemberEpoch");
        }

        let message = AnyMessage::decode_all(schema, version, &bytes).unwrap();
        debug::check(&message.text(), &json);
        assert_eq!(hex(&message.encode(version).unwrap()), expected, "{context}");
        assert_eq!(message.encoded_len(version), bytes.len(), "{context}");

        assert_eq!(read, json, "{context}");
        assert_eq!(hex(&oracle::encode(schema, version, &json)), expected, "{context}");
        count += 1;
    }
    assert_eq!(count, 196);
}

/// The Java classes print the records of a response as empty once they have been read. The bytes have them all the
/// same, and `read` is what is in these.
pub(crate) fn restore_records(json: &mut Json, read: &Json) {
    match json {
        Json::Object(fields) => {
            for (name, value) in fields {
                if name.to_lowercase().ends_with("records") && value == "" {
                    *value = read[name].clone();
                } else {
                    restore_records(value, &read[name]);
                }
            }
        }
        Json::Array(list) => {
            for (index, value) in list.iter_mut().enumerate() {
                restore_records(value, &read[index]);
            }
        }
        _ => {}
    }
}

/// Newer releases have a new name for some fields.
fn rename(json: &mut Json, old: &str, new: &str) {
    let fields = json.as_object_mut().unwrap();
    if let Some(value) = fields.remove(old) {
        fields.insert(new.to_owned(), value);
    }
}
