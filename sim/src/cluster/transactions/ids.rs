//! Producer ids.

use super::Identity;
use crate::observe::ClusterEvent;

/// Hands each producer id out once.
#[derive(Debug, Default)]
pub(crate) struct ProducerIds {
    next: i64,
    /// The epoch with which the next one begins: only a fault has it begin anywhere else than at 0.
    pub(crate) first_epoch: i16,
    /// What there is to tell observers.
    pub(super) news: Vec<ClusterEvent>,
}

impl ProducerIds {
    /// A producer id that nobody has.
    pub(crate) fn draw(&mut self) -> Identity {
        let id = self.next;
        self.next += 1;
        let epoch = std::mem::take(&mut self.first_epoch);
        self.news.push(ClusterEvent::ProducerId { producer_id: id, epoch });
        Identity { id, epoch }
    }
}
