//! Metadata, DescribeTopicPartitions and DescribeCluster.

use klamm_protocol::messages::describe_cluster::DescribeClusterRequest;
use klamm_protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::{Str, Uuid};
use klamm_tests::Outcome;

use crate::case::Case;
use crate::talk::{FIRST, Talk};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("metadata::every_version", every_version),
        Case::new("metadata::no_topics", no_topics),
        Case::new("metadata::all_topics", all_topics),
        Case::new("metadata::by_id", by_id),
        Case::new("metadata::unknown_ids", unknown_ids),
        Case::new("metadata::name_and_id", name_and_id),
        Case::new("metadata::missing_topics_are_not_created", not_created),
        Case::new("metadata::missing_topics_are_created", created),
        Case::new("metadata::creation_by_id_does_not_happen", not_created_by_id),
        Case::new("metadata::invalid_names", invalid_names),
        Case::new("metadata::topic_named_twice", named_twice),
        Case::new("metadata::known_and_missing", mixture),
        Case::new("metadata::authorized_operations", operations),
        Case::new("metadata::three_replicas", three_replicas),
        Case::new("topic_partitions::pages", pages),
        Case::new("topic_partitions::cursors", cursors),
        Case::new("topic_partitions::missing_topics", describe_missing),
        Case::new("topic_partitions::limits", limits),
        Case::new("cluster::every_version", cluster_versions),
        Case::new("cluster::endpoint_types", endpoint_types),
        Case::new("cluster::authorized_operations", cluster_operations),
        Case::new("cluster::fenced_brokers", fenced_brokers),
    ]
}

fn named(name: &Str) -> MetadataRequestTopic {
    MetadataRequestTopic { name: Some(name.clone()), ..MetadataRequestTopic::default() }
}

fn of_id(topic_id: Uuid) -> MetadataRequestTopic {
    MetadataRequestTopic { topic_id, name: None, ..MetadataRequestTopic::default() }
}

fn asking(topics: Vec<MetadataRequestTopic>) -> MetadataRequest {
    MetadataRequest { topics: Some(topics), allow_auto_topic_creation: false, ..MetadataRequest::default() }
}

fn every_version(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 2)?;
    for version in 0..=13 {
        let mut request = asking(vec![named(&topic.name)]);
        request.allow_auto_topic_creation = version < 4;
        talk.try_ask(&format!("v{version}"), version, &request)?;
    }
    Ok(())
}

fn no_topics(talk: &mut Talk) -> Outcome<()> {
    for version in [1, 4, 9, 12, 13] {
        let mut request = asking(Vec::new());
        request.allow_auto_topic_creation = version < 4;
        talk.try_ask(&format!("v{version}"), version, &request)?;
    }
    Ok(())
}

/// Other cases make topics at the same time, so only the own ones are compared.
fn all_topics(talk: &mut Talk) -> Outcome<()> {
    let own = [talk.topic("a", 1)?.name, talk.topic("b", 2)?.name];
    for version in [0, 1, 9, 12, 13] {
        let topics = (version > 0).then_some(()).map_or(Some(Vec::new()), |()| None);
        let request = MetadataRequest { topics, ..MetadataRequest::default() };
        let mut response = talk.quiet(FIRST, version, &request)?;
        response.topics.retain(|topic| topic.name.as_ref().is_some_and(|name| own.contains(name)));
        let api = klamm_protocol::ApiKey::METADATA;
        talk.seen.note_response(&format!("v{version}"), api, &response);
    }
    Ok(())
}

fn by_id(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for version in [12, 13] {
        talk.try_ask(&format!("v{version}"), version, &asking(vec![of_id(topic.id)]))?;
    }
    Ok(())
}

fn unknown_ids(talk: &mut Talk) -> Outcome<()> {
    for (step, id) in [("unknown", Uuid([7; 16])), ("zero", Uuid::ZERO)] {
        talk.try_ask(step, 12, &asking(vec![of_id(id)]))?;
    }
    let topic = talk.topic("t", 1)?;
    talk.try_ask("with a known one", 12, &asking(vec![of_id(Uuid([7; 16])), of_id(topic.id)])).map(drop)
}

fn name_and_id(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let other = talk.topic("other", 1)?;
    for (step, id) in [("its own", topic.id), ("another's", other.id), ("unknown", Uuid([7; 16]))] {
        let both = MetadataRequestTopic { topic_id: id, ..named(&topic.name) };
        talk.try_ask(step, 12, &asking(vec![both]))?;
    }
    talk.try_ask("one by name, one by id", 12, &asking(vec![named(&topic.name), of_id(other.id)])).map(drop)
}

fn not_created(talk: &mut Talk) -> Outcome<()> {
    let name = talk.name("missing");
    for version in [4, 9, 12] {
        talk.try_ask(&format!("v{version}"), version, &asking(vec![named(&name)]))?;
    }
    Ok(())
}

fn created(talk: &mut Talk) -> Outcome<()> {
    talk.seen.hidden.extend(["leader_id", "replica_nodes", "isr_nodes"]);
    for version in [1, 12] {
        let name = talk.name(&format!("new{version}"));
        let request = MetadataRequest { allow_auto_topic_creation: true, ..asking(vec![named(&name)]) };
        talk.ask(&format!("v{version}, first"), version, &request)?;
        talk.until("created", |talk| {
            let found = talk.quiet(FIRST, 12, &asking(vec![named(&name)]))?.topics.remove(0);
            let has_leader = found.partitions.iter().all(|partition| partition.leader_id > 0);
            Ok(found.error_code.is_ok() && has_leader)
        })?;
        talk.ask(&format!("v{version}, then"), version, &request)?;
    }
    Ok(())
}

fn not_created_by_id(talk: &mut Talk) -> Outcome<()> {
    let request = MetadataRequest { allow_auto_topic_creation: true, ..asking(vec![of_id(Uuid([8; 16]))]) };
    talk.try_ask("once", 12, &request)?;
    talk.try_ask("twice", 12, &request).map(drop)
}

fn invalid_names(talk: &mut Talk) -> Outcome<()> {
    for (step, name) in [
        ("slash", "no/name".to_owned()),
        ("empty", String::new()),
        ("dot", ".".to_owned()),
        ("dots", "..".to_owned()),
        ("long", "x".repeat(250)),
        ("not ascii", "é".to_owned()),
    ] {
        for create in [true, false] {
            let topics = vec![named(&Str::from(name.clone()))];
            let request = MetadataRequest { allow_auto_topic_creation: create, ..asking(topics) };
            talk.try_ask(&format!("{step}, create {create}"), 12, &request)?;
        }
    }
    Ok(())
}

fn named_twice(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.try_ask("by name", 12, &asking(vec![named(&topic.name), named(&topic.name)]))?;
    talk.try_ask("by id", 12, &asking(vec![of_id(topic.id), of_id(topic.id)])).map(drop)
}

fn mixture(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let missing = talk.name("missing");
    let topics = vec![named(&missing), named(&topic.name), named(&"no/name".into())];
    talk.try_ask("three", 12, &asking(topics)).map(drop)
}

fn operations(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let missing = talk.name("missing");
    let request = MetadataRequest {
        include_topic_authorized_operations: true,
        ..asking(vec![named(&topic.name), named(&missing)])
    };
    for version in [8, 10, 12] {
        talk.try_ask(&format!("of topics, v{version}"), version, &request)?;
    }
    let request = MetadataRequest { include_cluster_authorized_operations: true, ..asking(Vec::new()) };
    talk.try_ask("of the cluster", 10, &request).map(drop)
}

fn three_replicas(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[2, 1, 3], &[3, 2, 1]], &[])?;
    for broker in 1..=3 {
        let connection = talk.connect(broker);
        let request = asking(vec![named(&topic.name)]);
        talk.on(connection, &format!("broker {broker}"), 12, &request)?;
    }
    Ok(())
}

fn describing(names: &[&Str], limit: i32, cursor: Option<(&Str, i32)>) -> DescribeTopicPartitionsRequest {
    let topic = |name: &&Str| TopicRequest { name: (*name).clone(), ..TopicRequest::default() };
    let cursor = cursor.map(|(name, partition_index)| Cursor {
        topic_name: name.clone(),
        partition_index,
        ..Cursor::default()
    });
    DescribeTopicPartitionsRequest {
        topics: names.iter().map(topic).collect(),
        response_partition_limit: limit,
        cursor,
        ..DescribeTopicPartitionsRequest::default()
    }
}

fn pages(talk: &mut Talk) -> Outcome<()> {
    let names = [talk.topic("b", 3)?.name, talk.topic("a", 2)?.name];
    let names: Vec<_> = names.iter().collect();
    for limit in [1, 2, 3, 4, 5, 2000] {
        let mut cursor: Option<(Str, i32)> = None;
        for page in 0..6 {
            let at = cursor.as_ref().map(|(name, index)| (name, *index));
            let step = format!("limit {limit}, page {page}");
            let response = talk.ask(&step, 0, &describing(&names, limit, at))?;
            let Some(next) = response.next_cursor else { break };
            cursor = Some((next.topic_name, next.partition_index));
        }
    }
    Ok(())
}

fn cursors(talk: &mut Talk) -> Outcome<()> {
    let a = talk.topic("a", 2)?.name;
    let c = talk.topic("c", 2)?.name;
    let b = talk.name("b");
    for (step, cursor) in [
        ("at a topic that is not there", (&b, 0)),
        ("within a topic", (&c, 1)),
        ("behind the last partition", (&a, 2)),
        ("far behind the last partition", (&a, 9)),
        ("before the first partition", (&a, -1)),
    ] {
        talk.try_ask(step, 0, &describing(&[&a, &c], 10, Some(cursor)))?;
    }
    Ok(())
}

fn describe_missing(talk: &mut Talk) -> Outcome<()> {
    let known = talk.topic("known", 1)?.name;
    let missing = talk.name("missing");
    talk.try_ask("alone", 0, &describing(&[&missing], 10, None))?;
    talk.try_ask("with another", 0, &describing(&[&missing, &known], 10, None))?;
    talk.try_ask("invalid", 0, &describing(&[&"no/name".into()], 10, None))?;
    talk.try_ask("twice", 0, &describing(&[&known, &known], 10, None)).map(drop)
}

fn limits(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 2)?.name;
    for limit in [0, -1, i32::MAX] {
        talk.try_ask(&format!("{limit}"), 0, &describing(&[&topic], limit, None))?;
    }
    Ok(())
}

fn cluster_versions(talk: &mut Talk) -> Outcome<()> {
    for version in 0..=2 {
        talk.ask(&format!("v{version}"), version, &DescribeClusterRequest::default())?;
    }
    Ok(())
}

fn endpoint_types(talk: &mut Talk) -> Outcome<()> {
    for endpoint_type in [1, 2, 0, 3, -1] {
        let request = DescribeClusterRequest { endpoint_type, ..DescribeClusterRequest::default() };
        talk.ask(&format!("type {endpoint_type}"), 1, &request)?;
    }
    Ok(())
}

fn cluster_operations(talk: &mut Talk) -> Outcome<()> {
    let request = DescribeClusterRequest {
        include_cluster_authorized_operations: true,
        ..DescribeClusterRequest::default()
    };
    talk.ask("asked for", 0, &request).map(drop)
}

fn fenced_brokers(talk: &mut Talk) -> Outcome<()> {
    let request =
        DescribeClusterRequest { include_fenced_brokers: true, ..DescribeClusterRequest::default() };
    talk.ask("none is", 2, &request).map(drop)
}
