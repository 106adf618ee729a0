//! Replication: how followers copy the logs of leaders, and what leaders make of it.
//!
//! A follower fetches as a real one does: its fetch waits at the leader until there is something new, the answer is on
//! its way for a while, and the next fetch tells the leader how far the follower is. So the leader's high watermark
//! rises a fetch later than the data comes, and the followers hear of it yet a fetch later. Without latency all of this
//! happens at once, in the step in which the leader appends.
//!
//! A follower truncates by epochs before it copies (KIP-101, KIP-279). A leader proposes to the controller who is in
//! sync: it drops a follower that has not been at its end for `replica.lag.time.max.ms`, and takes it back when it
//! has reached the high watermark and the beginning of the leader's epoch.
//!
//! | module | what |
//! |---|---|
//! | `peers` | which brokers can reach each other and how fast, and the messages that are on their way |
//! | `fetches` | the exchange between a follower and a leader |
//! | `deletion` | retention, and what brokers lose that go down |
//! | `leaders` | high watermark, replicas in sync, and taking over |
//! | `images` | what each broker has heard of the cluster |

mod deletion;
mod fetches;
mod images;
mod leaders;
mod peers;

use klamm_core::Instant;
use klamm_protocol::{Str, Uuid};

use super::Cluster;
use super::events::Events;
use super::links::Links;
use super::producing::Purgatory;
use super::topics::{Leadership, Partition};
use crate::Release;

pub(crate) use images::{Change, Images, Node, TopicImage};
pub(crate) use peers::{Answer, Peers, Step};

/// A partition and what is needed to have its replicas act.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    pub(crate) topic_id: Uuid,
    pub(crate) topic: &'a Str,
    pub(crate) index: i32,
    /// The least number of replicas in sync for the high watermark to rise.
    pub(crate) min_isr: usize,
    /// The least number of replicas in sync for `acks=all`.
    pub(crate) wanted_isr: usize,
    pub(crate) partition: &'a mut Partition,
    /// What the controller has decided.
    pub(crate) leadership: &'a mut Leadership,
    pub(crate) peers: &'a mut Peers,
    pub(crate) links: &'a mut Links,
    pub(crate) purgatory: &'a mut Purgatory,
    pub(crate) events: &'a mut Events,
    pub(crate) changes: &'a mut Vec<Change>,
}

/// Since this release the high watermark waits for the least number of replicas, which is never more than there are.
const FIRST_THAT_WAITS: [u16; 3] = [3, 7, 0];

/// How many of a partition's replicas have to be in sync for `acks=all`, where `least` were asked for.
pub(crate) fn wanted_in_sync(least: usize, replicas: usize, release: Release) -> usize {
    if release.at_least(FIRST_THAT_WAITS) { least.min(replicas) } else { least }
}

impl Cluster {
    /// A partition's turn; `None` if there is no such partition any more.
    pub(crate) fn turn(&mut self, now: Instant, topic_id: Uuid, index: i32) -> Option<Turn<'_>> {
        let topic = self.topics.by_id_mut(topic_id)?;
        let slot = usize::try_from(index).ok()?;
        let leadership = topic.image.partitions.get_mut(slot)?;
        let limits = topic.settings.limits();
        let least = usize::try_from(limits.min_insync_replicas).unwrap_or(usize::MAX);
        let release = self.config.release;
        let wanted_isr = wanted_in_sync(least, leadership.replicas.len(), release);
        let min_isr = if release.at_least(FIRST_THAT_WAITS) { wanted_isr } else { 1 };
        Some(Turn {
            now,
            topic_id,
            topic: &topic.image.name,
            index,
            min_isr,
            wanted_isr,
            partition: topic.partitions.get_mut(slot)?,
            leadership,
            peers: &mut self.peers,
            links: &mut self.links,
            purgatory: &mut self.purgatory,
            events: &mut self.events,
            changes: &mut self.changes,
        })
    }

    /// What arrives between brokers now.
    pub(crate) fn handle_replication_timeout(&mut self, now: Instant) {
        while let Some(step) = self.peers.due(now) {
            match step {
                Step::Fetch { topic_id, index, follower, attempt } => {
                    if let Some(mut turn) = self.turn(now, topic_id, index) {
                        turn.handle_fetch(follower, attempt);
                    }
                }
                Step::Answer { topic_id, index, follower, attempt, answer } => {
                    if let Some(mut turn) = self.turn(now, topic_id, index) {
                        turn.handle_answer(follower, attempt, answer);
                    }
                }
                Step::Lag { topic_id, index, leader, epoch } => {
                    if let Some(mut turn) = self.turn(now, topic_id, index) {
                        turn.look_for_lag(leader, epoch);
                    }
                }
                Step::Image { broker } => self.hear(now, broker),
                Step::Produce { connection } => self.give_up_produce(now, connection),
            }
            self.publish(now);
        }
    }

    /// Has followers fetch that could not, because something has changed.
    pub(crate) fn wake_followers(&mut self, now: Instant) {
        for (topic_id, index) in self.topics.all_partitions() {
            if let Some(mut turn) = self.turn(now, topic_id, index) {
                turn.wake();
            }
        }
        self.publish(now);
    }
}
