//! `klamm consume`.

mod explain;
mod group;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use klamm_blocking::{Consumer, Event, FetchedBatch, Isolation, Kafka, OffsetSpec, StartAt};

use self::explain::Explaining;
use crate::{
    args::{self, Consume},
    connect::{admin, connect, timeout},
    error::{CliError, Outcome},
    format::{Format, Shown, write_json},
    output::Output,
    progress::Progress,
    time,
};

/// How often to look whether the cluster is still there while no records come.
const LOOK_AROUND: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &Consume) -> Outcome {
    let printer = Printer::parse(args)?;
    let start = start(args)?;
    if args.count == Some(0) {
        return Ok(());
    }
    if let Some(group) = &args.group {
        return group::run(args, group, printer);
    }
    let kafka = connect(&args.cluster)?;
    let partitions = if args.regex { Vec::new() } else { partitions(&kafka, args)? };
    let ends = if args.exit_at_end { Some(ends(&kafka, args, &partitions)?) } else { None };
    let builder = match start {
        StartAt::Offset(_) if args.regex => {
            return Err(CliError::usage(
                "--offset: with --regex use a place that all topics have: earliest, latest, -10, -2h or @1700000000000",
            ));
        }
        start if args.regex => kafka.consumer().assign_matching(&args.topic, start),
        start => {
            let start_at = start_at(&kafka, args, start, &partitions)?;
            let topic = args.topic.as_str();
            kafka.consumer().assign(start_at.iter().map(|(partition, start)| (topic, *partition, *start)))
        }
    };
    let consumer =
        builder.isolation(isolation(args)).client_rack(&args.rack).build().map_err(CliError::usage)?;
    let mut reading = Reading {
        topic: args.topic.clone(),
        silence: Silence { since: None, patience: timeout(&args.cluster) },
        printer,
        output: Output::new(),
        progress: Progress::start("consumed", args.count),
        left: args.count,
        ends,
        explaining: args.explain.then(|| Explaining::new(&args.topic, partitions)),
    };
    reading.read_all(&kafka, &consumer)?;
    reading.progress.finish();
    reading.output.flush()
}

/// Where `--offset` and `--from-beginning` say to start.
fn start(args: &Consume) -> Result<StartAt, CliError> {
    let Some(text) = args.offset.as_deref() else {
        return Ok(if args.from_beginning { StartAt::Earliest } else { StartAt::Latest });
    };
    let parsed = match text {
        "earliest" | "beginning" => Some(StartAt::Earliest),
        "latest" | "end" => Some(StartAt::Latest),
        _ => match (text.strip_prefix('@'), text.strip_prefix('-')) {
            (Some(time), _) => number(time).map(StartAt::Timestamp),
            (None, Some(back)) => match back.parse() {
                Ok(count) => Some(StartAt::BeforeLatest(count)),
                Err(_) => time::length(back).map(StartAt::Duration),
            },
            (None, None) => number(text).map(StartAt::Offset),
        },
    };
    parsed.ok_or_else(|| {
        CliError::usage(format!(
            "--offset {text}: use an offset such as 42, earliest, latest, -10 (ten before the end), -2h (two hours ago; \
             also s, m and d) or @1700000000000 (milliseconds since 1970)"
        ))
    })
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number >= 0)
}

/// The partitions to consume, checked against the topic's.
fn partitions(kafka: &Kafka, args: &Consume) -> Result<Vec<i32>, CliError> {
    let topics =
        admin(kafka, &args.cluster).describe_topics([args.topic.as_str()]).map_err(CliError::failed)?;
    let described = match topics.into_iter().next() {
        Some((_, Ok(described))) => described,
        Some((_, Err(error))) => return Err(CliError::failed(format!("topic {}: {error}", args.topic))),
        None => {
            return Err(CliError::failed(format!("topic {}: the broker did not describe it", args.topic)));
        }
    };
    let all: Vec<i32> = described.partitions.iter().map(|partition| partition.partition).collect();
    if args.partitions.is_empty() {
        return Ok(all);
    }
    match args.partitions.iter().find(|wanted| !all.contains(wanted)) {
        Some(missing) => Err(CliError::usage(format!(
            "topic {} has no partition {missing}: it has {} (from 0)",
            args.topic,
            all.len()
        ))),
        None => Ok(args.partitions.clone()),
    }
}

/// Where each partition ends now.
fn ends(kafka: &Kafka, args: &Consume, partitions: &[i32]) -> Result<BTreeMap<i32, i64>, CliError> {
    let topic = args.topic.as_str();
    let wanted = partitions.iter().map(|partition| (topic, *partition, OffsetSpec::Latest));
    let listed = admin(kafka, &args.cluster).list_offsets(wanted).map_err(CliError::failed)?;
    let mut ends = BTreeMap::new();
    for ((_, partition), end) in listed {
        let end = end.map_err(|error| CliError::failed(format!("topic {topic} [{partition}]: {error}")))?;
        ends.insert(partition, end.offset.unwrap_or(0));
    }
    Ok(ends)
}

fn start_at(
    kafka: &Kafka,
    args: &Consume,
    start: StartAt,
    partitions: &[i32],
) -> Result<Vec<(i32, StartAt)>, CliError> {
    match start {
        StartAt::Offset(offset) => {
            let (first, ends) = (earliest(kafka, args, partitions)?, ends(kafka, args, partitions)?);
            within(&args.topic, offset, &first, &ends)
        }
        at => Ok(partitions.iter().map(|partition| (*partition, at)).collect()),
    }
}

/// Where to start for an offset that not every partition may have: at the nearest that it has.
fn within(
    topic: &str,
    offset: i64,
    first: &BTreeMap<i32, i64>,
    ends: &BTreeMap<i32, i64>,
) -> Result<Vec<(i32, StartAt)>, CliError> {
    let range =
        |(partition, end): (&i32, &i64)| (*partition, first.get(partition).copied().unwrap_or(0), *end);
    let ranges: Vec<(i32, i64, i64)> = ends.iter().map(range).collect();
    let fits = ranges.iter().any(|(_, first, end)| (*first..=*end).contains(&offset));
    match ranges.first() {
        Some((partition, first, end)) if !fits => Err(CliError::failed(format!(
            "topic {topic}, partition {partition}: offset {offset} is out of range: the first is {first}, the next to be \
             written {end} (try --offset earliest or latest)"
        ))),
        _ => Ok(ranges
            .into_iter()
            .map(|(partition, first, end)| (partition, StartAt::Offset(offset.clamp(first, end.max(first)))))
            .collect()),
    }
}

fn earliest(kafka: &Kafka, args: &Consume, partitions: &[i32]) -> Result<BTreeMap<i32, i64>, CliError> {
    let topic = args.topic.as_str();
    let wanted = partitions.iter().map(|partition| (topic, *partition, OffsetSpec::Earliest));
    let listed = admin(kafka, &args.cluster).list_offsets(wanted).map_err(CliError::failed)?;
    Ok(listed.into_iter().filter_map(|((_, partition), at)| Some((partition, at.ok()?.offset?))).collect())
}

const fn isolation(args: &Consume) -> Isolation {
    match args.isolation {
        args::Isolation::ReadUncommitted => Isolation::ReadUncommitted,
        args::Isolation::ReadCommitted => Isolation::ReadCommitted,
    }
}

/// What is printed of a record.
enum Printer {
    Format(Format),
    Json,
}

impl Printer {
    fn parse(args: &Consume) -> Result<Self, CliError> {
        match (&args.format, args.output) {
            (Some(format), _) => Ok(Self::Format(Format::parse(format)?)),
            (None, args::Output::Json) => Ok(Self::Json),
            (None, args::Output::Text) => Ok(Self::Format(Format::parse("%v\\n")?)),
        }
    }
}

struct Reading {
    topic: String,
    printer: Printer,
    output: Output,
    progress: Progress,
    /// Records still to be printed, if there is a limit.
    left: Option<u64>,
    /// Where each partition ends, if the end is to end us; partitions that reached theirs are taken out.
    ends: Option<BTreeMap<i32, i64>>,
    silence: Silence,
    explaining: Option<Explaining>,
}

impl Reading {
    fn read_all(&mut self, kafka: &Kafka, consumer: &Consumer) -> Outcome {
        while !self.is_done(consumer) {
            let event = match consumer.try_next() {
                Some(event) => Some(event.map_err(CliError::failed)?),
                None => {
                    // Nothing at hand: show what there is before waiting for more.
                    self.output.flush()?;
                    consumer.next_timeout(LOOK_AROUND).map_err(CliError::failed)?
                }
            };
            match event {
                Some(Event::Batch(batch)) => {
                    self.silence.end();
                    if let Some(explaining) = &mut self.explaining {
                        explaining.end();
                    }
                    self.print(&batch)?;
                }
                Some(Event::End { partition, .. }) => self.ended(partition),
                Some(Event::Truncated { topic, partition, position, .. }) => {
                    return Err(CliError::failed(format!(
                        "topic {topic}, partition {partition}: the log lost records before offset {position}"
                    )));
                }
                Some(_) => {}
                None => {
                    let lines = self.explaining.as_mut().map(|explaining| explaining.lines(consumer));
                    for line in lines.unwrap_or_default() {
                        self.progress.say(&line);
                    }
                    self.silence.check(kafka)?;
                }
            }
        }
        Ok(())
    }

    fn print(&mut self, batch: &FetchedBatch) -> Outcome {
        let end = self.ends.as_ref().map(|ends| ends.get(&batch.partition()).copied().unwrap_or(0));
        let mut headers = Vec::new();
        for record in batch.records() {
            if self.left == Some(0) || end.is_some_and(|end| record.offset >= end) {
                break;
            }
            headers.clear();
            headers.extend(record.headers.iter().map(|header| (header.key, header.value)));
            let shown = Shown {
                topic: batch.topic(),
                partition: batch.partition(),
                offset: record.offset,
                timestamp_ms: record.timestamp,
                key: record.key,
                value: record.value,
                headers: &headers,
                number: self.progress.records(),
            };
            self.output.with(|out| match &self.printer {
                Printer::Format(format) => format.write(out, &shown),
                Printer::Json => write_json(out, &shown),
            })?;
            self.progress.add();
            self.left = self.left.map(|left| left - 1);
        }
        if let Some((offset, error)) = batch.corrupt() {
            let (topic, partition) = (batch.topic(), batch.partition());
            return Err(CliError::failed(format!(
                "topic {topic}, partition {partition}, offset {offset}: {error}"
            )));
        }
        if self.output.is_terminal() { self.output.flush() } else { Ok(()) }
    }

    /// Nothing more can be seen of a partition now. Short of its end, that is where an open transaction begins.
    fn ended(&mut self, partition: i32) {
        if let Some(ends) = &mut self.ends {
            ends.remove(&partition);
        }
    }

    /// Whether the limit, or the end of every partition, is reached.
    fn is_done(&mut self, consumer: &Consumer) -> bool {
        if let Some(ends) = &mut self.ends {
            let topic = &self.topic;
            ends.retain(|partition, end| {
                consumer.position(topic, *partition).is_none_or(|position| position < *end)
            });
        }
        self.left == Some(0) || self.ends.as_ref().is_some_and(BTreeMap::is_empty)
    }
}

/// For how long no broker could be reached. An idle topic is not silent: its brokers answer.
struct Silence {
    since: Option<Instant>,
    patience: Duration,
}

impl Silence {
    const fn end(&mut self) {
        self.since = None;
    }

    fn check(&mut self, kafka: &Kafka) -> Outcome {
        let Some(diagnosis) = kafka.diagnosis() else {
            self.end();
            return Ok(());
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() < self.patience {
            return Ok(());
        }
        Err(CliError::failed(format!("no records for {} s: {diagnosis}", self.patience.as_secs())))
    }
}
