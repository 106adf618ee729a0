//! The consumers of a client that are in groups.

use alloc::{collections::BTreeSet, vec::Vec};

use klamm_protocol::{Str, messages::AnyResponse};

use super::{Action, Client, Done, Table, route};
use crate::{
    ConsumerId, Entropy, Instant, Misbehaved, OperationId, PartitionIndex,
    consumer::{AssignmentEpoch, ConsumerEvent, StartAt},
    group::{Group, GroupConfig, GroupOutput},
    metrics::GroupMetrics,
    timers::earliest,
};

#[derive(Debug)]
struct Entry {
    group: Group,
    /// The topics whose metadata are kept for this member.
    topics: BTreeSet<Str>,
    /// It wants to know of all topics.
    all_topics: bool,
    /// Who waits for its end.
    closing: Vec<OperationId>,
}

#[derive(Debug)]
pub(super) struct Groups {
    entropy: Entropy,
    table: Table<ConsumerId, Entry>,
}

impl Groups {
    pub(super) const fn new(entropy: Entropy) -> Self {
        Self { entropy, table: Table::new() }
    }

    fn get(&mut self, id: ConsumerId) -> Option<&mut Group> {
        self.table.get_mut(&id).map(|entry| &mut entry.group)
    }

    pub(super) fn has(&self, id: ConsumerId) -> bool {
        self.table.contains_key(&id)
    }

    pub(super) fn metrics(&self, now: Instant) -> Vec<GroupMetrics> {
        self.table.values().map(|entry| entry.group.metrics(now)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for entry in self.table.values_mut() {
            entry.group.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.table.values().map(|entry| entry.group.poll_timeout()).fold(None, earliest)
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        id: ConsumerId,
        number: u64,
        response: &AnyResponse,
    ) -> Result<(), Misbehaved> {
        self.get(id).map_or(Ok(()), |group| group.handle_response(now, number, response))
    }

    pub(super) fn handle_lost(&mut self, now: Instant, id: ConsumerId, number: u64, why: &route::Lost) {
        if let Some(group) = self.get(id) {
            group.handle_lost(now, number, why.is_written(), why.is_unsupported());
        }
    }
}

impl Client {
    /// Puts a consumer into a group, in which it subscribes to nothing yet. Returns whether that was possible: the
    /// consumer is there, in no group, and not closed.
    pub fn create_group(&mut self, _now: Instant, id: ConsumerId, config: GroupConfig) -> bool {
        let Some(reset) = self.consumers.reset_of(id).filter(|_| !self.lifecycle.is_closing()) else {
            return false;
        };
        if self.groups.has(id) {
            return false;
        }
        let entropy = self.groups.entropy.fork(u64::from(id.0));
        let group = Group::new(id, config, reset, entropy);
        let entry = Entry { group, topics: BTreeSet::new(), all_topics: false, closing: Vec::new() };
        self.groups.table.insert(id, entry);
        true
    }

    /// The membership of a consumer, to ask it.
    #[must_use]
    pub fn group(&self, id: ConsumerId) -> Option<&Group> {
        self.groups.table.get(&id).map(|entry| &entry.group)
    }

    /// The membership of a consumer, to command it. Closing is done by [`Client::close_group`].
    pub fn group_mut(&mut self, id: ConsumerId) -> Option<&mut Group> {
        self.groups.get(id)
    }

    /// Ends the membership of a consumer by `deadline`, see [`Group::close`]: [`Done::GroupClosed`] for `operation`,
    /// also if there is none.
    pub fn close_group(
        &mut self,
        now: Instant,
        id: ConsumerId,
        leave: bool,
        deadline: Instant,
        operation: Option<OperationId>,
    ) {
        match self.groups.table.get_mut(&id) {
            Some(entry) => {
                entry.closing.extend(operation);
                entry.group.close(now, leave, deadline);
            }
            None => self.answer_group_closed(operation),
        }
    }

    fn answer_group_closed(&mut self, operations: impl IntoIterator<Item = OperationId>) {
        let done = |operation| Action::Done { operation, result: Done::GroupClosed };
        self.actions.extend(operations.into_iter().map(done));
    }

    pub(super) fn close_all_groups(&mut self, now: Instant, deadline: Instant) {
        for entry in self.groups.table.values_mut() {
            entry.group.close(now, false, deadline);
        }
    }

    pub(super) fn poll_groups(&mut self, now: Instant) -> bool {
        let all = self.groups.table.iter_mut();
        let output =
            all.map(|(id, entry)| (*id, entry.group.poll(now))).find_map(|(id, out)| Some((id, out?)));
        let Some((consumer, output)) = output else { return false };
        match output {
            GroupOutput::Request(request) => self.route(now, *request),
            GroupOutput::Assign(partitions) => self.assign_for_group(now, consumer, partitions),
            GroupOutput::Unassign(partitions, why) => {
                let indices = partitions
                    .iter()
                    .filter_map(|(topic, partition)| self.cluster.partitions().get(topic, *partition));
                let partitions: Vec<PartitionIndex> = indices.collect();
                if let Some(consumer) = self.consumer_mut(consumer) {
                    consumer.unassign(now, &partitions);
                }
                self.actions.push_back(Action::Unassigned { consumer, partitions, why });
            }
            GroupOutput::Event(event) => self.actions.push_back(Action::GroupEvent { consumer, event }),
            GroupOutput::WantTopic(topic) => self.want_for_group(now, consumer, topic),
            GroupOutput::ReleaseTopic(topic) => {
                let entry = self.groups.table.get_mut(&consumer);
                if entry.is_some_and(|entry| entry.topics.remove(&topic)) {
                    self.cluster.release_topic(&topic);
                }
            }
            GroupOutput::WantAllTopics(want) => self.want_all_for_group(consumer, want),
            GroupOutput::Refresh => self.cluster.request_refresh(),
            GroupOutput::Committed(operation, result) => {
                self.actions.push_back(Action::Done { operation, result: Done::Committed(result) });
            }
            GroupOutput::Fetched(operation, result) => {
                self.actions.push_back(Action::Done { operation, result: Done::CommittedOffsets(result) });
            }
            GroupOutput::Closed => self.drop_group(now, consumer),
        }
        true
    }

    fn assign_for_group(
        &mut self,
        now: Instant,
        id: ConsumerId,
        partitions: Vec<(Str, i32, Option<StartAt>)>,
    ) {
        // An offset that no log has: the consumer then waits to be sought, as its policy wants it.
        let nowhere = StartAt::Offset(-1);
        let placed = |(topic, partition, start): (Str, i32, Option<StartAt>)| {
            (topic, partition, start.unwrap_or(nowhere))
        };
        self.assign(now, id, partitions.into_iter().map(placed));
    }

    /// A member learns where it reads a partition from, if that was for a leader to say.
    pub(super) fn tell_group_where(
        &mut self,
        now: Instant,
        id: ConsumerId,
        (epoch, event): (AssignmentEpoch, &ConsumerEvent),
    ) {
        let ConsumerEvent::Reset { partition, to, .. } = event else { return };
        let Some(entry) = self.groups.table.get_mut(&id) else { return };
        let current = self.consumers.get(id).is_some_and(|all| all.is_event_current(epoch, event));
        if let Some((topic, at)) = self.cluster.partitions().name(*partition).filter(|_| current) {
            entry.group.began(now, &(topic.clone(), at), *to);
        }
    }

    fn want_for_group(&mut self, now: Instant, id: ConsumerId, topic: Str) {
        let Some(entry) = self.groups.table.get_mut(&id) else { return };
        if entry.topics.insert(topic.clone()) {
            self.cluster.want_topic(&topic);
            entry.group.handle_cluster_change(now, &self.cluster);
        }
    }

    fn want_all_for_group(&mut self, id: ConsumerId, want: bool) {
        let Some(entry) = self.groups.table.get_mut(&id).filter(|entry| entry.all_topics != want) else {
            return;
        };
        entry.all_topics = want;
        if want {
            self.cluster.want_all_topics();
            self.actions.push_back(Action::MatchTopics { consumer: id });
        } else {
            self.cluster.release_all_topics();
        }
    }

    /// The metadata changed.
    pub(super) fn tell_groups(&mut self, now: Instant) {
        for (id, entry) in &mut self.groups.table {
            entry.group.handle_cluster_change(now, &self.cluster);
            if entry.all_topics {
                self.actions.push_back(Action::MatchTopics { consumer: *id });
            }
        }
    }

    fn drop_group(&mut self, now: Instant, id: ConsumerId) {
        let Some(entry) = self.groups.table.remove(&id) else { return };
        for topic in &entry.topics {
            self.cluster.release_topic(topic);
        }
        if entry.all_topics {
            self.cluster.release_all_topics();
        }
        self.answer_group_closed(entry.closing);
        self.drop_unused_connections(now);
    }
}
