//! Time and allocations a record of the whole client, against a broker in memory: no sockets, one thread.

use klamm_bench::client::{Consuming, Producing};
use klamm_bench::counting::{Case, Counting};
use klamm_bench::records::RECORDS;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SAMPLES: usize = 60;
const ROUNDS: usize = 20;

fn main() {
    let mut small = Producing::new(16_384);
    let mut large = Producing::new(1_000_000);
    let mut consuming = Consuming::new();
    let mut cases = [
        Case::new("produce, batches of 16 KiB", RECORDS, || small.produce()),
        Case::new("produce, 20,000 records a flush", RECORDS * 20, || {
            (0..20).for_each(|_| large.append());
            large.settle();
        }),
        Case::new("consume", RECORDS, || consuming.consume()),
    ];
    Case::measure(&mut cases, SAMPLES, ROUNDS);
    Case::report("key of 8 (produce) or none, value of 100", "record", &cases);
}
