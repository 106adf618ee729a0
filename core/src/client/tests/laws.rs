//! The laws, over random events on connections.

use alloc::sync::Arc;
use core::time::Duration;
use std::{boxed::Box, format, string::String, vec::Vec};

use klamm_protocol::{ApiKey, Str, messages::AnyResponse};
use proptest::prelude::*;

use super::{address, cluster};
use crate::{
    ConnectionId, Entropy, Instant, OperationId, Outgoing, PartitionIndex, ProducerHandle,
    admin::AdminCommand,
    client::{Action, Client, ClientConfig},
    connection::{ApiVersions, CloseReason, ConnectionEvent, Peer, Progress, Unanswered},
    consumer::{ConsumerConfig, StartAt},
    laws::{Machine, Step, check, step},
    producer::{BatchId, ProducerConfig, SealResult, SealedPartition, Signal},
};

#[derive(Clone, Debug)]
enum Act {
    Connect,
    List,
    AwaitTopic,
    Consume,
    Signal(u64),
    Ready(usize),
    Answer(usize, AnyResponse),
    Lose(usize, CloseReason),
    Unsent(usize),
}

struct Subject {
    client: Client,
    producer: ProducerHandle,
    connections: Vec<(ConnectionId, Vec<Outgoing>)>,
    seals: Vec<(ProducerHandle, crate::producer::Seal)>,
    next_operation: u64,
}

impl Subject {
    fn new(origin: Instant) -> Self {
        let config = ClientConfig::new([9000, 9001].map(address).to_vec());
        let mut client = Client::new(config, &Entropy::new(9), origin);
        let config =
            ProducerConfig { delivery_timeout: Duration::from_secs(60), ..ProducerConfig::default() };
        let producer = client.create_producer(origin, config).unwrap();
        Self { client, producer, connections: Vec::new(), seals: Vec::new(), next_operation: 0 }
    }

    fn operation(&mut self) -> OperationId {
        self.next_operation += 1;
        OperationId(self.next_operation)
    }

    fn event(&mut self, now: Instant, connection: ConnectionId, event: ConnectionEvent) {
        self.client.handle_connection(now, connection, event);
    }

    fn lose(&mut self, now: Instant, at: usize, reason: &CloseReason) {
        let (connection, requests) = self.connections.remove(at);
        let unanswered = requests.iter().map(|request| Unanswered { token: request.token, written: false });
        let unanswered = unanswered.collect();
        self.event(now, connection, ConnectionEvent::Closed { reason: reason.clone(), unanswered });
    }
}

impl Machine for Subject {
    type Input = Act;
    type Output = String;

    fn apply(&mut self, now: Instant, input: &Act) {
        let soon = now + Duration::from_secs(15);
        match input {
            Act::Connect => {
                let operation = self.operation();
                self.client.await_cluster(now, operation, soon);
            }
            Act::List => {
                let operation = self.operation();
                self.client.administer(now, operation, AdminCommand::ListTopics, soon);
            }
            Act::AwaitTopic => {
                let operation = self.operation();
                self.client.await_topic(now, operation, self.producer, &Str::from("t"), soon);
            }
            Act::Consume => {
                let consumer = self.client.create_consumer(ConsumerConfig::default());
                self.client.assign(now, consumer, [(Str::from("t"), 0, StartAt::Earliest)]);
            }
            Act::Signal(batch) => {
                self.client.handle_signal(
                    now,
                    self.producer,
                    PartitionIndex(0),
                    BatchId(*batch),
                    Signal::OpenedFull,
                );
            }
            Act::Ready(at) if *at < self.connections.len() => {
                let all = (0..100)
                    .map(ApiKey)
                    .filter_map(|key| Some((key, key.min_version()?, key.max_version()?)));
                let versions = Arc::new(ApiVersions::new(all));
                self.event(now, self.connections[*at].0, ConnectionEvent::Ready(versions));
            }
            Act::Answer(at, response) if *at < self.connections.len() => {
                let (connection, requests) = &mut self.connections[*at];
                if !requests.is_empty() {
                    let (connection, token) = (*connection, requests.remove(0).token);
                    let response = Box::new(response.clone());
                    self.event(now, connection, ConnectionEvent::Response { token, version: 9, response });
                }
            }
            Act::Lose(at, reason) if *at < self.connections.len() => self.lose(now, *at, reason),
            Act::Unsent(at) if *at < self.connections.len() => {
                let (connection, requests) = &mut self.connections[*at];
                if let Some(request) = requests.pop() {
                    self.client.handle_unsent(now, *connection, request.token);
                }
            }
            Act::Ready(_) | Act::Answer(..) | Act::Lose(..) | Act::Unsent(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        // What was to be sealed is not there.
        for (producer, seal) in core::mem::take(&mut self.seals) {
            let empty = seal
                .partitions
                .iter()
                .map(|partition| SealedPartition { partition: *partition, result: SealResult::Empty });
            self.client.handle_sealed(now, producer, seal.broker, empty.collect::<Vec<_>>());
        }
        self.client.handle_timeout(now);
    }

    fn poll(&mut self, now: Instant, origin: Instant) -> Option<String> {
        let action = self.client.poll(now)?;
        Some(match action {
            Action::Open { connection, address, .. } => {
                self.connections.push((connection, Vec::new()));
                format!("open {connection:?} {address}")
            }
            Action::Send { connection, outgoing } => {
                let text = format!("{connection:?} {:?} {:?}", outgoing.token, outgoing.deadline - origin);
                let found = self.connections.iter_mut().find(|(id, _)| *id == connection);
                found.expect("sent on an open connection").1.push(outgoing);
                text
            }
            Action::Close { connection } => {
                let at = self.connections.iter().position(|(id, _)| *id == connection).expect("open");
                self.lose(now, at, &CloseReason::Local);
                format!("close {connection:?}")
            }
            Action::Seal { producer, seal, .. } => {
                let text = format!("seal {seal:?}");
                self.seals.push((producer, seal));
                text
            }
            other => format!("{other:?}"),
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }
}

fn reason() -> impl Strategy<Value = CloseReason> {
    prop_oneof![
        Just(CloseReason::ConnectFailed(Str::from("refused"))),
        Just(CloseReason::PeerClosed(Progress::NoAnswer)),
        Just(CloseReason::PeerClosed(Progress::Busy)),
        Just(CloseReason::NotKafka(Peer::Http)),
        Just(CloseReason::Idle),
    ]
}

fn answer() -> impl Strategy<Value = AnyResponse> {
    prop_oneof![
        4 => Just(cluster(&[("t", &[1, 2])]).into()),
        1 => Just(cluster(&[("t", &[-1, 1])]).into()),
        1 => Just(cluster(&[]).into()),
        1 => Just(klamm_protocol::messages::heartbeat::HeartbeatResponse::default().into()),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step<Act>>> {
    let act = prop_oneof![
        1 => Just(Act::Connect),
        1 => Just(Act::List),
        1 => Just(Act::AwaitTopic),
        1 => Just(Act::Consume),
        1 => (0..4_u64).prop_map(Act::Signal),
        6 => (0..4_usize).prop_map(Act::Ready),
        8 => (0..4_usize, answer()).prop_map(|(at, answer)| Act::Answer(at, answer)),
        3 => (0..4_usize, reason()).prop_map(|(at, reason)| Act::Lose(at, reason)),
        1 => (0..4_usize).prop_map(Act::Unsent),
    ];
    proptest::collection::vec((0..2_000_u64, act).prop_map(|(millis, act)| step(millis, act)), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn obeys_the_laws(script in steps()) {
        check(Subject::new, &script);
    }
}
