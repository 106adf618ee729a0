//! Coordinators that change while their groups are at work.

use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::messages::sync_group::SyncGroupResponse;
use klamm_protocol::{ErrorCode, Str};

use super::join::join_error;
use super::{Answer, Groups, Kind};
use crate::cluster::{Cluster, CommandError};
use crate::observe::ClusterEvent;

impl Groups {
    /// Whether the coordinator of a group still reads what is stored of it.
    pub(super) fn is_loading(&self, now: Instant, group: &str) -> bool {
        !self.loading.is_empty()
            && self.loading.get(&self.coordinators.partition_of(group).0).is_some_and(|end| *end > now)
    }

    /// Whether a broker still reads what is stored of any group.
    pub(crate) fn is_any_loading(&self, now: Instant, broker: i32) -> bool {
        let mut led = self.coordinators.led_by(broker).into_iter();
        !self.loading.is_empty()
            && led.any(|partition| self.loading.get(&partition).is_some_and(|end| *end > now))
    }

    /// Whether the sessions of a group's members may begin: it has a coordinator, which has read it.
    pub(super) fn is_ready(&self, now: Instant, group: &str) -> bool {
        self.coordinator(group).is_some() && !self.is_loading(now, group)
    }

    /// The groups of a partition begin anew with what is stored of them; reading it takes a while. Who waits in them is
    /// told to look for the coordinator.
    pub(super) fn load(&mut self, now: Instant, partition: i32, time: Duration) {
        for (id, group) in &mut self.by_id {
            if self.coordinators.partition_of(id).0 != partition {
                continue;
            }
            self.timers.cancel_all(id);
            self.loaded.insert(id.clone());
            let Kind::Classic(group) = &mut group.kind else { continue };
            for member in group.now.members.values_mut() {
                if let Some(connection) = member.joining.take() {
                    let response = join_error(&member.id, ErrorCode::NOT_COORDINATOR);
                    self.answers.push_back((connection, Answer::Join(response)));
                }
                if let Some(connection) = member.syncing.take() {
                    let error_code = ErrorCode::NOT_COORDINATOR;
                    let response = SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
                    self.answers.push_back((connection, Answer::Sync(response)));
                }
            }
            if group.reload() {
                self.news.push(ClusterEvent::RebalanceForgotten { group: id.clone() });
            }
        }
        if !time.is_zero() {
            self.loading.insert(partition, now + time);
        }
    }

    /// Loading that has come to its end is over.
    pub(super) fn end_loading(&mut self, now: Instant) {
        self.loading.retain(|_, end| *end > now);
    }
}

impl Cluster {
    /// Has another broker coordinate a group, and all groups of the same partition of `__consumer_offsets`. It reads
    /// what is stored of them for a while, during which it answers `COORDINATOR_LOAD_IN_PROGRESS`; the old one
    /// answers `NOT_COORDINATOR`. With the broker that coordinates it already, that one reads it again.
    ///
    /// # Errors
    /// The broker is not there or does not hold that partition.
    pub fn move_coordinator(
        &mut self,
        now: Instant,
        group: &str,
        broker: i32,
        load_time: Duration,
    ) -> Result<(), CommandError> {
        self.now = now;
        let (partition, _) = self.groups.coordinators.partition_of(group);
        if !self.is_alive(broker) || !self.groups.coordinators.lead(partition, broker) {
            let message = format!("broker {broker} cannot coordinate group {group:?}");
            return Err(CommandError { code: ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE, message });
        }
        self.groups.load(now, partition, load_time);
        self.work(now);
        Ok(())
    }

    /// The broker that coordinates a group, if there is one.
    #[must_use]
    pub fn coordinator(&self, group: &str) -> Option<i32> {
        self.groups.coordinator(&Str::copy_of(group))
    }
}
