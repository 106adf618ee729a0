use std::time::Duration;

use klamm_blocking::Metrics;

use super::{Totals, line};

#[test]
fn a_line_shows_what_was_added_since_the_last_one_by_the_second() {
    let mut metrics = Metrics::default();
    metrics.connections.bytes_out = 9_000_000;
    metrics.connections.requests = 12;
    metrics.connections.throttles = 3;
    metrics.connections.latency.record(Duration::from_millis(2));
    let before = Totals { bytes_out: 5_000_000, ..Totals::default() };
    let shown = line(&metrics, Totals::of(&metrics), before, Duration::from_secs(2));
    assert_eq!(shown, "2.0 MB/s out, 0.0 MB/s in, 12 requests, p50 1.5 ms, p99 2.0 ms, 3 throttles");
}
