//! `klamm demo`: the main job, from end to end, in front of your eyes.

mod copy;
mod group;
mod input;
mod report;
mod work;

use std::time::Duration;

use klamm_blocking::{Kafka, NewTopic, Str};
use klamm_sim::EmbeddedCluster;

use crate::{
    args::Demo,
    error::{CliError, Outcome},
    output::Output,
};
use input::Input;
use report::Phase;

const TOPIC: &str = "demo";
const BROKERS: i32 = 3;

pub(crate) fn run(args: &Demo) -> Outcome {
    let mut output = Output::new();
    let patience = Duration::from_secs_f64(args.timeout);
    let input = Input::open(args)?;
    let cluster = EmbeddedCluster::builder().brokers(BROKERS).start().map_err(CliError::failed)?;
    output.line(format_args!("{BROKERS} embedded brokers on {}", cluster.bootstrap()))?;
    output.flush()?;

    let kafka = Kafka::builder(cluster.bootstrap().split(','))
        .client_id("klamm-demo")
        .connect_timeout(patience)
        .max_block(patience)
        .connect()
        .map_err(CliError::failed)?;
    create_topic(&kafka, TOPIC, args.partitions)?;
    output.line(format_args!(
        "topic {TOPIC}: {} partitions, {BROKERS} replicas; {}",
        args.partitions,
        input.description()
    ))?;
    output.flush()?;

    let produced = work::produce(&kafka, input, args, patience)?;
    let consumed = work::consume(&kafka, &produced, args, patience)?;
    report::print(&mut output, &[Phase::new("produce", &produced), Phase::new("consume", &consumed)])?;
    verify(&mut output, &produced, &consumed)?;
    group::run(&mut output, &kafka, cluster.bootstrap(), args)?;
    copy::run(&mut output, &kafka, &cluster, group::TOPIC, args)
}

fn create_topic(kafka: &Kafka, name: &str, partitions: i32) -> Outcome {
    let topic = NewTopic::new(Str::copy_of(name)).partitions(partitions).replication(3);
    let results = kafka.admin().create_topics([topic]).map_err(CliError::failed)?;
    match results.into_values().find_map(Result::err) {
        Some(error) => Err(CliError::failed(format!("topic {name}: {error}"))),
        None => Ok(()),
    }
}

fn verify(output: &mut Output, produced: &work::Tally, consumed: &work::Tally) -> Outcome {
    if (produced.records, produced.checksum) != (consumed.records, consumed.checksum) {
        return Err(CliError::failed(format!(
            "verification failed: produced {} records with checksum {:016x}, consumed {} with {:016x}",
            produced.records, produced.checksum, consumed.records, consumed.checksum
        )));
    }
    output.line(format_args!(
        "verified: {} records, checksum {:016x}, every record once and in order",
        consumed.records, consumed.checksum
    ))?;
    output.flush()
}
