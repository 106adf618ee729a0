//! Altering configurations, deleting records, electing leaders, and what is told of logs.

use klamm_protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource as Replacing, AlterableConfig as Replacement,
};
use klamm_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use klamm_protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use klamm_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use klamm_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use klamm_protocol::records::Stamp;
use klamm_protocol::{ApiKey, Str};
use klamm_tests::Outcome;

use crate::case::Case;
use crate::records::batch;
use crate::talk::{FIRST, Talk, Topic};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Configurations: name, value.
type Values = &'static [(&'static str, Option<&'static str>)];

/// What replaces the configuration of a topic, which has `retention.ms=1000` and `cleanup.policy=compact`.
const REPLACEMENTS: &[(&str, Values)] = &[
    ("one", &[("segment.bytes", Some("2000000"))]),
    ("nothing", &[]),
    ("unknown", &[("no.such.config", Some("1"))]),
    ("not_a_number", &[("retention.ms", Some("soon"))]),
    ("out_of_range", &[("segment.bytes", Some("-5"))]),
    ("null", &[("retention.ms", None)]),
    ("empty", &[("retention.ms", Some(""))]),
    ("twice", &[("retention.ms", Some("1")), ("retention.ms", Some("2"))]),
    ("list", &[("cleanup.policy", Some("compact,delete"))]),
    ("not_in_list", &[("cleanup.policy", Some("burn"))]),
    ("spaces", &[("retention.ms", Some(" 5 "))]),
];

/// Single changes: operation, name, value.
type Changes = &'static [(i8, &'static str, Option<&'static str>)];

/// What changes the configuration of such a topic.
const INCREMENTS: &[(&str, Changes)] = &[
    ("set", &[(SET, "segment.bytes", Some("2000000"))]),
    ("set_again", &[(SET, "retention.ms", Some("1000"))]),
    ("set_null", &[(SET, "retention.ms", None)]),
    ("set_unknown", &[(SET, "no.such.config", Some("1"))]),
    ("set_not_a_number", &[(SET, "retention.ms", Some("soon"))]),
    ("delete", &[(DELETE, "retention.ms", None)]),
    ("delete_with_value", &[(DELETE, "retention.ms", Some("7"))]),
    ("delete_default", &[(DELETE, "segment.bytes", None)]),
    ("delete_unknown", &[(DELETE, "no.such.config", None)]),
    ("append", &[(APPEND, "cleanup.policy", Some("delete"))]),
    ("append_again", &[(APPEND, "cleanup.policy", Some("compact"))]),
    ("append_null", &[(APPEND, "cleanup.policy", None)]),
    ("append_to_number", &[(APPEND, "retention.ms", Some("1"))]),
    ("append_invalid", &[(APPEND, "cleanup.policy", Some("burn"))]),
    ("append_unknown", &[(APPEND, "no.such.config", Some("1"))]),
    ("subtract_last", &[(SUBTRACT, "cleanup.policy", Some("compact"))]),
    ("subtract_missing", &[(SUBTRACT, "cleanup.policy", Some("delete"))]),
    ("subtract_from_number", &[(SUBTRACT, "retention.ms", Some("1"))]),
    ("unknown_operation", &[(9, "retention.ms", Some("1"))]),
    ("nothing", &[]),
    ("twice", &[(SET, "retention.ms", Some("1")), (SET, "retention.ms", Some("2"))]),
    ("set_and_delete", &[(SET, "retention.ms", Some("1")), (DELETE, "retention.ms", None)]),
    ("one_right_one_wrong", &[(SET, "retention.ms", Some("5")), (SET, "segment.bytes", Some("-5"))]),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (name, values) in REPLACEMENTS {
        let script = move |talk: &mut Talk| replaces(talk, values);
        cases.push(Case::new(format!("configs::replace_{name}"), script));
    }
    for (name, changes) in INCREMENTS {
        let script = move |talk: &mut Talk| changes_some(talk, changes);
        cases.push(Case::new(format!("configs::change_{name}"), script));
    }
    cases.extend([
        Case::new("configs::replace_of_strangers", replaces_of_strangers),
        Case::new("configs::change_of_strangers", changes_of_strangers),
        Case::new("configs::change_validate_only", validates_only),
        Case::new("configs::resource_twice", resource_twice),
        Case::new("configs::change_nothing_at_all", nothing_at_all),
        Case::new("delete_records::to_offsets", to_offsets),
        Case::new("delete_records::of_strangers", deletes_of_strangers),
        Case::new("delete_records::of_compacted", deletes_of_compacted),
        Case::new("delete_records::at_a_follower", deletes_at_a_follower),
        Case::new("delete_records::inside_a_batch", inside_a_batch),
        Case::new("elect::preferred_that_leads", preferred_that_leads),
        Case::new("elect::unclean_with_leader", unclean_with_leader),
        Case::new("elect::strangers", elects_strangers),
        Case::new("elect::unknown_kind", unknown_kind),
        Case::new("elect::nothing", elects_nothing),
        Case::new("log_dirs::of_topic", log_dirs_of_topic),
        Case::new("log_dirs::of_strangers", log_dirs_of_strangers),
        Case::new("log_dirs::of_nothing", log_dirs_of_nothing),
    ]);
    cases
}

fn text(value: Option<&'static str>) -> Option<Str> {
    value.map(Str::from_static)
}

fn replacing(kind: i8, name: &Str, values: Values) -> Replacing {
    let config = |(name, value): &(&'static str, Option<&'static str>)| Replacement {
        name: Str::from_static(name),
        value: text(*value),
        ..Replacement::default()
    };
    Replacing {
        resource_type: kind,
        resource_name: name.clone(),
        configs: values.iter().map(config).collect(),
        ..Replacing::default()
    }
}

fn replacement(resources: Vec<Replacing>) -> AlterConfigsRequest {
    AlterConfigsRequest { resources, ..AlterConfigsRequest::default() }
}

fn changing(kind: i8, name: &Str, changes: Changes) -> AlterConfigsResource {
    let config = |(operation, name, value): &(i8, &'static str, Option<&'static str>)| AlterableConfig {
        name: Str::from_static(name),
        config_operation: *operation,
        value: text(*value),
        ..AlterableConfig::default()
    };
    AlterConfigsResource {
        resource_type: kind,
        resource_name: name.clone(),
        configs: changes.iter().map(config).collect(),
        ..AlterConfigsResource::default()
    }
}

fn change(resources: Vec<AlterConfigsResource>) -> IncrementalAlterConfigsRequest {
    IncrementalAlterConfigsRequest { resources, ..IncrementalAlterConfigsRequest::default() }
}

/// A topic with two configurations that are not the default.
fn configured(talk: &mut Talk) -> Outcome<Topic> {
    let topic = talk.topic("t", 1)?;
    let changes: Changes = &[(SET, "retention.ms", Some("1000")), (SET, "cleanup.policy", Some("compact"))];
    let request = change(vec![changing(TOPIC, &topic.name, changes)]);
    talk.ask("as it was", 1, &request)?;
    comes_into_effect(talk, "after-it-was")?;
    Ok(topic)
}

/// Waits until the broker knows what its controller knows already: of changes it hears in their order, so that one knows
/// the others when it knows a topic that was made after them.
fn comes_into_effect(talk: &mut Talk, later: &str) -> Outcome<()> {
    talk.topic(later, 1).map(drop)
}

/// Notes the configurations of a topic that cases change.
fn shows(talk: &mut Talk, topic: &Str) -> Outcome<()> {
    comes_into_effect(talk, "before-it-is")?;
    let keys = ["retention.ms", "cleanup.policy", "segment.bytes"];
    let resource = DescribeConfigsResource {
        resource_type: TOPIC,
        resource_name: topic.clone(),
        configuration_keys: Some(keys.map(Str::from_static).to_vec()),
        ..DescribeConfigsResource::default()
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() };
    talk.ask("as it is", 4, &request).map(drop)
}

fn replaces(talk: &mut Talk, values: Values) -> Outcome<()> {
    let topic = configured(talk)?;
    talk.ask("replace", 2, &replacement(vec![replacing(TOPIC, &topic.name, values)]))?;
    shows(talk, &topic.name)
}

fn changes_some(talk: &mut Talk, changes: Changes) -> Outcome<()> {
    let topic = configured(talk)?;
    talk.ask("change", 1, &change(vec![changing(TOPIC, &topic.name, changes)]))?;
    shows(talk, &topic.name)
}

/// Resources that cannot be altered.
fn strangers(talk: &Talk) -> [(&'static str, i8, Str); 6] {
    [
        ("missing topic", TOPIC, talk.name("missing")),
        ("invalid topic", TOPIC, "no/name".into()),
        ("empty topic", TOPIC, "".into()),
        ("broker that is none", BROKER, "one".into()),
        ("unknown broker", BROKER, "99".into()),
        ("unknown kind", 77, "x".into()),
    ]
}

fn replaces_of_strangers(talk: &mut Talk) -> Outcome<()> {
    for (step, kind, name) in strangers(talk) {
        let resource = replacing(kind, &name, &[("retention.ms", Some("1"))]);
        talk.ask(step, 2, &replacement(vec![resource]))?;
    }
    Ok(())
}

fn changes_of_strangers(talk: &mut Talk) -> Outcome<()> {
    for (step, kind, name) in strangers(talk) {
        let resource = changing(kind, &name, &[(SET, "retention.ms", Some("1"))]);
        talk.ask(step, 1, &change(vec![resource]))?;
    }
    Ok(())
}

fn validates_only(talk: &mut Talk) -> Outcome<()> {
    let topic = configured(talk)?;
    for (step, value) in [("right", "7"), ("wrong", "soon")] {
        let mut resource = changing(TOPIC, &topic.name, &[(SET, "retention.ms", None)]);
        resource.configs[0].value = Some(Str::from_static(value));
        let request = IncrementalAlterConfigsRequest { validate_only: true, ..change(vec![resource]) };
        talk.ask(step, 1, &request)?;
    }
    shows(talk, &topic.name)
}

fn resource_twice(talk: &mut Talk) -> Outcome<()> {
    let topic = configured(talk)?;
    let resource = changing(TOPIC, &topic.name, &[(SET, "retention.ms", Some("7"))]);
    talk.ask("change", 1, &change(vec![resource.clone(), resource]))?;
    shows(talk, &topic.name)
}

fn nothing_at_all(talk: &mut Talk) -> Outcome<()> {
    talk.ask("change", 1, &change(Vec::new()))?;
    talk.ask("replace", 2, &replacement(Vec::new())).map(drop)
}

fn deleting(topic: &Str, partitions: &[(i32, i64)]) -> DeleteRecordsRequest {
    let partition = |(partition_index, offset): &(i32, i64)| DeleteRecordsPartition {
        partition_index: *partition_index,
        offset: *offset,
        ..DeleteRecordsPartition::default()
    };
    let topic = DeleteRecordsTopic {
        name: topic.clone(),
        partitions: partitions.iter().map(partition).collect(),
        ..DeleteRecordsTopic::default()
    };
    DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000, ..DeleteRecordsRequest::default() }
}

/// A topic with ten records in ten batches.
fn filled(talk: &mut Talk) -> Outcome<Topic> {
    let topic = talk.topic("t", 1)?;
    for _ in 0..10 {
        let records = batch(talk.epoch_ms, &["v"], &Stamp::NONE);
        talk.fill(&topic, 0, records)?;
    }
    Ok(topic)
}

fn to_offsets(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    for (step, offset) in [
        ("to 4", 4),
        ("to 4 again", 4),
        ("below the start", 2),
        ("beyond the end", 11),
        ("below -1", -2),
        ("to the end", -1),
        ("to the end again", 10),
    ] {
        talk.ask(step, 2, &deleting(&topic.name, &[(0, offset)]))?;
        talk.read(&format!("{step}, then"), &topic, 0)?;
    }
    Ok(())
}

fn deletes_of_strangers(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    talk.ask("missing topic", 2, &deleting(&talk.name("missing"), &[(0, 1)]))?;
    talk.ask("invalid topic", 2, &deleting(&"no/name".into(), &[(0, 1)]))?;
    talk.ask("partitions", 2, &deleting(&topic.name, &[(0, 1), (7, 1), (-1, 1)]))?;
    let nothing = DeleteRecordsRequest { timeout_ms: 10_000, ..DeleteRecordsRequest::default() };
    talk.ask("nothing", 2, &nothing).map(drop)
}

fn deletes_of_compacted(talk: &mut Talk) -> Outcome<()> {
    let topic = configured(talk)?;
    talk.ask("compacted", 2, &deleting(&topic.name, &[(0, 0)])).map(drop)
}

fn deletes_at_a_follower(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    let other = talk.another_broker(FIRST);
    talk.on(other, "elsewhere", 2, &deleting(&topic.name, &[(0, 1)])).map(drop)
}

fn inside_a_batch(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let records = batch(talk.epoch_ms, &["v"; 5], &Stamp::NONE);
    talk.fill(&topic, 0, records)?;
    talk.ask("to 3", 2, &deleting(&topic.name, &[(0, 3)]))?;
    talk.read("from the start", &topic, 3)?;
    talk.read("from below", &topic, 2)
}

fn electing(election_type: i8, partitions: &[(&Str, &[i32])]) -> ElectLeadersRequest {
    let of = |(topic, partitions): &(&Str, &[i32])| TopicPartitions {
        topic: (*topic).clone(),
        partitions: partitions.iter().copied().collect(),
        ..TopicPartitions::default()
    };
    ElectLeadersRequest {
        election_type,
        topic_partitions: Some(partitions.iter().map(of).collect()),
        timeout_ms: 10_000,
        ..ElectLeadersRequest::default()
    }
}

fn preferred_that_leads(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 2)?;
    for version in 0..=2 {
        talk.ask(&format!("v{version}"), version, &electing(0, &[(&topic.name, &[0, 1])]))?;
    }
    Ok(())
}

fn unclean_with_leader(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.ask("unclean", 2, &electing(1, &[(&topic.name, &[0])])).map(drop)
}

fn elects_strangers(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for kind in [0, 1] {
        talk.ask(&format!("partitions, {kind}"), 2, &electing(kind, &[(&topic.name, &[0, 7, -1])]))?;
        let missing = talk.name("missing");
        talk.ask(&format!("missing, {kind}"), 2, &electing(kind, &[(&missing, &[0])]))?;
        talk.ask(&format!("invalid, {kind}"), 2, &electing(kind, &[(&"no/name".into(), &[0])]))?;
    }
    Ok(())
}

fn unknown_kind(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.try_ask("unknown kind", 2, &electing(7, &[(&topic.name, &[0])])).map(drop)
}

fn elects_nothing(talk: &mut Talk) -> Outcome<()> {
    talk.ask("nothing", 2, &electing(0, &[]))?;
    let topic = talk.topic("t", 1)?;
    talk.ask("no partitions", 2, &electing(0, &[(&topic.name, &[])])).map(drop)
}

/// Notes what is told of the logs of these topics, but for where they are and how much room there is.
fn logs(talk: &mut Talk, step: &str, topics: Vec<(Str, Vec<i32>)>) -> Outcome<()> {
    talk.seen.hidden.extend(["log_dir", "total_bytes", "usable_bytes"]);
    let of = |(topic, partitions): (Str, Vec<i32>)| DescribableLogDirTopic {
        topic,
        partitions: partitions.into(),
        ..DescribableLogDirTopic::default()
    };
    for version in 1..=4 {
        let request = DescribeLogDirsRequest {
            topics: Some(topics.iter().cloned().map(of).collect()),
            ..DescribeLogDirsRequest::default()
        };
        let response = talk.quiet(FIRST, version, &request)?;
        talk.seen.note_response(&format!("{step}, v{version}"), ApiKey::DESCRIBE_LOG_DIRS, &response);
    }
    Ok(())
}

fn log_dirs_of_topic(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    logs(talk, "all", vec![(topic.name, vec![0])])
}

fn log_dirs_of_strangers(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let missing = talk.name("missing");
    logs(talk, "strangers", vec![(topic.name, vec![0, 7, -1]), (missing, vec![0])])
}

fn log_dirs_of_nothing(talk: &mut Talk) -> Outcome<()> {
    logs(talk, "nothing", Vec::new())
}
