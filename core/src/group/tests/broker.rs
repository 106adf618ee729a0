//! A member, with a coordinator and metadata that the test writes.

use core::time::Duration;
use std::vec::Vec;

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest, AnyResponse,
        find_coordinator::FindCoordinatorResponse,
        heartbeat::HeartbeatResponse,
        join_group::{JoinGroupResponse, JoinGroupResponseMember},
        leave_group::LeaveGroupResponse,
        metadata::{
            MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        offset_commit::{
            OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
            OffsetCommitResponseTopic,
        },
        offset_fetch::{
            OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopics,
        },
        sync_group::SyncGroupResponse,
    },
};

use crate::{
    ConsumerId, Entropy, Instant, OperationId, Request, Token,
    cluster::{Address, Cluster, ClusterConfig, ClusterOutput},
    consumer::OffsetReset,
    group::{
        Group, GroupConfig, GroupEvent, GroupOutput, TopicPartition,
        assignor::{Assignment, sorted},
    },
};

pub(super) const START: Instant = Instant::from_millis(1_000);

/// A cluster of one broker with these topics.
pub(super) fn cluster(topics: &[(&str, i32)]) -> Cluster {
    let config = ClusterConfig::new(std::vec![Address { host: "h".into(), port: 1 }]);
    let mut cluster = Cluster::new(config, Entropy::new(1), START);
    learn(&mut cluster, START, topics);
    cluster
}

/// Answers what the cluster asks.
pub(super) fn learn(cluster: &mut Cluster, now: Instant, topics: &[(&str, i32)]) {
    for (topic, _) in topics {
        cluster.want_topic(topic);
    }
    cluster.request_refresh();
    let later = now + Duration::from_secs(10);
    while let Some(output) = cluster.poll(later) {
        let ClusterOutput::Request(request) = output else { continue };
        let Token::Cluster(number) = request.token else { panic!() };
        let topics = topics.iter().map(|(name, count)| MetadataResponseTopic {
            name: Some(Str::copy_of(name)),
            partitions: (0..*count)
                .map(|partition_index| MetadataResponsePartition {
                    partition_index,
                    leader_id: 1,
                    leader_epoch: 0,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
        let broker = MetadataResponseBroker { node_id: 1, host: "h".into(), port: 1, ..Default::default() };
        let response = MetadataResponse {
            brokers: std::vec![broker],
            controller_id: 1,
            topics: topics.collect(),
            ..Default::default()
        };
        cluster.handle_response(later, number, 12, &response);
    }
}

pub(super) struct World {
    pub(super) group: Group,
    pub(super) now: Instant,
    pub(super) cluster: Cluster,
    /// Requests that are not answered.
    pub(super) asked: Vec<(u64, AnyRequest)>,
    pub(super) events: Vec<GroupEvent>,
    /// Everything else, in words.
    pub(super) done: Vec<GroupOutput>,
    generation: i32,
}

impl World {
    pub(super) fn new(config: GroupConfig, topics: &[(&str, i32)]) -> Self {
        let group = Group::new(ConsumerId(0), config, OffsetReset::Earliest, Entropy::new(1));
        Self {
            group,
            now: START,
            cluster: cluster(topics),
            asked: Vec::new(),
            events: Vec::new(),
            done: Vec::new(),
            generation: 0,
        }
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.group.poll(self.now) {
            match output {
                GroupOutput::Request(request) => {
                    let Request { token: Token::Group(_, number), request, .. } = *request else { panic!() };
                    self.asked.push((number, *request));
                }
                GroupOutput::Event(event) => self.events.push(event),
                GroupOutput::WantTopic(_) => self.group.handle_cluster_change(self.now, &self.cluster),
                other => self.done.push(other),
            }
        }
    }

    pub(super) fn after(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.group.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.group.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self.group.handle_timeout(end);
        self.drain();
    }

    /// The kinds of what is asked and not answered.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        let kind = |(_, request): &(u64, AnyRequest)| match request {
            AnyRequest::FindCoordinator(_) => "find",
            AnyRequest::JoinGroup(_) => "join",
            AnyRequest::SyncGroup(_) => "sync",
            AnyRequest::Heartbeat(_) => "beat",
            AnyRequest::LeaveGroup(_) => "leave",
            AnyRequest::OffsetCommit(_) => "commit",
            AnyRequest::OffsetFetch(_) => "fetch",
            _ => "other",
        };
        self.asked.iter().map(kind).collect()
    }

    pub(super) fn answer(&mut self, kind: &str, response: impl Into<AnyResponse>) {
        let at = self.kinds().iter().position(|each| *each == kind);
        let at = at.unwrap_or_else(|| panic!("{kind} is not asked, but {:?}", self.kinds()));
        let (number, _) = self.asked.remove(at);
        self.group.handle_response(self.now, number, &response.into()).unwrap();
        self.drain();
    }

    pub(super) fn found(&mut self) {
        self.answer("find", FindCoordinatorResponse { node_id: 1, ..Default::default() });
    }

    /// The coordinator lets it join as the only member.
    pub(super) fn joined_alone(&mut self) {
        let Some((_, AnyRequest::JoinGroup(join))) =
            self.asked.iter().find(|(_, request)| matches!(request, AnyRequest::JoinGroup(_)))
        else {
            panic!("{:?}", self.kinds());
        };
        self.generation += 1;
        let member = JoinGroupResponseMember {
            member_id: "m".into(),
            metadata: join.protocols[0].metadata.clone(),
            ..Default::default()
        };
        let response = JoinGroupResponse {
            generation_id: self.generation,
            member_id: "m".into(),
            leader: "m".into(),
            protocol_name: Some(join.protocols[0].name.clone()),
            members: std::vec![member],
            ..Default::default()
        };
        self.answer("join", response);
    }

    pub(super) fn joined_as_follower(&mut self) {
        self.generation += 1;
        let response = JoinGroupResponse {
            generation_id: self.generation,
            member_id: "m".into(),
            leader: "other".into(),
            ..Default::default()
        };
        self.answer("join", response);
    }

    /// The coordinator knows it already, and begins no generation.
    pub(super) fn joined_as_before(&mut self) {
        self.generation -= 1;
        self.joined_as_follower();
    }

    pub(super) fn synced(&mut self, partitions: &[i32]) {
        let partitions = sorted(partitions.iter().map(|at| (Str::from("t"), *at)));
        let assignment = Assignment { partitions, user_data: None }.encode().unwrap();
        self.answer("sync", SyncGroupResponse { assignment, ..Default::default() });
    }

    pub(super) fn beaten(&mut self, error_code: ErrorCode) {
        self.answer("beat", HeartbeatResponse { error_code, ..Default::default() });
    }

    pub(super) fn not_joined(&mut self, error_code: ErrorCode) {
        self.answer("join", JoinGroupResponse { error_code, ..Default::default() });
    }

    pub(super) fn left(&mut self) {
        self.answer("leave", LeaveGroupResponse::default());
    }

    /// What is asked to be committed, and then answered like this.
    pub(super) fn committed(&mut self, code: ErrorCode) -> Vec<(i32, i64)> {
        let request = self.asked.iter().find_map(|(_, request)| match request {
            AnyRequest::OffsetCommit(request) => Some(request.clone()),
            _ => None,
        });
        let OffsetCommitRequest { topics, .. } = request.unwrap_or_else(|| panic!("{:?}", self.kinds()));
        let all: Vec<_> = topics.iter().flat_map(|topic| topic.partitions.clone()).collect();
        let answers = all.iter().map(|each| OffsetCommitResponsePartition {
            partition_index: each.partition_index,
            error_code: code,
            ..Default::default()
        });
        let topic = OffsetCommitResponseTopic {
            name: "t".into(),
            partitions: answers.collect(),
            ..Default::default()
        };
        self.answer("commit", OffsetCommitResponse { topics: std::vec![topic], ..Default::default() });
        all.iter().map(|each| (each.partition_index, each.committed_offset)).collect()
    }

    /// Nothing is committed.
    pub(super) fn fetched(&mut self) {
        self.fetched_but(&[]);
    }

    /// Nothing is committed; what is committed of these partitions may not be known.
    pub(super) fn fetched_but(&mut self, denied: &[i32]) {
        let request = self.asked.iter().find_map(|(_, request)| match request {
            AnyRequest::OffsetFetch(request) => Some(request.clone()),
            _ => None,
        });
        let OffsetFetchRequest { groups, .. } = request.unwrap_or_else(|| panic!("{:?}", self.kinds()));
        let topics = groups[0].topics.iter().flatten().map(|topic| OffsetFetchResponseTopics {
            name: topic.name.clone(),
            partitions: topic
                .partition_indexes
                .iter()
                .map(|at| OffsetFetchResponsePartitions {
                    partition_index: *at,
                    committed_offset: -1,
                    error_code: if denied.contains(at) {
                        ErrorCode::TOPIC_AUTHORIZATION_FAILED
                    } else {
                        ErrorCode::NONE
                    },
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
        let group =
            OffsetFetchResponseGroup { group_id: "g".into(), topics: topics.collect(), ..Default::default() };
        self.answer("fetch", OffsetFetchResponse { groups: std::vec![group], ..Default::default() });
    }

    /// A member that reads these partitions of topic `t`.
    pub(super) fn stable(config: GroupConfig, partitions: &[i32]) -> Self {
        let mut world = Self::new(config, &[("t", 4)]);
        world.group.subscribe(world.now, [Str::from("t")]);
        world.drain();
        world.found();
        world.joined_as_follower();
        world.synced(partitions);
        if !partitions.is_empty() {
            world.fetched();
        }
        assert!(world.group.is_stable(), "{:?}", world.kinds());
        assert_eq!(world.kinds(), [""; 0]);
        world.events.clear();
        world.done.clear();
        world
    }

    pub(super) fn commit(&mut self, operation: u64, partition: i32, offset: i64) {
        let offsets = [(at(partition), crate::group::CommitOffset::new(offset))].into();
        let deadline = self.now + Duration::from_secs(60);
        self.group.commit(self.now, OperationId(operation), offsets, deadline);
        self.drain();
    }

    /// A batch is handed out, given back, and more asked for.
    pub(super) fn read(&mut self, partition: i32, next_offset: i64) {
        let id = self.group.hand_out(self.now, &at(partition), next_offset, None);
        self.group.give_back(&at(partition), id);
        self.group.poll_begin(self.now);
        self.group.poll_end(self.now);
        self.drain();
    }
}

pub(super) fn at(partition: i32) -> TopicPartition {
    ("t".into(), partition)
}
