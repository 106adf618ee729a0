//! What each partition does next, and which partitions each broker is to be sent.

use alloc::vec::Vec;
use core::time::Duration;

use klamm_protocol::ErrorCode;

use super::{
    ProduceErrorKind, ProducerOutput,
    broker::Broker,
    machine::Producer,
    partition::{Listed, Partition, Step},
};
use crate::{
    Instant, PartitionIndex,
    cluster::{Cluster, TopicState},
    earliest,
};

impl Producer {
    /// Puts a partition into the list where it belongs now, and sets its timer. To be called after every change to
    /// it.
    pub(super) fn schedule(&mut self, now: Instant, index: PartitionIndex) {
        let rules = self.rules();
        let delivery_timeout = self.delivery_timeout();
        let linger = self.config.effective_linger();
        let flushed_below = if self.progress.is_open() { self.progress.current() } else { u64::MAX };
        let Some(state) = self.partitions.get_mut(index.0 as usize).and_then(Option::as_mut) else { return };
        let oldest = state.unsealed.oldest();
        let linger_until = oldest.map_or(now, |opened| opened.at) + linger;
        if linger_until <= now || oldest.is_some_and(|opened| opened.generation < flushed_below) {
            state.unsealed.make_oldest_due();
        }
        let step = state.step(now, &rules);
        let wanted = match (step, state.leader) {
            (Step::Seal | Step::Send(_), Some(leader)) => Listed::Ready(leader.broker),
            (Step::Linger, Some(leader)) => Listed::Lingering(leader.broker),
            _ => Listed::No,
        };
        let backoff = state.retry_at.filter(|at| *at > now && step != Step::Idle);
        let timer = earliest(state.oldest().map(|opened| opened + delivery_timeout), backoff);
        let listed = core::mem::replace(&mut state.listed, wanted);
        if listed != wanted {
            self.unlist(index, listed);
            self.list(index, wanted, linger_until);
        }
        match timer {
            Some(at) => self.timers.set(index, at),
            None => {
                self.timers.clear(&index);
            }
        }
        if step == Step::Enrol {
            self.enrol(index);
        }
        if step == Step::AwaitId
            && let Some(ids) = self.source.ids_mut()
        {
            ids.want_new();
        }
    }

    fn unlist(&mut self, index: PartitionIndex, listed: Listed) {
        let (Listed::Ready(id) | Listed::Lingering(id)) = listed else { return };
        let Some(broker) = self.brokers.get_mut(&id) else { return };
        if listed == Listed::Ready(id) {
            broker.ready.remove(&index);
        } else {
            broker.end_linger(index);
        }
    }

    fn list(&mut self, index: PartitionIndex, listed: Listed, linger_until: Instant) {
        match listed {
            Listed::No => {}
            Listed::Ready(id) => {
                self.brokers.entry(id).or_default().ready.insert(index);
            }
            Listed::Lingering(id) => self.brokers.entry(id).or_default().linger(index, linger_until),
        }
    }

    /// Ends what is due at `now`: batches, backoffs, lingering.
    pub(super) fn pass_time(&mut self, now: Instant) {
        while let Some(index) = self.timers.expire(now) {
            self.partition_timed_out(now, index);
            self.schedule(now, index);
        }
        let due = self.brokers.values_mut().filter(|broker| broker.linger_until.is_some_and(|at| at <= now));
        let due: Vec<_> = due.flat_map(Broker::take_lingering).collect();
        self.end_lingering(now, due);
    }

    pub(super) fn end_all_lingering(&mut self, now: Instant) {
        let lingering = self.brokers.values_mut().flat_map(Broker::take_lingering).collect();
        self.end_lingering(now, lingering);
    }

    /// Seals the open batches of these partitions, which were taken out of their brokers' lists.
    fn end_lingering(&mut self, now: Instant, partitions: Vec<PartitionIndex>) {
        for index in partitions {
            if let Some(state) = self.partition_mut(index) {
                state.listed = Listed::No;
                state.unsealed.make_oldest_due();
            }
            self.schedule(now, index);
        }
    }

    /// How long a batch has for its outcome.
    fn delivery_timeout(&self) -> Duration {
        let late = if planted!(OutcomeLate) { Duration::from_secs(1) } else { Duration::ZERO };
        self.config.delivery_timeout + late
    }

    fn partition_timed_out(&mut self, now: Instant, index: PartitionIndex) {
        let delivery_timeout = self.delivery_timeout();
        let expired =
            |state: &Partition| state.oldest().is_some_and(|opened| opened + delivery_timeout <= now);
        while self.partition(index).is_some_and(expired) {
            self.fail_oldest(index, ProduceErrorKind::TimedOut, ErrorCode::NONE);
        }
        if let Some(state) = self.partition_mut(index)
            && state.retry_at.is_some_and(|at| at <= now)
        {
            state.retry_at = None;
        }
    }

    /// Takes leaders and topic ids from `cluster` where they may have changed.
    pub(super) fn look_up(&mut self, now: Instant, cluster: &Cluster) {
        if self.news.cluster_version != Some(cluster.version()) {
            self.news.cluster_version = Some(cluster.version());
            let replaced = self.topics.update(|name| cluster.topic(name).map(|topic| topic.id));
            for state in self.partitions.iter_mut().flatten() {
                if state.name.is_some_and(|(topic, _)| replaced.contains(&topic)) {
                    state.topic_replaced();
                }
            }
            self.news.unresolved.clear();
            for index in self.known_partitions() {
                self.resolve(now, index, cluster);
            }
        }
        while let Some(index) = self.news.unresolved.pop_first() {
            self.resolve(now, index, cluster);
        }
    }

    fn resolve(&mut self, now: Instant, index: PartitionIndex, cluster: &Cluster) {
        let Some((topic, number)) = cluster.partitions().name(index) else {
            self.fail_partition(now, index, ProduceErrorKind::UnknownTopic, ErrorCode::NONE);
            return;
        };
        let id = cluster.topic(topic).map(|topic| topic.id).unwrap_or_default();
        let name = self.topics.intern(topic, id);
        let leader = cluster.leader(index);
        let Some(state) = self.partitions.get_mut(index.0 as usize).and_then(Option::as_mut) else { return };
        state.name = Some((name, number));
        state.set_leader(leader);
        if leader.is_none() && !state.is_idle() {
            if let TopicState::Failed(error) = cluster.topic_state(topic) {
                probe!(TopicGoneWithBatches);
                let kind = match error.code {
                    ErrorCode::TOPIC_AUTHORIZATION_FAILED => ProduceErrorKind::Unauthorized,
                    _ => ProduceErrorKind::UnknownTopic,
                };
                self.fail_partition(now, index, kind, error.code);
                return;
            }
            self.news.outputs.push_back(ProducerOutput::WantLeader(index));
        }
        self.schedule(now, index);
    }

    /// Reschedules everything, because the producer id has changed.
    pub(super) fn schedule_all(&mut self, now: Instant) {
        for index in self.known_partitions() {
            self.schedule(now, index);
        }
    }
}
