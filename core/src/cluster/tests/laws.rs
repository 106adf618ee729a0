//! The laws, over random scripts.

use std::{format, string::String, vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::metadata::{MetadataResponse, MetadataResponseTopic},
};
use proptest::prelude::*;

use super::world::{config, failing, id, response, topic};
use crate::{
    BrokerId, Entropy, Instant, PartitionIndex, Token,
    cluster::{Cluster, ClusterOutput, Leader, Node},
    laws::{Machine, Step, check, step},
};

#[derive(Clone, Debug)]
enum Act {
    Want(usize),
    Release(usize),
    WantAll,
    ReleaseAll,
    Answer { version: i16, response: MetadataResponse },
    Lose,
    Disconnect,
    Connected(i32),
    ConnectFailed(i32),
    Hint { partition: u32, broker: i32, epoch: i32 },
    Refresh,
}

const NAMES: [&str; 3] = ["t", "u", "v"];

struct Subject {
    cluster: Cluster,
    in_flight: Option<u64>,
}

impl Machine for Subject {
    type Input = Act;
    type Output = String;

    fn apply(&mut self, now: Instant, input: &Act) {
        let cluster = &mut self.cluster;
        match input {
            Act::Want(at) => cluster.want_topic(NAMES[*at]),
            Act::Release(at) => cluster.release_topic(NAMES[*at]),
            Act::WantAll => cluster.want_all_topics(),
            Act::ReleaseAll => cluster.release_all_topics(),
            Act::Answer { version, response } => {
                if let Some(number) = self.in_flight.take() {
                    cluster.handle_response(now, number, *version, response);
                }
            }
            Act::Lose => {
                if let Some(number) = self.in_flight.take() {
                    cluster.handle_lost(now, number, None);
                }
            }
            Act::Disconnect => cluster.handle_disconnect(),
            Act::Connected(id) => cluster.handle_connected(Node::Broker(BrokerId(*id))),
            Act::ConnectFailed(id) => cluster.handle_connect_failed(Node::Broker(BrokerId(*id))),
            Act::Hint { partition, broker, epoch } => {
                let leader = Leader { broker: BrokerId(*broker), epoch: *epoch };
                cluster.handle_leader_hint(PartitionIndex(*partition), leader, None);
            }
            Act::Refresh => cluster.request_refresh(),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.cluster.handle_timeout(now);
    }

    fn poll(&mut self, now: Instant, _: Instant) -> Option<String> {
        let output = self.cluster.poll(now)?;
        if let ClusterOutput::Request(request) = &output {
            let Token::Cluster(number) = request.token else { panic!("{request:?}") };
            self.in_flight = Some(number);
        }
        Some(format!("{output:?}"))
    }

    fn backlog(&self) -> usize {
        self.cluster.outputs.len()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.cluster.poll_timeout()
    }
}

fn answer() -> impl Strategy<Value = Act> {
    let leaders = prop::collection::vec((-1..3_i32, -1..4_i32), 0..4);
    let found = (0..NAMES.len(), leaders, 0..3_u8).prop_map(|(name, leaders, topic_id)| {
        MetadataResponseTopic { topic_id: unique_id(name, topic_id), ..topic(NAMES[name], &leaders) }
    });
    const ERRORS: [ErrorCode; 4] = [
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::LEADER_NOT_AVAILABLE,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ErrorCode(999),
    ];
    let lacking =
        (0..NAMES.len(), prop::sample::select(&ERRORS[..])).prop_map(|(name, e)| failing(NAMES[name], e));
    let topics = prop::collection::vec(prop_oneof![3 => found, 1 => lacking], 0..4);
    (topics, 7..13_i16, prop::bool::weighted(0.9), prop::bool::weighted(0.1)).prop_map(
        |(topics, version, brokers, other)| {
            let mut response = response(&topics);
            if !brokers {
                response.brokers.clear();
            }
            if other {
                response.cluster_id = Some(Str::from("other"));
            }
            Act::Answer { version, response }
        },
    )
}

/// Zero, or an id that no topic of another name has.
fn unique_id(name: usize, n: u8) -> Uuid {
    if n == 0 { Uuid::ZERO } else { id(10 * n + u8::try_from(name).unwrap()) }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..NAMES.len()).prop_map(Act::Want),
        1 => (0..NAMES.len()).prop_map(Act::Release),
        1 => Just(Act::WantAll),
        1 => Just(Act::ReleaseAll),
        8 => answer(),
        2 => Just(Act::Lose),
        1 => Just(Act::Disconnect),
        1 => (0..4_i32).prop_map(Act::Connected),
        2 => (0..4_i32).prop_map(Act::ConnectFailed),
        1 => (0..5_u32, 0..4_i32, 0..9_i32).prop_map(|(partition, broker, epoch)| Act::Hint { partition, broker, epoch }),
        1 => Just(Act::Refresh),
    ]
}

fn script() -> impl Strategy<Value = Vec<Step<Act>>> {
    let step =
        (act(), prop_oneof![Just(0), 0..300_u64, 0..60_000_u64]).prop_map(|(act, after)| step(after, act));
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn any_life(script in script()) {
        check(|now| Subject { cluster: Cluster::new(config(), Entropy::new(1), now), in_flight: None }, &script);
    }

    /// Whatever was answered, what the queries tell is consistent.
    #[test]
    fn queries_agree(script in script()) {
        let now = Instant::from_millis(1);
        let mut subject = Subject { cluster: Cluster::new(config(), Entropy::new(1), now), in_flight: None };
        let mut now = now;
        for Step { after, input } in script {
            now = now + after;
            subject.cluster.handle_timeout(now);
            while subject.poll(now, now).is_some() {}
            subject.apply(now, &input);
            let cluster = &subject.cluster;
            let mut listed = 0;
            for topic in cluster.topics() {
                listed += topic.partitions.len();
                for (number, index) in (0..).zip(&topic.partitions) {
                    let name = cluster.partitions().name(*index);
                    prop_assert_eq!(name, Some((&topic.name, number)));
                    prop_assert!(cluster.partition(*index).is_some());
                }
                if !topic.id.is_zero() {
                    let by_id = cluster.topic_by_id(topic.id);
                    prop_assert!(by_id.is_some());
                }
            }
            let all = (0..).map(PartitionIndex).take(cluster.partitions().len());
            prop_assert_eq!(all.filter(|index| cluster.partition(*index).is_some()).count(), listed);
            prop_assert!(cluster.partitions().len() <= NAMES.len() * 3);
        }
    }
}
