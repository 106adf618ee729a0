//! `klamm consume --group`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use klamm_blocking::{
    GroupBatch, GroupConsumer, GroupEvent, GroupProtocol, Kafka, OffsetReset, StartAt, TopicPartition,
};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Printer, Reading, Silence, isolation};
use crate::{
    args::{self, Consume},
    connect::{connect, timeout},
    error::{CliError, Outcome},
    output::Output,
    progress::Progress,
};

/// How often to look whether the command is to end.
const LOOK_AROUND: Duration = Duration::from_millis(100);
/// How long committing and leaving may take.
const PARTING: Duration = Duration::from_secs(10);

pub(super) fn run(args: &Consume, group: &str, printer: Printer) -> Outcome {
    let stop = stop_by_signal()?;
    let kafka = connect(&args.cluster)?;
    let consumer = consumer(&kafka, args, group)?;
    let mut member = Member {
        verbose: args.verbose,
        reading: Reading {
            topic: args.topic.clone(),
            silence: Silence { since: None, patience: timeout(&args.cluster) },
            printer,
            output: Output::new(),
            progress: Progress::start("consumed", args.count),
            left: args.count,
            ends: None,
            explaining: None,
        },
    };
    let outcome = member.read_all(&kafka, &consumer, &stop).and_then(|()| member.reading.output.flush());
    // What was printed is committed, whatever ended it.
    consumer.close(PARTING);
    member.reading.progress.finish();
    kafka.close();
    outcome
}

/// Raised by the first SIGINT or SIGTERM; the second ends the process as if it were the first.
fn stop_by_signal() -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .map_err(CliError::failed)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(CliError::failed)?;
    }
    Ok(stop)
}

fn consumer(kafka: &Kafka, args: &Consume, group: &str) -> Result<GroupConsumer, CliError> {
    let reset = if args.from_beginning { OffsetReset::Earliest } else { OffsetReset::Latest };
    let builder =
        kafka.group(group).offset_reset(reset).isolation(isolation(args)).client_rack(&args.rack).protocol(
            match args.group_protocol {
                args::GroupProtocol::Classic => GroupProtocol::Classic,
                args::GroupProtocol::Consumer => GroupProtocol::Consumer,
            },
        );
    let builder = if args.regex {
        builder.subscribe_pattern(&args.topic)
    } else {
        builder.subscribe([args.topic.as_str()])
    };
    let builder = match &args.instance_id {
        Some(id) => builder.instance_id(id),
        None => builder,
    };
    let builder = match args.session_timeout {
        Some(seconds) => {
            let timeout = Duration::from_secs_f64(seconds);
            // As often as Java's defaults: a fifteenth of the session, 3 s at most.
            builder.session_timeout(timeout).heartbeat_interval((timeout / 15).min(Duration::from_secs(3)))
        }
        None => builder,
    };
    builder.build().map_err(CliError::usage)
}

struct Member {
    verbose: bool,
    reading: Reading,
}

impl Member {
    fn read_all(&mut self, kafka: &Kafka, consumer: &GroupConsumer, stop: &AtomicBool) -> Outcome {
        while !stop.load(Ordering::Relaxed) && self.reading.left != Some(0) {
            let event = match consumer.try_next() {
                Some(event) => Some(event.map_err(CliError::failed)?),
                None => {
                    // Nothing at hand: show what there is before waiting for more.
                    self.reading.output.flush()?;
                    consumer.next_timeout(LOOK_AROUND).map_err(CliError::failed)?
                }
            };
            match event {
                Some(GroupEvent::Batch(batch)) => self.print(consumer, &batch)?,
                Some(event) => self.tell(&event),
                None => self.reading.silence.check(kafka)?,
            }
        }
        Ok(())
    }

    fn print(&mut self, consumer: &GroupConsumer, batch: &GroupBatch) -> Outcome {
        self.reading.silence.end();
        let last_wanted = self.reading.left.and_then(|left| usize::try_from(left.checked_sub(1)?).ok());
        let last = last_wanted.and_then(|at| Some(batch.records().nth(at)?.offset));
        self.reading.print(batch)?;
        // Once it is dropped it counts as done with and may be committed: by then the reader has to have it.
        self.reading.output.flush()?;
        if let Some(last) = last {
            // The rest of the batch is for the next one: it is not to be committed.
            let next = StartAt::Offset(last + 1);
            consumer.seek(batch.topic(), batch.partition(), next).map_err(CliError::failed)?;
        }
        Ok(())
    }

    fn tell(&self, event: &GroupEvent) {
        let say = |line: String| self.reading.progress.say(&line);
        match event {
            GroupEvent::Assigned(partitions) if self.verbose => {
                let all: Vec<_> =
                    partitions.iter().map(|each| (each.topic.clone(), each.partition)).collect();
                say(format!("assigned {}", named(&all)));
            }
            GroupEvent::Revoking(revocation) if self.verbose => {
                say(format!("gives up {}", named(revocation.partitions())));
            }
            GroupEvent::Lost { partitions, .. } => say(format!("lost {}", named(partitions))),
            GroupEvent::GroupTrouble(error) => say(error.to_string()),
            GroupEvent::CommitFailed(error) => say(format!("offsets were not committed: {error}")),
            _ => {}
        }
    }
}

/// Topics and partitions in a line.
fn named(partitions: &[TopicPartition]) -> String {
    if partitions.is_empty() {
        return "nothing".into();
    }
    let one = |(topic, partition): &TopicPartition| format!("{topic}-{partition}");
    partitions.iter().map(one).collect::<Vec<_>>().join(", ")
}
