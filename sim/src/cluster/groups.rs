//! Groups of consumers, of the classic protocol and of KIP-848: their members and committed offsets.
//!
//! A group belongs to one of the 50 partitions of `__consumer_offsets`, and the broker that leads the partition is
//! its coordinator. Here the partitions have leaders but no log, and no topic of that name is listed.
//!
//! When the coordinator dies, what a real broker would have written down is what the next one knows: the offsets,
//! and the members and their assignments as they were when the group was last stable or empty. The sessions of all
//! members begin anew. A real broker reads the partition first, and answers `COORDINATOR_LOAD_IN_PROGRESS`
//! meanwhile; here that takes no time unless [`GroupConfig::load_time`](super::GroupConfig::load_time) or
//! [`Cluster::move_coordinator`] says otherwise.
//!
//! # How it is built
//!
//! | module | what |
//! |---|---|
//! | `coordinators` | which broker coordinates which group |
//! | `moving` | coordinators that change, and load |
//! | `group` | a group of either protocol |
//! | `consumer` | groups of KIP-848 |
//! | `modern` | requests of members of these |
//! | `migration` | groups that change their protocol |
//! | `classic`, `member` | the state of a group of the classic protocol, and what needs nothing else |
//! | `join`, `sync`, `membership` | what requests do to a group |
//! | `rebalance` | what follows: beginning and ending the phases of a rebalance |
//! | `timers`, `expiry` | deadlines, and what happens when they pass |
//! | `offsets`, `retention` | commits, and when they are forgotten |
//! | `transactional` | commits that are part of transactions |

mod classic;
mod consumer;
mod coordinators;
mod expiry;
mod group;
mod join;
mod member;
mod membership;
mod migration;
mod modern;
mod moving;
mod offsets;
mod rebalance;
mod retention;
mod sync;
mod timers;
mod transactional;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use klamm_core::{Entropy, Instant};
use klamm_protocol::messages::join_group::JoinGroupResponse;
use klamm_protocol::messages::sync_group::SyncGroupResponse;
use klamm_protocol::{ErrorCode, Str};

use super::config::GroupConfig;
use super::{Cluster, ConnectionId, Origin};
use crate::observe::ClusterEvent;
use timers::Timers;

pub(crate) use classic::{ClassicGroup, State};
pub(crate) use consumer::{Assignor, Beat, ConsumerGroup, Refused};
pub(crate) use coordinators::Coordinators;
pub(crate) use group::{Group, Kind};
pub(crate) use join::Join;
pub(crate) use membership::Claim;
pub(crate) use offsets::{Commit, Committed};
pub(crate) use sync::Sync;

/// The answer to a request that waited for others.
#[derive(Debug)]
pub(crate) enum Answer {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
}

/// All groups of the cluster.
#[derive(Debug)]
pub(crate) struct Groups {
    config: GroupConfig,
    coordinators: Coordinators,
    by_id: BTreeMap<Str, Group>,
    timers: Timers,
    answers: VecDeque<(ConnectionId, Answer)>,
    /// What there is to tell observers.
    news: Vec<ClusterEvent>,
    /// Groups whose coordinator is new and has not started their members' sessions yet.
    loaded: BTreeSet<Str>,
    /// Partitions of groups that their coordinator still reads, and until when.
    loading: BTreeMap<i32, Instant>,
    /// When offsets that nobody needs any more are looked for; none as long as there are no groups.
    next_check: Option<Instant>,
    member_ids: Entropy,
}

/// A group and what is needed to change it.
#[derive(Debug)]
struct Turn<'a> {
    now: Instant,
    config: &'a GroupConfig,
    group: &'a mut ClassicGroup,
    timers: &'a mut Timers,
    answers: &'a mut VecDeque<(ConnectionId, Answer)>,
    news: &'a mut Vec<ClusterEvent>,
    member_ids: &'a mut Entropy,
}

impl Groups {
    /// No groups; `brokers` are all brokers of the cluster, alive.
    pub(crate) fn new(config: GroupConfig, brokers: i32, member_ids: Entropy) -> Self {
        Self {
            config,
            coordinators: Coordinators::new(brokers, 0),
            by_id: BTreeMap::new(),
            timers: Timers::default(),
            answers: VecDeque::new(),
            news: Vec::new(),
            loaded: BTreeSet::new(),
            loading: BTreeMap::new(),
            next_check: None,
            member_ids,
        }
    }

    /// The broker that coordinates a group, if there is one now.
    pub(crate) fn coordinator(&self, group: &str) -> Option<i32> {
        self.coordinators.of(group)
    }

    /// Whether the broker that was asked coordinates the group.
    pub(crate) fn check_coordinator(&self, origin: &Origin, group: &str) -> Result<(), ErrorCode> {
        if self.coordinator(group) != Some(origin.broker) {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        if self.is_loading(origin.now, group) { Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) } else { Ok(()) }
    }

    pub(crate) fn get(&self, group: &str) -> Option<&Group> {
        self.by_id.get(group)
    }

    /// In the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.by_id.values()
    }

    /// The next answer to a request that waited.
    pub(crate) fn poll_answer(&mut self) -> Option<(ConnectionId, Answer)> {
        self.answers.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let loading = self.loading.values().copied().min();
        self.timers.poll_timeout().into_iter().chain(loading).chain(self.next_check).min()
    }

    /// A broker died: others coordinate its groups, as far as there are any.
    pub(crate) fn handle_broker_down(&mut self, now: Instant, broker: i32) {
        let partitions = self.coordinators.led_by(broker);
        self.coordinators.handle_broker_down(broker);
        partitions.into_iter().for_each(|partition| self.load(now, partition, self.config.load_time));
    }

    /// A dead broker came back. Groups without a coordinator may get one.
    pub(crate) fn handle_broker_up(&mut self, now: Instant, broker: i32, is_alive: impl Fn(i32) -> bool) {
        self.coordinators.handle_broker_up(broker, is_alive);
        let partitions = self.coordinators.led_by(broker);
        partitions.into_iter().for_each(|partition| self.load(now, partition, self.config.load_time));
    }

    /// A topic was deleted, and with it what was committed for it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        for group in self.by_id.values_mut() {
            group.offsets.retain(|(name, _), _| name != topic);
            group.pending.values_mut().for_each(|offsets| offsets.retain(|(name, _), _| name != topic));
        }
    }

    /// Deletes a group that has no members.
    pub(crate) fn delete(&mut self, group: &str) -> Result<(), ErrorCode> {
        let known = self.by_id.get(group).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        if !known.is_empty() {
            return Err(ErrorCode::NON_EMPTY_GROUP);
        }
        self.by_id.remove(group);
        self.timers.cancel_all(group);
        self.loaded.remove(group);
        Ok(())
    }

    /// Forgets what is committed for a partition.
    pub(crate) fn delete_offset(
        &mut self,
        group: &str,
        topic: &Str,
        partition: i32,
    ) -> Result<(), ErrorCode> {
        let known = self.by_id.get_mut(group).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        if known.is_subscribed_to(topic) {
            return Err(ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);
        }
        known.offsets.remove(&(topic.clone(), partition));
        Ok(())
    }

    fn turn(&mut self, now: Instant, group: &str) -> Option<Turn<'_>> {
        let Kind::Classic(group) = &mut self.by_id.get_mut(group)?.kind else { return None };
        Some(Turn {
            now,
            config: &self.config,
            group,
            timers: &mut self.timers,
            answers: &mut self.answers,
            news: &mut self.news,
            member_ids: &mut self.member_ids,
        })
    }

    /// The group, which is made if there is none. One of KIP-848 that nobody is in becomes one of the classic protocol.
    fn turn_of_new(&mut self, now: Instant, group: &Str) -> Option<Turn<'_>> {
        let known = self.by_id.entry(Str::copy_of(group)).or_insert_with_key(|id| Group::new(id.clone()));
        if known.consumer().is_some_and(|group| group.members.is_empty()) {
            known.kind = Kind::classic(known.id.clone());
        }
        self.turn(now, group)
    }
}

impl Cluster {
    /// Tells observers what has happened in groups.
    pub(super) fn tell_group_news(&mut self) {
        for event in std::mem::take(&mut self.groups.news) {
            self.events.tell(|| event);
        }
    }

    /// Sends the next answer that a group has for somebody. Returns false if there is none.
    pub(super) fn answer_group_request(&mut self, now: Instant) -> bool {
        match self.groups.poll_answer() {
            Some((connection, Answer::Join(response))) => self.respond_to_join(now, connection, response),
            Some((connection, Answer::Sync(response))) => self.respond(now, connection, &response),
            None => return false,
        }
        true
    }
}
