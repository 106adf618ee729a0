//! What the process itself takes.

use std::time::{Duration, Instant};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

/// Memory, threads and sockets at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    resident_kb: u64,
    threads: u64,
    sockets: usize,
}

impl Footprint {
    pub(crate) fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        let links = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let sockets = links.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let sockets = sockets.filter(|link| link.to_string_lossy().starts_with("socket:")).count();
        Self { resident_kb: of("VmRSS:"), threads: of("Threads:"), sockets }
    }
}

/// A while in which the clients do nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    since: Instant,
    cpu_us: i64,
}

impl Idle {
    pub(crate) fn begin() -> Self {
        Self { since: Instant::now(), cpu_us: cpu_us() }
    }

    /// The line that tells of so many clients, of which there was none at `before`.
    pub(crate) fn line(self, adapter: &str, clients: usize, connect: Duration, before: Footprint) -> String {
        let (seconds, cpu_us) = (self.since.elapsed().as_secs_f64(), cpu_us() - self.cpu_us);
        let after = Footprint::now();
        let (sockets, kb) = (
            after.sockets.saturating_sub(before.sockets),
            after.resident_kb.saturating_sub(before.resident_kb),
        );
        serde_json::json!({
            "adapter": adapter,
            "clients": clients,
            "connect_ms_each": connect.as_secs_f64() * 1e3 / clients.max(1) as f64,
            "sockets": sockets,
            "threads": after.threads,
            "resident_kb": after.resident_kb,
            "kb_per_client": kb as f64 / clients.max(1) as f64,
            "kb_per_socket": kb as f64 / sockets.max(1) as f64,
            "idle_cpu_us_per_client_and_s": cpu_us as f64 / clients.max(1) as f64 / seconds,
        })
        .to_string()
    }
}

fn cpu_us() -> i64 {
    let all = |usage: nix::sys::resource::Usage| usage.user_time() + usage.system_time();
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| all(usage).num_microseconds())
}
