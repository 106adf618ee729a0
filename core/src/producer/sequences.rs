//! One partition's sequence numbers.

use super::batch::Identity;

/// A producer id and its epoch, as the cluster gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerId {
    /// The id.
    pub id: i64,
    /// The epoch.
    pub epoch: i16,
}

/// Gives the batches of one partition their identities.
///
/// Brokers keep a producer's epoch for each partition on its own, so a partition that has to begin anew raises its
/// own epoch and no other (KIP-360, without a transaction). When its epochs are used up it takes the producer's
/// newest id.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    next: Option<Identity>,
    /// The next fresh batch begins a new epoch: what was written under this one is not to be relied on.
    renew: bool,
}

impl Sequences {
    /// The next fresh batch begins a new epoch.
    pub(super) const fn renew(&mut self) {
        self.renew = self.next.is_some();
    }

    /// Whether a fresh batch has to wait until nothing is in flight.
    pub(super) const fn is_renewing(&self) -> bool {
        self.renew
    }

    /// Whether no fresh batch can be named with the producer's current id: it needs a newer one.
    pub(super) fn needs_id(&self, current: Option<ProducerId>) -> bool {
        match (self.next, current) {
            (None, current) => current.is_none(),
            (Some(next), current) => {
                self.renew
                    && next.epoch == i16::MAX
                    && current.is_none_or(|current| current.id == next.producer_id)
            }
        }
    }

    /// The identity of a fresh batch of `count` records. `None` if there is no producer id to be had.
    pub(super) fn assign(&mut self, count: i32, current: Option<ProducerId>) -> Option<Identity> {
        if self.needs_id(current) {
            return None;
        }
        let identity = match (self.next, current) {
            (Some(next), _) if !self.renew => next,
            (Some(next), _) if next.epoch < i16::MAX => {
                probe!(EpochRaised);
                Identity { epoch: next.epoch + 1, sequence: 0, ..next }
            }
            (_, current) => {
                let current = current?;
                Identity { producer_id: current.id, epoch: current.epoch, sequence: 0 }
            }
        };
        self.renew = false;
        self.next = Some(identity.after(count));
        Some(identity)
    }
}
