//! The whole control plane of one client: it composes the machines and gives them connections.
//!
//! ```text
//!   Cluster   Producer ..   Consumer ..   Admin        say what they want: Request { to, purpose, token, .. }
//!        \        |            |          /
//!         +-------+---route----+---------+             picks the node, then the connection of that node
//!                         |                            for that purpose; opens it if there is none
//!                       Links
//!                         |
//!     Open  Close  Send  Seal  Outcome  Deliver  Done  Actions, for the driver to carry out in their order
//! ```
//!
//! What happens on a connection comes back by [`Client::handle_connection`] and is routed to its owner by the
//! request's [`Token`](crate::Token). Responses arrive decoded: decoding happens where the connection is driven, not behind the
//! lock of the client. A response that makes no sense costs the connection on which it came, nothing else.
//!
//! Each request is answered to its owner exactly once: by its response, or by the news that there will be none.

mod action;
mod config;
mod connections;
mod consumers;
mod diagnosis;
mod groups;
mod lifecycle;
mod links;
mod meters;
mod producers;
mod route;
mod transactions;

#[cfg(test)]
mod tests;

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
};

pub use action::{Action, Done};
pub use config::ClientConfig;
pub use diagnosis::{AddressFailure, ConnectError};
pub use producers::TopicUnavailable;

use self::{
    consumers::Consumers, diagnosis::Diagnosis, groups::Groups, lifecycle::Lifecycle, links::Links,
    producers::Producers,
};
use crate::{
    Entropy, Instant, OperationId,
    admin::{Admin, AdminCommand, AdminOutput},
    cluster::{Cluster, ClusterOutput},
    sasl::Vault,
    timers::earliest,
};

/// Domains of randomness: see [`Entropy::fork`].
mod domain {
    pub(super) const CLUSTER: u64 = 1;
    pub(super) const LINKS: u64 = 2;
    pub(super) const ADMIN: u64 = 3;
    pub(super) const PRODUCERS: u64 = 4;
    pub(super) const CONSUMERS: u64 = 5;
    pub(super) const GROUPS: u64 = 6;
    pub(super) const CONNECTIONS: u64 = 7;
}

/// One client: see the [module](self).
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    cluster: Cluster,
    links: Links,
    producers: Producers,
    consumers: Consumers,
    groups: Groups,
    admin: Admin,
    lifecycle: Lifecycle,
    diagnosis: Diagnosis,
    vault: Vault,
    /// Of the connections' randomness.
    seeds: Entropy,
    actions: VecDeque<Action>,
}

impl Client {
    /// A client that begins to look for its cluster at once.
    #[must_use]
    pub fn new(config: ClientConfig, entropy: &Entropy, now: Instant) -> Self {
        Self {
            cluster: Cluster::new(config.cluster.clone(), entropy.fork(domain::CLUSTER), now),
            links: Links::new(config.reconnect, entropy.fork(domain::LINKS)),
            producers: Producers::new(entropy.fork(domain::PRODUCERS)),
            consumers: Consumers::new(entropy.fork(domain::CONSUMERS)),
            groups: Groups::new(entropy.fork(domain::GROUPS)),
            admin: Admin::new(config.admin, entropy.fork(domain::ADMIN)),
            lifecycle: Lifecycle::default(),
            diagnosis: Diagnosis::default(),
            vault: Vault::default(),
            seeds: entropy.fork(domain::CONNECTIONS),
            actions: VecDeque::new(),
            config,
        }
    }

    /// Starts an operation of administration: [`Done::Admin`] by `deadline`.
    pub fn administer(&mut self, now: Instant, id: OperationId, command: AdminCommand, deadline: Instant) {
        self.admin.start(now, id, command, deadline);
        if self.lifecycle.is_closing() {
            self.admin.close(now);
        }
    }

    /// Time passes.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.cluster.handle_timeout(now);
        self.admin.handle_timeout(now);
        self.producers.handle_timeout(now);
        self.consumers.handle_timeout(now);
        self.groups.handle_timeout(now);
        while let Some((connection, waiting)) = self.links.resume(now) {
            self.open(connection);
            for request in waiting {
                self.send(now, connection, request);
            }
        }
        self.check_topic_waits(now);
        self.check_connects(now);
        self.check_closing(now);
    }

    /// The next action, in the order in which they are to be carried out.
    pub fn poll(&mut self, now: Instant) -> Option<Action> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Some(action);
            }
            let progress = self.poll_cluster(now)
                || self.poll_vault()
                || self.poll_admin(now)
                || self.poll_producers(now)
                || self.poll_groups(now)
                || self.poll_consumers(now)
                || self.poll_closing(now);
            if !progress {
                return None;
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll`](Self::poll) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.lifecycle.is_closed() {
            return None;
        }
        [
            self.cluster.poll_timeout(),
            self.admin.poll_timeout(),
            self.producers.poll_timeout(),
            self.consumers.poll_timeout(),
            self.groups.poll_timeout(),
            self.links.poll_timeout(),
            self.lifecycle.poll_timeout(),
        ]
        .into_iter()
        .fold(None, earliest)
    }

    /// What is known of the cluster.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Why brokers cannot be reached at present, in words; `None` if none failed.
    #[must_use]
    pub fn diagnosis(&self) -> Option<String> {
        self.diagnosis.describe()
    }

    fn poll_cluster(&mut self, now: Instant) -> bool {
        if self.lifecycle.is_silent() {
            return false;
        }
        let Some(output) = self.cluster.poll(now) else { return false };
        match output {
            ClusterOutput::Request(request) => self.route(now, request),
            ClusterOutput::Changed => self.cluster_changed(now),
            ClusterOutput::TopicFailed { topic, error } => {
                self.consumers.handle_topic_failed(now, &topic, error.code);
                self.tell_groups(now);
                self.actions.push_back(Action::TopicFailed { topic, error });
                self.check_topic_waits(now);
            }
            ClusterOutput::Rebootstrap => self.rebootstrap(now),
        }
        true
    }

    fn poll_admin(&mut self, now: Instant) -> bool {
        let Some(output) = self.admin.poll() else { return false };
        match output {
            AdminOutput::Request(request) => self.route(now, request),
            AdminOutput::Refresh => self.cluster.request_refresh(),
            AdminOutput::Done { operation, mut result } => {
                if let Err(error) = &mut result {
                    error.context = self.diagnosis.describe();
                }
                self.actions.push_back(Action::Done { operation, result: Done::Admin(result) });
            }
        }
        true
    }
}

/// A dense table whose keys are never reused.
type Table<K, V> = BTreeMap<K, V>;
