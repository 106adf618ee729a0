//! The client.

use std::time::Duration;

use klamm_engine::{
    ClientEvent, ConnectError, Connector, CredentialRequest, EventOptions, Mechanism, Metrics, Proxy, Sasl,
    block_on,
};

use crate::{
    Admin, ConsumerBuilder, ExactlyOnceBuilder, GroupConsumer, GroupConsumerBuilder, ProducerBuilder,
    TransactionalBuilder, driver::Blocking,
};

/// A client of one Kafka cluster. See [`klamm_engine::Kafka`].
#[derive(Clone, Debug)]
pub struct Kafka {
    inner: klamm_engine::Kafka<Blocking>,
}

impl Kafka {
    /// Begins to configure a client that finds its cluster at these addresses (`host:port`; the port is 9092 if none
    /// is named).
    pub fn builder<A: AsRef<str>>(bootstrap: impl IntoIterator<Item = A>) -> KafkaBuilder {
        KafkaBuilder { inner: klamm_engine::Kafka::builder(bootstrap) }
    }

    /// Begins to configure a client by settings: its addresses are `bootstrap.servers`.
    pub fn from_settings(settings: &klamm_engine::Settings) -> KafkaBuilder {
        KafkaBuilder { inner: klamm_engine::Kafka::from_settings(settings) }
    }

    /// Begins to configure a producer.
    pub fn producer(&self) -> ProducerBuilder {
        ProducerBuilder { inner: self.inner.producer() }
    }

    /// Begins to configure a producer of transactions with this id (`transactional.id`).
    pub fn transactional(&self, transactional_id: impl AsRef<str>) -> TransactionalBuilder {
        TransactionalBuilder { inner: self.inner.transactional(transactional_id) }
    }

    /// Reads as a member of a group and writes what comes of it, exactly once: see [`klamm_engine::ExactlyOnce`].
    pub fn exactly_once(
        &self,
        transactional_id: impl AsRef<str>,
        consumer: GroupConsumer,
    ) -> ExactlyOnceBuilder {
        ExactlyOnceBuilder { inner: self.inner.exactly_once(transactional_id, consumer.inner) }
    }

    /// Begins to configure a consumer.
    pub fn consumer(&self) -> ConsumerBuilder {
        ConsumerBuilder { inner: self.inner.consumer() }
    }

    /// Begins to configure a consumer that is a member of a group (`group.id`).
    pub fn group(&self, group_id: impl AsRef<str>) -> GroupConsumerBuilder {
        GroupConsumerBuilder { inner: self.inner.group(group_id) }
    }

    /// Administration.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin { inner: self.inner.admin() }
    }

    forward! { klamm_engine::Kafka:
        /// The cluster's id, if the brokers tell it (from Kafka 0.10.1 on).
        get cluster_id() -> Option<String>;
        /// Why brokers cannot be reached at present, in words; `None` if all is well.
        get diagnosis() -> Option<String>;
        /// All that the client has counted.
        get metrics() -> Metrics;
        /// Closes the client for all who hold a part of it: producers deliver what they have, within the client's
        /// `close_timeout`; consumers and administration end.
        wait close();
    }

    /// Tells what happens in the client from now on. See [`klamm_engine::Kafka::events`].
    #[must_use]
    pub fn events(&self, options: EventOptions) -> Events {
        Events { inner: self.inner.events(options) }
    }
}

/// Makes a [`Kafka`] client. See [`klamm_engine::KafkaBuilder`] for the options and their defaults.
#[derive(Clone, Debug)]
#[must_use = "call connect()"]
pub struct KafkaBuilder {
    inner: klamm_engine::KafkaBuilder<Blocking>,
}

impl KafkaBuilder {
    options! { klamm_engine::KafkaBuilder:
        client_id(id: impl Into<String>);
        connect_timeout(timeout: Duration);
        connection_setup_timeout(timeout: Duration);
        connections_max_idle(timeout: Duration);
        request_timeout(timeout: Duration);
        metadata_max_age(age: Duration);
        reconnect_backoff(initial: Duration, max: Duration);
        allow_auto_topic_creation(allow: bool);
        unknown_topic_timeout(timeout: Duration);
        max_block(timeout: Duration);
        tcp_keepalive(idle: Duration);
        socket_send_buffer(bytes: usize);
        socket_receive_buffer(bytes: usize);
        close_timeout(timeout: Duration);
        proxy(proxy: Proxy);
        connector(connector: impl Connector);
        sasl(sasl: Sasl);
        settings(settings: &klamm_engine::Settings);
        seed(seed: u64);
    }

    /// As [`klamm_engine::KafkaBuilder::tls`].
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: klamm_engine::Tls) -> Self {
        self.inner = self.inner.tls(tls);
        self
    }

    /// As [`klamm_engine::KafkaBuilder::events`].
    pub fn events(self, options: EventOptions) -> (Self, Events) {
        let (inner, events) = self.inner.events(options);
        (Self { inner }, Events { inner: events })
    }

    /// Looks for the cluster.
    ///
    /// # Errors
    ///
    /// No cluster was found: the error says what was seen at each address. See
    /// [`klamm_engine::KafkaBuilder::connect`].
    pub fn connect(self) -> Result<Kafka, ConnectError> {
        block_on(self.inner.connect()).map(|inner| Kafka { inner })
    }
}

/// The requests for credentials of clients. See [`klamm_engine::Sasl::asking`].
#[derive(Debug)]
pub struct CredentialRequests(klamm_engine::CredentialRequests);

impl CredentialRequests {
    /// SASL with credentials that are asked for when they are needed: serve the requests on a thread of its own for as
    /// long as the client lives.
    #[must_use]
    pub fn of(mechanism: Mechanism) -> (Sasl, Self) {
        let (sasl, requests) = Sasl::asking(mechanism);
        (sasl, Self(requests))
    }
}

impl Iterator for CredentialRequests {
    type Item = CredentialRequest;

    /// Waits for the next request; `None` once no client is left that could ask.
    fn next(&mut self) -> Option<CredentialRequest> {
        block_on(self.0.next())
    }
}

/// Looks on at a client: as an iterator it waits for the next event, and ends when the client is closed. See
/// [`klamm_engine::Events`].
#[derive(Debug)]
pub struct Events {
    inner: klamm_engine::Events,
}

impl Events {
    forward! { klamm_engine::Events:
        /// The next event, if it is there.
        now_mut try_next() -> Option<ClientEvent>;
        /// How many events were dropped since the last call, because they were not taken in time.
        now_mut take_dropped() -> u64;
    }
}

impl Iterator for Events {
    type Item = ClientEvent;

    fn next(&mut self) -> Option<ClientEvent> {
        block_on(self.inner.next())
    }
}
