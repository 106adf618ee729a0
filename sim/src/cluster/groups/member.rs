//! A member of a group.

use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::Str;

use crate::cluster::ConnectionId;

/// A member of a group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: Str,
    /// A static member's own name (KIP-345).
    pub(crate) instance_id: Option<Str>,
    pub(crate) client_id: Str,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    /// Names and metadata, in the order of preference.
    pub(crate) protocols: Vec<(Str, Bytes)>,
    pub(crate) assignment: Bytes,
    /// Where its join waits.
    pub(crate) joining: Option<ConnectionId>,
    /// Where its sync waits.
    pub(crate) syncing: Option<ConnectionId>,
    /// It has not been told its generation yet.
    pub(crate) is_new: bool,
}

impl Member {
    pub(crate) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// What it said under a protocol.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let said = self.protocols.iter().find(|(name, _)| name == protocol);
        said.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Whether its session is over when its deadline has passed: not while it waits for others and cannot send
    /// heartbeats. A new member that waits too long counts as gone.
    pub(crate) const fn is_expired(&self) -> bool {
        self.is_new || self.joining.is_none() && self.syncing.is_none()
    }
}
