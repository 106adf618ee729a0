//! What a client counts, for the recorder of the `metrics` facade.

use std::{collections::BTreeMap, time::Duration};

use klamm_core::metrics::{Histogram, MetricKind, MetricSample, MetricValue, Metrics};
use metrics::{Label, Unit};

/// What a metric is of.
type Labels = Vec<(&'static str, String)>;

/// Passes what a client counts on to the recorder that the application has installed for the crate `metrics`
/// (feature `metrics`): the same names and labels as [`Metrics::to_prometheus`] has.
///
/// Nothing runs in the background: publish as often as the numbers are to be looked at, from one place for each client.
/// Counters are set to what they are. Of histograms, what was added since the last time is recorded, each duration as the
/// middle of its bucket.
///
/// ```no_run
/// # fn example<R>(kafka: &klamm_engine::Kafka<R>) {
/// let mut publisher = klamm_engine::MetricsPublisher::new();
/// // Every ten seconds or so:
/// publisher.publish(&kafka.metrics());
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MetricsPublisher {
    /// What was published of histograms: the counts of their buckets.
    published: BTreeMap<(&'static str, Labels), Vec<u64>>,
    described: bool,
}

impl MetricsPublisher {
    /// One that has published nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Passes a snapshot on.
    pub fn publish(&mut self, metrics: &Metrics) {
        let samples = metrics.samples();
        if !self.described {
            self.described = true;
            samples.iter().for_each(describe);
        }
        let mut published = BTreeMap::new();
        for sample in samples {
            let labels: Vec<Label> =
                sample.labels.iter().map(|(name, value)| Label::new(*name, value.clone())).collect();
            match (sample.kind, sample.value) {
                (_, MetricValue::Count(count)) => metrics::counter!(sample.name, labels).absolute(count),
                // The facade has no counters with fractions.
                (_, MetricValue::Number(number)) => metrics::gauge!(sample.name, labels).set(number),
                (_, MetricValue::Durations(histogram)) => {
                    let key = (sample.name, sample.labels);
                    let before = self.published.remove(&key).unwrap_or_default();
                    let recorder = metrics::histogram!(sample.name, labels);
                    for (seconds, count) in added(&histogram, &before) {
                        recorder.record_many(seconds, usize::try_from(count).unwrap_or(usize::MAX));
                    }
                    published.insert(key, histogram.buckets().map(|(_, count)| count).collect());
                }
            }
        }
        // What is not there any more is not kept.
        self.published = published;
    }
}

/// What was added to each bucket: the middle of the bucket in seconds, and how often.
pub(crate) fn added(histogram: &Histogram, before: &[u64]) -> Vec<(f64, u64)> {
    let mut from = Duration::ZERO;
    let mut added = Vec::new();
    for (at, (bound, count)) in histogram.buckets().enumerate() {
        let to = bound.unwrap_or_else(|| histogram.max().max(from));
        let more = count.saturating_sub(before.get(at).copied().unwrap_or(0));
        if more > 0 {
            added.push(((from + to).as_secs_f64() / 2.0, more));
        }
        from = to;
    }
    added
}

fn describe(sample: &MetricSample) {
    match (sample.kind, sample.value) {
        (MetricKind::Histogram, _) => metrics::describe_histogram!(sample.name, Unit::Seconds, sample.help),
        (_, MetricValue::Count(_)) => metrics::describe_counter!(sample.name, sample.help),
        _ => metrics::describe_gauge!(sample.name, sample.help),
    }
}
