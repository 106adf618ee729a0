//! Settings of a client.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    Backoff,
    admin::AdminConfig,
    cluster::{Address, ClusterConfig},
    connection::ConnectionConfig,
};

/// How a client behaves. The parts are those of its machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// The knowledge of the cluster.
    pub cluster: ClusterConfig,
    /// The connections.
    pub connection: Arc<ConnectionConfig>,
    /// Administration.
    pub admin: AdminConfig,
    /// Between attempts to connect to one broker (`reconnect.backoff.ms`, `reconnect.backoff.max.ms`). Default: 50 ms
    /// to 1 s.
    pub reconnect: Backoff,
    /// The longest time that a connection is given for being set up: where that took too long, the next connection to
    /// the broker has twice the time of [`ConnectionConfig::setup_timeout`], up to this
    /// (`socket.connection.setup.timeout.max.ms`, KIP-601). Default: 30 s.
    pub setup_timeout_max: Duration,
    /// How long a client that is closed waits at most for what was sent. Default: 30 s.
    pub close_timeout: Duration,
}

impl ClientConfig {
    /// The defaults, and where to begin.
    #[must_use]
    pub fn new(bootstrap: Vec<Address>) -> Self {
        Self {
            cluster: ClusterConfig::new(bootstrap),
            connection: Arc::new(ConnectionConfig::default()),
            admin: AdminConfig::default(),
            reconnect: Backoff::RECONNECT,
            setup_timeout_max: Duration::from_secs(30),
            close_timeout: Duration::from_secs(30),
        }
    }
}
