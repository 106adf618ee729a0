//! What is measured.

mod consume;
mod end_to_end;
mod groups;
mod latency;
mod pace;
mod produce;
mod transactions;

use klamm_bench::contract::{Flags, Payload};
use klamm_tokio::{Acks, Compression, Kafka, Producer, ProducerBuilder};

use crate::Outcome;

pub(crate) use consume::consume;
pub(crate) use end_to_end::end_to_end_latency;
pub(crate) use groups::{consume_group, idle, rebalance};
pub(crate) use latency::produce_latency;
pub(crate) use produce::produce;
pub(crate) use transactions::transactions;

/// Bytes of a batch when tuned for throughput.
const TUNED_BATCH_BYTES: usize = 1_000_000;
/// Bytes of a request when tuned for throughput: a batch of each of several partitions.
const TUNED_REQUEST_BYTES: usize = 8 << 20;
/// Bytes that may be buffered when tuned for throughput.
const TUNED_BUFFER_BYTES: usize = 64 << 20;

async fn connect(flags: &Flags) -> Outcome<Kafka> {
    Ok(Kafka::builder(flags.text("bootstrap", "").split(',')).client_id("klamm-bench").connect().await?)
}

fn producer(flags: &Flags, kafka: &Kafka) -> Outcome<Producer> {
    Ok(producing(flags, kafka.producer())?.build()?)
}

/// Sets what the flags say of producing.
fn producing(flags: &Flags, builder: ProducerBuilder) -> Outcome<ProducerBuilder> {
    let acks = match flags.text("acks", "all") {
        "all" => Acks::All,
        "1" => Acks::Leader,
        "0" => Acks::None,
        other => return Err(format!("--acks {other}: all, 1 or 0").into()),
    };
    let compression = match flags.text("compression", "none") {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        other => return Err(format!("--compression {other}: none, gzip, snappy, lz4 or zstd").into()),
    };
    let idempotent = acks == Acks::All && flags.text("idempotent", "true") == "true";
    let mut builder = builder.acks(acks).idempotent(idempotent).compression(compression);
    if flags.tuned() {
        builder = builder
            .batch_size(TUNED_BATCH_BYTES)
            .max_request_size(TUNED_REQUEST_BYTES)
            .buffer_memory(TUNED_BUFFER_BYTES);
    }
    if let Some(linger) = flags.linger()? {
        builder = builder.linger(linger);
    }
    Ok(builder)
}

fn payload(flags: &Flags) -> Outcome<Payload> {
    Ok(Payload::new(flags.number("size", 1000)?, flags.number("partitions", 1)?)?)
}
