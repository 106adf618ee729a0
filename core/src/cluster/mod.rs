//! What the client knows of the cluster: brokers, topics, leaders; and when to ask again.
//!
//! Machines say which topics they want ([`Cluster::want_topic`]); the cluster asks for those, at most one
//! request at a time, and answers queries from the last word on each. What it asks next and when:
//!
//! | because of | asks for | when |
//! |---|---|---|
//! | the start, a lost connection, [`Cluster::request_refresh`], the age of the metadata | all wanted topics | after the backoff |
//! | a topic newly wanted | that topic | at once, unless requests fail |
//! | a topic unknown or without a leader | that topic | after the backoff |
//!
//! The backoff grows while requests fail, topics stay incomplete, or answers bring nothing new (KIP-580).

mod address;
mod choose;
mod config;
mod known;
mod output;
mod partitions;
mod refresh;
mod topic;
mod wanted;

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse},
};

pub use address::{Address, Broker, InvalidAddress, Node};
pub use choose::Load;
pub use config::ClusterConfig;
pub use known::Moved;
pub use output::{ClusterOutput, TopicError, TopicState};
pub use partitions::Partitions;
pub use topic::{Leader, Partition, Topic};

use self::{
    known::Known,
    refresh::{Refresh, Scope},
    wanted::{Verdict, Wanted},
};
use crate::{
    BrokerId, Entropy, Instant, PartitionIndex, Purpose, Request, Target, Token, connection::RequestError,
    timers::earliest,
};

/// From this version on Metadata can say that no topic is to be created.
const CREATION_IS_OPTIONAL: i16 = 4;

/// The machine that knows the cluster: see the [module](self).
#[derive(Clone, Debug)]
pub struct Cluster {
    config: ClusterConfig,
    entropy: Entropy,
    partitions: Partitions,
    known: Known,
    wanted: Wanted,
    refresh: Refresh,
    outputs: VecDeque<ClusterOutput>,
    version: u64,
    /// The last broker was too old to be told not to create topics: this is not asked of the next.
    legacy: bool,
    listing: Listing,
    /// Somebody waits for a partition that its topic does not have.
    missing: bool,
}

/// The question for all topics.
#[derive(Clone, Copy, Debug, Default)]
struct Listing {
    /// The request under way asks for all.
    asked: bool,
    /// It was answered, and the list kept up since.
    known: bool,
}

impl Cluster {
    /// A client that knows nothing but where to begin. It asks for metadata at once.
    #[must_use]
    pub fn new(config: ClusterConfig, entropy: Entropy, now: Instant) -> Self {
        Self {
            refresh: Refresh::new(now),
            config,
            entropy,
            partitions: Partitions::new(),
            known: Known::default(),
            wanted: Wanted::default(),
            outputs: VecDeque::new(),
            version: 0,
            legacy: false,
            listing: Listing::default(),
            missing: false,
        }
    }

    // Inputs.

    /// The answer to a request of [`ClusterOutput::Request`]: `number` is that of its [`Token::Cluster`],
    /// `version` the one that the response came in. Answers that are no longer awaited are ignored.
    pub fn handle_response(&mut self, now: Instant, number: u64, version: i16, response: &MetadataResponse) {
        let Some(scope) = self.refresh.answered(number) else { return };
        self.legacy &= version < CREATION_IS_OPTIONAL;
        if response.error_code == ErrorCode::REBOOTSTRAP_REQUIRED {
            self.refresh.failed(now, scope, self.config.backoff, &mut self.entropy);
            self.rebootstrap();
            return;
        }
        let Some(changed) = self.absorb(now, scope, version, response) else {
            // No broker listed: not a picture of a cluster.
            self.refresh.failed(now, scope, self.config.backoff, &mut self.entropy);
            return;
        };
        let listed = self.listing.asked && !self.listing.known && self.wanted.all();
        self.listing.known |= listed;
        if changed || listed {
            self.changed();
        }
        let fruitful = changed && !self.is_incomplete();
        self.refresh.succeeded(now, scope, self.config.max_age);
        self.refresh.pause(now, fruitful, self.config.backoff, &mut self.entropy);
    }

    /// A request of [`ClusterOutput::Request`] was not answered: its connection ended, no connection could be
    /// opened, or it could not be sent.
    pub fn handle_lost(&mut self, now: Instant, number: u64, error: Option<&RequestError>) {
        let Some(scope) = self.refresh.answered(number) else { return };
        let inexpressible = matches!(error, Some(RequestError::NotExpressible { .. }));
        if inexpressible && !self.legacy {
            probe!(MetadataDowngraded);
            self.legacy = true;
            self.refresh.request(scope);
            return;
        }
        self.refresh.failed(now, scope, self.config.backoff, &mut self.entropy);
    }

    /// A connection that was up is lost. Perhaps leaders have moved.
    pub fn handle_disconnect(&mut self) {
        self.refresh.request(Scope::All);
    }

    /// A connection to `node` came up.
    pub fn handle_connected(&mut self, node: Node) {
        if let Node::Broker(id) = node {
            self.known.unreachable.remove(&id);
        }
    }

    /// A connection to `node` could not be set up, and the client has no other to it. When that is so for all
    /// known brokers, the client begins again at the bootstrap addresses (KIP-899).
    pub fn handle_connect_failed(&mut self, node: Node) {
        self.refresh.request(Scope::All);
        let Node::Broker(id) = node else { return };
        if self.known.brokers.contains_key(&id) {
            self.known.unreachable.insert(id);
            if self.known.unreachable.len() >= self.known.brokers.len() {
                probe!(RebootstrapUnreachable);
                self.rebootstrap();
            }
        }
    }

    /// A response named the current leader of a partition (KIP-951), and perhaps where that broker is. Returns
    /// whether that is news. A refresh follows in any case.
    pub fn handle_leader_hint(
        &mut self,
        partition: PartitionIndex,
        leader: Leader,
        endpoint: Option<Broker>,
    ) -> bool {
        self.refresh.request(Scope::All);
        let news = self.known.hint(partition, leader, endpoint);
        if news {
            self.changed();
        }
        news
    }

    /// Time passes: topics may have been unknown for too long, metadata unobtainable for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((topic, error)) = self.wanted.expire(now, self.config.unknown_topic_timeout) {
            if error.deleted {
                self.known.forget_topic(&topic);
                self.changed();
            }
            self.outputs.push_back(ClusterOutput::TopicFailed { topic, error });
        }
        if self.stuck_at().is_some_and(|at| at <= now) {
            probe!(RebootstrapStuck, self.is_known());
            self.refresh.abandon(now);
            self.rebootstrap();
        }
    }

    // Commands.

    /// Counts one more owner who wants `topic`; it is asked for at once if it is not known. For a topic that
    /// failed, this begins a new attempt.
    pub fn want_topic(&mut self, topic: &str) {
        if self.wanted.want(topic, self.known.is_complete(topic)) {
            self.refresh.request(Scope::Incomplete { new: true });
        }
    }

    /// Counts one owner less; what nobody wants is forgotten.
    pub fn release_topic(&mut self, topic: &str) {
        if self.wanted.release(topic) && !self.wanted.all() && self.known.forget_topic(topic) {
            self.changed();
        }
    }

    /// Counts one more owner who wants every topic that the client may see.
    pub fn want_all_topics(&mut self) {
        if self.wanted.want_all() {
            self.refresh.request(Scope::All);
        }
    }

    /// Counts one such owner less.
    pub fn release_all_topics(&mut self) {
        let last = self.wanted.release_all();
        self.listing.known &= !last;
        if last && self.known.retain_topics(|name| self.wanted.contains(name)) {
            self.changed();
        }
    }

    /// The metadata seem to be out of date, for instance because a broker said that it is not the leader: asks
    /// for all again, after the backoff.
    pub fn request_refresh(&mut self) {
        self.refresh.request(Scope::All);
    }

    /// Says whether somebody waits for a partition that its topic does not have: as long as that is so all is asked for
    /// again and again, after the backoff.
    pub const fn await_partition(&mut self, missing: bool) {
        self.missing = missing;
    }

    /// Whether a topic is known that does not have this partition.
    #[must_use]
    pub fn lacks(&self, index: PartitionIndex) -> bool {
        self.partitions.name(index).is_some_and(|(topic, partition)| {
            let known = self.topic(topic).map(|topic| topic.partitions.len());
            known.is_some_and(|known| usize::try_from(partition).is_ok_and(|partition| partition >= known))
        })
    }

    fn is_incomplete(&self) -> bool {
        self.missing || self.wanted.is_incomplete()
    }

    /// For which partitions [`leader`](Self::leader), or the id of their topic, may say something else than when this was
    /// asked last.
    pub fn take_moved(&mut self) -> Moved {
        core::mem::take(&mut self.known.moved)
    }

    /// Numbers a partition that the application named, whether or not the cluster has it.
    pub fn intern(&mut self, topic: &Str, partition: i32) -> PartitionIndex {
        self.partitions.intern(topic, partition)
    }

    /// The next output.
    pub fn poll(&mut self, now: Instant) -> Option<ClusterOutput> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        if self.refresh.due(self.is_incomplete())? > now {
            return None;
        }
        if self.missing {
            self.refresh.request(Scope::All);
        }
        let (number, scope) = self.refresh.begin(now);
        self.listing.asked = scope == Scope::All && self.wanted.all();
        let token = Token::Cluster(number);
        let timeout = self.config.request_timeout;
        Some(ClusterOutput::Request(Request::new(
            Target::Any,
            Purpose::General,
            token,
            self.metadata_request(scope),
            timeout,
        )))
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll`](Self::poll) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = self.refresh.due(self.is_incomplete());
        earliest(earliest(due, self.stuck_at()), self.wanted.next_deadline())
    }

    // Queries.

    /// Counts the changes of what the other queries tell: as long as it stays the same, so do they.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Whether any metadata have been received since the start or the last rebootstrap.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.known.brokers.is_empty()
    }

    /// The cluster's id, if the brokers tell it.
    #[must_use]
    pub const fn cluster_id(&self) -> Option<&Str> {
        self.known.cluster_id.as_ref()
    }

    /// The controller, or the broker that passes requests on to it (from Kafka 4.0 on, any).
    #[must_use]
    pub fn controller(&self) -> Option<BrokerId> {
        self.known.controller.filter(|id| self.known.brokers.contains_key(id))
    }

    /// The brokers in the order of their ids.
    pub fn brokers(&self) -> impl Iterator<Item = &Broker> + '_ {
        self.known.brokers.values()
    }

    /// A broker.
    #[must_use]
    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.known.brokers.get(&id)
    }

    /// Where a node is.
    #[must_use]
    pub fn address(&self, node: Node) -> Option<&Address> {
        match node {
            Node::Bootstrap(at) => self.config.bootstrap.get(usize::from(at)),
            Node::Broker(id) => self.broker(id).map(|broker| &broker.address),
        }
    }

    /// Whether [`topics`](Self::topics) are all that the client may see, as far as the last answer said: someone wants all,
    /// and was answered.
    #[must_use]
    pub const fn knows_all_topics(&self) -> bool {
        self.listing.known
    }

    /// A topic, if the cluster has it and someone wants it.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.known.topics.get(name)
    }

    /// A topic by its id.
    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Topic> {
        self.known.names.get(&id).and_then(|name| self.known.topics.get(name))
    }

    /// The topics in the order of their names.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> + '_ {
        self.known.topics.values()
    }

    /// What has become of a wanted topic.
    #[must_use]
    pub fn topic_state(&self, name: &str) -> TopicState<'_> {
        self.wanted.state(name, self.known.topics.get(name))
    }

    /// A partition, if the cluster has it.
    #[must_use]
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.known.partition(index)
    }

    /// The leader of a partition, if there is one and it is known where that broker is.
    #[must_use]
    pub fn leader(&self, index: PartitionIndex) -> Option<Leader> {
        let partition = self.known.partition(index)?;
        let broker = partition.leader.filter(|id| self.known.brokers.contains_key(id))?;
        Some(Leader { broker, epoch: partition.leader_epoch })
    }

    /// The numbers of partitions.
    #[must_use]
    pub const fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    // Helpers.

    fn changed(&mut self) {
        self.version += 1;
        if !self.outputs.contains(&ClusterOutput::Changed) {
            self.outputs.push_back(ClusterOutput::Changed);
        }
    }

    /// When metadata have been unobtainable for too long.
    fn stuck_at(&self) -> Option<Instant> {
        self.refresh.stuck_since().map(|since| since + self.config.rebootstrap_after)
    }

    /// Takes an answer. Returns whether it changed anything, or none if it is no picture of a cluster.
    fn absorb(
        &mut self,
        now: Instant,
        scope: Scope,
        version: i16,
        response: &MetadataResponse,
    ) -> Option<bool> {
        let before: Vec<BrokerId> = self.known.brokers.keys().copied().collect();
        let mut changed = self.known.absorb_brokers(response)?;
        if scope != Scope::All && before.iter().any(|id| !self.known.brokers.contains_key(id)) {
            // It may lead partitions of topics that were not asked about: they have no leader now.
            self.refresh.request(Scope::All);
        }
        let deadline = now + self.config.unknown_topic_timeout;
        let everything = self.wanted.all();
        let mut listed = BTreeSet::new();
        for answer in &response.topics {
            // An answer without a name is to a question by id.
            let Some(name) = answer.name.as_ref().filter(|name| everything || self.wanted.contains(name))
            else {
                continue;
            };
            listed.insert(name.as_ref());
            let verdict = if answer.error_code.is_ok() {
                let (news, complete) = self.known.absorb_topic(name, answer, version, &mut self.partitions);
                changed |= news;
                Verdict::Found { complete }
            } else {
                Verdict::of_error(answer.error_code)
            };
            changed |= matches!(verdict, Verdict::Refused(_)) && self.known.forget_topic(name);
            if let Some(error) = self.wanted.judge(name, verdict, deadline) {
                self.outputs.push_back(ClusterOutput::TopicFailed { topic: name.clone(), error });
            }
        }
        if everything && scope == Scope::All {
            changed |= self.absorb_absence(&listed, deadline);
        }
        Some(changed)
    }

    /// An answer to the question for all topics did not list some.
    fn absorb_absence(&mut self, listed: &BTreeSet<&str>, deadline: Instant) -> bool {
        let missing = Verdict::Missing(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let names: Vec<Str> =
            self.wanted.names().filter(|name| !listed.contains(&***name)).cloned().collect();
        for name in names {
            self.wanted.judge(&name, missing, deadline);
        }
        self.known.retain_topics(|name| listed.contains(name) || self.wanted.contains(name))
    }

    fn rebootstrap(&mut self) {
        if self.known.brokers.is_empty() {
            return;
        }
        self.refresh.request(Scope::All);
        self.known.forget_brokers();
        self.changed();
        self.outputs.push_back(ClusterOutput::Rebootstrap);
    }

    fn metadata_request(&self, scope: Scope) -> MetadataRequest {
        let topic =
            |name: &Str| MetadataRequestTopic { name: Some(name.clone()), ..MetadataRequestTopic::default() };
        let topics = match scope {
            Scope::All if self.wanted.all() => None,
            Scope::All => Some(self.wanted.names().map(topic).collect()),
            Scope::Incomplete { .. } => Some(self.wanted.incomplete_names().map(topic).collect()),
        };
        MetadataRequest {
            topics,
            allow_auto_topic_creation: self.config.allow_auto_topic_creation || self.legacy,
            ..MetadataRequest::default()
        }
    }
}

#[cfg(test)]
mod tests;
