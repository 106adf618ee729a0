//! What a client counts of its connections.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::ApiKey;

use super::Client;
use crate::{
    ConnectionId, Instant,
    cluster::{Address, Node},
    metrics::{ApiMetrics, BrokerMetrics, ConnectionMetrics, Exchange, Metrics},
};

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Meters {
    total: ConnectionMetrics,
    nodes: BTreeMap<Node, (Address, ConnectionMetrics)>,
    apis: BTreeMap<ApiKey, ApiMetrics>,
}

impl Meters {
    /// Changes the counts of a node, and those of all.
    pub(super) fn count(&mut self, node: Node, change: impl Fn(&mut ConnectionMetrics)) {
        change(&mut self.total);
        if let Some((_, metrics)) = self.nodes.get_mut(&node) {
            change(metrics);
        }
    }

    /// A connection to a node is being opened.
    pub(super) fn attempt(&mut self, node: Node, address: &Address) {
        let entry = self.nodes.entry(node).or_insert_with(|| (address.clone(), ConnectionMetrics::default()));
        if entry.0 != *address {
            entry.0 = address.clone();
        }
        self.count(node, |metrics| metrics.attempts += 1);
    }

    /// Forgets the nodes that are gone.
    pub(super) fn retain(&mut self, keep: impl Fn(Node) -> bool) {
        self.nodes.retain(|node, _| keep(*node));
    }

    /// A request got no answer.
    pub(super) fn request_lost(&mut self, node: Option<Node>) {
        self.total.requests_lost += 1;
        if let Some((_, metrics)) = node.and_then(|node| self.nodes.get_mut(&node)) {
            metrics.requests_lost += 1;
        }
    }

    fn exchanged(&mut self, node: Option<Node>, exchange: &Exchange) {
        self.total.exchanged(exchange);
        self.apis.entry(exchange.api).or_default().exchanged(exchange);
        if let Some((_, metrics)) = node.and_then(|node| self.nodes.get_mut(&node)) {
            metrics.exchanged(exchange);
        }
    }
}

impl Client {
    /// Counts what was exchanged on a connection: [`Connection::exchanges`](crate::connection::Connection::exchanges).
    pub fn handle_exchange(&mut self, connection: ConnectionId, exchange: &Exchange) {
        let node = self.links.get(connection).map(|link| link.node);
        self.links.meters.exchanged(node, exchange);
    }

    /// A copy of all that is counted, and of what stands at `now`.
    #[must_use]
    pub fn metrics(&self, now: Instant) -> Metrics {
        let meters = &self.links.meters;
        let mut metrics = Metrics {
            client_id: self.config.connection.client_id.clone(),
            connections: meters.total.clone(),
            apis: meters.apis.clone(),
            brokers: self.broker_metrics(),
            ..Metrics::default()
        };
        metrics.producers = self.producers.metrics();
        metrics.consumers = self.consumers.metrics();
        metrics.groups = self.groups.metrics(now);
        metrics
    }

    /// To which node a connection leads, and where that is.
    #[must_use]
    pub fn peer(&self, connection: ConnectionId) -> Option<(Node, &Address)> {
        self.links.get(connection).map(|link| (link.node, &link.address))
    }

    fn broker_metrics(&self) -> Vec<BrokerMetrics> {
        let nodes = self.links.meters.nodes.iter().map(|(node, (address, connections))| {
            let mut broker = BrokerMetrics::new(*node, address.clone());
            broker.connections = connections.clone();
            for (_, link) in self.links.iter().filter(|(_, link)| link.node == *node) {
                broker.open += u64::from(link.versions().is_some());
                broker.in_flight += u64::try_from(link.in_flight).unwrap_or(u64::MAX);
            }
            broker
        });
        nodes.collect()
    }
}
