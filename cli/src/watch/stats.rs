//! Counts, once in a while and at the end.

use std::{
    io::Write,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use klamm_blocking::{Kafka, Metrics};

/// How often the file is written if nothing else is said.
const FILE_EVERY: Duration = Duration::from_secs(10);

pub(super) fn run(kafka: &Kafka, every: Option<Duration>, file: Option<&Path>, stop: &Receiver<()>) {
    let mut last = (Instant::now(), Totals::default());
    loop {
        let over = !matches!(stop.recv_timeout(every.unwrap_or(FILE_EVERY)), Err(RecvTimeoutError::Timeout));
        let metrics = kafka.metrics();
        if every.is_some() {
            let now = (Instant::now(), Totals::of(&metrics));
            say(&line(&metrics, now.1, last.1, now.0 - last.0));
            last = now;
        }
        if let Some(path) = file
            && let Err(error) = write(path, &metrics)
        {
            return say(&format!("--metrics-file {}: {error}", path.display()));
        }
        if over {
            return;
        }
    }
}

/// Replaces the file as a whole, so that nobody reads half of it.
fn write(path: &Path, metrics: &Metrics) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    std::fs::write(&beside, metrics.to_prometheus())?;
    std::fs::rename(&beside, path)
}

fn say(line: &str) {
    // Nothing can be said if standard error is gone.
    let _gone = writeln!(std::io::stderr(), "klamm: {line}").is_err();
}

/// What only grows, and of which the difference is shown.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    produced: u64,
    consumed: u64,
    bytes_out: u64,
    bytes_in: u64,
}

impl Totals {
    pub(super) fn of(metrics: &Metrics) -> Self {
        Self {
            produced: metrics.producers.iter().map(|each| each.counts.acknowledged_records).sum(),
            consumed: metrics.consumers.iter().map(|each| each.counts.records).sum(),
            bytes_out: metrics.connections.bytes_out,
            bytes_in: metrics.connections.bytes_in,
        }
    }
}

/// One line: records, bytes, requests and their latency, and what there is of lag, retries and rebalances.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn line(metrics: &Metrics, now: Totals, before: Totals, during: Duration) -> String {
    let seconds = during.as_secs_f64().max(1e-9);
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
    let mut line = String::new();
    if !metrics.producers.is_empty() {
        let (all, per_second) = (now.produced, rate(now.produced, before.produced));
        line.push_str(&format!("{all} records acknowledged, {per_second:.0}/s, "));
    }
    if !metrics.consumers.is_empty() {
        let (all, per_second) = (now.consumed, rate(now.consumed, before.consumed));
        let lag: u64 = metrics.consumers.iter().map(|each| each.lag().0).sum();
        line.push_str(&format!("{all} records fetched, {per_second:.0}/s, lag {lag}, "));
    }
    let out = rate(now.bytes_out, before.bytes_out) / 1e6;
    let into = rate(now.bytes_in, before.bytes_in) / 1e6;
    let latency = &metrics.connections.latency;
    let milliseconds = |share| latency.quantile(share).unwrap_or_default().as_secs_f64() * 1e3;
    line.push_str(&format!(
        "{out:.1} MB/s out, {into:.1} MB/s in, {} requests, p50 {:.1} ms, p99 {:.1} ms",
        metrics.connections.requests,
        milliseconds(0.5),
        milliseconds(0.99),
    ));
    let retries: u64 = metrics.producers.iter().map(|each| each.counts.retries).sum();
    let rebalances: u64 = metrics.groups.iter().map(|each| each.counts.rebalances).sum();
    let rare = [
        (retries, "retries"),
        (rebalances, "rebalances"),
        (metrics.connections.throttles, "throttles"),
        (metrics.connections.failed_connects, "failed connects"),
    ];
    for (count, what) in rare.into_iter().filter(|(count, _)| *count > 0) {
        line.push_str(&format!(", {count} {what}"));
    }
    line
}

#[cfg(test)]
mod tests;
