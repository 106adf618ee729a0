//! How often things happen.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_core::Instant;

use super::findings::Findings;
use super::{Bounds, Invariant};
use crate::observe::ClientId;

/// How often something happened in the current second of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    since: Instant,
    count: u32,
}

impl Rate {
    /// It happens; how often it has within this second.
    pub(super) fn tick(&mut self, now: Instant) -> u32 {
        if self.count == 0 || now >= self.since + Duration::from_secs(1) {
            (self.since, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// What a client does too often, if it does not wait between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    Connecting(i32),
    AskingMetadata,
    FetchingInVain(i32),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rates {
    rates: BTreeMap<(ClientId, Doing), Rate>,
}

impl Rates {
    pub(super) fn tick(&mut self, client: ClientId, doing: Doing, bounds: &Bounds, findings: &mut Findings) {
        let count = self.rates.entry((client, doing)).or_default().tick(findings.now.at);
        let (limit, what) = match doing {
            Doing::Connecting(broker) => {
                (bounds.connects_per_second, format!("connecting to broker {broker}"))
            }
            Doing::AskingMetadata => (bounds.metadata_per_second, "asking for metadata".to_owned()),
            Doing::FetchingInVain(broker) => {
                (bounds.failed_fetches_per_second, format!("fetching in vain from broker {broker}"))
            }
        };
        // Once a second is enough.
        if count == limit.saturating_add(1) {
            let what = format!("client {} was {what} more than {limit} times within a second", client.0);
            findings.add(Invariant::BoundedRates, what);
        }
    }
}
