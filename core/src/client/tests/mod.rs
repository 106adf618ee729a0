//! A client and a network that does what a test says.

mod answers;
mod connecting;
mod consuming;
mod ending;
mod health;
mod laws;
mod producing;

use alloc::sync::Arc;
use core::time::Duration;
use std::{boxed::Box, collections::BTreeMap, vec, vec::Vec};

use klamm_protocol::{
    ApiKey, Str,
    messages::{
        AnyRequest, AnyResponse,
        metadata::{
            MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
};

use super::{Action, Client, ClientConfig, Done};
use crate::{
    ConnectionId, Entropy, Instant, OperationId, Outgoing, Token,
    cluster::Address,
    connection::{ApiVersions, CloseReason, ConnectionEvent, Unanswered},
};

const CONNECT: OperationId = OperationId(1);

fn address(port: u16) -> Address {
    Address { host: Str::from("localhost"), port }
}

/// A client, the connections that it asked for, and what it sent on them.
struct World {
    client: Client,
    now: Instant,
    /// By connection: where to, and the requests without an answer.
    connections: BTreeMap<ConnectionId, (Address, Vec<Outgoing>)>,
    actions: Vec<Action>,
    /// The time that the newest connection was given for being set up.
    setup_timeout: Duration,
}

impl World {
    fn new(bootstrap: &[u16]) -> Self {
        let config = ClientConfig::new(bootstrap.iter().map(|port| address(*port)).collect());
        let now = Instant::from_millis(1_000);
        let client = Client::new(config, &Entropy::new(1), now);
        let mut world = Self {
            client,
            now,
            connections: BTreeMap::new(),
            actions: Vec::new(),
            setup_timeout: Duration::ZERO,
        };
        world.drain();
        world
    }

    /// A client that knows its cluster: broker 1 at port 9001, broker 2 at 9002.
    fn connected() -> Self {
        let mut world = Self::new(&[9000]);
        world.ready(ConnectionId(0));
        world.answer(ConnectionId(0), cluster(&[("t", &[1, 2])]));
        assert!(world.client.cluster().is_known());
        world
    }

    fn drain(&mut self) {
        while let Some(action) = self.client.poll(self.now) {
            match action {
                Action::Open { connection, address, config } => {
                    self.setup_timeout = config.setup_timeout;
                    let twice = self.connections.insert(connection, (address, Vec::new()));
                    assert!(twice.is_none(), "{connection:?} was opened twice");
                }
                Action::Send { connection, outgoing } => {
                    self.connections.get_mut(&connection).expect("opened").1.push(outgoing);
                }
                other => self.actions.push(other),
            }
        }
    }

    fn event(&mut self, connection: ConnectionId, event: ConnectionEvent) {
        self.client.handle_connection(self.now, connection, event);
        self.drain();
    }

    fn ready(&mut self, connection: ConnectionId) {
        let all = (0..100).map(ApiKey).filter_map(|key| Some((key, key.min_version()?, key.max_version()?)));
        self.event(connection, ConnectionEvent::Ready(Arc::new(ApiVersions::new(all))));
    }

    /// Answers the oldest request of a connection.
    fn answer(&mut self, connection: ConnectionId, response: impl Into<AnyResponse>) {
        let outgoing = self.connections.get_mut(&connection).unwrap().1.remove(0);
        let response = Box::new(response.into());
        self.event(connection, ConnectionEvent::Response { token: outgoing.token, version: 9, response });
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        let (_, requests) = self.connections.remove(&connection).expect("open");
        let unanswered = requests.iter().map(|request| Unanswered { token: request.token, written: true });
        let unanswered = unanswered.collect();
        self.event(connection, ConnectionEvent::Closed { reason, unanswered });
    }

    /// Goes to the next deadline; returns how long that took.
    fn wait(&mut self) -> Duration {
        let at = self.client.poll_timeout().expect("a deadline");
        assert!(at > self.now, "a deadline in the past after a drain");
        let waited = at - self.now;
        self.now = at;
        self.client.handle_timeout(at);
        self.drain();
        waited
    }

    fn only_connection(&self) -> ConnectionId {
        assert_eq!(self.connections.len(), 1, "{:?}", self.connections);
        *self.connections.keys().next().unwrap()
    }

    fn connection_to(&self, port: u16) -> ConnectionId {
        let found = self.connections.iter().find(|(_, (address, _))| address.port == port);
        *found.unwrap_or_else(|| panic!("none to {port}: {:?}", self.connections)).0
    }

    fn requests(&self, connection: ConnectionId) -> Vec<(&AnyRequest, Token)> {
        self.connections[&connection].1.iter().map(|outgoing| (&*outgoing.request, outgoing.token)).collect()
    }

    /// What came of an operation.
    fn done(&mut self, id: OperationId) -> Option<Done> {
        let at = self
            .actions
            .iter()
            .position(|action| matches!(action, Action::Done { operation, .. } if *operation == id))?;
        match self.actions.remove(at) {
            Action::Done { result, .. } => Some(result),
            _ => None,
        }
    }
}

fn cluster(topics: &[(&'static str, &[i32])]) -> MetadataResponse {
    let broker = |id| MetadataResponseBroker {
        node_id: id,
        host: Str::from("localhost"),
        port: 9000 + id,
        ..Default::default()
    };
    let topics = topics.iter().map(|(name, leaders)| MetadataResponseTopic {
        name: Some(Str::from(*name)),
        partitions: (leaders.iter().zip(0..))
            .map(|(leader, index)| MetadataResponsePartition {
                partition_index: index,
                leader_id: *leader,
                leader_epoch: 0,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    MetadataResponse {
        brokers: vec![broker(1), broker(2)],
        controller_id: 2,
        topics: topics.collect(),
        ..Default::default()
    }
}
