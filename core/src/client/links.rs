//! The table of connections: one for each node and purpose, opened on demand.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::time::Duration;

use super::meters::Meters;
use crate::{
    Backoff, ConnectionId, Entropy, Instant, Purpose, Request,
    cluster::{Address, Load, Node},
    connection::{ApiVersions, CloseReason},
    timers::Deadlines,
};

/// How far a connection is.
#[derive(Debug)]
pub(super) enum State {
    /// It is opened once the pause after the last failure is over; requests wait here.
    Pausing(Vec<Request>),
    /// It is being opened; requests are queued by the connection itself.
    Opening,
    /// Requests are sent.
    Ready(Arc<ApiVersions>),
    /// The client closed it; its last event is due.
    Closing,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) node: Node,
    pub(super) purpose: Purpose,
    pub(super) address: Address,
    pub(super) state: State,
    /// Requests that were handed to the connection and are not answered.
    pub(super) in_flight: usize,
}

impl Link {
    /// Whether requests can be handed to it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Opening | State::Ready(_))
    }

    /// What the broker offers, once that is known.
    pub(super) const fn versions(&self) -> Option<&Arc<ApiVersions>> {
        match &self.state {
            State::Ready(versions) => Some(versions),
            State::Pausing(_) | State::Opening | State::Closing => None,
        }
    }
}

/// What is known of connecting to one node.
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    failures: u32,
    pause_until: Option<Instant>,
    last_attempt: Option<Instant>,
    /// The broker closed the connection on the newest ApiVersions: begin with version 0.
    older_api_versions: bool,
    /// How often in a row a connection was not set up in time.
    setup_timeouts: u32,
}

#[derive(Debug)]
pub(super) struct Links {
    backoff: Backoff,
    entropy: Entropy,
    next_id: u32,
    by_id: BTreeMap<ConnectionId, Link>,
    by_key: BTreeMap<(Node, Purpose), ConnectionId>,
    health: BTreeMap<Node, Health>,
    pauses: Deadlines<ConnectionId>,
    pub(super) meters: Meters,
}

/// What has to follow when a connection was looked for.
pub(super) enum Obtained {
    /// It is there, or on its way.
    There(ConnectionId),
    /// It is new and has to be opened now.
    Open(ConnectionId),
}

impl Links {
    pub(super) fn new(backoff: Backoff, entropy: Entropy) -> Self {
        Self {
            backoff,
            entropy,
            next_id: 0,
            by_id: BTreeMap::new(),
            by_key: BTreeMap::new(),
            health: BTreeMap::new(),
            pauses: Deadlines::new(),
            meters: Meters::default(),
        }
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Link> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Link> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn find(&self, node: Node, purpose: Purpose) -> Option<(ConnectionId, &Link)> {
        let id = *self.by_key.get(&(node, purpose))?;
        self.by_id.get(&id).map(|link| (id, link))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Link)> {
        self.by_id.iter().map(|(id, link)| (*id, link))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The connection for a purpose; a new one if there is none.
    pub(super) fn obtain(
        &mut self,
        now: Instant,
        node: Node,
        purpose: Purpose,
        address: &Address,
    ) -> Obtained {
        if let Some(id) = self.by_key.get(&(node, purpose)) {
            return Obtained::There(*id);
        }
        let id = ConnectionId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let health = self.health.entry(node).or_default();
        let pause = health.pause_until.filter(|until| *until > now);
        let state = match pause {
            Some(until) => {
                probe!(PausedBeforeConnect);
                self.pauses.set(id, until);
                State::Pausing(Vec::new())
            }
            None => {
                health.last_attempt = Some(now);
                State::Opening
            }
        };
        let opens = matches!(state, State::Opening);
        if opens {
            self.meters.attempt(node, address);
        }
        self.by_id.insert(id, Link { node, purpose, address: address.clone(), state, in_flight: 0 });
        self.by_key.insert((node, purpose), id);
        if opens { Obtained::Open(id) } else { Obtained::There(id) }
    }

    /// A connection whose pause is over, and the requests that waited for it. It has to be opened now.
    pub(super) fn resume(&mut self, now: Instant) -> Option<(ConnectionId, Vec<Request>)> {
        let id = self.pauses.expire(now)?;
        let link = self.by_id.get_mut(&id)?;
        let State::Pausing(waiting) = core::mem::replace(&mut link.state, State::Opening) else {
            return None;
        };
        self.health.entry(link.node).or_default().last_attempt = Some(now);
        self.meters.attempt(link.node, &link.address);
        Some((id, waiting))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pauses.next()
    }

    /// Whether the next connection to `node` begins with ApiVersions 0.
    pub(super) fn begins_with_version_0(&self, node: Node) -> bool {
        self.health.get(&node).is_some_and(|health| health.older_api_versions)
    }

    /// The time that the next connection to `node` has for being set up: it doubles each time that it was too
    /// short, give or take 20 % (KIP-601).
    pub(super) fn setup_timeout(&mut self, node: Node, first: Duration, longest: Duration) -> Duration {
        match self.health.get(&node).map_or(0, |health| health.setup_timeouts) {
            0 => first,
            timeouts => {
                probe!(SetupTimeoutGrown);
                let growing = Backoff { initial: first, max: longest.max(first) };
                growing.delay(timeouts.saturating_add(1), &mut self.entropy)
            }
        }
    }

    pub(super) fn ready(&mut self, id: ConnectionId, versions: Arc<ApiVersions>) -> Option<&Link> {
        let link = self.by_id.get_mut(&id)?;
        if matches!(link.state, State::Closing) {
            return None;
        }
        if let Some(health) = self.health.get_mut(&link.node) {
            health.setup_timeouts = 0;
        }
        self.meters.count(link.node, |metrics| metrics.connects += 1);
        link.state = State::Ready(versions);
        Some(link)
    }

    /// A node gave an answer that makes sense: it is well. A handshake alone does not prove that.
    pub(super) fn answered(&mut self, id: ConnectionId) {
        let health = self.by_id.get(&id).and_then(|link| self.health.get_mut(&link.node));
        if let Some(health) = health.filter(|health| health.failures > 0) {
            health.failures = 0;
            health.pause_until = None;
        }
    }

    /// A node did not do well: the next attempt to connect to it pauses, longer each time.
    pub(super) fn failed(&mut self, now: Instant, node: Node) {
        let health = self.health.entry(node).or_default();
        if health.pause_until.is_some_and(|until| until > now) {
            // A node has a connection for each purpose. That all are lost at once is one failure.
            return;
        }
        health.failures = health.failures.saturating_add(1);
        let pause = self.backoff.delay(health.failures, &mut self.entropy);
        health.pause_until = Some(now + pause);
    }

    /// A connection is over. Unless that was in order, the next attempt pauses.
    pub(super) fn closed(&mut self, now: Instant, id: ConnectionId, reason: &CloseReason) -> Option<Link> {
        let link = self.remove(id)?;
        let in_order = matches!(reason, CloseReason::Idle | CloseReason::Local);
        let failed = matches!(link.state, State::Opening);
        self.meters.count(link.node, |metrics| metrics.ended(reason.label(), failed));
        match link.state {
            State::Opening => {
                let health = self.health.entry(link.node).or_default();
                // One attempt with the oldest version is free of a pause: the broker is there.
                let downgrade = reason.suggests_older_api_versions() && !health.older_api_versions;
                health.older_api_versions = downgrade;
                if matches!(reason, CloseReason::SetupTimeout(_)) {
                    health.setup_timeouts = health.setup_timeouts.saturating_add(1);
                }
                if !downgrade {
                    self.failed(now, link.node);
                }
            }
            State::Ready(_) if !in_order => self.failed(now, link.node),
            State::Ready(_) | State::Closing | State::Pausing(_) => {}
        }
        Some(link)
    }

    /// Takes a connection out of the table that was never opened.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Link> {
        let link = self.by_id.remove(&id)?;
        if self.by_key.get(&(link.node, link.purpose)) == Some(&id) {
            self.by_key.remove(&(link.node, link.purpose));
        }
        self.pauses.clear(&id);
        Some(link)
    }

    /// A connection is to be closed: it takes no more requests, and another may take its place.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if let Some(link) = self.by_id.get_mut(&id) {
            link.state = State::Closing;
            if self.by_key.get(&(link.node, link.purpose)) == Some(&id) {
                self.by_key.remove(&(link.node, link.purpose));
            }
        }
    }

    /// Forgets how connecting to a node went: it is elsewhere now.
    pub(super) fn forget_health(&mut self, node: Node) {
        self.health.remove(&node);
    }

    /// Forgets how connecting to nodes went that are gone.
    pub(super) fn retain_health(&mut self, keep: impl Fn(Node) -> bool) {
        self.health.retain(|node, _| keep(*node));
        self.meters.retain(keep);
    }

    /// How loaded the general connection of a node is.
    pub(super) fn load(&self, now: Instant, node: Node) -> Load {
        let health = self.health.get(&node).copied().unwrap_or_default();
        match self.find(node, Purpose::General).map(|(_, link)| link) {
            Some(Link { state: State::Ready(_), in_flight, .. }) => Load::Ready { in_flight: *in_flight },
            Some(Link { state: State::Opening, .. }) => Load::Connecting,
            Some(_) => Load::Unavailable,
            None if health.pause_until.is_some_and(|until| until > now) => Load::Unavailable,
            None => Load::Closed { last_attempt: health.last_attempt },
        }
    }

    /// The node, other than those that are available, whose pause ends first.
    pub(super) fn first_to_recover(&self, nodes: impl Iterator<Item = Node>) -> Option<Node> {
        nodes.min_by_key(|node| self.health.get(node).and_then(|health| health.pause_until))
    }
}
