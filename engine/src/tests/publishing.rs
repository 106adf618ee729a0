//! What the `metrics` facade is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use klamm_core::metrics::{Histogram, Metrics};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

use super::Bench;
use crate::{MetricsPublisher, observe::added};

/// Keeps what it is told, by names and labels.
#[derive(Default)]
struct Kept(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

/// One metric of it.
struct Place(Arc<Mutex<BTreeMap<String, Vec<f64>>>>, String);

impl Place {
    fn keep(&self, value: f64) {
        self.0.lock().unwrap().entry(self.1.clone()).or_default().push(value);
    }
}

impl CounterFn for Place {
    fn increment(&self, _: u64) {
        panic!("counters are absolute");
    }

    fn absolute(&self, value: u64) {
        self.keep(f64::from(u32::try_from(value).unwrap()));
    }
}

impl GaugeFn for Place {
    fn increment(&self, _: f64) {
        panic!("gauges are set");
    }

    fn decrement(&self, _: f64) {
        panic!("gauges are set");
    }

    fn set(&self, value: f64) {
        self.keep(value);
    }
}

impl HistogramFn for Place {
    fn record(&self, value: f64) {
        self.keep(value);
    }
}

impl Kept {
    fn place(&self, key: &Key) -> Arc<Place> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Place(Arc::clone(&self.0), format!("{}{{{}}}", key.name(), labels.join(","))))
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.place(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.place(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        metrics::Histogram::from_arc(self.place(key))
    }
}

fn snapshot(requests: u64, latencies_ms: &[u64]) -> Metrics {
    let mut metrics = Bench::new().kafka.metrics();
    metrics.connections.requests = requests;
    metrics.connections.latency = Histogram::new();
    for latency in latencies_ms {
        metrics.connections.latency.record(Duration::from_millis(*latency));
    }
    metrics
}

#[test]
fn counters_are_absolute_and_histograms_told_once() {
    let kept = Kept::default();
    let mut publisher = MetricsPublisher::new();
    with_local_recorder(&kept, || {
        publisher.publish(&snapshot(3, &[10, 10]));
        publisher.publish(&snapshot(4, &[10, 10, 100]));
        publisher.publish(&snapshot(4, &[10, 10, 100]));
    });
    let all = kept.0.lock().unwrap();
    let of = |name: &str| {
        let found = all.iter().find(|(key, _)| key.starts_with(name) && key.contains("client_id="));
        found.map(|(_, values)| values.clone()).unwrap_or_default()
    };
    assert_eq!(of("klamm_requests_total{"), [3.0, 4.0, 4.0]);
    let latencies = of("klamm_request_latency_seconds{");
    assert_eq!(latencies.len(), 3, "{latencies:?}");
    for (told, meant) in latencies.iter().zip([0.010, 0.010, 0.100]) {
        assert!((meant / 2.0..meant * 2.0).contains(told), "{told} for {meant}");
    }
}

#[test]
fn every_bucket_has_a_middle_within_it() {
    let mut histogram = Histogram::new();
    let durations = [1_u64, 20_000, 1_000_000, 5_000_000_000, 200_000_000_000];
    for nanos in durations {
        histogram.record(Duration::from_nanos(nanos));
    }
    let told = added(&histogram, &[]);
    assert_eq!(told.iter().map(|(_, count)| count).sum::<u64>(), 5);
    assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let before: Vec<_> = histogram.buckets().map(|(_, count)| count).collect();
    assert!(added(&histogram, &before).is_empty());
}
