//! `klamm group describe`.

use klamm_blocking::{ClusterDescription, GroupDescription, GroupType, assignor::TopicPartitions};
use serde_json::{Value, json};

use super::{all_done, args::GroupDescribe, or_dash, short, trouble};
use crate::{
    args::Output as Form,
    connect::{admin, connect},
    error::{CliError, Outcome},
    output::{Align, Output, table},
};

pub(super) fn run(args: &GroupDescribe) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let admin = admin(&kafka, &args.cluster);
    let groups = admin.describe_groups(args.groups.iter().map(String::as_str)).map_err(CliError::failed)?;
    let cluster = admin.describe_cluster().map_err(CliError::failed)?;
    let mut output = Output::new();
    let mut failures = Vec::new();
    let mut shown = 0;
    for (name, described) in &groups {
        match described {
            Err(error) => failures.push(trouble(&admin, name, error)),
            Ok(group) => {
                let address = address(&cluster, group);
                match args.output {
                    Form::Json => output.line(as_json(name, group, address.as_deref()))?,
                    Form::Text => {
                        if shown > 0 {
                            output.line("")?;
                        }
                        print(&mut output, name, group, address.as_deref())?;
                    }
                }
                shown += 1;
            }
        }
    }
    output.flush()?;
    all_done(failures)
}

/// Where the coordinator is.
fn address(cluster: &ClusterDescription, group: &GroupDescription) -> Option<String> {
    let broker = cluster.brokers.iter().find(|broker| broker.id == group.coordinator)?;
    Some(format!("{}:{}", broker.host, broker.port))
}

const fn protocol(group: &GroupDescription) -> &'static str {
    match group.protocol {
        GroupType::Classic => "classic",
        GroupType::Consumer => "consumer",
    }
}

fn print(output: &mut Output, name: &str, group: &GroupDescription, address: Option<&str>) -> Outcome {
    let coordinator = match address {
        Some(address) => format!("{} ({address})", group.coordinator.0),
        None => group.coordinator.0.to_string(),
    };
    let mut facts = vec![
        ("group", name.to_owned()),
        ("state", group.state.to_string()),
        ("coordinator", coordinator),
        ("protocol", protocol(group).to_owned()),
        ("assignor", or_dash(Some(&group.assignor).filter(|assignor| !assignor.is_empty()))),
    ];
    if group.protocol_type != "consumer" && !group.protocol_type.is_empty() {
        facts.push(("members are", group.protocol_type.to_string()));
    }
    if let (Some(epoch), Some(assigned)) = (group.epoch, group.assignment_epoch) {
        facts.push(("epoch", format!("{epoch} (assignment: {assigned})")));
    }
    facts.push(("members", group.members.len().to_string()));
    for (fact, value) in facts {
        output.line(format_args!("{fact:<12} {value}"))?;
    }
    if group.members.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let mut rows = table(&[
        ("CONSUMER-ID", Align::Left),
        ("INSTANCE", Align::Left),
        ("CLIENT", Align::Left),
        ("HOST", Align::Left),
        ("PARTITIONS", Align::Right),
        ("ASSIGNMENT", Align::Left),
    ]);
    for member in &group.members {
        let mut assignment = short(&member.assigned);
        if let Some(target) = &member.target {
            assignment = format!("{assignment} (to become {})", short(target));
        }
        rows.add_row([
            member.id.to_string(),
            or_dash(member.instance_id.as_ref()),
            member.client_id.to_string(),
            host(&member.host).to_owned(),
            count(&member.assigned).to_string(),
            if assignment.is_empty() { "-".to_owned() } else { assignment },
        ]);
    }
    output.line(rows.trim_fmt())
}

/// The brokers say `/10.0.0.1`.
pub(super) fn host(said: &str) -> &str {
    said.strip_prefix('/').unwrap_or(said)
}

fn count(assigned: &[TopicPartitions]) -> usize {
    assigned.iter().map(|each| each.partitions.len()).sum()
}

fn as_json(name: &str, group: &GroupDescription, address: Option<&str>) -> Value {
    let members = group.members.iter().map(|member| {
        json!({
            "consumer_id": member.id.as_str(),
            "instance_id": member.instance_id.as_deref(),
            "client_id": member.client_id.as_str(),
            "host": host(&member.host),
            "rack": member.rack.as_deref(),
            "epoch": member.epoch,
            "topics": member.topics.iter().map(|topic| topic.as_str()).collect::<Vec<_>>(),
            "regex": member.regex.as_deref(),
            "assignment": partitions(&member.assigned),
            "target": member.target.as_deref().map(partitions),
        })
    });
    json!({
        "group": name,
        "state": group.state.as_str(),
        "coordinator": {"id": group.coordinator.0, "address": address},
        "protocol": protocol(group),
        "protocol_type": group.protocol_type.as_str(),
        "assignor": group.assignor.as_str(),
        "epoch": group.epoch,
        "assignment_epoch": group.assignment_epoch,
        "members": members.collect::<Vec<_>>(),
    })
}

fn partitions(assigned: &[TopicPartitions]) -> Value {
    let topics =
        assigned.iter().map(|each| json!({"topic": each.topic.as_str(), "partitions": &each.partitions[..]}));
    Value::Array(topics.collect())
}
