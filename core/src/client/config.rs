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
            close_timeout: Duration::from_secs(30),
        }
    }
}
