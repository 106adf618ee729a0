//! Creating, growing, deleting and describing topics.

use klamm_protocol::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use klamm_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::{Str, Uuid};
use klamm_tests::Outcome;

use crate::case::Case;
use crate::talk::{FIRST, Talk};

/// What is wrong, or right, with a topic that is to be created.
type Change = (&'static str, fn(&mut CreatableTopic));

const CREATIONS: &[Change] = &[
    ("plain", |_| {}),
    ("defaults", |topic| {
        topic.num_partitions = -1;
        topic.replication_factor = -1;
    }),
    ("no_partitions", |topic| topic.num_partitions = 0),
    ("negative_partitions", |topic| topic.num_partitions = -2),
    ("no_replicas", |topic| topic.replication_factor = 0),
    ("negative_replicas", |topic| topic.replication_factor = -2),
    ("too_many_replicas", |topic| topic.replication_factor = 4),
    ("assigned", |topic| assign(topic, &[(0, &[1, 2]), (1, &[2, 3])])),
    ("assigned_unordered", |topic| assign(topic, &[(1, &[1]), (0, &[2])])),
    ("assigned_with_a_gap", |topic| assign(topic, &[(0, &[1]), (2, &[2])])),
    ("assigned_not_from_0", |topic| assign(topic, &[(1, &[1])])),
    ("assigned_twice", |topic| assign(topic, &[(0, &[1]), (0, &[2])])),
    ("assigned_to_nobody", |topic| assign(topic, &[(0, &[])])),
    ("assigned_to_one_twice", |topic| assign(topic, &[(0, &[1, 1])])),
    ("assigned_to_a_stranger", |topic| assign(topic, &[(0, &[9])])),
    ("assigned_unevenly", |topic| assign(topic, &[(0, &[1]), (1, &[1, 2])])),
    ("assigned_and_counted", |topic| {
        assign(topic, &[(0, &[1])]);
        topic.num_partitions = 1;
        topic.replication_factor = 1;
    }),
    ("config", |topic| {
        configure(topic, &[("retention.ms", Some("1000")), ("cleanup.policy", Some("compact"))])
    }),
    ("config_unknown", |topic| configure(topic, &[("no.such.config", Some("1"))])),
    ("config_not_a_number", |topic| configure(topic, &[("retention.ms", Some("soon"))])),
    ("config_too_low", |topic| configure(topic, &[("segment.bytes", Some("1"))])),
    ("config_no_choice", |topic| configure(topic, &[("cleanup.policy", Some("shrink"))])),
    ("config_null", |topic| configure(topic, &[("retention.ms", None)])),
    ("config_empty", |topic| configure(topic, &[("retention.ms", Some(""))])),
    ("config_twice", |topic| {
        configure(topic, &[("retention.ms", Some("1000")), ("retention.ms", Some("2000"))])
    }),
    ("config_of_a_boolean", |topic| configure(topic, &[("preallocate", Some("maybe"))])),
    ("name_empty", |topic| topic.name = "".into()),
    ("name_with_a_slash", |topic| topic.name = "no/name".into()),
    ("name_of_dots", |topic| topic.name = "..".into()),
    ("name_too_long", |topic| topic.name = "x".repeat(250).into()),
];

fn assign(topic: &mut CreatableTopic, assignments: &[(i32, &[i32])]) {
    topic.num_partitions = -1;
    topic.replication_factor = -1;
    let assignment = |(partition_index, brokers): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *partition_index,
        broker_ids: brokers.iter().copied().collect(),
        ..CreatableReplicaAssignment::default()
    };
    topic.assignments = assignments.iter().map(assignment).collect();
}

fn configure(topic: &mut CreatableTopic, configs: &[(&'static str, Option<&'static str>)]) {
    let config = |(name, value): &(&'static str, Option<&'static str>)| CreatableTopicConfig {
        name: Str::from_static(name),
        value: value.map(Str::from_static),
        ..CreatableTopicConfig::default()
    };
    topic.configs = configs.iter().map(config).collect();
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = CREATIONS.iter().copied().map(creation).collect();
    cases.extend([
        Case::new("create_topics::every_version", create_versions),
        Case::new("create_topics::configs_in_the_answer", configs_in_the_answer).differs(
            "Where a default comes from",
            "create.topics[0].configs[21].config_source",
            "5",
            "3",
        ),
        Case::new("create_topics::exists", exists),
        Case::new("create_topics::named_twice", named_twice),
        Case::new("create_topics::names_that_collide", collisions),
        Case::new("create_topics::validate_only_leaves_nothing", validate_only),
        Case::new("create_topics::nothing", nothing),
        Case::new("delete_topics::every_version", delete_versions),
        Case::new("delete_topics::by_id", delete_by_id),
        Case::new("delete_topics::unknown", delete_unknown),
        Case::new("delete_topics::named_twice", delete_twice),
        Case::new("delete_topics::name_and_id", delete_name_and_id),
        Case::new("delete_topics::created_again", created_again),
        Case::new("create_partitions::every_version", grow_versions),
        Case::new("create_partitions::counts", grow_counts),
        Case::new("create_partitions::assignments", grow_assignments),
        Case::new("create_partitions::unknown_and_twice", grow_unknown),
        Case::new("create_partitions::validate_only", grow_validate_only),
        Case::new("configs::of_a_topic", topic_configs),
        Case::new("configs::of_unknown_things", unknown_configs),
        Case::new("configs::of_a_broker", broker_configs),
    ]);
    cases
}

fn new(name: &Str) -> CreatableTopic {
    CreatableTopic {
        name: name.clone(),
        num_partitions: 2,
        replication_factor: 1,
        ..CreatableTopic::default()
    }
}

fn creating(topics: Vec<CreatableTopic>, validate_only: bool) -> CreateTopicsRequest {
    CreateTopicsRequest { topics, timeout_ms: 30_000, validate_only, ..CreateTopicsRequest::default() }
}

fn creation((name, change): Change) -> Case {
    Case::new(format!("create_topics::{name}"), move |talk| {
        // The configuration of every topic has a case of its own.
        talk.seen.hidden.extend(["value", "name", "read_only", "config_source", "is_sensitive"]);
        for validate_only in [true, false] {
            let mut topic = new(&talk.name("t"));
            change(&mut topic);
            let step = if validate_only { "validate" } else { "create" };
            let mut response = talk.quiet(FIRST, 7, &creating(vec![topic], validate_only))?;
            for topic in &mut response.topics {
                if let Some(configs) = &mut topic.configs {
                    configs.truncate(1);
                }
            }
            talk.seen.note_response(step, klamm_protocol::ApiKey::CREATE_TOPICS, &response);
        }
        Ok(())
    })
}

fn create_versions(talk: &mut Talk) -> Outcome<()> {
    talk.seen.hidden.extend(["value"]);
    for version in 2..=7 {
        let topics = vec![new(&talk.name(&format!("t{version}"))), new(&"no/name".into())];
        let mut response = talk.quiet(FIRST, version, &creating(topics, false))?;
        for topic in &mut response.topics {
            topic.configs = None;
        }
        let api = klamm_protocol::ApiKey::CREATE_TOPICS;
        talk.seen.note_response(&format!("v{version}"), api, &response);
        let defaults = CreatableTopic {
            num_partitions: -1,
            replication_factor: -1,
            ..new(&talk.name(&format!("default{version}")))
        };
        let mut response = talk.quiet(FIRST, version, &creating(vec![defaults], true))?;
        for topic in &mut response.topics {
            topic.configs = None;
        }
        talk.seen.note_response(&format!("v{version}, defaults"), api, &response);
    }
    Ok(())
}

fn configs_in_the_answer(talk: &mut Talk) -> Outcome<()> {
    let mut topic = new(&talk.name("t"));
    configure(&mut topic, &[("retention.ms", Some("1000"))]);
    talk.ask("create", 7, &creating(vec![topic], false)).map(drop)
}

fn exists(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for validate_only in [true, false] {
        talk.ask(&format!("validate {validate_only}"), 7, &creating(vec![new(&topic.name)], validate_only))?;
    }
    let mut wrong = new(&topic.name);
    wrong.replication_factor = 9;
    talk.ask("wrong besides", 7, &creating(vec![wrong], false)).map(drop)
}

fn named_twice(talk: &mut Talk) -> Outcome<()> {
    let topic = new(&talk.name("t"));
    talk.ask("twice", 7, &creating(vec![topic.clone(), topic], false)).map(drop)
}

fn collisions(talk: &mut Talk) -> Outcome<()> {
    let (dotted, underscored) = (talk.name("a.b"), talk.name("a_b"));
    for (step, name) in [("a period", &dotted), ("an underscore", &underscored)] {
        let mut response = talk.quiet(FIRST, 7, &creating(vec![new(name)], false))?;
        response.topics[0].configs = None;
        talk.seen.note_response(step, klamm_protocol::ApiKey::CREATE_TOPICS, &response);
    }
    Ok(())
}

fn validate_only(talk: &mut Talk) -> Outcome<()> {
    use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
    let name = talk.name("t");
    talk.quiet(FIRST, 7, &creating(vec![new(&name)], true))?;
    let named = MetadataRequestTopic { name: Some(name), ..MetadataRequestTopic::default() };
    let request = MetadataRequest {
        topics: Some(vec![named]),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    talk.ask("metadata", 12, &request).map(drop)
}

fn nothing(talk: &mut Talk) -> Outcome<()> {
    talk.ask("create nothing", 7, &creating(Vec::new(), false))?;
    talk.ask("delete nothing", 6, &deleting(Vec::new()))?;
    talk.ask("grow nothing", 3, &growing(Vec::new(), false)).map(drop)
}

fn by_name(name: &Str) -> DeleteTopicState {
    DeleteTopicState { name: Some(name.clone()), ..DeleteTopicState::default() }
}

fn by_id(topic_id: Uuid) -> DeleteTopicState {
    DeleteTopicState { name: None, topic_id, ..DeleteTopicState::default() }
}

fn deleting(topics: Vec<DeleteTopicState>) -> DeleteTopicsRequest {
    DeleteTopicsRequest { topics, timeout_ms: 30_000, ..DeleteTopicsRequest::default() }
}

fn delete_versions(talk: &mut Talk) -> Outcome<()> {
    for version in 1..=6 {
        let topic = talk.topic(&format!("t{version}"), 1)?;
        let missing = talk.name("missing");
        let request = if version < 6 {
            DeleteTopicsRequest {
                topic_names: vec![topic.name, missing],
                timeout_ms: 30_000,
                ..DeleteTopicsRequest::default()
            }
        } else {
            deleting(vec![by_name(&topic.name), by_name(&missing)])
        };
        talk.ask(&format!("v{version}"), version, &request)?;
    }
    Ok(())
}

fn delete_by_id(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.ask("once", 6, &deleting(vec![by_id(topic.id)]))?;
    talk.ask("again", 6, &deleting(vec![by_id(topic.id)])).map(drop)
}

fn delete_unknown(talk: &mut Talk) -> Outcome<()> {
    for (step, topic) in [
        ("missing", by_name(&talk.name("missing"))),
        ("invalid", by_name(&"no/name".into())),
        ("empty", by_name(&"".into())),
        ("unknown id", by_id(Uuid([7; 16]))),
        ("neither", by_id(Uuid::ZERO)),
    ] {
        talk.ask(step, 6, &deleting(vec![topic]))?;
    }
    Ok(())
}

fn delete_twice(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.ask("by name", 6, &deleting(vec![by_name(&topic.name), by_name(&topic.name)]))?;
    talk.ask("by id", 6, &deleting(vec![by_id(topic.id), by_id(topic.id)]))?;
    talk.ask("by both", 6, &deleting(vec![by_name(&topic.name), by_id(topic.id)])).map(drop)
}

fn delete_name_and_id(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let both = DeleteTopicState { topic_id: topic.id, ..by_name(&topic.name) };
    talk.ask("both", 6, &deleting(vec![both])).map(drop)
}

/// A topic of the same name is another one.
fn created_again(talk: &mut Talk) -> Outcome<()> {
    let old = talk.topic("t", 1)?;
    talk.ask("delete", 6, &deleting(vec![by_name(&old.name)]))?;
    talk.until("deleted", |talk| Ok(!talk.end_offset(FIRST, &old.name, 0)?.0.is_ok()))?;
    let new = talk.topic("t", 1)?;
    talk.seen.note("is another", (old.id != new.id).to_string());
    talk.ask("delete the old one", 6, &deleting(vec![by_id(old.id)]))?;
    talk.ask("delete the new one", 6, &deleting(vec![by_id(new.id)])).map(drop)
}

fn growing(topics: Vec<CreatePartitionsTopic>, validate_only: bool) -> CreatePartitionsRequest {
    CreatePartitionsRequest {
        topics,
        timeout_ms: 30_000,
        validate_only,
        ..CreatePartitionsRequest::default()
    }
}

fn grown(name: &Str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assignment = |brokers: &&[i32]| CreatePartitionsAssignment {
        broker_ids: brokers.iter().copied().collect(),
        ..CreatePartitionsAssignment::default()
    };
    CreatePartitionsTopic {
        name: name.clone(),
        count,
        assignments: assignments.map(|all| all.iter().map(assignment).collect()),
        ..CreatePartitionsTopic::default()
    }
}

fn grow_versions(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for version in 0..=3 {
        let request = growing(vec![grown(&topic.name, 2 + i32::from(version), None)], false);
        talk.ask(&format!("v{version}"), version, &request)?;
    }
    Ok(())
}

fn grow_counts(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 2)?;
    for count in [2, 1, 0, -1, i32::MIN, 3] {
        talk.ask(&format!("{count}"), 3, &growing(vec![grown(&topic.name, count, None)], false))?;
    }
    Ok(())
}

fn grow_assignments(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for (step, count, assignments) in [
        ("none for one", 2, &[][..]),
        ("two for one", 2, &[&[1][..], &[2]]),
        ("a stranger", 2, &[&[9]]),
        ("too many replicas", 2, &[&[1, 2]]),
        ("nobody", 2, &[&[]]),
        ("twice the same", 2, &[&[1, 1]]),
        ("right", 3, &[&[2], &[3]]),
    ] {
        let request = growing(vec![grown(&topic.name, count, Some(assignments))], false);
        talk.ask(step, 3, &request)?;
    }
    Ok(())
}

fn grow_unknown(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let missing = talk.name("missing");
    talk.ask("missing", 3, &growing(vec![grown(&missing, 2, None)], false))?;
    let both = vec![grown(&topic.name, 2, None), grown(&topic.name, 3, None)];
    talk.ask("twice", 3, &growing(both, false)).map(drop)
}

fn grow_validate_only(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.ask("validate", 3, &growing(vec![grown(&topic.name, 4, None)], true))?;
    talk.ask("grow less", 3, &growing(vec![grown(&topic.name, 2, None)], false)).map(drop)
}

fn resource(resource_type: i8, name: &str, keys: Option<&[&'static str]>) -> DescribeConfigsResource {
    DescribeConfigsResource {
        resource_type,
        resource_name: Str::copy_of(name),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| Str::from_static(key)).collect()),
        ..DescribeConfigsResource::default()
    }
}

fn describing(resource: DescribeConfigsResource) -> DescribeConfigsRequest {
    DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() }
}

fn topic_configs(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[1]], &[("retention.ms", "1000")])?;
    let keys = Some(&["retention.ms", "cleanup.policy", "no.such.config"][..]);
    for version in 1..=4 {
        let request = describing(resource(2, &topic.name, keys));
        talk.ask(&format!("v{version}"), version, &request)?;
    }
    let request = describing(resource(2, &topic.name, Some(&[])));
    talk.ask("no keys", 4, &request).map(drop)
}

fn unknown_configs(talk: &mut Talk) -> Outcome<()> {
    let missing = talk.name("missing");
    for (step, kind, name) in [
        ("missing topic", 2, &*missing),
        ("invalid topic", 2, "no/name"),
        ("empty topic", 2, ""),
        ("unknown broker", 4, "9"),
        ("no broker", 4, "x"),
        ("unknown kind", 77, "x"),
    ] {
        talk.try_ask(step, 4, &describing(resource(kind, name, None)))?;
    }
    Ok(())
}

fn broker_configs(talk: &mut Talk) -> Outcome<()> {
    let keys = Some(&["message.max.bytes", "num.partitions", "auto.create.topics.enable"][..]);
    talk.seen.hidden.extend(["config_source", "read_only"]);
    talk.ask("three of them", 4, &describing(resource(4, "1", keys))).map(drop)
}
