use core::time::Duration;

use alloc::{collections::BTreeSet, format};

use klamm_protocol::Str;

use super::{Histogram, Metrics, ProducerCounts, ProducerMetrics};
use crate::ProducerHandle;

#[test]
fn a_duration_is_counted_in_the_first_bucket_whose_bound_it_does_not_exceed() {
    for nanos in [0, 1, 16_383, 16_384, 16_385, 32_768, 32_769, 1 << 36, (1 << 36) + 1, u64::MAX] {
        let mut histogram = Histogram::new();
        histogram.record(Duration::from_nanos(nanos));
        let mut below = Duration::ZERO;
        for (bound, count) in histogram.buckets() {
            let fits = bound.is_none_or(|bound| Duration::from_nanos(nanos) <= bound);
            let above = nanos == 0 && below.is_zero() || Duration::from_nanos(nanos) > below;
            assert_eq!(count == 1, fits && above, "{nanos} ns, bucket up to {bound:?}");
            below = bound.unwrap_or(below);
        }
        assert_eq!((histogram.count(), histogram.max()), (1, Duration::from_nanos(nanos)));
    }
}

#[test]
fn a_quantile_is_off_by_less_than_a_factor_of_two() {
    let mut histogram = Histogram::new();
    for micros in 1..=10_000 {
        histogram.record(Duration::from_micros(micros));
    }
    for (share, exact) in [(0.1, 1_000), (0.5, 5_000), (0.9, 9_000), (0.99, 9_900), (1.0, 10_000)] {
        let told = histogram.quantile(share).expect("it has counts").as_micros();
        assert!(told <= exact * 2 && told * 2 >= exact, "{share}: {told}, not {exact}");
    }
    assert_eq!(histogram.quantile(1.0), Some(histogram.max()));
    assert_eq!(histogram.mean(), Some(Duration::from_nanos(5_000_500)));
    assert_eq!((Histogram::new().quantile(0.5), Histogram::new().mean()), (None, None));
}

#[test]
fn ratios_are_none_before_there_is_anything() {
    let mut counts = ProducerCounts::default();
    assert_eq!((counts.compression_ratio(), counts.batch_fill(100)), (None, None));
    counts.sealed(3, 40, 80);
    assert_eq!((counts.compression_ratio(), counts.batch_fill(100)), (Some(0.5), Some(0.8)));
}

#[test]
fn the_text_form_has_each_family_once_and_escapes_labels() {
    let mut metrics = Metrics { client_id: Str::from("a\"b\\c\nd"), ..Metrics::default() };
    metrics.connections.latency.record(Duration::from_millis(3));
    metrics.connections.disconnects.insert("idle", 2);
    metrics.producers.push(ProducerMetrics::new(ProducerHandle(0)));
    metrics.producers.push(ProducerMetrics::new(ProducerHandle(1)));
    let text = metrics.to_prometheus();
    for name in metrics.samples().iter().map(|sample| sample.name).collect::<BTreeSet<_>>() {
        assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
    }
    assert!(text.contains("klamm_requests_total{client_id=\"a\\\"b\\\\c\\nd\"} 0\n"), "{text}");
    assert!(text.contains(",reason=\"idle\"} 2\n"), "{text}");
    assert!(text.contains(",le=\"0.004194304\"} 1\n"), "3 ms are in the bucket up to 2^22 ns: {text}");
    assert!(text.contains(",le=\"0.002097152\"} 0\n") && text.contains(",le=\"+Inf\"} 1\n"), "{text}");
    assert!(text.contains("klamm_request_latency_seconds_sum") && text.contains("} 0.003\n"), "{text}");
}
