//! How a client is configured.

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use klamm_core::{
    Entropy,
    client::{Client, ClientConfig, Done},
    cluster::Address,
    connection::ConnectionConfig,
};
use klamm_protocol::Str;

use super::{ClientHandle, ConnectError, InvalidConfig, Kafka, Runtime};
use crate::{
    Clock, Connector, ControlTask, EventOptions, Events, Proxy, Sasl,
    dial::{Dialling, SocketOptions},
    observe::{Queue, Watch},
    operation::Stopped,
    shared::Shared,
};
#[cfg(feature = "tls")]
use crate::{Tls, security::Security};

/// Makes a [`Kafka`] client. Names and defaults are those of the Java client.
#[must_use = "call connect()"]
pub struct KafkaBuilder<R: Runtime> {
    bootstrap: Vec<String>,
    config: ClientConfig,
    connection: ConnectionConfig,
    connect_timeout: Duration,
    max_block: Duration,
    seed: Option<u64>,
    watchers: Vec<Arc<Queue>>,
    sockets: SocketOptions,
    proxy: Option<Proxy>,
    connector: Option<Arc<dyn Connector>>,
    clock: Option<R::Clock>,
    sasl: Option<Sasl>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl<R: Runtime> Clone for KafkaBuilder<R> {
    fn clone(&self) -> Self {
        Self {
            bootstrap: self.bootstrap.clone(),
            config: self.config.clone(),
            connection: self.connection.clone(),
            clock: self.clock.clone(),
            sasl: self.sasl.clone(),
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            watchers: self.watchers.clone(),
            proxy: self.proxy.clone(),
            connector: self.connector.clone(),
            ..*self
        }
    }
}

impl<R: Runtime> fmt::Debug for KafkaBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaBuilder").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

impl<R: Runtime> KafkaBuilder<R> {
    pub(super) fn new(bootstrap: Vec<String>) -> Self {
        Self {
            bootstrap,
            config: ClientConfig::new(Vec::new()),
            connection: ConnectionConfig { client_id: Str::from("klamm"), ..ConnectionConfig::default() },
            connect_timeout: Duration::from_secs(30),
            max_block: Duration::from_secs(60),
            seed: None,
            watchers: Vec::new(),
            sockets: SocketOptions::default(),
            proxy: None,
            connector: None,
            clock: None,
            sasl: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sent with each request; appears in the brokers' logs, quotas and metrics (`client.id`). Default: `klamm`.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.connection.client_id = Str::from(id.into());
        self
    }

    /// After how much silence the system asks whether a peer is still there (TCP keepalive). Default: the system's.
    pub const fn tcp_keepalive(mut self, idle: Duration) -> Self {
        self.sockets.keepalive_idle = Some(idle);
        self
    }

    /// The size of the sockets' buffers for sending (`send.buffer.bytes`). Default: the system's.
    pub const fn socket_send_buffer(mut self, bytes: usize) -> Self {
        self.sockets.send_buffer_bytes = Some(bytes);
        self
    }

    /// The size of the sockets' buffers for receiving (`receive.buffer.bytes`). Default: the system's.
    pub const fn socket_receive_buffer(mut self, bytes: usize) -> Self {
        self.sockets.receive_buffer_bytes = Some(bytes);
        self
    }

    /// Connects through a SOCKS5 proxy. Default: directly.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Has streams of bytes made by `connector` instead of TCP sockets: to whatever it likes, for the address that it is
    /// given. TLS, SASL and the proxy, if there is one, are on top of it. Default: TCP.
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Some(Arc::new(connector));
        self
    }

    /// Tells what happens in the client, from its first attempt to connect on; see [`Kafka::events`]. A builder that was
    /// cloned after this tells of all its clients together.
    pub fn events(mut self, options: EventOptions) -> (Self, Events) {
        let (queue, events) = Events::new(options);
        self.connection.keep_messages |= queue.options().messages;
        self.watchers.push(queue);
        (self, events)
    }

    /// How long [`connect`](Self::connect) looks for the cluster. Default: 30 s.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long setting up one connection may take (`socket.connection.setup.timeout.ms`). Default: 10 s, and never
    /// more than seven eighths of [`connect_timeout`](Self::connect_timeout), so that the search for the cluster does
    /// not end before it is known what is wrong with a peer that does not answer.
    pub const fn connection_setup_timeout(mut self, timeout: Duration) -> Self {
        self.connection.setup_timeout = timeout;
        self
    }

    /// A connection without requests is closed after this time (`connections.max.idle.ms`). Default: 9 min.
    pub const fn connections_max_idle(mut self, timeout: Duration) -> Self {
        self.connection.idle_timeout = timeout;
        self
    }

    /// How long a broker may take to answer metadata and administration (`request.timeout.ms`). Default: 30 s.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.cluster.request_timeout = timeout;
        self.config.admin.request_timeout = timeout;
        self
    }

    /// The metadata are asked for again after this time (`metadata.max.age.ms`). Default: 5 min.
    pub const fn metadata_max_age(mut self, age: Duration) -> Self {
        self.config.cluster.max_age = age;
        self
    }

    /// The first and the longest pause before connecting again to a broker (`reconnect.backoff.ms`,
    /// `reconnect.backoff.max.ms`). Default: 50 ms, 1 s.
    pub const fn reconnect_backoff(mut self, initial: Duration, max: Duration) -> Self {
        self.config.reconnect.initial = initial;
        self.config.reconnect.max = max;
        self
    }

    /// Whether producing to a topic that does not exist, or consuming it, may create it if the brokers allow it as
    /// well (`allow.auto.create.topics`). Administration never does. Default: true.
    pub const fn allow_auto_topic_creation(mut self, allow: bool) -> Self {
        self.config.cluster.allow_auto_topic_creation = allow;
        self
    }

    /// How long a topic may be unknown to the cluster before that is an error: brokers learn of a new topic one after
    /// the other. Default: 10 s.
    pub const fn unknown_topic_timeout(mut self, timeout: Duration) -> Self {
        self.config.cluster.unknown_topic_timeout = timeout;
        self
    }

    /// How long sending waits for the metadata of a topic (`max.block.ms`). Default: 60 s.
    pub const fn max_block(mut self, timeout: Duration) -> Self {
        self.max_block = timeout;
        self
    }

    /// How long a client that is closed or dropped waits for what was sent. Default: 30 s.
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.config.close_timeout = timeout;
        self
    }

    /// The seed of the client's randomness (backoff, spreading of load). Default: taken from the system.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// What tells the client the time. Default: the clock of the runtime in which it is connected.
    pub fn clock(mut self, clock: R::Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Authenticates the client on each connection (`sasl.mechanism`, `sasl.jaas.config`). Default: not at all.
    pub fn sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// Encrypts each connection (`security.protocol=SSL` or `SASL_SSL`). Default: not at all.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Makes the client and the task that drives it, without a runtime: for adapters and simulations. Nothing
    /// happens before the task is driven.
    ///
    /// # Errors
    ///
    /// An option makes no sense.
    pub fn start(self, clock: Arc<dyn Clock>) -> Result<(Kafka<R>, ControlTask), InvalidConfig> {
        let mut config = self.config;
        config.cluster.bootstrap = addresses(&self.bootstrap)?;
        let mut connection = self.connection;
        if self.sasl.as_ref().is_some_and(Sasl::is_unprovided) {
            let cure = "the settings want tokens or tickets that someone has to get: klamm_auth::provide(&mut settings)";
            return Err(InvalidConfig::new("sasl", cure));
        }
        let (sasl, desk) = self.sasl.map(Sasl::into_parts).unzip();
        connection.sasl = sasl;
        config.connection = Arc::new(connection);
        if config.reconnect.initial.is_zero() || config.reconnect.max < config.reconnect.initial {
            let cure =
                "the first pause has to be above 0 and not above the longest: for instance 50 ms and 1 s";
            return Err(InvalidConfig::new("reconnect_backoff", cure));
        }
        let seed = self.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let close_timeout = config.close_timeout;
        let client = Client::new(config, &Entropy::new(seed), clock.now());
        let route = self.proxy.map(Proxy::into_route).transpose();
        let route = route.map_err(|why| InvalidConfig::new("proxy", why))?.map(Arc::new);
        let dialling = Dialling { sockets: self.sockets, route, connector: self.connector };
        let shared = Arc::new(Shared::new(client, clock, dialling, Watch::new(self.watchers)));
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            let source = tls.into_source().map_err(|why| InvalidConfig::new("tls", why))?;
            shared.change(|state| state.security = Security::Tls(Box::new(source)));
        }
        if let Some(desk) = desk.flatten() {
            shared.change(|state| state.desk = Some((desk, Arc::downgrade(&shared))));
        }
        let control = ControlTask::new(Arc::clone(&shared));
        let handle = ClientHandle { shared, close_timeout, max_block: self.max_block, seed };
        Ok((Kafka::new(Arc::new(handle)), control))
    }

    /// Looks for the cluster.
    ///
    /// Cancel safety: dropped early, nothing is left behind.
    ///
    /// # Errors
    ///
    /// No cluster was found: the error says what was seen at each address. An address that is beyond hope (a web
    /// server, a TLS port) ends the search as soon as none is left; one that refuses is tried until
    /// [`connect_timeout`](Self::connect_timeout).
    pub async fn connect(self) -> Result<Kafka<R>, ConnectError> {
        let connect_timeout = self.connect_timeout;
        // On the heap, for the future to be small.
        let mut builder = Box::new(self);
        let clock = builder.clock.take().map_or_else(R::clock, Ok).map_err(ConnectError::Runtime)?;
        builder.connection.setup_timeout = builder.connection.setup_timeout.min(connect_timeout / 8 * 7);
        builder.seed = Some(builder.seed.unwrap_or_else(|| R::seed(&clock)));
        let (kafka, control) = builder.start(Arc::new(clock.clone())).map_err(ConnectError::Config)?;
        R::spawn(control, clock).map_err(ConnectError::Runtime)?;
        kafka.await_cluster(connect_timeout).await?;
        Ok(kafka)
    }
}

impl<R> Kafka<R> {
    /// Waits until the cluster is found: what [`KafkaBuilder::connect`] does after [`KafkaBuilder::start`].
    ///
    /// Cancel safety: safe.
    ///
    /// # Errors
    ///
    /// No cluster was found within `timeout`, or each address is beyond hope.
    pub async fn await_cluster(&self, timeout: Duration) -> Result<(), ConnectError> {
        let found =
            self.client.shared.operate(|client, now, id| client.await_cluster(now, id, now + timeout));
        match found.wait().await {
            Ok(Done::Connected(Ok(()))) => Ok(()),
            Ok(Done::Connected(Err(error))) => Err(ConnectError::NotFound(error)),
            Ok(_) | Err(Stopped) => Err(ConnectError::Stopped),
        }
    }
}

fn addresses(texts: &[String]) -> Result<Vec<Address>, InvalidConfig> {
    // One text may hold several addresses, as in configuration files.
    let texts = texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty());
    let addresses: Result<Vec<Address>, _> = texts
        .map(|text| {
            text.parse().map_err(|error| InvalidConfig::new("bootstrap", format!("\"{text}\": {error}")))
        })
        .collect();
    let addresses = addresses?;
    if addresses.is_empty() {
        return Err(InvalidConfig::new(
            "bootstrap",
            "no address is given: name at least one broker as host:port",
        ));
    }
    Ok(addresses)
}
