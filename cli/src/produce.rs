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
    let ProduceTuning { acks, linger_ms, batch_bytes, compression_level, max_request_size, .. } = args.tuning;
    let max_request_size = max_request_size as usize;
    let builder = kafka
        .producer()
        .acks(match acks {
            args::Acks::All => Acks::All,
            args::Acks::One => Acks::Leader,
            args::Acks::Zero => Acks::None,
        })
        .idempotent(acks == args::Acks::All)
        .idempotence_optional(true)
        .compression(compression(args.tuning.compression))
        .linger_ms(linger_ms)
        .batch_size(batch_bytes as usize)
        .max_request_size(max_request_size)
        .buffer_memory(BUFFER_BYTES.max(2 * max_request_size).max(4 * batch_bytes as usize))
        .request_timeout(timeout(&args.cluster))
        .delivery_timeout(timeout(&args.cluster) + Duration::from_millis(linger_ms));
    let builder = match compression_level {
        Some(level) => builder.compression_level(level),
        None => builder,
    };
    builder.build().map_err(CliError::usage)
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
