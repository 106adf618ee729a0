//! What the machines count: traffic, latencies, batches, lag, rebalances.
//!
//! The counts are plain integers that the machines keep beside their state, so that counting takes no lock, no atomic
//! and no allocation of its own. Nothing is counted by the record: what is counted by records is added up by the
//! batch. [`Client::metrics`](crate::client::Client::metrics) copies them out as one [`Metrics`].
//!
//! All counts only grow, for as long as what they are about lives; whoever wants a rate takes two snapshots.

mod connection;
mod consumer;
mod group;
mod histogram;
mod producer;
mod prometheus;
mod samples;
#[cfg(test)]
mod tests;

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::{ApiKey, Str};

pub use self::{
    connection::{ApiMetrics, BrokerMetrics, ConnectionMetrics, Exchange},
    consumer::{ConsumerCounts, ConsumerMetrics, PartitionMetrics},
    group::{GroupCounts, GroupMetrics},
    histogram::Histogram,
    producer::{ProducerCounts, ProducerMetrics},
    samples::{MetricKind, MetricSample, MetricValue},
};

/// A copy of all that a client has counted.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// The client's name (`client.id`).
    pub client_id: Str,
    /// All connections since the client began, those to brokers that are gone included.
    pub connections: ConnectionMetrics,
    /// The same for each broker and bootstrap address that is known at present.
    pub brokers: Vec<BrokerMetrics>,
    /// By API, over all connections.
    pub apis: BTreeMap<ApiKey, ApiMetrics>,
    /// The producers that are not closed.
    pub producers: Vec<ProducerMetrics>,
    /// The consumers that are not closed.
    pub consumers: Vec<ConsumerMetrics>,
    /// The memberships in groups that are not over.
    pub groups: Vec<GroupMetrics>,
}
