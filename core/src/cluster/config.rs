//! How a client keeps its knowledge of the cluster.

use alloc::vec::Vec;
use core::time::Duration;

use super::Address;
use crate::Backoff;

/// Settings of [`Cluster`](super::Cluster).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Where to begin (`bootstrap.servers`). The names are resolved anew whenever they are used.
    pub bootstrap: Vec<Address>,
    /// All is asked for again after this time (`metadata.max.age.ms`). Default: 5 min.
    pub max_age: Duration,
    /// Between requests for metadata: the first delay, and what it grows to while answers fail or bring
    /// nothing new (`retry.backoff.ms`, `retry.backoff.max.ms`, KIP-580). Default: 100 ms to 1 s.
    pub backoff: Backoff,
    /// How long a broker may take to answer (`request.timeout.ms`). Default: 30 s.
    pub request_timeout: Duration,
    /// Without metadata for this long, the client begins again at the bootstrap addresses
    /// (`metadata.recovery.rebootstrap.trigger.ms`, KIP-1102). Default: 5 min.
    pub rebootstrap_after: Duration,
    /// How long brokers may deny that a topic exists before its owners are told. Brokers learn of a new topic
    /// one after the other, so a first answer that denies it proves nothing. As long as anybody wants the topic, it is
    /// asked for again each time that this has passed. Default: 10 s.
    pub unknown_topic_timeout: Duration,
    /// Asking for a topic may create it, if the brokers allow it as well (`allow.auto.create.topics`).
    /// Default: true.
    pub allow_auto_topic_creation: bool,
}

impl ClusterConfig {
    /// The defaults, and where to begin.
    #[must_use]
    pub const fn new(bootstrap: Vec<Address>) -> Self {
        Self {
            bootstrap,
            max_age: Duration::from_secs(300),
            backoff: Backoff::RETRY,
            request_timeout: Duration::from_secs(30),
            rebootstrap_after: Duration::from_secs(300),
            unknown_topic_timeout: Duration::from_secs(10),
            allow_auto_topic_creation: true,
        }
    }
}
