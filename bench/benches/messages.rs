//! Time and allocations of messages, beside the crate `kafka-protocol`, in one run.
#![expect(clippy::unwrap_used, reason = "wrong results must stop a benchmark")]

use bytes::Bytes;
use kafka_protocol::messages::MetadataResponse as PeerMetadata;
use kafka_protocol::protocol::Decodable;
use klamm_bench::counting::{Case, Counting};
use klamm_bench::messages::{
    METADATA_PARTITIONS, METADATA_VERSION, ROUND_TRIPS, RoundTrips, decode_metadata, metadata,
};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SAMPLES: usize = 60;
const ROUNDS: usize = 5;

fn peer_decode(frame: &Bytes) -> usize {
    let response = PeerMetadata::decode(&mut frame.clone(), METADATA_VERSION).unwrap();
    black_box(&response).topics.len()
}

fn main() {
    let frame = metadata();
    assert_eq!(peer_decode(&frame), decode_metadata(&frame), "both read the same metadata");
    let mut cases = [
        Case::new("klamm: decode Metadata v12", METADATA_PARTITIONS, || {
            black_box(decode_metadata(&frame));
        }),
        Case::new("kafka-protocol: decode Metadata v12", METADATA_PARTITIONS, || {
            black_box(peer_decode(&frame));
        }),
    ];
    Case::measure(&mut cases, SAMPLES, ROUNDS);
    Case::report("10,000 partitions, 3 replicas", "partition", &cases);

    let mut round_trips = RoundTrips::new();
    let mut cases = [Case::new("klamm: Heartbeat, no socket", ROUND_TRIPS, || round_trips.run())];
    Case::measure(&mut cases, SAMPLES, 20 * ROUNDS);
    Case::report("a connection's round trip", "request", &cases);
}
