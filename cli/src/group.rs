//! `klamm group`.

pub(crate) mod args;
mod describe;
mod lag;
mod nearest;
mod reset;
#[cfg(test)]
mod tests;

use klamm_blocking::{Admin, AdminError, ErrorCode, GroupListing, assignor::TopicPartitions};
use serde_json::{Value, json};

use self::args::{Group, GroupDelete, GroupList};
use crate::{
    args::Output as Form,
    connect::{admin, connect},
    error::{CliError, Outcome},
    output::{Align, Output, table},
};

pub(crate) fn run(args: &Group) -> Outcome {
    match args {
        Group::List(args) => list(args),
        Group::Describe(args) => describe::run(args),
        Group::Lag(args) => lag::run(args),
        Group::ResetOffsets(args) => reset::run(args),
        Group::Delete(args) => delete(args),
    }
}

fn list(args: &GroupList) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let listings = admin(&kafka, &args.cluster).list_groups().map_err(CliError::failed)?;
    let among = |wanted: &[String], value: Option<&str>| {
        wanted.is_empty()
            || wanted.iter().any(|each| value.is_some_and(|value| each.eq_ignore_ascii_case(value)))
    };
    let shown = listings.groups.values().filter(|group| {
        among(&args.state, group.state.as_deref()) && among(&args.types, group.group_type.as_deref())
    });
    let mut output = Output::new();
    match args.output {
        Form::Json => {
            for group in shown {
                output.line(listing(group))?;
            }
        }
        Form::Text => {
            let mut rows = table(&[
                ("GROUP", Align::Left),
                ("STATE", Align::Left),
                ("TYPE", Align::Left),
                ("PROTOCOL-TYPE", Align::Left),
            ]);
            for group in shown {
                rows.add_row([
                    group.id.to_string(),
                    or_dash(group.state.as_ref()),
                    or_dash(group.group_type.as_ref()),
                    or_dash(Some(&group.protocol_type).filter(|protocol| !protocol.is_empty())),
                ]);
            }
            output.line(rows.trim_fmt())?;
        }
    }
    output.flush()?;
    let failed =
        listings.failed.iter().map(|(broker, error)| format!("the groups of broker {}: {error}", broker.0));
    all_done(failed)
}

fn listing(group: &GroupListing) -> Value {
    json!({"group": group.id.as_str(), "state": group.state.as_deref(), "type": group.group_type.as_deref(),
        "protocol_type": group.protocol_type.as_str()})
}

fn delete(args: &GroupDelete) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let admin = admin(&kafka, &args.cluster);
    let results = admin.delete_groups(args.groups.iter().map(String::as_str)).map_err(CliError::failed)?;
    let mut output = Output::new();
    let mut failures = Vec::new();
    for (name, result) in results {
        match result {
            Ok(()) => output.line(format_args!("{name}: deleted"))?,
            Err(error) => failures.push(trouble(&admin, &name, &error)),
        }
    }
    output.flush()?;
    all_done(failures)
}

/// What is wrong with a group, with the names that it may have been meant to have.
fn trouble(admin: &Admin, group: &str, error: &AdminError) -> String {
    if error.code() != Some(ErrorCode::GROUP_ID_NOT_FOUND) {
        return format!("group {group}: {error}");
    }
    // The names are a help; that they cannot be had is no further failure.
    let known = admin.list_groups().map(|listings| listings.groups).unwrap_or_default();
    let known: Vec<&str> = known.keys().map(|name| name.as_str()).collect();
    let hint = nearest::hint(group, &known);
    format!("group {group}: the cluster has no such group{hint}")
}

/// Fails with what went wrong, one line each.
fn all_done(failures: impl IntoIterator<Item = String>) -> Outcome {
    let failures: Vec<String> = failures.into_iter().collect();
    if failures.is_empty() { Ok(()) } else { Err(CliError::failed(failures.join("\nklamm: "))) }
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Partitions in a form for people: `orders: 0-3 7, payments: 1`.
fn short(assigned: &[TopicPartitions]) -> String {
    let topic = |each: &TopicPartitions| format!("{}: {}", each.topic, ranges(&each.partitions));
    assigned.iter().map(topic).collect::<Vec<_>>().join(", ")
}

/// Numbers with those that follow each other as ranges.
pub(crate) fn ranges(numbers: &[i32]) -> String {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last == number || last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |(first, last): &(i32, i32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(" ")
}
