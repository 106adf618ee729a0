//! What a member says to its coordinator, and when.

use alloc::{vec, vec::Vec};

use klamm_protocol::{
    Str,
    messages::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, TopicPartitions},
};

use super::{ConsumerMembership, ConsumerState, Flight, Subscribed};
use crate::{
    Instant,
    group::{config::millis, membership::Ask},
};

impl ConsumerMembership {
    /// Whether there is something to say to the coordinator now.
    pub(in crate::group) fn wants_coordinator(&self, now: Instant) -> bool {
        self.leave.is_some_and(|leave| leave.is_due(now)) || self.is_due(now)
    }

    fn is_due(&self, now: Instant) -> bool {
        !self.leave.is_some_and(|leave| leave.to_return)
            && self.state.is_member()
            && self.flight.is_none()
            && self.clocks.beat_at.is_none_or(|at| at <= now)
    }

    /// The next request for the coordinator, which is known. `number` will come back with the answer.
    pub(in crate::group) fn ask(
        &mut self,
        now: Instant,
        number: u64,
        subscribed: impl FnOnce() -> Subscribed,
    ) -> Option<Ask> {
        if let Some(leave) = self.leave.as_mut().filter(|leave| leave.is_due(now)) {
            leave.sent = Some(number);
            let request = ConsumerGroupHeartbeatRequest {
                group_id: self.config.group_id.clone(),
                member_id: self.identity.member_id.clone(),
                member_epoch: leave.epoch,
                instance_id: self.config.instance_id.clone(),
                ..Default::default()
            };
            return Some(Ask::new(request, self.config.request_timeout));
        }
        if !self.is_due(now) {
            return None;
        }
        let mut subscribed = subscribed();
        if self.without_expressions {
            subscribed.expression = None;
        }
        let everything = self.said.is_none() || self.state == ConsumerState::Joining;
        let acknowledges = everything || self.state == ConsumerState::Acknowledging;
        let request = self.beat(&subscribed, everything, acknowledges);
        self.clocks.beat_at = None;
        self.flight = Some(Flight { number, subscribed, acknowledges });
        Some(Ask::new(request, self.config.request_timeout))
    }

    fn beat(
        &self,
        subscribed: &Subscribed,
        everything: bool,
        acknowledges: bool,
    ) -> ConsumerGroupHeartbeatRequest {
        let mut request = ConsumerGroupHeartbeatRequest {
            group_id: self.config.group_id.clone(),
            member_id: self.identity.member_id.clone(),
            member_epoch: self.identity.generation,
            instance_id: self.config.instance_id.clone(),
            rebalance_timeout_ms: -1,
            ..Default::default()
        };
        if everything {
            request.rebalance_timeout_ms = millis(self.config.max_poll_interval);
            request.rack_id = self.config.client_rack.clone();
            request.server_assignor = self.config.remote_assignor.clone();
        }
        if everything || self.said.as_ref() != Some(subscribed) {
            let by_expression = subscribed.expression.is_some();
            let names = if by_expression { Vec::new() } else { subscribed.topics.clone() };
            request.subscribed_topic_names = Some(names);
            let before = self.said.as_ref().is_some_and(|said| said.expression.is_some());
            // An empty expression takes an earlier one back.
            let taken_back = (before && !by_expression).then(Str::default);
            request.subscribed_topic_regex = subscribed.expression.clone().or(taken_back);
        }
        if acknowledges {
            let owned = self.owned.iter().map(|(topic_id, partitions)| TopicPartitions {
                topic_id: *topic_id,
                partitions: partitions.as_slice().into(),
                ..Default::default()
            });
            request.topic_partitions =
                Some(if self.identity.generation == 0 { vec![] } else { owned.collect() });
        }
        request
    }
}
