//! Connections, requests and answers.

use alloc::collections::BTreeMap;
use core::time::Duration;

use klamm_protocol::ApiKey;

use super::Histogram;
use crate::cluster::{Address, Node};

/// One request that was answered, or that left and is not answered at all (`acks=0`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The API.
    pub api: ApiKey,
    /// In which request and answer were encoded.
    pub version: i16,
    /// The request's size on the wire, with its length and header.
    pub request_bytes: u64,
    /// The answer's size on the wire; 0 if there is none.
    pub response_bytes: u64,
    /// From the handing over to the transport to the last byte of the answer; `None` if there is none.
    pub latency: Option<Duration>,
    /// The pause that the answer asks for (KIP-219), in milliseconds.
    pub throttle_ms: u32,
}

/// What happened on connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionMetrics {
    /// Attempts to connect.
    pub attempts: u64,
    /// Attempts that came to a connection on which requests are sent.
    pub connects: u64,
    /// Attempts that did not.
    pub failed_connects: u64,
    /// Ends of connections, failed attempts included, by [`CloseReason::label`](crate::connection::CloseReason::label).
    pub disconnects: BTreeMap<&'static str, u64>,
    /// Requests that were answered, or left if they are not to be answered.
    pub requests: u64,
    /// Requests that got no answer because their connection ended.
    pub requests_lost: u64,
    /// Bytes of these requests.
    pub bytes_out: u64,
    /// Bytes of the answers.
    pub bytes_in: u64,
    /// Answers that asked for a pause (KIP-219).
    pub throttles: u64,
    /// The pauses that were asked for.
    pub throttle_time: Duration,
    /// Of all requests that were answered.
    pub latency: Histogram,
}

impl ConnectionMetrics {
    /// Counts one exchange.
    pub(crate) fn exchanged(&mut self, exchange: &Exchange) {
        self.requests += 1;
        self.bytes_out += exchange.request_bytes;
        self.bytes_in += exchange.response_bytes;
        if exchange.throttle_ms > 0 {
            self.throttles += 1;
            self.throttle_time += Duration::from_millis(exchange.throttle_ms.into());
        }
        if let Some(latency) = exchange.latency {
            self.latency.record(latency);
        }
    }

    /// Counts the end of a connection, and whether that was one of an attempt to set it up.
    pub(crate) fn ended(&mut self, label: &'static str, failed: bool) {
        *self.disconnects.entry(label).or_default() += 1;
        self.failed_connects += u64::from(failed);
    }
}

/// What happened on the connections to one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerMetrics {
    /// The broker, or the bootstrap address by its place.
    pub node: Node,
    /// Where it is, or was when last connected to.
    pub address: Address,
    /// Connections at present on which requests are sent.
    pub open: u64,
    /// Requests under way at present.
    pub in_flight: u64,
    /// Since it became known.
    pub connections: ConnectionMetrics,
}

impl BrokerMetrics {
    pub(crate) fn new(node: Node, address: Address) -> Self {
        Self { node, address, open: 0, in_flight: 0, connections: ConnectionMetrics::default() }
    }
}

/// The requests of one API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiMetrics {
    /// Requests that were answered, or left if they are not to be answered.
    pub requests: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Bytes of the answers.
    pub bytes_in: u64,
    /// From the handing over to the transport to the last byte of the answer.
    pub latency: Histogram,
}

impl ApiMetrics {
    /// Counts one exchange.
    pub(crate) fn exchanged(&mut self, exchange: &Exchange) {
        self.requests += 1;
        self.bytes_out += exchange.request_bytes;
        self.bytes_in += exchange.response_bytes;
        if let Some(latency) = exchange.latency {
            self.latency.record(latency);
        }
    }
}
