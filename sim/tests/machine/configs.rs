//! Altering the configuration of topics.

use klamm_protocol::messages::alter_configs::{self, AlterConfigsRequest};
use klamm_protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use klamm_protocol::{ErrorCode, Str};

use crate::wire::Wire;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn config(name: &str, config_operation: i8, value: Option<&str>) -> AlterableConfig {
    AlterableConfig {
        name: Str::copy_of(name),
        config_operation,
        value: value.map(Str::copy_of),
        ..AlterableConfig::default()
    }
}

fn resource(resource_type: i8, name: &str, configs: Vec<AlterableConfig>) -> AlterConfigsResource {
    let resource_name = Str::copy_of(name);
    AlterConfigsResource { resource_type, resource_name, configs, ..AlterConfigsResource::default() }
}

fn alter(wire: &mut Wire, resources: Vec<AlterConfigsResource>, validate_only: bool) -> Vec<(i16, String)> {
    let request = IncrementalAlterConfigsRequest {
        resources,
        validate_only,
        ..IncrementalAlterConfigsRequest::default()
    };
    let responses = wire.ask(1, 1, &request).responses.into_iter();
    responses
        .map(|told| (told.error_code.0, told.error_message.as_deref().unwrap_or_default().to_owned()))
        .collect()
}

fn alter_one(wire: &mut Wire, configs: Vec<AlterableConfig>) -> (i16, String) {
    alter(wire, vec![resource(TOPIC, "t", configs)], false).remove(0)
}

fn value(wire: &mut Wire, name: &str) -> String {
    let resource = DescribeConfigsResource {
        resource_type: TOPIC,
        resource_name: Str::from("t"),
        configuration_keys: Some(vec![Str::copy_of(name)]),
        ..DescribeConfigsResource::default()
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() };
    let described = wire.ask(1, 4, &request).results.remove(0).configs.remove(0);
    described.value.unwrap().as_str().to_owned()
}

#[test]
fn values_are_set_deleted_and_take_effect() {
    let mut wire = Wire::with_topic(1, "4.2");
    let none = (0, String::new());
    assert_eq!(alter_one(&mut wire, vec![config("max.message.bytes", SET, Some("80"))]), none);
    assert_eq!(value(&mut wire, "max.message.bytes"), "80");
    let large = crate::wire::plain(&["more than eighty bytes with the header"]);
    assert_eq!(wire.produce(9, large.clone()).error_code, ErrorCode::MESSAGE_TOO_LARGE);
    let deleted = vec![config("max.message.bytes", DELETE, None), config("no.such", DELETE, None)];
    assert_eq!(alter_one(&mut wire, deleted), none);
    assert_eq!(wire.produce(9, large).error_code, ErrorCode::NONE);
}

#[test]
fn lists_grow_and_shrink() {
    let mut wire = Wire::with_topic(1, "4.2");
    let mut policy = |operation, text| {
        assert_eq!(alter_one(&mut wire, vec![config("cleanup.policy", operation, Some(text))]).0, 0);
        value(&mut wire, "cleanup.policy")
    };
    assert_eq!(policy(APPEND, "compact"), "delete,compact");
    assert_eq!(policy(APPEND, "compact,delete"), "delete,compact");
    assert_eq!(policy(SUBTRACT, "delete"), "compact");
}

#[test]
fn a_resource_is_altered_as_a_whole_or_not_at_all() {
    let mut wire = Wire::with_topic(1, "4.2");
    let both = |bad: &str| {
        vec![config("retention.ms", SET, Some("1000")), config("max.message.bytes", SET, Some(bad))]
    };
    assert_eq!(alter_one(&mut wire, both("-5")).0, ErrorCode::INVALID_CONFIG.0);
    assert_eq!(value(&mut wire, "retention.ms"), "604800000");
    let tried = alter(&mut wire, vec![resource(TOPIC, "t", both("5"))], true);
    assert_eq!((tried[0].0, value(&mut wire, "retention.ms").as_str()), (0, "604800000"));
    assert_eq!(alter_one(&mut wire, both("5")).0, 0);
    assert_eq!(value(&mut wire, "retention.ms"), "1000");
}

#[test]
fn what_is_wrong_is_told_of_each_resource() {
    let mut wire = Wire::with_topic(1, "4.2");
    let set = |name: &str| vec![config(name, SET, Some("5"))];
    let cases = [
        (resource(TOPIC, "missing", set("retention.ms")), 3, "The topic 'missing' does not exist."),
        (resource(TOPIC, "", set("retention.ms")), 42, "Default topic resources are not allowed."),
        (resource(TOPIC, "a/b", set("retention.ms")), 17, ""),
        (resource(BROKER, "1", set("num.partitions")), 42, ""),
        (resource(99, "t", set("retention.ms")), 42, "Unexpected resource type 99."),
        (resource(TOPIC, "t", set("no.such")), 40, "Unknown topic config name: no.such"),
        (resource(TOPIC, "missing", set("no.such")), 40, "Unknown topic config name: no.such"),
        (
            resource(TOPIC, "t", vec![config("retention.ms", APPEND, Some("5"))]),
            40,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (resource(TOPIC, "t", vec![config("retention.ms", 9, Some("5"))]), -1, ""),
        (
            resource(TOPIC, "t", vec![config("retention.ms", SET, None)]),
            42,
            "Null value not supported for : retention.ms",
        ),
        (
            resource(TOPIC, "t", [set("retention.ms"), set("retention.ms")].concat()),
            42,
            "Error due to duplicate config keys",
        ),
    ];
    for (bad, code, message) in cases {
        let told = alter(&mut wire, vec![bad.clone()], false).remove(0);
        assert!(told.0 == code && told.1.starts_with(message), "{bad:?}: {told:?}");
    }
    let twice = vec![resource(TOPIC, "t", set("retention.ms")), resource(TOPIC, "t", set("segment.ms"))];
    assert_eq!(alter(&mut wire, twice, false).iter().map(|told| told.0).collect::<Vec<_>>(), [42, 42]);
    assert_eq!(value(&mut wire, "retention.ms"), "604800000");
}

#[test]
fn the_old_request_replaces_everything() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.configure_topic("t", "retention.ms", Some("1000")).unwrap();
    let request = |value: Option<&str>| {
        let config = alter_configs::AlterableConfig {
            name: Str::from("segment.ms"),
            value: value.map(Str::copy_of),
            ..alter_configs::AlterableConfig::default()
        };
        let resource = alter_configs::AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: Str::from("t"),
            configs: vec![config],
            ..alter_configs::AlterConfigsResource::default()
        };
        AlterConfigsRequest { resources: vec![resource], ..AlterConfigsRequest::default() }
    };
    assert_eq!(wire.ask(1, 2, &request(None)).responses[0].error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!(value(&mut wire, "retention.ms"), "1000");
    assert_eq!(wire.ask(1, 2, &request(Some("77"))).responses[0].error_code, ErrorCode::NONE);
    assert_eq!(
        (value(&mut wire, "retention.ms"), value(&mut wire, "segment.ms")),
        ("604800000".into(), "77".into())
    );
}
