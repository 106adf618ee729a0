//! Quotas: how much a client may send and receive before a broker throttles it (KIP-13, KIP-124, KIP-219).
//!
//! A real broker averages over a window of eleven seconds. Here a client may be ahead of its rate by one second, and
//! is throttled until it is not.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::Str;

use super::Cluster;

/// How much each client may do at each broker. `None`: any amount, which is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of produce requests a second (`producer_byte_rate`).
    pub produce_bytes: Option<u64>,
    /// Bytes of fetch responses a second (`consumer_byte_rate`).
    pub fetch_bytes: Option<u64>,
    /// Requests of all kinds a second (a real broker's `request_percentage` is a share of its time).
    pub requests: Option<u64>,
}

/// What a quota is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    Produce,
    Fetch,
    Request,
}

impl Quota {
    const fn rate(&self, of: Use) -> Option<u64> {
        match of {
            Use::Produce => self.produce_bytes,
            Use::Fetch => self.fetch_bytes,
            Use::Request => self.requests,
        }
    }
}

/// How far a client may be ahead of its rate.
const BURST: Duration = Duration::from_secs(1);

/// The quotas, and what the clients have used.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    all: Quota,
    by_client: BTreeMap<Str, Quota>,
    /// Up to when the client at the broker has used its rate.
    used: BTreeMap<(Use, i32, Str), Instant>,
}

impl Quotas {
    pub(crate) fn are_set(&self) -> bool {
        !self.by_client.is_empty() || self.all != Quota::default()
    }

    fn rate(&self, of: Use, client: &str) -> Option<u64> {
        self.by_client.get(client).unwrap_or(&self.all).rate(of)
    }

    /// How long a client has to wait until it is within its rate.
    pub(crate) fn wait(&self, now: Instant, of: Use, broker: i32, client: &Str) -> Duration {
        if self.rate(of, client).is_none() {
            return Duration::ZERO;
        }
        let used = self.used.get(&(of, broker, client.clone()));
        used.map_or(Duration::ZERO, |until| until.since(now + BURST))
    }

    /// A client used so much.
    pub(crate) fn record(&mut self, now: Instant, of: Use, broker: i32, client: &Str, amount: u64) {
        let Some(rate) = self.rate(of, client) else { return };
        let nanos = u128::from(amount) * 1_000_000_000 / u128::from(rate.max(1));
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let until = self.used.entry((of, broker, client.clone())).or_insert(now);
        *until = now.max(*until) + time;
    }
}

impl Cluster {
    /// Sets what a client (by the `client.id` of its requests) may do, or with `None` every client that has no quota
    /// of its own. Responses then say how long the client is throttled, and its connection is not read meanwhile;
    /// before Kafka 2.0 the response is held back instead.
    pub fn set_quota(&mut self, client: Option<&str>, quota: Quota) {
        match client {
            None => self.quotas.all = quota,
            Some(client) => drop(self.quotas.by_client.insert(Str::copy_of(client), quota)),
        }
        self.quotas.used.clear();
    }

    /// Every client may do as much as it likes.
    pub fn lift_quotas(&mut self) {
        self.quotas = Quotas::default();
    }
}

#[cfg(test)]
mod tests;
