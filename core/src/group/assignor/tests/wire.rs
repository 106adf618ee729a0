//! The forms on the wire, as the Java classes write them.

use std::{fs, path::Path};

use serde_json::Value as Json;

use super::super::{
    subscription::{
        generation_user_data, read_generation_user_data, read_sticky_user_data, sticky_user_data,
    },
    *,
};
use std::{format, string::String, vec, vec::Vec};

fn vectors() -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/vectors/consumer_protocol.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(vector: &Json) -> Bytes {
    let hex = vector["hex"].as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pairs(partitions: &[TopicPartitions]) -> Json {
    let pairs = partitions
        .iter()
        .flat_map(|each| each.partitions.iter().map(|it| serde_json::json!([each.topic.as_str(), it])));
    Json::Array(pairs.collect())
}

#[test]
fn what_java_writes_is_read_and_written() {
    let mut seen = 0;
    for vector in vectors() {
        let name = vector["name"].as_str().unwrap();
        let version = name.split("_v").nth(1).map(|rest| i16::from(rest.as_bytes()[0] - b'0'));
        if name.starts_with("subscription") {
            let said = Subscription::decode(bytes(&vector)).unwrap();
            assert_eq!(said.generation.map(i64::from), vector["generation"].as_i64(), "{name}");
            assert_eq!(said.rack.as_deref(), vector["rack"].as_str(), "{name}");
            if !vector["owned"].is_null() {
                assert_eq!(pairs(&said.owned), vector["owned"], "{name}");
            }
            if version.unwrap() <= Subscription::VERSION {
                assert_eq!(hex(&said.encode_as(version.unwrap()).unwrap()), vector["hex"], "{name}");
            }
            seen += 1;
        } else if name.starts_with("assignment") {
            let assigned = Assignment::decode(bytes(&vector)).unwrap();
            let again = hex(&assigned.encode().unwrap());
            // All versions of it look alike but for their number.
            assert_eq!(again[4..], vector["hex"].as_str().unwrap()[4..], "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen} vectors");
}

#[test]
fn the_sticky_assignors_data_are_read_in_both_forms_and_nonsense_is_nothing() {
    for vector in vectors() {
        let data = bytes(&vector);
        match vector["name"].as_str().unwrap() {
            "sticky_userdata_v1" => {
                let (partitions, generation) = read_sticky_user_data(&data);
                assert_eq!((pairs(&partitions), generation), (vector["partitions"].clone(), Some(5)));
                assert_eq!(sticky_user_data(&partitions, generation), Some(data));
            }
            "sticky_userdata_v0" => {
                let (partitions, generation) = read_sticky_user_data(&data);
                assert_eq!((pairs(&partitions), generation), (vector["partitions"].clone(), None));
            }
            "sticky_userdata_garbage" => {
                assert_eq!(read_sticky_user_data(&data), (Vec::new(), None));
            }
            "cooperative_sticky_userdata" => {
                assert_eq!(read_generation_user_data(&data), Some(6));
                assert_eq!(generation_user_data(Some(6)), data);
            }
            _ => {}
        }
    }
}

#[test]
fn each_assignor_says_of_its_member_what_its_leader_reads() {
    let joining = Joining {
        topics: vec!["b".into(), "a".into(), "b".into()],
        owned: vec![TopicPartitions::new("b", [1]), TopicPartitions::new("a", [0, 2])],
        assigned: vec![TopicPartitions::new("a", [0, 2]), TopicPartitions::new("b", [1])],
        generation: Some(3),
        rack: Some("r".into()),
    };
    for assignor in Assignor::ALL {
        assert_eq!(Assignor::by_name(assignor.name()), Some(assignor));
        let said = assignor.subscription(&joining);
        assert_eq!(said.topics, ["a", "b"].map(Str::from));
        assert_eq!(said.owned, joining.assigned);
        assert_eq!(Subscription::decode(said.encode().unwrap()), Ok(said.clone()));
        let oldest = Subscription::decode(said.encode_as(0).unwrap()).unwrap();
        assert_eq!((oldest.owned, oldest.generation, oldest.rack), (Vec::new(), None, None));
        match assignor {
            Assignor::Range | Assignor::RoundRobin => assert_eq!(said.user_data, None),
            Assignor::Sticky => assert_eq!(
                read_sticky_user_data(&said.user_data.unwrap()),
                (joining.assigned.clone(), Some(3))
            ),
            Assignor::CooperativeSticky => {
                assert_eq!(read_generation_user_data(&said.user_data.unwrap()), Some(3));
            }
        }
    }
    let new = Assignor::Sticky.subscription(&Joining::default());
    assert_eq!(new.user_data, None);
}
