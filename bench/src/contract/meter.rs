//! The measured window, and the line that tells of it.

use std::time::{Duration, Instant};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

use super::{Payload, Scenario};

/// Wall and CPU time from before the first record to the last one acknowledged or read.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    cpu: Cpu,
    until_first: Duration,
    records_of_first_delivery: u64,
}

/// What was done in the window.
#[derive(Debug, Default, Clone, Copy)]
pub struct Totals {
    /// Records acknowledged or read.
    pub records: u64,
    /// Records that failed.
    pub errors: u64,
    /// Sum of [`Payload::checksum`] over the records.
    pub checksum: u64,
}

#[derive(Debug, Clone, Copy)]
struct Cpu {
    user_us: i64,
    system_us: i64,
}

impl Cpu {
    fn now() -> Self {
        getrusage(UsageWho::RUSAGE_SELF).map_or(Self { user_us: 0, system_us: 0 }, |usage| Self {
            user_us: usage.user_time().num_microseconds(),
            system_us: usage.system_time().num_microseconds(),
        })
    }
}

impl Meter {
    /// Starts the window.
    #[must_use]
    pub fn start() -> Self {
        Self {
            cpu: Cpu::now(),
            started: Instant::now(),
            until_first: Duration::ZERO,
            records_of_first_delivery: 0,
        }
    }

    /// Tells of a delivery of `records`. A consumer's rate is that of the records after the first one, so
    /// that connecting is not in it.
    pub fn delivered(&mut self, records: u64) {
        if self.records_of_first_delivery == 0 && records > 0 {
            self.records_of_first_delivery = records;
            self.until_first = self.started.elapsed();
            self.started += self.until_first;
        }
    }

    /// Ends the window; returns the line of JSON. `latencies_ns` may be empty.
    #[must_use]
    pub fn stop(
        self,
        scenario: Scenario,
        payload: &Payload,
        totals: Totals,
        mut latencies_ns: Vec<u64>,
    ) -> String {
        let wall_s = self.started.elapsed().as_secs_f64();
        let cpu = Cpu::now();
        let record_bytes = payload.size() as u64 + 8;
        let rated = totals.records.saturating_sub(self.records_of_first_delivery);
        let records_per_s = rated as f64 / wall_s;
        latencies_ns.sort_unstable();
        let percentile_us = |share: f64| percentile_ns(&latencies_ns, share).map(|ns| ns / 1e3);
        serde_json::json!({
            "peer": "klamm",
            "version": env!("CARGO_PKG_VERSION"),
            "scenario": scenario.name(),
            "records": totals.records,
            "bytes": totals.records * record_bytes,
            "wall_s": wall_s,
            "cpu_user_s": (cpu.user_us - self.cpu.user_us) as f64 / 1e6,
            "cpu_sys_s": (cpu.system_us - self.cpu.system_us) as f64 / 1e6,
            "max_rss_kb": peak_memory_kb(),
            "records_per_s": records_per_s,
            "mb_per_s": records_per_s * record_bytes as f64 / 1e6,
            "p50_us": percentile_us(0.5),
            "p99_us": percentile_us(0.99),
            "p999_us": percentile_us(0.999),
            "errors": totals.errors,
            "checksum": format!("{:016x}", totals.checksum),
            "first_ms": self.until_first.as_secs_f64() * 1e3,
        })
        .to_string()
    }
}

fn percentile_ns(sorted: &[u64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(last)).map(|ns| *ns as f64)
}

/// The process's own peak: getrusage's would include that of the parent's image before exec.
fn peak_memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse().ok()).unwrap_or_default()
}
