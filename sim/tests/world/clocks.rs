//! Wall clocks of clients.

use crate::bench::Bench;

/// The timestamps of the records, relative to the first one.
fn timestamps(bench: &Bench) -> Vec<i64> {
    let records = bench.world.cluster(|cluster, _| cluster.records("t", 0)).unwrap();
    records.iter().map(|record| record.timestamp - records[0].timestamp).collect()
}

#[test]
fn a_wall_clock_that_jumps_changes_timestamps_and_nothing_else() {
    let bench = Bench::new();
    bench.run(1000);
    bench.send("right").unwrap();
    bench.world.jump_wall_clock(bench.client, -3_600_000);
    bench.run(1000);
    let took = bench.send("an hour behind").unwrap();
    assert!(took.as_millis() < 5, "{took:?}");
    let seen = timestamps(&bench);
    assert!((1000..1010).contains(&seen[1]), "{seen:?}");
    assert!((2000 - 3_600_000..2010 - 3_600_000).contains(&seen[2]), "{seen:?}");
}

#[test]
fn a_wall_clock_that_drifts_gains_with_time_and_keeps_what_it_gained() {
    let bench = Bench::new();
    // A tenth too fast.
    bench.world.drift_wall_clock(bench.client, 100_000);
    bench.run(10_000);
    bench.send("fast").unwrap();
    bench.world.drift_wall_clock(bench.client, 0);
    bench.run(10_000);
    bench.send("right again").unwrap();
    let seen = timestamps(&bench);
    assert!((11_000..11_010).contains(&seen[1]), "{seen:?}");
    assert!((21_000..21_010).contains(&seen[2]), "{seen:?}");
}
