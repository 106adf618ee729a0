//! What happens on connections.

use alloc::sync::Arc;

use klamm_protocol::Str;

use super::{
    Action, Client,
    links::{Link, State},
    route::Lost,
};
use crate::{
    ConnectionId, Instant, Misbehaved, Purpose, Token,
    cluster::Node,
    connection::{CloseReason, ConnectionEvent},
    sasl::{Answer, Credentials, VaultOutput},
};

impl Client {
    /// Takes one event of a connection. Events of a connection that is not known are ignored.
    pub fn handle_connection(&mut self, now: Instant, connection: ConnectionId, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Ready(versions) => {
                let Some(link) = self.links.ready(connection, Arc::clone(&versions)) else { return };
                self.diagnosis.connected(&link.address);
                self.producers.handle_offered(&versions);
                self.cluster.handle_connected(link.node);
                if let (Node::Broker(broker), Purpose::Produce) = (link.node, link.purpose) {
                    self.producers.handle_ready(now, broker, &versions);
                }
            }
            ConnectionEvent::Response { token, version, response } => {
                self.no_longer_in_flight(connection);
                match self.answered(now, token, version, response) {
                    Ok(()) => {
                        self.links.answered(connection);
                        if !self.diagnosis.is_empty()
                            && let Some(link) = self.links.get(connection)
                        {
                            self.diagnosis.answered(&link.address);
                        }
                    }
                    Err(nonsense) => self.misbehaved(now, connection, nonsense),
                }
            }
            ConnectionEvent::Written { token } => {
                self.no_longer_in_flight(connection);
                if let Token::Producer(producer, number) = token {
                    self.producers.handle_written(now, producer, number);
                }
            }
            ConnectionEvent::Failed { token, error } => {
                self.no_longer_in_flight(connection);
                self.lost(now, token, &Lost::Request(error));
            }
            ConnectionEvent::Closed { reason, unanswered } => {
                let node = self.links.get(connection).map(|link| link.node);
                self.handle_closed(now, connection, &reason);
                for request in unanswered {
                    self.links.meters.request_lost(node);
                    self.lost(now, request.token, &Lost::Connection { written: request.written });
                }
                self.check_connects(now);
            }
            ConnectionEvent::CredentialsNeeded { deadline } => self.vault.need(now, connection, deadline),
            ConnectionEvent::AnswerNeeded { challenge, deadline } => {
                let Some(link) = self.links.get(connection) else { return };
                let host = link.address.host.clone();
                self.actions.push_back(Action::AskAnswer { connection, host, challenge, deadline });
            }
        }
    }

    /// The answer to [`Action::AskAnswer`]: a message of the mechanism, or why there is none.
    pub fn handle_answer(&mut self, connection: ConnectionId, result: Result<Answer, Str>) {
        self.actions.push_back(Action::GiveAnswer { connection, result });
    }

    /// The answer to [`Action::AskCredentials`]: credentials, or why there are none. They are taken at any time, for
    /// instance because they have changed, and are kept while they last.
    pub fn handle_credentials(&mut self, now: Instant, result: Result<Credentials, Str>) {
        self.vault.handle(now, result);
    }

    pub(super) fn poll_vault(&mut self) -> bool {
        let Some(output) = self.vault.poll() else { return false };
        self.actions.push_back(match output {
            VaultOutput::Ask { deadline } => Action::AskCredentials { deadline },
            VaultOutput::Give { connection, result } => Action::GiveCredentials { connection, result },
        });
        true
    }

    /// A request of [`Action::Send`] could not be submitted, because its connection is over or full.
    pub fn handle_unsent(&mut self, now: Instant, connection: ConnectionId, token: Token) {
        probe!(UnsentByDriver);
        self.no_longer_in_flight(connection);
        self.lost(now, token, &Lost::Connection { written: false });
    }

    /// Says that a connection is to be opened.
    pub(super) fn open(&mut self, connection: ConnectionId) {
        let Some(link) = self.links.get(connection) else { return };
        let (node, address) = (link.node, link.address.clone());
        let mut config = Arc::clone(&self.config.connection);
        if self.links.begins_with_version_0(node) {
            probe!(VersionZeroByHint);
            Arc::make_mut(&mut config).api_versions_hint = Some(0);
        }
        let longest = self.config.setup_timeout_max;
        let setup_timeout = self.links.setup_timeout(node, config.setup_timeout, longest);
        if setup_timeout != config.setup_timeout {
            Arc::make_mut(&mut config).setup_timeout = setup_timeout;
        }
        if config.sasl.is_some() {
            Arc::make_mut(&mut config).seed = self.seeds.next_u64();
        }
        self.actions.push_back(Action::Open { connection, address, config });
    }

    /// Says that a connection is to be closed. It is not used any more.
    pub(super) fn close_connection(&mut self, connection: ConnectionId) {
        match self.links.get(connection).map(|link| &link.state) {
            Some(State::Opening | State::Ready(_)) => {
                self.links.close(connection);
                self.actions.push_back(Action::Close { connection });
            }
            Some(State::Pausing(_) | State::Closing) | None => {}
        }
    }

    /// Closes a connection, or gives it up if it was never opened.
    pub(super) fn abandon_connection(&mut self, now: Instant, connection: ConnectionId) {
        let Some(State::Pausing(_)) = self.links.get(connection).map(|link| &link.state) else {
            return self.close_connection(connection);
        };
        let Some(link) = self.links.remove(connection) else { return };
        self.tell_producers(now, &link);
        if let State::Pausing(waiting) = link.state {
            for request in waiting {
                self.lost(now, request.token, &Lost::Connection { written: false });
            }
        }
    }

    /// Metadata named no broker of old: begins again at the bootstrap addresses.
    pub(super) fn rebootstrap(&mut self, now: Instant) {
        let brokers = self.links.iter().filter(|(_, link)| matches!(link.node, Node::Broker(_)));
        let brokers: alloc::vec::Vec<_> = brokers.map(|(id, _)| id).collect();
        for connection in brokers {
            self.abandon_connection(now, connection);
        }
    }

    /// Closes the connections to addresses where a broker no longer is, and forgets how it was to connect there.
    pub(super) fn drop_stale_connections(&mut self, now: Instant) {
        let cluster = &self.cluster;
        let stale = self.links.iter().filter(|(_, link)| {
            let is_broker = matches!(link.node, Node::Broker(_));
            is_broker && cluster.is_known() && cluster.address(link.node) != Some(&link.address)
        });
        let stale = stale.filter(|(_, link)| !matches!(link.state, State::Closing));
        let stale: alloc::vec::Vec<_> = stale.map(|(id, link)| (id, link.node)).collect();
        for (connection, node) in stale {
            probe!(BrokerMoved);
            self.links.forget_health(node);
            self.abandon_connection(now, connection);
        }
        let cluster = &self.cluster;
        self.links.retain_health(|node| cluster.address(node).is_some());
        let bootstrap = &self.config.cluster.bootstrap;
        self.diagnosis.retain(|address| {
            bootstrap.contains(address) || cluster.brokers().any(|broker| broker.address == *address)
        });
    }

    /// A response makes no sense: that costs its connection, and the next one pauses.
    fn misbehaved(&mut self, now: Instant, connection: ConnectionId, nonsense: Misbehaved) {
        let Some(link) = self.links.get(connection) else { return };
        probe!(ConnectionMisused);
        let node = link.node;
        self.diagnosis.failed(node, &link.address, &CloseReason::Misbehaved(nonsense));
        self.links.failed(now, node);
        self.close_connection(connection);
    }

    fn handle_closed(&mut self, now: Instant, connection: ConnectionId, reason: &CloseReason) {
        let rejected =
            matches!(reason, CloseReason::AuthenticationFailed(_)) || reason.suggests_wrong_credentials();
        self.vault.forget(connection, rejected);
        let Some(link) = self.links.closed(now, connection, reason) else { return };
        self.diagnosis.failed(link.node, &link.address, reason);
        let others = self.links.iter().any(|(_, other)| other.node == link.node);
        match link.state {
            State::Opening if !others => self.cluster.handle_connect_failed(link.node),
            // The others may be older than the broker's present address.
            State::Opening => self.cluster.handle_disconnect(),
            State::Ready(_) if !matches!(reason, CloseReason::Idle) => self.cluster.handle_disconnect(),
            _ => {}
        }
        self.tell_producers(now, &link);
    }

    fn tell_producers(&mut self, now: Instant, link: &Link) {
        if let (Node::Broker(broker), Purpose::Produce) = (link.node, link.purpose) {
            self.producers.handle_unready(now, broker);
        }
    }

    fn no_longer_in_flight(&mut self, connection: ConnectionId) {
        let Some(link) = self.links.get_mut(connection) else { return };
        link.in_flight = link.in_flight.saturating_sub(1);
        if let (0, Purpose::Fetch(consumer)) = (link.in_flight, link.purpose)
            && !self.has_consumer(consumer)
        {
            self.close_connection(connection);
        }
    }

    /// Closes the connections of consumers that are gone, unless they wait for a last answer: that a broker forgot a
    /// session.
    pub(super) fn drop_unused_connections(&mut self, now: Instant) {
        let unused = self.links.iter().filter(|(_, link)| match (&link.state, link.purpose) {
            (State::Pausing(waiting), Purpose::Fetch(id)) => waiting.is_empty() && !self.has_consumer(id),
            (_, Purpose::Fetch(id)) => link.in_flight == 0 && !self.has_consumer(id),
            // What a coordinator holds back for a member that is gone is of no use.
            (_, Purpose::Group(id)) => !self.groups.has(id),
            _ => false,
        });
        let unused: alloc::vec::Vec<_> = unused.map(|(id, _)| id).collect();
        for connection in unused {
            self.abandon_connection(now, connection);
        }
    }
}
