//! Which broker to ask if any will do.

use super::{Cluster, Node};
use crate::Instant;

/// What a client knows of its connection to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Requests can be sent; so many await answers.
    Ready {
        /// Requests that await answers.
        in_flight: usize,
    },
    /// It is being set up.
    Connecting,
    /// There is none, but one may be opened. When the last attempt was, if there was any.
    Closed {
        /// The last attempt.
        last_attempt: Option<Instant>,
    },
    /// Nothing can be sent and nothing opened now: it is backing off, or full.
    Unavailable,
}

impl Load {
    /// Lower is better: ready and idle, ready and least loaded, connecting, longest since the last attempt.
    fn rank(self) -> Option<(u8, u64)> {
        match self {
            Self::Ready { in_flight } => Some((0, u64::try_from(in_flight).unwrap_or(u64::MAX))),
            Self::Connecting => Some((1, 0)),
            Self::Closed { last_attempt: None } => Some((2, 0)),
            Self::Closed { last_attempt: Some(at) } => Some((2, at.as_nanos().saturating_add(1))),
            Self::Unavailable => None,
        }
    }
}

impl Cluster {
    /// The node to ask if any will do: the least loaded of the known brokers, or of the bootstrap addresses as
    /// long as no broker is known. Equals are chosen from at random. None if all are unavailable.
    pub fn least_loaded(&mut self, load: impl Fn(Node) -> Load) -> Option<Node> {
        let count = self.candidates().count();
        let start = self.entropy.below(u64::try_from(count).unwrap_or(u64::MAX));
        let start = usize::try_from(start).unwrap_or(0);
        let ranked = (self.candidates().skip(start)).chain(self.candidates().take(start));
        ranked
            .filter_map(|node| load(node).rank().map(|rank| (rank, node)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, node)| node)
    }

    /// The nodes that [`least_loaded`](Self::least_loaded) chooses from.
    pub fn candidates(&self) -> impl Iterator<Item = Node> + '_ {
        let bootstrap = if self.known.brokers.is_empty() { self.config.bootstrap.len() } else { 0 };
        let bootstrap = (0..u16::try_from(bootstrap).unwrap_or(u16::MAX)).map(Node::Bootstrap);
        self.known.brokers.keys().map(|id| Node::Broker(*id)).chain(bootstrap)
    }
}
