//! `klamm group lag`.

use std::{collections::BTreeMap, thread, time::Duration};

use klamm_blocking::{Admin, AdminError, ErrorCode, GroupDescription, OffsetSpec, Str};
use serde_json::{Value, json};

use super::{args::GroupLag, describe::host, or_dash, trouble};
use crate::{
    args::Output as Form,
    connect::{admin, connect},
    error::{CliError, Outcome},
    output::{Align, Output, table},
};

type Key = (Str, i32);

/// One line: a partition that the group committed for, or that one of its members has.
#[derive(Debug, Default)]
struct Row {
    current: Option<i64>,
    end: Option<i64>,
    consumer: Option<Str>,
    host: Option<String>,
    /// Why the end is not known.
    trouble: Option<String>,
}

impl Row {
    fn lag(&self) -> Option<i64> {
        // A partition that was made anew may end before what was committed for its predecessor.
        Some(self.end?.saturating_sub(self.current?).max(0))
    }
}

pub(super) fn run(args: &GroupLag) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let admin = admin(&kafka, &args.cluster);
    let mut output = Output::new();
    let mut shown = 0;
    loop {
        let rows = rows(&admin, &args.group)?;
        if args.watch && args.output == Form::Text {
            if output.is_terminal() {
                // To the upper left corner, and nothing below it.
                output.with(|out| std::io::Write::write_all(out, b"\x1b[H\x1b[2J"))?;
            } else if shown > 0 {
                output.line("")?;
            }
        }
        print(&mut output, args, &rows)?;
        output.flush()?;
        shown += 1;
        if !args.watch || args.count == Some(shown) {
            return troubles(&rows);
        }
        thread::sleep(Duration::from_secs_f64(args.interval));
    }
}

fn rows(admin: &Admin, group: &str) -> Result<BTreeMap<Key, Row>, CliError> {
    let described = admin.describe_groups([group]).map_err(CliError::failed)?.into_values().next();
    let committed = admin.list_group_offsets(group, false);
    let committed = committed.map_err(|error| CliError::failed(trouble(admin, group, &error)))?;
    let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
    match described {
        Some(Ok(described)) => assigned(&described, &mut rows),
        Some(Err(error)) if !is_gone(&error) || committed.is_empty() => {
            return Err(CliError::failed(trouble(admin, group, &error)));
        }
        _ => {}
    }
    for (key, offset) in committed {
        let row = rows.entry(key).or_default();
        match offset {
            Ok(offset) => row.current = offset.map(|offset| offset.offset),
            Err(error) => row.trouble = Some(error.to_string()),
        }
    }
    let ends = rows.keys().map(|(topic, partition)| (topic.clone(), *partition, OffsetSpec::Latest));
    let ends: Vec<(Str, i32, OffsetSpec)> = ends.collect();
    if !ends.is_empty() {
        for (key, end) in admin.list_offsets(ends).map_err(CliError::failed)? {
            let row = rows.entry(key).or_default();
            match end {
                Ok(end) => row.end = end.offset,
                Err(error) => row.trouble = Some(error.to_string()),
            }
        }
    }
    Ok(rows)
}

fn is_gone(error: &AdminError) -> bool {
    error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND)
}

fn assigned(described: &GroupDescription, rows: &mut BTreeMap<Key, Row>) {
    for member in &described.members {
        for topic in &member.assigned {
            for partition in &topic.partitions {
                let row = rows.entry((topic.topic.clone(), *partition)).or_default();
                row.consumer = Some(member.id.clone());
                row.host = Some(host(&member.host).to_owned());
            }
        }
    }
}

fn print(output: &mut Output, args: &GroupLag, rows: &BTreeMap<Key, Row>) -> Outcome {
    if args.output == Form::Json {
        for (key, row) in rows {
            output.line(as_json(&args.group, key, row))?;
        }
        return Ok(());
    }
    let mut out = table(&[
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("CURRENT-OFFSET", Align::Right),
        ("LOG-END-OFFSET", Align::Right),
        ("LAG", Align::Right),
        ("CONSUMER-ID", Align::Left),
        ("HOST", Align::Left),
    ]);
    for ((topic, partition), row) in rows {
        out.add_row([
            topic.to_string(),
            partition.to_string(),
            or_dash(row.current),
            or_dash(row.end),
            or_dash(row.lag()),
            or_dash(row.consumer.as_ref()),
            or_dash(row.host.as_ref()),
        ]);
    }
    output.line(out.trim_fmt())
}

fn as_json(group: &str, (topic, partition): &Key, row: &Row) -> Value {
    json!({
        "group": group,
        "topic": topic.as_str(),
        "partition": partition,
        "current_offset": row.current,
        "log_end_offset": row.end,
        "lag": row.lag(),
        "consumer_id": row.consumer.as_deref(),
        "host": row.host,
    })
}

fn troubles(rows: &BTreeMap<Key, Row>) -> Outcome {
    let failures = rows.iter().filter_map(|((topic, partition), row)| {
        Some(format!("topic {topic} [{partition}]: {}", row.trouble.as_ref()?))
    });
    super::all_done(failures)
}
