//! A cluster of brokers as one deterministic machine.
//!
//! # Driving it
//!
//! The driver opens connections to brokers ([`Cluster::handle_opened`]), passes frames in
//! ([`Cluster::handle_request`]; a frame is what follows the four bytes of its length), and takes out what the
//! brokers send ([`Cluster::poll_output`]) until there is no more. [`Cluster::poll_timeout`] is the next instant at
//! which [`Cluster::handle_timeout`] has something to do. Like a real broker a connection works on one request at a
//! time; frames that come meanwhile wait, and [`Cluster::is_busy`] tells a driver not to read on.
//!
//! Time is an input, and so is the wall clock ([`Cluster::set_wall_time`]). The same inputs give the same outputs.
//!
//! # What may happen to it
//!
//! Besides [faults of requests and connections](Fault), which have names, these are commands:
//!
//! | command | what happens |
//! |---|---|
//! | [`kill`](Cluster::kill), [`crash`](Cluster::crash), [`restart`](Cluster::restart) | a broker goes down, with or without the unflushed end of its logs, and comes back |
//! | [`isolate_from_controller`](Cluster::isolate_from_controller), [`reconnect_to_controller`](Cluster::reconnect_to_controller) | a broker becomes a zombie that leads on with an old epoch, and learns better |
//! | [`hold_metadata`](Cluster::hold_metadata), [`resume_metadata`](Cluster::resume_metadata) | a broker's metadata gets stale |
//! | [`hide_topic`](Cluster::hide_topic), [`hide_broker`](Cluster::hide_broker) | a broker's metadata is partial |
//! | [`cut_replication`](Cluster::cut_replication), [`slow_replication`](Cluster::slow_replication), [`heal_replication`](Cluster::heal_replication) | brokers cannot follow each other, or only slowly |
//! | [`elect`](Cluster::elect), [`elect_preferred`](Cluster::elect_preferred), [`elect_unclean`](Cluster::elect_unclean) | a partition gets another leader |
//! | [`delete_records`](Cluster::delete_records), [`apply_retention`](Cluster::apply_retention) | logs begin later |
//! | [`delete_topic`](Cluster::delete_topic), [`create_topic`](Cluster::create_topic), [`add_partitions_to`](Cluster::add_partitions_to) | topics go, come back with another id, and grow |
//! | [`move_coordinator`](Cluster::move_coordinator), [`move_transaction_coordinator`](Cluster::move_transaction_coordinator) | another broker coordinates groups or transactions, after reading them |
//! | [`announce_shutdown`](Cluster::announce_shutdown) | a broker is stopped in an orderly way |
//! | [`set_address`](Cluster::set_address), [`set_rack`](Cluster::set_rack) | brokers are elsewhere |
//!
//! How long brokers take for what passes between them is in [`ClusterConfig`]. What happened is told by
//! [`Cluster::poll_event`].
//!
//! ```
//! use klamm_core::Instant;
//! use klamm_sim::cluster::{Cluster, ClusterConfig, Crash};
//!
//! let mut config = ClusterConfig::default();
//! config.brokers = 3;
//! let mut cluster = Cluster::new(config);
//! let now = Instant::from_millis(1);
//! cluster.create_topic("orders", 1, 3)?;
//!
//! // Broker 1 goes on to lead, as far as it knows; broker 2 does.
//! cluster.isolate_from_controller(now, 1);
//! let leader = |cluster: &Cluster, broker| cluster.replica("orders", 0, broker).and_then(|replica| replica.leader);
//! assert_eq!((leader(&cluster, 1), leader(&cluster, 2)), (Some(1), Some(2)));
//! cluster.reconnect_to_controller(now, 1);
//! assert_eq!(leader(&cluster, 1), Some(2));
//!
//! // Power fails at broker 2, and the first replica in sync leads again.
//! cluster.crash(now, 2, Crash { keep_unflushed: false });
//! assert_eq!(leader(&cluster, 3), Some(1));
//! # Ok::<(), klamm_sim::cluster::CommandError>(())
//! ```
//!
//! # How it is built
//!
//! | module | what |
//! |---|---|
//! | `api/` | one file an API: what a request does, and how it is refused |
//! | `links` | connections: the request in work, waiting requests, timers, outputs |
//! | `topics` | topics, the leadership of partitions, and each broker's replica of them |
//! | `replication` | followers and leaders, and what each broker has heard of the cluster |
//! | `controller` | who leads when brokers come and go |
//! | `log`, `producers`, `session` | a replica's records, its producers' sequences, a broker's fetch sessions |
//! | `fetching`, `producing` | requests that wait for records, or for replicas in sync |
//! | `groups` | groups of consumers: coordinators, members, committed offsets |
//! | `transactions` | transactions: coordinators, producers' epochs, markers |
//! | `batches` | what a broker checks of record batches, and conversion between record formats |
//! | `faults` | failures to order |
//! | `quotas`, `handlers` | how much clients may send, and how much brokers do at once |
//! | `sasl`, `access` | who clients are, and what they may do |
//! | `release`, `features` | which Kafka release each broker runs, and what the cluster uses of it |
//! | `events` | what happened, for observers |
//! | `commands` | what a test may do to the cluster |

mod access;
mod api;
mod batches;
mod commands;
mod config;
mod controller;
mod events;
mod faults;
mod features;
mod fetching;
mod groups;
mod handlers;
mod links;
mod log;
mod producers;
mod producing;
mod quotas;
mod release;
mod replication;
mod sasl;
mod session;
mod topics;
mod transactions;

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_core::{Entropy, Instant, WallTime};
use klamm_protocol::records::Scratch;
use klamm_protocol::{Str, Uuid};

pub use access::{Acl, Authorizer, Operation, Resource};
pub use commands::{CommandError, Crash, LogRecord, PartitionState, ReplicaState};
pub use config::{ClusterConfig, GroupConfig, LimitConfig, TransactionConfig};
pub use faults::{Entry, FAULTS, Fault, FaultError, FaultKind, LegalErrors, Place, legal_errors};
pub use links::{ConnectionId, Output};
pub use quotas::Quota;
pub use sasl::SaslUsers;

use events::Events;
use faults::Faults;
use features::Features;
use groups::Groups;
use handlers::Handlers;
use links::{Due, Links};
use producing::Purgatory;
use quotas::Quotas;
use release::Advertised;
use replication::{Change, Images, Node, Peers};
use sasl::{Sasl, Session};
use session::Sessions;
use topics::Topics;
use transactions::{ProducerIds, Transactions};

/// Domains of randomness.
mod domain {
    pub(super) const CLUSTER_ID: u64 = 1;
    pub(super) const TOPIC_IDS: u64 = 2;
    pub(super) const MEMBER_IDS: u64 = 3;
    pub(super) const SASL: u64 = 40;
    pub(super) const MARKER_DELAYS: u64 = 4;
    /// Plus the broker's id.
    pub(super) const SESSIONS: u64 = 1 << 32;
}

/// A broker, dead or alive.
#[derive(Debug)]
pub(crate) struct Broker {
    /// As the controller knows it.
    pub(crate) node: Node,
    /// Whether it runs; the controller may not know.
    pub(crate) is_up: bool,
    pub(crate) sessions: Sessions,
    pub(crate) advertised: Advertised,
    pub(crate) handlers: Handlers,
}

/// A cluster of brokers. See the [module](self).
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    id: Str,
    wall_time: WallTime,
    /// The time of the last input that had one.
    now: Instant,
    brokers: Vec<Broker>,
    topics: Topics,
    topic_ids: Entropy,
    producer_ids: ProducerIds,
    groups: Groups,
    transactions: Transactions,
    links: Links,
    purgatory: Purgatory,
    peers: Peers,
    images: Images,
    /// What brokers have to hear of.
    changes: Vec<Change>,
    faults: Faults,
    sasl: Option<Sasl>,
    quotas: Quotas,
    features: Features,
    events: Events,
    /// Memory for decompressing.
    scratch: Scratch,
}

/// Whom a request came from, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) now: Instant,
    pub(crate) connection: ConnectionId,
    /// The broker that was asked.
    pub(crate) broker: i32,
    pub(crate) version: i16,
}

impl Cluster {
    /// A cluster without topics, all of whose brokers are alive. Their addresses are `broker-1:9092` and so on
    /// until [`Cluster::set_address`] says otherwise.
    #[must_use]
    pub fn new(config: ClusterConfig) -> Self {
        let entropy = Entropy::new(config.seed);
        let advertised = Advertised::by(config.release);
        let broker = |id: i32| Broker {
            node: Node {
                id,
                host: Str::from(format!("broker-{id}")),
                port: 9092,
                rack: config.racks.get(usize::try_from(id - 1).unwrap_or(0)).map(|rack| Str::copy_of(rack)),
                is_alive: true,
            },
            is_up: true,
            sessions: Sessions::new(
                entropy.fork(domain::SESSIONS + u64::from(id.unsigned_abs())),
                &config.limits,
            ),
            advertised: advertised.clone(),
            handlers: Handlers::default(),
        };
        Self {
            id: Str::from(random_uuid(&mut entropy.fork(domain::CLUSTER_ID)).to_string()),
            wall_time: WallTime::default(),
            now: Instant::ZERO,
            brokers: (1..=config.brokers.max(1)).map(broker).collect(),
            topics: Topics::default(),
            topic_ids: entropy.fork(domain::TOPIC_IDS),
            producer_ids: ProducerIds::default(),
            groups: Groups::new(config.groups.clone(), config.brokers, entropy.fork(domain::MEMBER_IDS)),
            transactions: Transactions::new(
                config.transactions.clone(),
                config.brokers,
                entropy.fork(domain::MARKER_DELAYS),
            ),
            links: Links::new(config.limits.connections_max_idle),
            purgatory: Purgatory::default(),
            peers: Peers::new(config.replication_latency, config.replica_max_lag, config.flush_interval),
            images: Images::new(config.metadata_latency, 1..=config.brokers.max(1)),
            changes: vec![Change::Brokers],
            faults: Faults::new(config.seed),
            sasl: config.sasl.clone().map(|users| Sasl::new(users, entropy.fork(domain::SASL))),
            quotas: Quotas::default(),
            features: Features::of_new(config.release),
            events: Events::default(),
            scratch: Scratch::new(),
            config,
        }
    }

    /// What the wall clock of all brokers shows until the next call: for record timestamps only.
    pub const fn set_wall_time(&mut self, wall_time: WallTime) {
        self.wall_time = wall_time;
    }

    /// A client connected to a broker. A connection to a dead broker is closed at once.
    pub fn handle_opened(&mut self, connection: ConnectionId, broker: i32) {
        let advertised = match self.broker(broker) {
            Some(known) => known.advertised.clone(),
            None => Advertised::by(self.config.release),
        };
        self.links.open(connection, broker, advertised);
        if self.sasl.is_some()
            && let Some(session) = self.links.session(connection)
        {
            *session = Session::Unknown;
        }
        if !self.is_alive(broker) {
            self.close(connection);
        }
    }

    /// A frame arrived: a request without the four bytes of its length. What cannot be read closes the
    /// connection, as a real broker does.
    pub fn handle_request(&mut self, now: Instant, connection: ConnectionId, frame: Bytes) {
        self.now = now;
        self.links.enqueue(now, connection, frame);
        self.work(now);
    }

    /// The client closed the connection, or it broke. What it was waiting for is forgotten.
    pub fn handle_closed(&mut self, connection: ConnectionId) {
        self.stop_waiting(connection);
        self.links.remove(connection);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.handle_pauses(now);
        self.handle_replication_timeout(now);
        while let Some((connection, due)) = self.links.due(now) {
            match due {
                Due::Fetch => self.complete_fetch(now, connection),
                Due::Start(call, reader) => {
                    let broker = self.links.broker(connection).unwrap_or_default();
                    let origin = Origin { now, connection, broker, version: call.version };
                    self.start(&origin, call, reader);
                }
                Due::Idle => self.close(connection),
                Due::Nothing => {}
            }
        }
        self.work(now);
    }

    /// The next thing that a broker does to a connection.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.links.poll_output()
    }

    /// When [`Cluster::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let machines = [
            self.links.poll_timeout(),
            self.groups.poll_timeout(),
            self.transactions.poll_timeout(),
            self.peers.poll_timeout(),
        ];
        machines.into_iter().flatten().min()
    }

    /// Whether the connection's last request is still unanswered: a real broker does not read on meanwhile.
    #[must_use]
    pub fn is_busy(&self, connection: ConnectionId) -> bool {
        self.links.is_busy(connection)
    }

    /// Serves frames of connections that work on nothing, fetches whose data came, and members of groups that waited
    /// for each other, until there are none.
    fn work(&mut self, now: Instant) {
        loop {
            self.publish(now);
            self.groups.handle_timeout(now, &self.topics);
            self.tell_group_news();
            self.transactions.handle_timeout(self.clock(now));
            let has_written = self.write_markers(now);
            self.tell_transaction_news();
            if has_written || self.answer_group_request(now) || self.answer_produce(now) {
                continue;
            }
            if let Some(connection) = self.links.next_satisfied() {
                self.complete_fetch(now, connection);
            } else if let Some((connection, broker, frame)) = self.links.next_frame() {
                self.serve(now, connection, broker, frame);
            } else {
                return;
            }
        }
    }

    /// Closes a connection from the broker's side.
    fn close(&mut self, connection: ConnectionId) {
        self.stop_waiting(connection);
        self.links.close(connection);
    }

    fn broker(&self, id: i32) -> Option<&Broker> {
        self.brokers.iter().find(|broker| broker.node.id == id)
    }

    /// Whether a broker runs.
    fn is_alive(&self, id: i32) -> bool {
        self.broker(id).is_some_and(|broker| broker.is_up)
    }

    /// The brokers that the controller knows to serve.
    fn live_brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.iter().filter(|broker| broker.node.is_alive)
    }

    /// The live broker with the lowest id.
    fn controller(&self) -> i32 {
        self.live_brokers().next().map_or(-1, |broker| broker.node.id)
    }

    fn sessions(&mut self, broker: i32) -> Option<&mut Sessions> {
        self.brokers.iter_mut().find(|known| known.node.id == broker).map(|known| &mut known.sessions)
    }

    /// What the cluster's own configuration makes of the defaults of topics.
    fn topic_defaults(&self) -> BTreeMap<&'static str, Str> {
        // Records from the future are refused since 4.0 (KIP-937).
        let after_max_ms =
            if self.config.release.at_least([4, 0, 0]) { "3600000" } else { "9223372036854775807" };
        BTreeMap::from([
            ("message.timestamp.after.max.ms", Str::from_static(after_max_ms)),
            ("max.message.bytes", Str::from(self.config.max_message_bytes.to_string())),
            ("min.insync.replicas", Str::from(self.config.min_insync_replicas.to_string())),
        ])
    }

    fn new_topic_id(&mut self) -> Uuid {
        random_uuid(&mut self.topic_ids)
    }
}

/// A random id whose text does not begin with a dash, as Kafka's.
fn random_uuid(entropy: &mut Entropy) -> Uuid {
    loop {
        let bytes = (u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64())).to_be_bytes();
        let id = Uuid(bytes);
        if !id.is_zero() && !id.to_string().starts_with('-') {
            return id;
        }
    }
}
