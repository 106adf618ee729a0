//! `klamm group reset-offsets`.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use klamm_blocking::{Admin, CommittedOffset, ErrorCode, OffsetSpec, Str};
use serde_json::json;

use super::{
    all_done,
    args::{GroupReset, ResetTo},
    or_dash, trouble,
};
use crate::{
    args::Output as Form,
    connect::{admin, connect},
    error::{CliError, Outcome},
    output::{Align, Output, table},
    progress::Progress,
    time,
};

type Key = (Str, i32);

/// How many partitions are committed in one request.
const AT_ONCE: usize = 1_000;

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Earliest,
    Latest,
    Offset(i64),
    /// Milliseconds since 1970.
    Time(i64),
    Shift(i64),
}

/// One partition.
#[derive(Debug)]
struct Row {
    current: Option<i64>,
    new: i64,
}

pub(super) fn run(args: &GroupReset) -> Outcome {
    let to = to(&args.to)?;
    let wanted = wanted(&args.topics)?;
    let kafka = connect(&args.cluster)?;
    let admin = admin(&kafka, &args.cluster);
    let exists = check_group(&admin, args)?;
    let committed = committed(&admin, &args.group)?;
    let keys = keys(&admin, args, &wanted, &committed)?;
    let new = new_offsets(&admin, to, &keys, &committed)?;
    let rows: BTreeMap<Key, Row> = new
        .into_iter()
        .map(|(key, new)| {
            let current = committed.get(&key).copied();
            (key, Row { current, new })
        })
        .collect();
    let progress = Progress::start("preparing", None);
    if !args.execute {
        progress.say("dry run: nothing was changed; --execute does it");
    } else if !exists {
        progress.say(&format!("there was no group {}: it is made", args.group));
    }
    progress.finish();
    let failures = if args.execute { commit(&admin, &args.group, &rows)? } else { Vec::new() };
    let mut output = Output::new();
    print(&mut output, args, &rows)?;
    output.flush()?;
    all_done(failures)
}

fn to(args: &ResetTo) -> Result<To, CliError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let ago = |back: Duration| i64::try_from(now.saturating_sub(back).as_millis()).unwrap_or(i64::MAX);
    if args.to_earliest {
        return Ok(To::Earliest);
    }
    if let Some(offset) = args.to_offset {
        return Ok(To::Offset(offset));
    }
    if let Some(count) = args.shift_by {
        return Ok(To::Shift(count));
    }
    if let Some(text) = &args.to_datetime {
        return time::point(text).map(To::Time).ok_or_else(|| {
            CliError::usage(format!(
                "--to-datetime {text}: use a time such as 2026-01-31, 2026-01-31T12:00:00, 2026-01-31T12:00:00+01:00 or \
                 @1700000000000 (milliseconds since 1970)"
            ))
        });
    }
    if let Some(text) = &args.by_duration {
        return time::length(text).map(|back| To::Time(ago(back))).ok_or_else(|| {
            CliError::usage(format!(
                "--by-duration {text}: use a duration such as 90s, 15m, 2h, 7d or PT2H30M"
            ))
        });
    }
    Ok(To::Latest)
}

/// The topics, with the partitions of each; none: all.
fn wanted(topics: &[String]) -> Result<BTreeMap<&str, Option<Vec<i32>>>, CliError> {
    let mut wanted: BTreeMap<&str, Option<Vec<i32>>> = BTreeMap::new();
    for text in topics {
        let (topic, numbers) = match text.split_once(':') {
            None => (text.as_str(), None),
            Some((topic, numbers)) => {
                let numbers: Result<Vec<i32>, _> = numbers.split(',').map(str::parse).collect();
                let numbers = numbers.ok().filter(|numbers| numbers.iter().all(|number| *number >= 0));
                let numbers = numbers.ok_or_else(|| {
                    CliError::usage(format!(
                        "--topic {text}: use TOPIC, or TOPIC:0,3 for some of its partitions"
                    ))
                })?;
                (topic, Some(numbers))
            }
        };
        let merged = match (wanted.remove(topic), numbers) {
            (Some(Some(mut before)), Some(numbers)) => {
                before.extend(numbers);
                Some(before)
            }
            (None, numbers) => numbers,
            (Some(_), _) => None,
        };
        wanted.insert(topic, merged);
    }
    Ok(wanted)
}

/// Whether the group exists. One with members cannot be reset: they would commit over it.
fn check_group(admin: &Admin, args: &GroupReset) -> Result<bool, CliError> {
    let group = args.group.as_str();
    match admin.describe_groups([group]).map_err(CliError::failed)?.into_values().next() {
        Some(Ok(described)) if described.members.is_empty() => Ok(true),
        Some(Ok(described)) => {
            let count = described.members.len();
            let members = if count == 1 { "a member".to_owned() } else { format!("{count} members") };
            Err(CliError::failed(format!(
                "group {group} has {members} (state {}): stop its consumers first",
                described.state
            )))
        }
        Some(Err(error)) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => Ok(false),
        Some(Err(error)) => Err(CliError::failed(trouble(admin, group, &error))),
        None => Ok(false),
    }
}

fn committed(admin: &Admin, group: &str) -> Result<BTreeMap<Key, i64>, CliError> {
    let listed = admin.list_group_offsets(group, false);
    let listed = listed.map_err(|error| CliError::failed(trouble(admin, group, &error)))?;
    Ok(listed.into_iter().filter_map(|(key, offset)| Some((key, offset.ok()??.offset))).collect())
}

/// The partitions to be reset.
fn keys(
    admin: &Admin,
    args: &GroupReset,
    wanted: &BTreeMap<&str, Option<Vec<i32>>>,
    committed: &BTreeMap<Key, i64>,
) -> Result<Vec<Key>, CliError> {
    if args.all_topics {
        if committed.is_empty() {
            let known = admin.list_groups().map(|listings| listings.groups).unwrap_or_default();
            let others: Vec<&str> =
                known.keys().map(|name| name.as_str()).filter(|name| *name != args.group).collect();
            let hint = super::nearest::hint(&args.group, &others);
            return Err(CliError::failed(format!(
                "group {} has committed nothing: say which topics with --topic{hint}",
                args.group
            )));
        }
        return Ok(committed.keys().cloned().collect());
    }
    let described = admin.describe_topics(wanted.keys().copied()).map_err(CliError::failed)?;
    let mut keys = Vec::new();
    for (topic, described) in described {
        let described = described.map_err(|error| CliError::failed(format!("topic {topic}: {error}")))?;
        let all: Vec<i32> = described.partitions.iter().map(|partition| partition.partition).collect();
        let some = wanted.get(topic.as_str()).and_then(Option::as_ref);
        if let Some(missing) = some.and_then(|some| some.iter().find(|number| !all.contains(number))) {
            return Err(CliError::usage(format!(
                "topic {topic} has no partition {missing}: it has {} (from 0)",
                all.len()
            )));
        }
        keys.extend(some.unwrap_or(&all).iter().map(|partition| (topic.clone(), *partition)));
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// Where each partition goes, within what it has.
fn new_offsets(
    admin: &Admin,
    to: To,
    keys: &[Key],
    committed: &BTreeMap<Key, i64>,
) -> Result<BTreeMap<Key, i64>, CliError> {
    let (first, end) =
        (offsets_at(admin, OffsetSpec::Earliest, keys)?, offsets_at(admin, OffsetSpec::Latest, keys)?);
    let at_time = match to {
        To::Time(time) => offsets_at(admin, OffsetSpec::Timestamp(time), keys)?,
        _ => BTreeMap::new(),
    };
    let mut new = BTreeMap::new();
    for key in keys {
        let at = |offsets: &BTreeMap<Key, i64>| offsets.get(key).copied();
        let (first, end) = (at(&first).unwrap_or(0), at(&end).unwrap_or(0));
        let offset = match to {
            To::Earliest => first,
            To::Latest => end,
            To::Offset(offset) => offset,
            // Nothing is as young as that: what comes next is.
            To::Time(_) => at(&at_time).unwrap_or(end),
            To::Shift(count) => {
                let current = at(committed).ok_or_else(|| {
                    CliError::failed(format!(
                        "--shift-by: the group has committed nothing for topic {} [{}]",
                        key.0, key.1
                    ))
                })?;
                current.saturating_add(count)
            }
        };
        new.insert(key.clone(), offset.clamp(first, end.max(first)));
    }
    Ok(new)
}

fn offsets_at(admin: &Admin, spec: OffsetSpec, keys: &[Key]) -> Result<BTreeMap<Key, i64>, CliError> {
    let wanted = keys.iter().map(|(topic, partition)| (topic.clone(), *partition, spec));
    let wanted: Vec<(Str, i32, OffsetSpec)> = wanted.collect();
    let mut offsets = BTreeMap::new();
    for (key, listed) in admin.list_offsets(wanted).map_err(CliError::failed)? {
        let listed =
            listed.map_err(|error| CliError::failed(format!("topic {} [{}]: {error}", key.0, key.1)))?;
        if let Some(offset) = listed.offset {
            offsets.insert(key, offset);
        }
    }
    Ok(offsets)
}

/// Commits the new offsets. Returns what went wrong.
fn commit(admin: &Admin, group: &str, rows: &BTreeMap<Key, Row>) -> Result<Vec<String>, CliError> {
    let all: Vec<(Key, CommittedOffset)> = rows
        .iter()
        .map(|(key, row)| (key.clone(), CommittedOffset { offset: row.new, ..CommittedOffset::default() }))
        .collect();
    let mut failures = Vec::new();
    for some in all.chunks(AT_ONCE) {
        let done = admin.alter_group_offsets(group, some.iter().cloned());
        let done = done.map_err(|error| CliError::failed(trouble(admin, group, &error)))?;
        failures.extend(done.into_iter().filter_map(|((topic, partition), result)| {
            Some(format!("topic {topic} [{partition}]: {}", result.err()?))
        }));
    }
    Ok(failures)
}

fn print(output: &mut Output, args: &GroupReset, rows: &BTreeMap<Key, Row>) -> Outcome {
    if args.output == Form::Json {
        for ((topic, partition), row) in rows {
            output.line(json!({"group": args.group, "topic": topic.as_str(), "partition": partition,
                "current_offset": row.current, "new_offset": row.new, "executed": args.execute}))?;
        }
        return Ok(());
    }
    let mut out = table(&[
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("CURRENT-OFFSET", Align::Right),
        ("NEW-OFFSET", Align::Right),
    ]);
    for ((topic, partition), row) in rows {
        out.add_row([topic.to_string(), partition.to_string(), or_dash(row.current), row.new.to_string()]);
    }
    output.line(out.trim_fmt())
}
