//! What is committed expires some time after nobody needs it any more.

use std::time::Duration;

use klamm_core::Instant;

use super::{Group, Groups, Kind, State};

/// `offsets.retention.check.interval.ms`.
const CHECK_INTERVAL: Duration = Duration::from_secs(600);

impl Groups {
    /// Drops offsets that were committed, or whose group became empty, too long ago; and groups of which nothing is left. To
    /// be called with each input.
    pub(super) fn expire_offsets(&mut self, now: Instant) {
        if self.by_id.is_empty() {
            self.next_check = None;
            return;
        }
        if *self.next_check.get_or_insert(now + CHECK_INTERVAL) > now {
            return;
        }
        self.next_check = Some(now + CHECK_INTERVAL);
        let retention = self.config.offsets_retention;
        for group in self.by_id.values_mut() {
            group.expire_offsets(now, retention);
        }
        let gone = self
            .by_id
            .values()
            .filter(|group| group.is_empty() && group.offsets.is_empty() && group.pending.is_empty());
        let gone: Vec<_> = gone.map(|group| group.id.clone()).collect();
        for id in gone {
            self.by_id.remove(&id);
            self.timers.cancel_all(&id);
            self.loaded.remove(&id);
        }
    }
}

impl Group {
    fn expire_offsets(&mut self, now: Instant, retention: Duration) {
        let empty_since = match &self.kind {
            Kind::Classic(group) if group.now.protocol_type.is_none() => None,
            Kind::Classic(group) if group.state == State::Empty => group.empty_since,
            // What its members do not read expires only between rebalances.
            Kind::Classic(group) if !group.is_of_consumers() || group.state != State::Stable => return,
            Kind::Classic(_) | Kind::Consumer(_) => None,
        };
        let mut offsets = std::mem::take(&mut self.offsets);
        offsets.retain(|(topic, _), committed| {
            let since = empty_since.unwrap_or(committed.at);
            now < since + retention || self.is_subscribed_to(topic)
        });
        self.offsets = offsets;
    }
}
