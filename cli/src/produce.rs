//! `klamm produce`.

use std::{collections::VecDeque, time::Duration};

use klamm_blocking::{Acks, Compression, Kafka, Producer, Receipt, Record, SendError};

use crate::{
    args::{self, Codec, Produce, ProduceTuning},
    connect::{connect, timeout},
    error::{CliError, Outcome},
    escape::unescape,
    lines::{Lines, split_key},
    progress::Progress,
};

/// Receipts that are kept before the oldest is waited for: bounds their memory, not the pipeline, which the
/// producer's buffer bounds in bytes.
const RECEIPTS_MAX: usize = 100_000;

/// Memory for records on their way, unless single ones need more.
const BUFFER_BYTES: usize = 32 << 20;

pub(crate) fn run(args: &Produce) -> Outcome {
    let shape = Shape::parse(args)?;
    let bytes_max = u64::from(args.tuning.max_request_size);
    let mut lines = Lines::new(&args.files, unescape(&args.delimiter)?, bytes_max)?;
    let kafka = connect(&args.cluster)?;
    let producer = producer(&kafka, args)?;
    let mut progress = Progress::start("produced", None);
    let mut pending = Pending::default();
    while let Some(line) = lines.next()? {
        if pending.error.is_some() {
            break;
        }
        match producer.enqueue(shape.record(&args.topic, line)) {
            Ok(receipt) => pending.push(receipt),
            Err(error) => pending.fail(error),
        }
        progress.add();
    }
    // The receipts below say what became of each record.
    let flushed = producer.flush();
    pending.wait_for_all();
    progress.finish();
    pending.report()?;
    flushed.map_err(CliError::failed)?;
    producer.close_within(timeout(&args.cluster)).map_err(CliError::failed)
}

fn producer(kafka: &Kafka, args: &Produce) -> Result<Producer, CliError> {
    let tuning = &args.tuning;
    let max_request_size = tuning.max_request_size as usize;
    let linger = Duration::from_millis(tuning.linger_ms);
    let delivery_timeout = match tuning.delivery_timeout {
        Some(seconds) => Duration::from_secs_f64(seconds),
        None => timeout(&args.cluster) + linger,
    };
    let builder = kafka
        .producer()
        .acks(match tuning.acks {
            args::Acks::All => Acks::All,
            args::Acks::One => Acks::Leader,
            args::Acks::Zero => Acks::None,
        })
        .idempotence_optional(true)
        .compression_preference(tuning.compression.iter().map(|choice| compression(choice.codec)))
        .partitioner(tuning.partitioner)
        .partitioner_rack(tuning.rack.as_str())
        .linger(linger)
        .batch_size(tuning.batch_bytes as usize)
        .max_request_size(max_request_size)
        .max_in_flight(tuning.max_in_flight as usize)
        .buffer_memory(BUFFER_BYTES.max(2 * max_request_size).max(4 * tuning.batch_bytes as usize))
        .max_block(timeout(&args.cluster))
        .request_timeout(timeout(&args.cluster).min(delivery_timeout.saturating_sub(linger)))
        .delivery_timeout(delivery_timeout);
    let builder = match tuning.retries {
        Some(retries) => builder.retries(retries),
        None => builder,
    };
    let builder = match level(tuning)? {
        Some(level) => builder.compression_level(level),
        None => builder,
    };
    builder.build().map_err(CliError::usage)
}

/// The level of the codec, which is named in one place or the other.
fn level(tuning: &ProduceTuning) -> Result<Option<i32>, CliError> {
    let mut choices = tuning.compression.iter();
    let first = choices.next().and_then(|choice| choice.level);
    if choices.any(|choice| choice.level.is_some()) {
        return Err(CliError::usage("only the first codec can have a level: for instance zstd:19,lz4"));
    }
    if first.is_some() && tuning.compression_level.is_some() {
        return Err(CliError::usage("the level is named twice: leave out --compression-level"));
    }
    Ok(first.or(tuning.compression_level))
}

/// The codec.
pub(crate) const fn compression(codec: Codec) -> Compression {
    match codec {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    }
}

/// How a line becomes a record.
struct Shape {
    key_separator: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    partition: Option<i32>,
    null_empty: bool,
}

impl Shape {
    fn parse(args: &Produce) -> Result<Self, CliError> {
        let key_separator = args.key_separator.as_deref().map(unescape).transpose()?;
        if key_separator.as_ref().is_some_and(Vec::is_empty) {
            return Err(CliError::usage("--key-separator must not be empty: try ':' or '\\t'"));
        }
        let headers = args.headers.iter().map(|header| match header.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.as_bytes().to_vec())),
            None => (header.clone(), None),
        });
        Ok(Self {
            key_separator,
            key: args.key.as_ref().map(|key| key.as_bytes().to_vec()),
            headers: headers.collect(),
            partition: args.partition,
            null_empty: args.null_empty,
        })
    }

    fn record<'a>(&'a self, topic: &'a str, line: &'a [u8]) -> Record<'a> {
        let (key, value) = match &self.key_separator {
            Some(separator) => split_key(line, separator),
            None => (self.key.as_deref(), line),
        };
        let keep = |bytes: &&[u8]| !(self.null_empty && bytes.is_empty());
        let mut record = Record::to(topic);
        if let Some(key) = key.filter(keep) {
            record = record.key(key);
        }
        if let Some(value) = Some(value).filter(keep) {
            record = record.value(value);
        }
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        for (name, value) in &self.headers {
            record = match value {
                Some(value) => record.header(name.as_str(), value.as_slice()),
                None => record.null_header(name.as_str()),
            };
        }
        record
    }
}

/// Records whose outcome is not known yet, in their order, and what became of the others.
#[derive(Default)]
struct Pending {
    receipts: VecDeque<Receipt>,
    acknowledged: u64,
    failed: u64,
    /// Why the first one failed.
    error: Option<SendError>,
}

impl Pending {
    fn push(&mut self, receipt: Receipt) {
        self.receipts.push_back(receipt);
        if self.receipts.len() > RECEIPTS_MAX {
            self.wait_for_oldest();
        }
    }

    fn wait_for_all(&mut self) {
        while !self.receipts.is_empty() {
            self.wait_for_oldest();
        }
    }

    fn wait_for_oldest(&mut self) {
        match self.receipts.pop_front().map(Receipt::wait) {
            Some(Ok(_)) => self.acknowledged += 1,
            Some(Err(error)) => self.fail(error),
            None => {}
        }
    }

    fn fail(&mut self, error: SendError) {
        self.failed += 1;
        self.error.get_or_insert(error);
    }

    /// Nothing is lost silently: says how many records were acknowledged and how many were not.
    fn report(&self) -> Outcome {
        match &self.error {
            None => Ok(()),
            Some(error) => Err(CliError::failed(format!(
                "{error}; {} records were acknowledged, {} were not, and the rest of the input was not read",
                self.acknowledged, self.failed
            ))),
        }
    }
}
