//! What is produced while the group reads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use klamm_blocking::{Kafka, Producer, Record};

use super::{super::input::generate, TOPIC, ledger::hash};
use crate::{args::Demo, error::CliError};

pub(super) const RECORDS_A_SECOND: u64 = 20_000;
/// How often some are produced.
const BEAT: Duration = Duration::from_millis(10);
const RECORDS_A_BEAT: u64 = RECORDS_A_SECOND / 100;

/// What was produced, and acknowledged.
pub(super) struct Produced {
    pub(super) records: u64,
    /// By partition.
    pub(super) partitions: Vec<u64>,
    pub(super) checksum: u64,
}

/// Produces until it is stopped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Produced, CliError>>,
}

impl Load {
    pub(super) fn start(kafka: &Kafka, args: &Demo) -> Result<Self, CliError> {
        let producer = kafka
            .producer()
            .compression(crate::produce::compression(args.compression))
            .build()
            .map_err(CliError::usage)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, size) = (Arc::clone(&stop), args.size as usize);
        let partitions = args.partitions.unsigned_abs() as usize;
        let thread = std::thread::spawn(move || produce(&producer, size, partitions, &stopped));
        Ok(Self { stop, thread })
    }

    /// Stops, and waits until everything is acknowledged.
    pub(super) fn stop(self) -> Result<Produced, CliError> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_panic| CliError::failed("the producing thread panicked"))?
    }
}

fn produce(
    producer: &Producer,
    size: usize,
    partitions: usize,
    stop: &AtomicBool,
) -> Result<Produced, CliError> {
    let mut produced = Produced { records: 0, partitions: vec![0; partitions], checksum: 0 };
    let mut value = Vec::with_capacity(size);
    let mut next_beat = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..RECORDS_A_BEAT {
            generate(produced.records, size, &mut value);
            let partition = produced.records as usize % partitions;
            let record = Record::to(TOPIC).partition(i32::try_from(partition).unwrap_or(0)).value(&value);
            // `close` tells of what is not delivered.
            drop(producer.enqueue(record).map_err(CliError::failed)?);
            produced.records += 1;
            produced.partitions[partition] += 1;
            produced.checksum = produced.checksum.wrapping_add(hash(&value));
        }
        next_beat += BEAT;
        std::thread::sleep(next_beat.saturating_duration_since(Instant::now()));
    }
    producer.close().map_err(CliError::failed)?;
    Ok(produced)
}
