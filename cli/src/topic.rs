//! `klamm topic`.

use std::fmt::Display;

use klamm_blocking::{
    Admin, BrokerId, ListedOffset, NewTopic, OffsetSpec, PartitionDescription, PerItem, Str, TopicDescription,
};
use serde_json::json;

use crate::{
    args::{self, Topic, TopicCreate, TopicDelete, TopicDescribe, TopicList},
    connect::{admin, connect},
    error::{CliError, Outcome},
    output::{Align, Output, table},
};

pub(crate) fn run(args: &Topic) -> Outcome {
    match args {
        Topic::Create(args) => create(args),
        Topic::List(args) => list(args),
        Topic::Describe(args) => describe(args),
        Topic::Delete(args) => delete(args),
    }
}

fn create(args: &TopicCreate) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let topics = args.topics.iter().map(|name| {
        let mut topic = NewTopic::new(Str::copy_of(name));
        topic.partitions = args.partitions;
        topic.replication = args.replication;
        args.configs
            .iter()
            .fold(topic, |topic, (key, value)| topic.config(Str::copy_of(key), Str::copy_of(value)))
    });
    let results = admin(&kafka, &args.cluster)
        .validate_only(args.dry_run)
        .create_topics(topics)
        .map_err(CliError::failed)?;
    let done = if args.dry_run { "could be created" } else { "created" };
    report(results.iter().map(|(name, result)| (name, result.as_ref().map(|_| done))))
}

fn delete(args: &TopicDelete) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let names = args.topics.iter().map(String::as_str);
    let results = admin(&kafka, &args.cluster).delete_topics(names).map_err(CliError::failed)?;
    report(results.iter().map(|(name, result)| (name, result.as_ref().map(|()| "deleted"))))
}

/// Prints what was done, and fails with what was not.
fn report<N: Display, E: Display>(results: impl Iterator<Item = (N, Result<&'static str, E>)>) -> Outcome {
    let mut output = Output::new();
    let mut failures = Vec::new();
    for (name, result) in results {
        match result {
            Ok(done) => output.line(format_args!("{name}: {done}"))?,
            Err(error) => failures.push(format!("topic {name}: {error}")),
        }
    }
    output.flush()?;
    if failures.is_empty() { Ok(()) } else { Err(CliError::failed(failures.join("\nklamm: "))) }
}

fn list(args: &TopicList) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let topics = admin(&kafka, &args.cluster).list_topics().map_err(CliError::failed)?;
    let shown = topics.iter().filter(|(_, topic)| args.internal || !topic.is_internal);
    let mut output = Output::new();
    match args.output {
        args::Output::Json => {
            for (name, topic) in shown {
                let line = json!({"topic": name.as_str(), "partitions": topic.partitions,
                    "internal": topic.is_internal, "id": topic.id.to_string()});
                output.line(line)?;
            }
        }
        args::Output::Text => {
            let mut rows = table(&[("TOPIC", Align::Left), ("PARTITIONS", Align::Right)]);
            for (name, topic) in shown {
                rows.add_row([name.to_string(), topic.partitions.to_string()]);
            }
            output.line(rows.trim_fmt())?;
        }
    }
    output.flush()
}

/// One line of `klamm topic describe`.
struct Row<'a> {
    topic: &'a str,
    partition: &'a PartitionDescription,
    earliest: Option<i64>,
    latest: Option<i64>,
}

fn describe(args: &TopicDescribe) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let names = args.topics.iter().map(String::as_str);
    let topics = admin(&kafka, &args.cluster).describe_topics(names).map_err(CliError::failed)?;
    let found: Vec<(&str, &TopicDescription)> =
        topics.iter().filter_map(|(name, topic)| Some((name.as_str(), topic.as_ref().ok()?))).collect();
    let rows = rows(&admin(&kafka, &args.cluster), &found)?;
    let mut output = Output::new();
    match args.output {
        args::Output::Text if rows.is_empty() => {}
        args::Output::Text => print_rows(&mut output, &rows)?,
        args::Output::Json => {
            for row in &rows {
                output.line(json_row(row))?;
            }
        }
    }
    output.flush()?;
    let failures: Vec<String> = topics
        .iter()
        .filter_map(|(name, topic)| Some(format!("topic {name}: {}", topic.as_ref().err()?)))
        .collect();
    if failures.is_empty() { Ok(()) } else { Err(CliError::failed(failures.join("\nklamm: "))) }
}

fn rows<'a>(admin: &Admin, topics: &[(&'a str, &'a TopicDescription)]) -> Result<Vec<Row<'a>>, CliError> {
    // A partition without a leader has nobody to ask.
    let led = topics.iter().flat_map(|(name, topic)| {
        let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
        led.map(|partition| (*name, partition.partition))
    });
    let led: Vec<(&str, i32)> = led.collect();
    let offsets_at = |spec: OffsetSpec| {
        let wanted = led.iter().map(|(name, partition)| (*name, *partition, spec));
        admin.list_offsets(wanted).map_err(CliError::failed)
    };
    let (earliest, latest) = (offsets_at(OffsetSpec::Earliest)?, offsets_at(OffsetSpec::Latest)?);
    let mut rows = Vec::new();
    for (name, topic) in topics {
        for partition in &topic.partitions {
            let key = (Str::copy_of(name), partition.partition);
            let offset = |listed: &PerItem<(Str, i32), ListedOffset>| listed.get(&key)?.as_ref().ok()?.offset;
            rows.push(Row { topic: name, partition, earliest: offset(&earliest), latest: offset(&latest) });
        }
    }
    Ok(rows)
}

fn print_rows(output: &mut Output, rows: &[Row<'_>]) -> Outcome {
    let mut out = table(&[
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("LEADER", Align::Right),
        ("EPOCH", Align::Right),
        ("REPLICAS", Align::Left),
        ("IN-SYNC", Align::Left),
        ("EARLIEST", Align::Right),
        ("LATEST", Align::Right),
    ]);
    for row in rows {
        out.add_row([
            row.topic.to_owned(),
            row.partition.partition.to_string(),
            or_none(row.partition.leader.map(|leader| leader.0)),
            or_none(row.partition.leader_epoch),
            ids(&row.partition.replicas),
            ids(&row.partition.in_sync),
            or_none(row.earliest),
            or_none(row.latest),
        ]);
    }
    output.line(out.trim_fmt())
}

fn json_row(row: &Row<'_>) -> serde_json::Value {
    let numbers = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect::<Vec<_>>();
    json!({
        "topic": row.topic,
        "partition": row.partition.partition,
        "leader": row.partition.leader.map(|leader| leader.0),
        "leader_epoch": row.partition.leader_epoch,
        "replicas": numbers(&row.partition.replicas),
        "in_sync": numbers(&row.partition.in_sync),
        "offline": numbers(&row.partition.offline),
        "earliest": row.earliest,
        "latest": row.latest,
    })
}

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn ids(brokers: &[BrokerId]) -> String {
    brokers.iter().map(|broker| broker.0.to_string()).collect::<Vec<_>>().join(",")
}
