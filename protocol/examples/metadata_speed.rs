//! How long decoding and encoding a large Metadata response takes, per partition.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for the eye")]

use std::hint::black_box;
use std::time::Instant;

use klamm_protocol::messages::metadata::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::wire::{Reader, Writer};
use klamm_protocol::{Message, Str};

const TOPICS: usize = 100;
const PARTITIONS: i32 = 100;
const ROUNDS: u32 = 300;

fn main() {
    let partition = |index: i32| MetadataResponsePartition {
        partition_index: index,
        leader_id: index % 3,
        leader_epoch: 5,
        replica_nodes: [0, 1, 2].into(),
        isr_nodes: [0, 1, 2].into(),
        ..MetadataResponsePartition::default()
    };
    let topic = |index: usize| MetadataResponseTopic {
        name: Some(Str::from(format!("topic-{index}"))),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..MetadataResponseTopic::default()
    };
    let response =
        MetadataResponse { topics: (0..TOPICS).map(topic).collect(), ..MetadataResponse::default() };
    let encode = || {
        let mut writer = Writer::with_capacity(black_box(&response).encoded_len(12).unwrap());
        response.encode(&mut writer, 12).unwrap();
        writer.into_bytes()
    };
    let frame = encode();
    let decode = || MetadataResponse::decode(&mut Reader::new(black_box(&frame).clone()), 12).unwrap();
    assert_eq!(decode(), response);

    println!("decode: {:.1} ns a partition", best(|| drop(black_box(decode()))));
    println!("encode: {:.1} ns a partition", best(|| drop(black_box(encode()))));
}

/// The fastest round, in nanoseconds a partition: what the code costs when nothing else disturbs.
fn best(work: impl Fn()) -> f64 {
    let round = || {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos()
    };
    let fastest = (0..ROUNDS).map(|_| round()).min().unwrap();
    fastest as f64 / (TOPICS as f64 * f64::from(PARTITIONS))
}
