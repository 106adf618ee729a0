//! Buffers of sockets.

use klamm_engine::StartAt;
use klamm_sim::world::NetworkConfig;

use crate::bench::{Bench, LIMIT};

#[test]
fn large_records_pass_small_buffers_in_both_directions() {
    let mut config = NetworkConfig::ideal();
    config.send_buffer = 1000;
    config.receive_buffer = 1000;
    let bench = Bench::with(config);
    let value = "x".repeat(300_000);
    let took = bench.send(&value).unwrap();
    // 100 µs for each 1000 bytes.
    assert!((30..40).contains(&took.as_millis()), "{took:?}");
    let consumer = bench.kafka.consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
    let read = async {
        let mut lengths = Vec::new();
        while lengths.len() < 2 {
            let batch = consumer.next_batch().await.unwrap();
            lengths.extend(batch.records().map(|record| record.value.unwrap().len()));
        }
        lengths
    };
    assert_eq!(bench.world.block_on(read, LIMIT).unwrap(), [5, 300_000]);
}
