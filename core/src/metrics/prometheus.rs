//! The text form of Prometheus, version 0.0.4.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::fmt::Write;

use super::{Histogram, MetricKind, MetricSample, MetricValue, Metrics};

impl Metrics {
    /// All metrics in the text form of Prometheus (`text/plain; version=0.0.4`).
    ///
    /// Names and labels are stable; the table in `docs/METRICS.md` has them beside those of the Java client and of
    /// librdkafka. Durations are in seconds.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut families: BTreeMap<&'static str, Vec<MetricSample>> = BTreeMap::new();
        for sample in self.samples() {
            families.entry(sample.name).or_default().push(sample);
        }
        let mut text = String::new();
        for (name, samples) in &families {
            let Some(first) = samples.first() else { continue };
            let kind = match first.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            // Writing into a string does not fail.
            let _ = writeln!(text, "# HELP {name} {}", first.help);
            let _ = writeln!(text, "# TYPE {name} {kind}");
            for sample in samples {
                write_sample(&mut text, sample);
            }
        }
        text
    }
}

fn write_sample(text: &mut String, sample: &MetricSample) {
    let name = sample.name;
    match sample.value {
        MetricValue::Count(count) => {
            let _ = writeln!(text, "{name}{} {count}", Labels(sample, None));
        }
        MetricValue::Number(number) => {
            let _ = writeln!(text, "{name}{} {number}", Labels(sample, None));
        }
        MetricValue::Durations(histogram) => write_histogram(text, sample, &histogram),
    }
}

fn write_histogram(text: &mut String, sample: &MetricSample, histogram: &Histogram) {
    let name = sample.name;
    let mut below = 0;
    for (bound, count) in histogram.buckets() {
        below += count;
        let bound = match bound {
            Some(bound) => alloc::format!("{}", bound.as_secs_f64()),
            None => String::from("+Inf"),
        };
        let _ = writeln!(text, "{name}_bucket{} {below}", Labels(sample, Some(&bound)));
    }
    let _ = writeln!(text, "{name}_sum{} {}", Labels(sample, None), histogram.sum().as_secs_f64());
    let _ = writeln!(text, "{name}_count{} {}", Labels(sample, None), histogram.count());
}

/// The labels of a sample, and the bound of a bucket.
struct Labels<'a>(&'a MetricSample, Option<&'a str>);

impl core::fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let own = self.0.labels.iter().map(|(name, value)| (*name, value.as_str()));
        for (at, (name, value)) in own.chain(self.1.map(|bound| ("le", bound))).enumerate() {
            write!(f, "{}{name}=\"", if at == 0 { '{' } else { ',' })?;
            for each in value.chars() {
                match each {
                    '\\' => f.write_str("\\\\")?,
                    '"' => f.write_str("\\\"")?,
                    '\n' => f.write_str("\\n")?,
                    other => f.write_char(other)?,
                }
            }
            f.write_char('"')?;
        }
        if self.0.labels.is_empty() && self.1.is_none() { Ok(()) } else { f.write_char('}') }
    }
}
