//! A cluster machine and the brokers that answer it.

use core::time::Duration;
use std::vec::Vec;

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::{
        AnyRequest,
        metadata::{
            MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
            MetadataResponseTopic,
        },
    },
};

use crate::{
    Entropy, Instant, PartitionIndex, Purpose, Request, Target, Token,
    cluster::{Address, Cluster, ClusterConfig, ClusterOutput},
};

pub(super) struct World {
    pub(super) cluster: Cluster,
    pub(super) now: Instant,
}

pub(super) fn config() -> ClusterConfig {
    let bootstrap = ["one:9092", "two:9093"].map(|text| text.parse::<Address>().unwrap());
    ClusterConfig { allow_auto_topic_creation: false, ..ClusterConfig::new(bootstrap.to_vec()) }
}

/// A request for metadata that the machine made.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) request: MetadataRequest,
}

impl Asked {
    /// The topics by name; none for all.
    pub(super) fn topics(&self) -> Option<Vec<&str>> {
        let topics = self.request.topics.as_ref()?;
        Some(topics.iter().map(|topic| topic.name.as_deref().unwrap()).collect())
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: ClusterConfig) -> Self {
        let now = Instant::from_millis(1_000);
        Self { cluster: Cluster::new(config, Entropy::new(3), now), now }
    }

    /// A machine that knows brokers 1 and 2 and has nothing to do until the metadata are old.
    pub(super) fn started() -> Self {
        let mut world = Self::new();
        world.answer(&response(&[]));
        assert_eq!(world.outputs(), [ClusterOutput::Changed]);
        world
    }

    /// A machine that knows the topic `t` with partitions led by `leaders` (broker, epoch).
    pub(super) fn with_topic(leaders: &[(i32, i32)]) -> Self {
        let mut world = Self::started();
        world.cluster.want_topic("t");
        world.answer(&response(&[topic("t", leaders)]));
        world.outputs();
        world
    }

    /// Time passes.
    pub(super) fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.cluster.handle_timeout(self.now);
    }

    /// All outputs, among which there must be no request.
    pub(super) fn outputs(&mut self) -> Vec<ClusterOutput> {
        let outputs: Vec<_> = core::iter::from_fn(|| self.cluster.poll(self.now)).collect();
        assert!(!outputs.iter().any(|output| matches!(output, ClusterOutput::Request(_))), "{outputs:?}");
        assert!(self.cluster.poll_timeout().is_none_or(|due| due > self.now));
        outputs
    }

    /// The request that is due now; other outputs are dropped.
    pub(super) fn asked(&mut self) -> Asked {
        let mut outputs = core::iter::from_fn(|| self.cluster.poll(self.now));
        let request = outputs.find_map(|output| match output {
            ClusterOutput::Request(request) => Some(request),
            _ => None,
        });
        asked(request.expect("nothing is asked"))
    }

    /// Waits until something is due, then gives the request.
    pub(super) fn asked_later(&mut self) -> (Duration, Asked) {
        let from = self.now;
        for _ in 0..10 {
            if let Some(due) = self.cluster.poll_timeout() {
                self.now = self.now.max(due);
                self.cluster.handle_timeout(self.now);
            }
            while let Some(output) = self.cluster.poll(self.now) {
                if let ClusterOutput::Request(request) = output {
                    return (self.now - from, asked(request));
                }
            }
        }
        panic!("nothing is asked")
    }

    /// Answers the request that is due now.
    pub(super) fn answer(&mut self, response: &MetadataResponse) {
        let asked = self.asked();
        self.cluster.handle_response(self.now, asked.number, 12, response);
    }

    /// Waits for the next request and answers it; how long that took.
    pub(super) fn answer_later(&mut self, response: &MetadataResponse) -> Duration {
        let (after, asked) = self.asked_later();
        self.cluster.handle_response(self.now, asked.number, 12, response);
        after
    }

    pub(super) fn index(&self, partition: i32) -> PartitionIndex {
        self.cluster.partitions().get("t", partition).unwrap()
    }

    /// The leader's id and epoch of a partition of `t`.
    pub(super) fn leader(&self, partition: i32) -> Option<(i32, i32)> {
        let index = self.cluster.partitions().get("t", partition)?;
        self.cluster.leader(index).map(|leader| (leader.broker.0, leader.epoch))
    }
}

fn asked(request: Request) -> Asked {
    assert_eq!((request.to, request.purpose), (Target::Any, Purpose::General));
    match (request.token, *request.request) {
        (Token::Cluster(number), AnyRequest::Metadata(request)) => Asked { number, request },
        other => panic!("{other:?}"),
    }
}

pub(super) fn broker(id: i32) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id: id,
        host: Str::from(std::format!("host{id}")),
        port: 9000 + id,
        ..MetadataResponseBroker::default()
    }
}

/// An answer of a cluster of brokers 1 and 2 with `topics`.
pub(super) fn response(topics: &[MetadataResponseTopic]) -> MetadataResponse {
    MetadataResponse {
        brokers: std::vec![broker(1), broker(2)],
        cluster_id: Some(Str::from("cluster")),
        controller_id: 1,
        topics: topics.to_vec(),
        ..MetadataResponse::default()
    }
}

/// A topic with partitions led by `leaders` (broker, epoch); broker -1 for none.
pub(super) fn topic(name: &'static str, leaders: &[(i32, i32)]) -> MetadataResponseTopic {
    let partitions = (0..)
        .zip(leaders)
        .map(|(partition_index, (leader_id, leader_epoch))| MetadataResponsePartition {
            partition_index,
            leader_id: *leader_id,
            leader_epoch: *leader_epoch,
            replica_nodes: [1, 2].into_iter().collect(),
            isr_nodes: [1].into_iter().collect(),
            error_code: if *leader_id < 0 { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE },
            ..MetadataResponsePartition::default()
        })
        .collect();
    MetadataResponseTopic {
        name: Some(Str::from(name)),
        topic_id: id(1),
        partitions,
        ..MetadataResponseTopic::default()
    }
}

pub(super) const fn id(n: u8) -> Uuid {
    Uuid([n; 16])
}

pub(super) fn failing(name: &'static str, error_code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic { name: Some(Str::from(name)), error_code, ..MetadataResponseTopic::default() }
}
