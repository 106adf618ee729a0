//! What each broker has heard of the cluster from the controller.
//!
//! Without latency every broker knows the truth, and nothing is kept. A broker that hears late, or not at all, has an
//! image of its own: it is what the broker tells clients, and what it believes of the partitions that it holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::{Str, Uuid};

use super::Step;
use crate::cluster::Cluster;
use crate::cluster::session::TopicRef;
use crate::cluster::topics::{Leadership, Topic};

/// A broker as others hear of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: Str,
    pub(crate) port: i32,
    pub(crate) rack: Option<Str>,
    /// Whether it serves, as far as the controller knows.
    pub(crate) is_alive: bool,
}

/// A topic as brokers hear of it.
#[derive(Clone, Debug)]
pub(crate) struct TopicImage {
    pub(crate) name: Str,
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Leadership>,
}

impl TopicImage {
    /// Whether the topic is the cluster's own.
    pub(crate) fn is_internal(&self) -> bool {
        matches!(self.name.as_str(), "__consumer_offsets" | "__transaction_state")
    }

    pub(crate) fn partition(&self, index: i32) -> Option<&Leadership> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

/// The cluster at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    topics: BTreeMap<Str, TopicImage>,
    names: BTreeMap<Uuid, Str>,
    nodes: Vec<Node>,
    controller: i32,
}

/// Something that brokers have to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The leadership of a partition.
    Partition(Uuid, i32),
    /// A topic is deleted.
    Deleted(Uuid),
    /// Brokers: who serves, and where.
    Brokers,
}

#[derive(Debug)]
struct View {
    image: Arc<Image>,
    /// What the broker will hear, and when.
    coming: VecDeque<(Instant, Arc<Image>)>,
    /// It hears nothing.
    is_cut: bool,
}

/// What a broker leaves out of what it tells clients.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    pub(crate) topics: BTreeSet<Str>,
    pub(crate) brokers: BTreeSet<i32>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Images {
    latency: Duration,
    /// The brokers that do not know the truth at once.
    views: BTreeMap<i32, View>,
    pub(crate) hidden: BTreeMap<i32, Hidden>,
}

impl Images {
    pub(crate) fn new(latency: Duration, brokers: impl Iterator<Item = i32>) -> Self {
        let mut images = Self { latency, ..Self::default() };
        if !latency.is_zero() {
            let view = |broker| (broker, View::new(Arc::default()));
            images.views.extend(brokers.map(view));
        }
        images
    }

    fn image(&self, broker: i32) -> Option<&Image> {
        if self.views.is_empty() {
            return None;
        }
        self.views.get(&broker).map(|view| &*view.image)
    }

    pub(crate) fn is_cut(&self, broker: i32) -> bool {
        self.views.get(&broker).is_some_and(|view| view.is_cut)
    }
}

impl View {
    const fn new(image: Arc<Image>) -> Self {
        Self { image, coming: VecDeque::new(), is_cut: false }
    }
}

impl Cluster {
    /// The truth of now.
    fn image_of_now(&self) -> Arc<Image> {
        let topics: BTreeMap<Str, TopicImage> =
            self.topics.iter().map(|topic| (topic.name().clone(), topic.image.clone())).collect();
        Arc::new(Image {
            names: topics.values().map(|topic| (topic.id, topic.name.clone())).collect(),
            topics,
            nodes: self.brokers.iter().map(|broker| broker.node.clone()).collect(),
            controller: self.controller(),
        })
    }

    /// Has brokers hear of what has changed: at once, or later.
    pub(crate) fn publish(&mut self, now: Instant) {
        let mut has_deleted = false;
        while !self.changes.is_empty() {
            let changes = std::mem::take(&mut self.changes);
            for change in &changes {
                match *change {
                    Change::Partition(topic_id, index) => self.tell_partition(now, topic_id, index),
                    Change::Deleted(topic_id) => {
                        has_deleted = true;
                        self.tell_deleted(now, topic_id);
                    }
                    Change::Brokers => {}
                }
            }
            self.send_image(now);
        }
        if has_deleted {
            self.drop_deleted();
        }
    }

    /// Sends what the cluster looks like now to the brokers that do not hear of it at once.
    fn send_image(&mut self, now: Instant) {
        if self.images.views.values().all(|view| view.is_cut) {
            return;
        }
        let image = self.image_of_now();
        let at = now + self.images.latency;
        for (broker, view) in &mut self.images.views {
            if view.is_cut || self.peers.down.contains(broker) {
                continue;
            }
            view.coming.push_back((at, Arc::clone(&image)));
            self.peers.set_timer(at, Step::Image { broker: *broker });
        }
    }

    /// Whether a broker hears of changes at once.
    fn hears_at_once(&self, broker: i32) -> bool {
        !self.images.views.contains_key(&broker) && !self.peers.down.contains(&broker)
    }

    fn tell_partition(&mut self, now: Instant, topic_id: Uuid, index: i32) {
        let Some(turn) = self.turn(now, topic_id, index) else { return };
        let leadership = turn.leadership.clone();
        for (slot, broker) in leadership.replicas.iter().enumerate() {
            if self.hears_at_once(*broker)
                && let Some(mut turn) = self.turn(now, topic_id, index)
            {
                turn.believe(slot, &leadership);
            }
        }
        if let Some(mut turn) = self.turn(now, topic_id, index) {
            turn.watch();
        }
    }

    fn tell_deleted(&mut self, now: Instant, topic_id: Uuid) {
        for index in 0..self.topics.by_id(topic_id).map_or(0, |topic| topic.partitions.len()) {
            let index = i32::try_from(index).unwrap_or(i32::MAX);
            let Some(turn) = self.turn(now, topic_id, index) else { return };
            for (slot, broker) in turn.leadership.replicas.clone().into_iter().enumerate() {
                if !self.images.views.contains_key(&broker)
                    && let Some(mut turn) = self.turn(now, topic_id, index)
                {
                    turn.forget(slot);
                }
            }
        }
    }

    /// Drops deleted topics that no broker believes in any more.
    pub(super) fn drop_deleted(&mut self) {
        let down = &self.peers.down;
        self.topics.drop_deleted(|broker| down.contains(&broker));
    }

    /// A broker hears of what has come to it until now.
    pub(super) fn hear(&mut self, now: Instant, broker: i32) {
        if self.peers.down.contains(&broker) {
            return;
        }
        let latency = self.images.latency;
        let Some(view) = self.images.views.get_mut(&broker) else { return };
        let heard = view.coming.partition_point(|(at, _)| *at <= now);
        let Some((_, image)) = view.coming.drain(..heard).next_back() else { return };
        view.image = Arc::clone(&image);
        if latency.is_zero() && view.coming.is_empty() {
            self.images.views.remove(&broker);
        }
        self.believe_image(now, broker, &image);
    }

    /// Has a broker believe what an image says of the partitions that it holds.
    fn believe_image(&mut self, now: Instant, broker: i32, image: &Image) {
        for (topic_id, index) in self.topics.held_by(broker) {
            let leadership = image
                .names
                .get(&topic_id)
                .and_then(|name| image.topics.get(name))
                .and_then(|topic| topic.partition(index));
            let Some(mut turn) = self.turn(now, topic_id, index) else { continue };
            let Some(slot) = turn.partition.slot(broker) else { continue };
            match leadership {
                Some(leadership) => {
                    turn.believe(slot, leadership);
                    turn.watch();
                }
                None => turn.forget(slot),
            }
        }
        self.drop_deleted();
    }

    /// A broker hears nothing from now on.
    pub(crate) fn cut_image(&mut self, broker: i32) {
        let image = self.image_of_now();
        let view = self.images.views.entry(broker).or_insert_with(|| View::new(image));
        view.is_cut = true;
        view.coming.clear();
    }

    /// A broker hears again, of everything that it has missed.
    pub(crate) fn mend_image(&mut self, now: Instant, broker: i32) {
        let image = self.image_of_now();
        let at = now + self.images.latency;
        let Some(view) = self.images.views.get_mut(&broker) else { return };
        view.is_cut = false;
        view.coming.push_back((at, image));
        if self.images.latency.is_zero() {
            self.hear(now, broker);
        } else {
            self.peers.set_timer(at, Step::Image { broker });
        }
    }

    /// A broker starts: it hears of everything before it serves.
    pub(crate) fn load_image(&mut self, now: Instant, broker: i32) {
        let image = self.image_of_now();
        if let Some(view) = self.images.views.get_mut(&broker) {
            view.coming.clear();
            view.is_cut = false;
            view.image = Arc::clone(&image);
        }
        if self.images.latency.is_zero() {
            self.images.views.remove(&broker);
        }
        self.believe_image(now, broker, &image);
    }

    /// A topic that a broker knows, as it is and as the broker knows it.
    pub(crate) fn topic_at(&self, broker: i32, topic: &TopicRef) -> Option<(&Topic, &TopicImage)> {
        if self.images.image(broker).is_none() {
            return self.topics.find(topic).map(|topic| (topic, &topic.image));
        }
        let image = self.topic_seen(broker, topic)?;
        Some((self.topics.by_id(image.id)?, image))
    }

    /// A topic as a broker knows it.
    pub(crate) fn topic_seen(&self, broker: i32, topic: &TopicRef) -> Option<&TopicImage> {
        match self.images.image(broker) {
            None => self.topics.find(topic).map(|topic| &topic.image),
            Some(image) => match topic {
                TopicRef::Name(name) => image.topics.get(name),
                TopicRef::Id(id) => image.topics.get(image.names.get(id)?),
            },
        }
    }

    /// All topics as a broker knows them, in the order of their names.
    pub(crate) fn topics_seen(&self, broker: i32) -> Vec<&TopicImage> {
        match self.images.image(broker) {
            None => self.topics.iter().map(|topic| &topic.image).collect(),
            Some(image) => image.topics.values().collect(),
        }
    }

    /// The other brokers, and itself, as a broker knows them.
    pub(crate) fn nodes_seen(&self, broker: i32) -> Vec<&Node> {
        match self.images.image(broker) {
            None => self.brokers.iter().map(|broker| &broker.node).collect(),
            Some(image) => image.nodes.iter().collect(),
        }
    }

    /// A broker as another one knows it.
    pub(crate) fn node_seen(&self, broker: i32, id: i32) -> Option<&Node> {
        match self.images.image(broker) {
            None => self.broker(id).map(|broker| &broker.node),
            Some(image) => image.nodes.iter().find(|node| node.id == id),
        }
    }

    /// Who a broker says is the controller.
    pub(crate) fn controller_seen(&self, broker: i32) -> i32 {
        self.images.image(broker).map_or_else(|| self.controller(), |image| image.controller)
    }
}
