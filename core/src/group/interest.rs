//! Which topics a member cares for, and what is known of them.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use klamm_protocol::{ErrorCode, Str, Uuid};

use super::{
    GroupOutput,
    assignor::{Member, TopicLayout, Topics},
    consumer::Subscribed,
};
use crate::cluster::{Cluster, TopicError, TopicState};

/// What the application subscribes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Wish {
    #[default]
    Nothing,
    Names(BTreeSet<Str>),
    /// Whatever the application says that matches.
    Pattern {
        /// The expression, for a coordinator that matches by itself.
        expression: Str,
        /// `None` before the first answer.
        matched: Option<BTreeSet<Str>>,
    },
}

/// What the metadata say of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Layout(TopicLayout),
    Absent(Option<TopicError>),
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Interest {
    wish: Wish,
    /// What the members of the group subscribe to, if this one leads it.
    led: BTreeSet<Str>,
    /// What the assignment that this member led was made from.
    led_with: Option<Topics>,
    /// Topics whose metadata are kept for this member.
    wanted: BTreeSet<Str>,
    seen: BTreeMap<Str, Seen>,
    racks: BTreeMap<i32, Str>,
    names: BTreeMap<Uuid, Str>,
    version: Option<u64>,
}

impl Interest {
    pub(super) const fn wish(&self) -> &Wish {
        &self.wish
    }

    /// The topics that are subscribed to, as far as that is known.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Str> {
        let topics = match &self.wish {
            Wish::Nothing | Wish::Pattern { matched: None, .. } => None,
            Wish::Names(topics) | Wish::Pattern { matched: Some(topics), .. } => Some(topics),
        };
        topics.into_iter().flatten()
    }

    pub(super) fn subscribes_to(&self, topic: &str) -> bool {
        match &self.wish {
            Wish::Nothing | Wish::Pattern { matched: None, .. } => false,
            Wish::Names(topics) | Wish::Pattern { matched: Some(topics), .. } => topics.contains(topic),
        }
    }

    /// What a coordinator that assigns by itself is told.
    pub(super) fn subscribed(&self) -> Subscribed {
        let expression = match &self.wish {
            Wish::Pattern { expression, .. } => Some(expression.clone()),
            Wish::Nothing | Wish::Names(_) => None,
        };
        Subscribed { topics: self.topics().cloned().collect(), expression }
    }

    /// The name of a topic, as far as the metadata say.
    pub(super) fn name(&self, id: Uuid) -> Option<&Str> {
        self.names.get(&id)
    }

    /// Whether it is known what is subscribed to.
    pub(super) const fn is_resolved(&self) -> bool {
        !matches!(self.wish, Wish::Pattern { matched: None, .. })
    }

    pub(super) fn set(&mut self, wish: Wish, outputs: &mut VecDeque<GroupOutput>) {
        let was_pattern = matches!(self.wish, Wish::Pattern { .. });
        let is_pattern = matches!(wish, Wish::Pattern { .. });
        if was_pattern != is_pattern {
            outputs.push_back(GroupOutput::WantAllTopics(is_pattern));
        }
        self.wish = wish;
        self.want(outputs);
    }

    /// The application says which topics match its pattern. Returns whether that is news.
    pub(super) fn matched(&mut self, topics: BTreeSet<Str>, outputs: &mut VecDeque<GroupOutput>) -> bool {
        let Wish::Pattern { matched, .. } = &mut self.wish else { return false };
        if matched.as_ref() == Some(&topics) {
            return false;
        }
        *matched = Some(topics);
        self.want(outputs);
        true
    }

    /// The member leads a group of these.
    pub(super) fn lead(&mut self, members: &[Member], outputs: &mut VecDeque<GroupOutput>) {
        self.led = members.iter().flat_map(|member| member.subscription.topics.iter().cloned()).collect();
        self.led_with = None;
        self.want(outputs);
    }

    /// The member does not lead.
    pub(super) fn follow(&mut self, outputs: &mut VecDeque<GroupOutput>) {
        self.led.clear();
        self.led_with = None;
        self.want(outputs);
    }

    /// What there is to assign, once something is known of every topic.
    pub(super) fn assignable(&mut self) -> Option<Topics> {
        if !self.led.iter().all(|topic| self.seen.contains_key(topic)) {
            return None;
        }
        let topics = self.led_topics();
        self.led_with = Some(topics.clone());
        Some(topics)
    }

    /// Whether an assignment that this member led is out of date.
    pub(super) fn is_outdated(&self) -> bool {
        self.led_with.as_ref().is_some_and(|topics| *topics != self.led_topics())
    }

    fn led_topics(&self) -> Topics {
        let mut topics = Topics::new();
        for topic in &self.led {
            if let Some(Seen::Layout(layout)) = self.seen.get(topic) {
                topics.layouts.insert(topic.clone(), layout.clone());
            }
        }
        topics.racks.clone_from(&self.racks);
        topics
    }

    /// Looks at the metadata, if they changed. Returns the subscribed topics that turned out not to be had.
    pub(super) fn look(&mut self, cluster: &Cluster) -> Vec<(Str, TopicError)> {
        let mut failed = Vec::new();
        if self.wish == Wish::Nothing {
            return failed;
        }
        if self.version != Some(cluster.version()) {
            self.version = Some(cluster.version());
            self.names = cluster.topics().map(|topic| (topic.id, topic.name.clone())).collect();
        }
        let racks = cluster.brokers().filter_map(|broker| Some((broker.id.0, broker.rack.clone()?)));
        self.racks = racks.collect();
        for topic in &self.wanted {
            let seen = match cluster.topic_state(topic) {
                TopicState::Known(known) => {
                    let replicas = known.partitions.iter().map(|index| {
                        cluster.partition(*index).map(|each| each.replicas.clone()).unwrap_or_default()
                    });
                    let replicas: Vec<_> =
                        if self.racks.is_empty() { Vec::new() } else { replicas.collect() };
                    let partitions = u32::try_from(known.partitions.len()).unwrap_or(u32::MAX);
                    Seen::Layout(TopicLayout { partitions, replicas })
                }
                TopicState::Failed(error) => Seen::Absent(Some(error)),
                // The cluster does not have it, for now: that is an answer too.
                TopicState::Pending(code) if code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                    Seen::Absent(None)
                }
                TopicState::Pending(_) | TopicState::NotWanted => continue,
            };
            let before = self.seen.insert(topic.clone(), seen.clone());
            if let Seen::Absent(Some(error)) = &seen
                && before.as_ref() != Some(&seen)
                && self.subscribes_to(topic)
            {
                failed.push((topic.clone(), *error));
            }
        }
        failed
    }

    /// Wants what is needed, and nothing else.
    fn want(&mut self, outputs: &mut VecDeque<GroupOutput>) {
        let needed: BTreeSet<Str> = self.topics().chain(&self.led).cloned().collect();
        for topic in needed.difference(&self.wanted) {
            outputs.push_back(GroupOutput::WantTopic(topic.clone()));
        }
        for topic in self.wanted.difference(&needed) {
            self.seen.remove(topic);
            outputs.push_back(GroupOutput::ReleaseTopic(topic.clone()));
        }
        self.wanted = needed;
    }

    /// Wants nothing any more.
    pub(super) fn clear(&mut self, outputs: &mut VecDeque<GroupOutput>) {
        self.led.clear();
        self.led_with = None;
        self.set(Wish::Nothing, outputs);
    }
}
