//! How a consumer in a group is configured.

use std::{sync::Arc, time::Duration};

use klamm_core::{
    Backoff,
    group::{GroupConfig, GroupProtocol, assignor::Strategy},
};
use klamm_protocol::Str;
use regex_lite::Regex;

use super::{GroupConsumer, inbox::GroupInbox};
use crate::{ConsumerBuilder, InvalidConfig, Isolation, OffsetReset, kafka::ClientHandle};

/// Makes a [`GroupConsumer`]. Names and defaults are those of the Java client.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct GroupConsumerBuilder {
    client: Arc<ClientHandle>,
    consumer: ConsumerBuilder,
    config: GroupConfig,
    topics: Vec<Str>,
    pattern: Option<String>,
}

impl GroupConsumerBuilder {
    pub(crate) fn new(client: Arc<ClientHandle>, group_id: &str) -> Self {
        Self {
            consumer: ConsumerBuilder::new(Arc::clone(&client)),
            config: GroupConfig::new(Str::copy_of(group_id)),
            topics: Vec::new(),
            pattern: None,
            client,
        }
    }

    /// Subscribes to these topics from the start. May be called more than once.
    pub fn subscribe<T: AsRef<str>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.topics.extend(topics.into_iter().map(|topic| Str::copy_of(topic.as_ref())));
        self
    }

    /// Subscribes from the start to all topics whose names match this regular expression.
    pub fn subscribe_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// Sets the options of reading: how much is fetched, which records of transactions are visible, and so on.
    pub fn reading(mut self, set: impl FnOnce(ConsumerBuilder) -> ConsumerBuilder) -> Self {
        self.consumer = set(self.consumer);
        self
    }

    /// Where partitions begin of which nothing is committed, or whose offset does not exist (`auto.offset.reset`).
    /// Default: [`OffsetReset::Latest`].
    pub fn offset_reset(mut self, reset: OffsetReset) -> Self {
        self.consumer = self.consumer.offset_reset(reset);
        self
    }

    /// Which records of transactions are visible (`isolation.level`). Default: [`Isolation::ReadUncommitted`].
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.consumer = self.consumer.isolation(isolation);
        self
    }

    /// Where this client is (`client.rack`), for reading from replicas nearby (KIP-392) and for assignors that mind it
    /// (KIP-881). Default: none.
    pub fn client_rack(mut self, rack: impl AsRef<str>) -> Self {
        let name = Str::copy_of(rack.as_ref());
        self.config.client_rack = (!name.is_empty()).then_some(name);
        self.consumer = self.consumer.client_rack(rack);
        self
    }

    /// Makes the member static (`group.instance.id`, KIP-345): it keeps its partitions over a restart that takes less than
    /// the session timeout. Unique within the group. Default: none.
    pub fn instance_id(mut self, id: impl AsRef<str>) -> Self {
        self.config.instance_id = Some(Str::copy_of(id.as_ref()));
        self
    }

    /// Who assigns partitions to members (`group.protocol`). Default: [`GroupProtocol::Classic`].
    pub const fn protocol(mut self, protocol: GroupProtocol) -> Self {
        self.config.protocol = protocol;
        self
    }

    /// With [`GroupProtocol::Consumer`], whether to join as a classic member where brokers do not know KIP-848 (before
    /// Kafka 3.7). Default: false.
    pub const fn fall_back_to_classic(mut self, fall_back: bool) -> Self {
        self.config.fall_back = fall_back;
        self
    }

    /// How the leader of a classic group assigns, in order of preference (`partition.assignment.strategy`). Default: range,
    /// cooperative-sticky. If all of them are cooperative, only partitions that move are given up in a rebalance.
    pub fn assignors<S: Into<Strategy>>(mut self, assignors: impl IntoIterator<Item = S>) -> Self {
        self.config.assignors = assignors.into_iter().map(Into::into).collect();
        self
    }

    /// How the coordinator assigns (`group.remote.assignor`), with [`GroupProtocol::Consumer`]. Default: as it likes.
    pub fn remote_assignor(mut self, name: impl AsRef<str>) -> Self {
        self.config.remote_assignor = Some(Str::copy_of(name.as_ref()));
        self
    }

    /// A member of a classic group that is not heard from for so long is dead (`session.timeout.ms`). Default: 45 s.
    pub const fn session_timeout(mut self, timeout: Duration) -> Self {
        self.config.session_timeout = timeout;
        self
    }

    /// A member of a classic group is heard from so often (`heartbeat.interval.ms`). Default: 3 s.
    pub const fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.config.heartbeat_interval = interval;
        self
    }

    /// The longest time between two calls of [`GroupConsumer::next`] (`max.poll.interval.ms`), after which others take over
    /// the partitions; also how long partitions may take to be given up. A call that waits is no idleness. Default: 5 min.
    pub const fn max_poll_interval(mut self, interval: Duration) -> Self {
        self.config.max_poll_interval = interval;
        self
    }

    /// How often what is done with is committed by itself (`auto.commit.interval.ms`), also when partitions are given up and
    /// at the end; `None` for never (`enable.auto.commit`). Default: 5 s.
    pub const fn auto_commit(mut self, interval: Option<Duration>) -> Self {
        self.config.auto_commit = interval;
        self
    }

    /// Whether a pattern leaves out topics that exist for the brokers only (`exclude.internal.topics`). Default: true.
    pub const fn exclude_internal_topics(mut self, exclude: bool) -> Self {
        self.config.exclude_internal_topics = exclude;
        self
    }

    /// How long a broker may take to answer (`request.timeout.ms`). Default: 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self.consumer = self.consumer.request_timeout(timeout);
        self
    }

    /// Between attempts, the first time and at most (`retry.backoff.ms`, `retry.backoff.max.ms`). Default: 100 ms to 1 s.
    pub const fn retry_backoff(mut self, initial: Duration, max: Duration) -> Self {
        self.config.backoff = Backoff { initial, max };
        self
    }

    /// Makes the consumer, which begins to join at once if it subscribes to anything.
    ///
    /// # Errors
    ///
    /// An option makes no sense or the client is closed: which, and what to do.
    pub fn build(self) -> Result<GroupConsumer, InvalidConfig> {
        let Self { client, consumer, config, topics, pattern } = self;
        config.validate().map_err(|error| InvalidConfig::new(error.option, error.cure))?;
        if consumer.has_group() {
            return Err(InvalidConfig::new("group_id", "the group is named once, by `group()`"));
        }
        let pattern = pattern.as_deref().map(parse).transpose()?;
        if pattern.is_some() && !topics.is_empty() {
            return Err(InvalidConfig::new("subscribe", "subscribe by names or by a pattern, not both"));
        }
        let consumer = consumer.build()?;
        let id = consumer.id();
        let inbox = Arc::new(GroupInbox::default());
        let created = client.shared.with(|state, now| {
            state.groups.insert(id, Arc::clone(&inbox));
            state.client.create_group(now, id, config)
        });
        if !created {
            return Err(InvalidConfig::new("consumer", "the client is closed"));
        }
        let group = GroupConsumer::new(id, consumer, inbox, client);
        match pattern {
            Some(pattern) => group.subscribe_by(pattern),
            None if topics.is_empty() => {}
            None => group.subscribe(topics),
        }
        Ok(group)
    }
}

pub(super) fn parse(pattern: &str) -> Result<Regex, InvalidConfig> {
    // The whole name has to match, as with the Java client and the brokers.
    Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|error| InvalidConfig::new("subscribe_pattern", error.to_string()))
}
