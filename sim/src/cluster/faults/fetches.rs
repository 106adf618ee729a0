//! Faults that a fetch meets while it is answered: the session has to know what was told.

use klamm_protocol::{ApiKey, ErrorCode, RecordBytes, Uuid};

use super::{FaultKind, Place, Spot, cut_last_batch, flip_record};
use crate::cluster::fetching::Found;
use crate::cluster::links::Instead;
use crate::cluster::session::{Key, TopicRef, Wanted};
use crate::cluster::{Cluster, ConnectionId};

/// What happens to some of the partitions of a fetch.
#[derive(Debug)]
pub(crate) struct FetchFault {
    kind: FaultKind,
    spot: Spot,
    dice: u64,
}

impl FetchFault {
    /// Whether the fetch does not wait for records.
    pub(crate) fn is_told_at_once(&self, partitions: &[(Key, Wanted)]) -> bool {
        let is_here = || partitions.iter().any(|(key, _)| self.spot.has_key(key));
        match self.kind {
            FaultKind::Error(_) | FaultKind::ErrorAfter(_) => is_here(),
            FaultKind::EmptyFetch => true,
            _ => false,
        }
    }

    /// What is told of a partition instead of what was found.
    pub(crate) fn happen(&self, key: &Key, result: Result<Found, ErrorCode>) -> Result<Found, ErrorCode> {
        if !self.spot.has_key(key) {
            return result;
        }
        let changed = |change: &dyn Fn(RecordBytes) -> RecordBytes, found: Found| {
            let records = change(found.records);
            Found { records, ..found }
        };
        let dice = self.dice;
        match self.kind {
            FaultKind::Error(error) | FaultKind::ErrorAfter(error) => Err(error),
            FaultKind::EmptyFetch => result.map(|found| changed(&|_| RecordBytes::default(), found)),
            FaultKind::FlipRecords => {
                result.map(|found| changed(&|records| flip_record(records, dice), found))
            }
            FaultKind::CutBatch => {
                result.map(|found| changed(&|records| cut_last_batch(records, dice), found))
            }
            _ => result,
        }
    }
}

impl Spot {
    /// Whether a partition of a fetch is at this spot.
    pub(crate) fn has_key(&self, (topic, partition): &Key) -> bool {
        match topic {
            TopicRef::Name(name) => self.has(name, Uuid::ZERO, *partition),
            TopicRef::Id(id) => self.has("", *id, *partition),
        }
    }
}

impl Cluster {
    /// What is to happen to the partitions of the fetch that a connection works on.
    pub(in crate::cluster) fn fetch_fault(&mut self, connection: ConnectionId) -> Option<FetchFault> {
        let work = self.links.work(connection).filter(|work| work.call.api == ApiKey::FETCH)?;
        if let Some(Instead::Error(spot, error)) = &work.instead {
            return Some(FetchFault { kind: FaultKind::Error(*error), spot: spot.clone(), dice: 0 });
        }
        let orders = work.orders.as_ref()?;
        let (dice, (kind, place)) = (orders.dice, orders.fault.clone()?);
        let is_error = matches!(kind, FaultKind::Error(_) | FaultKind::ErrorAfter(_));
        (!is_error || place != Place::Whole).then(|| FetchFault { kind, spot: self.spot(&place), dice })
    }

    /// Whether the client of the request in work is throttled.
    pub(in crate::cluster) fn is_throttled(&mut self, connection: ConnectionId) -> bool {
        let work = self.links.work(connection);
        work.and_then(|work| work.orders.as_ref()).is_some_and(|orders| !orders.throttle.is_zero())
    }
}
