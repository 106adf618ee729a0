//! The cluster on TCP: the embedded broker.
//!
//! [`EmbeddedCluster::builder`] starts brokers on loopback ports of their own, served by one thread, for any Kafka
//! client in any language. What they store lives in memory and is gone with them.
//!
//! ```
//! use klamm_sim::EmbeddedCluster;
//!
//! let cluster = EmbeddedCluster::builder().brokers(3).kafka_version("3.9").start()?;
//! cluster.create_topic("orders", 6, 3)?;
//! // Connect any client to cluster.bootstrap() here.
//! cluster.kill(2)?;
//! cluster.restart(2)?;
//! assert_eq!(cluster.records("orders", 0)?, Some(vec![]));
//! # Ok::<(), klamm_sim::serve::ServeError>(())
//! ```

mod clock;
mod server;
mod socket;
mod stream;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use klamm_core::Instant;

use crate::cluster::{Authorizer, Cluster, ClusterConfig, CommandError, Fault, LogRecord, SaslUsers};
use crate::{Release, UnknownRelease};
use server::{Mailbox, Server};
use stream::ServerTls;

/// Why the embedded cluster did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The Kafka version is not known.
    #[error(transparent)]
    Release(#[from] UnknownRelease),
    /// The number of brokers is not between 1 and 100.
    #[error("a cluster of {0} brokers: it must be 1 to 100")]
    Brokers(i32),
    /// The brokers' ports do not fit above the port to listen on.
    #[error("there are no ports for {brokers} brokers from {address} on")]
    Ports {
        /// How many brokers.
        brokers: i32,
        /// Where the first one was to listen.
        address: SocketAddr,
    },
    /// A broker cannot listen.
    #[error("broker {broker} cannot listen on {address}: {source}")]
    Listen {
        /// Which broker.
        broker: i32,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The certificates or the key for TLS make no sense.
    #[error("TLS: {0}")]
    Tls(String),
    /// The operating system refused something else.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is no such broker, or it is dead or alive already.
    #[error("broker {0} does not exist, or is in that state already")]
    Broker(i32),
    /// The cluster refused the command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The cluster's thread has ended.
    #[error("the embedded cluster has stopped")]
    Stopped,
}

/// What an [`EmbeddedCluster`] is started with. Made by [`EmbeddedCluster::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct EmbeddedClusterBuilder {
    config: ClusterConfig,
    version: Option<String>,
    listen: SocketAddr,
    advertised_host: Option<String>,
    tls: Option<[String; 2]>,
    client_ca: Option<String>,
}

impl EmbeddedClusterBuilder {
    /// How many brokers, 1 to 100. Default 1.
    pub const fn brokers(mut self, brokers: i32) -> Self {
        self.config.brokers = brokers;
        self
    }

    /// The Kafka version to pretend to be, such as `2.8.1`. Default 4.2.
    pub fn kafka_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Where the first broker listens; the others take the ports after it. Port 0 means a free port for each.
    /// Default 127.0.0.1 with free ports.
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The host that clients are told. Default: the address to listen on, or 127.0.0.1 if that is all addresses.
    pub fn advertised_host(mut self, host: impl Into<String>) -> Self {
        self.advertised_host = Some(host.into());
        self
    }

    /// Whether topics are created when a client asks for them. Default true.
    pub const fn auto_create_topics(mut self, create: bool) -> Self {
        self.config.auto_create_topics = create;
        self
    }

    /// The number of partitions of topics that are created without one. Default 1.
    pub const fn partitions(mut self, partitions: i32) -> Self {
        self.config.partitions = partitions;
        self
    }

    /// How many replicas must be in sync for `acks=all`. Default 1.
    pub const fn min_insync_replicas(mut self, replicas: i32) -> Self {
        self.config.min_insync_replicas = replicas;
        self
    }

    /// After how long of silence a member of a KIP-848 group is taken for dead (`group.consumer.session.timeout.ms`). Default
    /// 45 s. Members of classic groups say that themselves.
    pub const fn consumer_session_timeout(mut self, timeout: Duration) -> Self {
        self.config.groups.consumer_session_timeout = timeout;
        self
    }

    /// How often members of a KIP-848 group are to be heard from (`group.consumer.heartbeat.interval.ms`). Default 5 s.
    pub const fn consumer_heartbeat_interval(mut self, interval: Duration) -> Self {
        self.config.groups.consumer_heartbeat_interval = interval;
        self
    }

    /// How many members a classic group may have (`group.max.size`). Default: no limit.
    pub const fn max_group_size(mut self, members: usize) -> Self {
        self.config.groups.max_size = members;
        self
    }

    /// The largest record batch in bytes. Default 1 MiB and 12 bytes, as Kafka's.
    pub const fn max_message_bytes(mut self, bytes: i32) -> Self {
        self.config.max_message_bytes = bytes;
        self
    }

    /// The racks in which the brokers stand (`broker.rack`), the first one's first. Consumers that say where they stand are
    /// then sent to the replica in their rack (KIP-392). Default: in none.
    pub fn racks(mut self, racks: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.racks = racks.into_iter().map(Into::into).collect();
        self.config.rack_aware_reads = !self.config.racks.is_empty();
        self
    }

    /// Has brokers speak TLS, with this chain of certificates and this private key, in PEM. Default: plain text.
    pub fn tls(mut self, chain_pem: impl Into<String>, key_pem: impl Into<String>) -> Self {
        self.tls = Some([chain_pem.into(), key_pem.into()]);
        self
    }

    /// Demands of clients a certificate that this authority (in PEM) issued; goes with [`tls`](Self::tls). Default: none
    /// is demanded.
    pub fn client_ca(mut self, ca_pem: impl Into<String>) -> Self {
        self.client_ca = Some(ca_pem.into());
        self
    }

    /// Demands that clients authenticate themselves by SASL, as one of these users; OAUTHBEARER takes any unsecured token.
    /// Default: nobody has to.
    pub fn sasl(mut self, users: SaslUsers) -> Self {
        self.config.sasl = Some(users);
        self
    }

    /// What those may do who authenticated themselves by [`sasl`](Self::sasl). Default: everything.
    pub fn authorizer(mut self, authorizer: Authorizer) -> Self {
        self.config.authorizer = Some(authorizer);
        self
    }

    /// Determines topic ids and the like. Default 0.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// Starts the brokers. They accept connections when this returns.
    ///
    /// # Errors
    /// The version or the number of brokers is out of range, or a port is taken.
    pub fn start(mut self) -> Result<EmbeddedCluster, ServeError> {
        if !(1..=100).contains(&self.config.brokers) {
            return Err(ServeError::Brokers(self.config.brokers));
        }
        if let Some(version) = &self.version {
            self.config.release = version.parse::<Release>()?;
        }
        let host = self.advertised_host.unwrap_or_else(|| {
            let ip = self.listen.ip();
            if ip.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { ip }.to_string()
        });
        let mailbox = Arc::new(Mailbox::default());
        let tls = self.tls.map(|[chain, key]| ServerTls::new(&chain, &key, self.client_ca.as_deref()));
        let tls = tls.transpose().map_err(ServeError::Tls)?;
        let (server, addresses) = Server::bind(self.config, self.listen, &host, tls, &mailbox)?;
        let thread =
            std::thread::Builder::new().name("klamm-brokers".to_owned()).spawn(move || server.run())?;
        let bootstrap: Vec<String> = addresses.iter().map(|address| join(&host, address.port())).collect();
        Ok(EmbeddedCluster { bootstrap: bootstrap.join(","), addresses, mailbox, thread: Some(thread) })
    }
}

/// `host:port`, with brackets around an IPv6 address.
fn join(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A running cluster of brokers on TCP. Dropping it stops them.
///
/// Its methods wait for the brokers' thread, which takes no longer than the request it is working on.
pub struct EmbeddedCluster {
    bootstrap: String,
    addresses: Vec<SocketAddr>,
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
}

impl EmbeddedCluster {
    /// A cluster to be started: by default one broker of the newest well-tried Kafka version on a free port.
    pub fn builder() -> EmbeddedClusterBuilder {
        EmbeddedClusterBuilder {
            config: ClusterConfig::default(),
            version: None,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            advertised_host: None,
            tls: None,
            client_ca: None,
        }
    }

    /// The brokers' addresses as clients want them: `host:port,host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Where the brokers 1, 2 and so on listen, dead or alive.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// As a broker would refuse it, or [`ServeError::Stopped`].
    pub fn create_topic(&self, name: &str, partitions: i32, replication: i16) -> Result<(), ServeError> {
        let name = name.to_owned();
        self.with(move |cluster, _| cluster.create_topic(&name, partitions, replication).map(drop))??;
        Ok(())
    }

    /// All records of a partition, or `None` if there is no such partition.
    ///
    /// # Errors
    /// [`ServeError::Stopped`].
    pub fn records(&self, topic: &str, partition: i32) -> Result<Option<Vec<LogRecord>>, ServeError> {
        let topic = topic.to_owned();
        self.with(move |cluster, _| cluster.records(&topic, partition))
    }

    /// Makes a fault true, see [`Cluster::inject`].
    ///
    /// # Errors
    /// [`ServeError::Stopped`].
    pub fn inject(&self, fault: &Fault) -> Result<(), ServeError> {
        let fault = fault.clone();
        self.with(move |cluster, now| cluster.inject(now, &fault))
    }

    /// Kills a broker: its port refuses connections, those that were open are closed, and others lead its
    /// partitions.
    ///
    /// # Errors
    /// There is no such broker, or it is dead; or [`ServeError::Stopped`].
    pub fn kill(&self, broker: i32) -> Result<(), ServeError> {
        self.command(move |server| server.kill(broker))?
    }

    /// Starts a killed broker again on its old port, with its logs.
    ///
    /// # Errors
    /// There is no such broker, or it is alive; its port was taken meanwhile; or [`ServeError::Stopped`].
    pub fn restart(&self, broker: i32) -> Result<(), ServeError> {
        self.command(move |server| server.restart(broker))?
    }

    /// Stops a broker in its tracks, as SIGSTOP does: its connections stay open, new ones are not accepted, and nothing
    /// is read or answered. The other brokers do not notice; with Kafka they would take its partitions over after
    /// `broker.session.timeout.ms` (9 s).
    ///
    /// # Errors
    /// There is no such broker, or it is dead; or [`ServeError::Stopped`].
    pub fn pause(&self, broker: i32) -> Result<(), ServeError> {
        self.command(move |server| server.pause(broker))?
    }

    /// Lets a paused broker go on: it answers what was sent to it meanwhile.
    ///
    /// # Errors
    /// There is no such broker, or it was not paused; or [`ServeError::Stopped`].
    pub fn resume(&self, broker: i32) -> Result<(), ServeError> {
        self.command(move |server| server.resume(broker))?
    }

    /// Does anything to the cluster machine, between two requests. `now` is the time on its clock.
    ///
    /// # Errors
    /// [`ServeError::Stopped`].
    pub fn with<R: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Cluster, Instant) -> R + Send + 'static,
    ) -> Result<R, ServeError> {
        self.command(move |server| server.with_cluster(action))
    }

    fn command<R: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Server) -> R + Send + 'static,
    ) -> Result<R, ServeError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.mailbox.post(Box::new(move |server| {
            // The caller waits for it; if it does not, nobody needs the result.
            drop(sender.send(command(server)));
        }));
        receiver.recv().map_err(|_| ServeError::Stopped)
    }
}

impl Drop for EmbeddedCluster {
    fn drop(&mut self) {
        self.mailbox.stop();
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to report; if it panicked, that was reported when it did.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for EmbeddedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedCluster").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}
