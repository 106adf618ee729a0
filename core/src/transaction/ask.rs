//! What is asked of which coordinator, and when.

use alloc::{boxed::Box, collections::BTreeMap, vec, vec::Vec};

use klamm_protocol::{
    Str, Uuid,
    messages::{
        AnyRequest,
        add_offsets_to_txn::AddOffsetsToTxnRequest,
        add_partitions_to_txn::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic},
        end_txn::EndTxnRequest,
        init_producer_id::InitProducerIdRequest,
        txn_offset_commit::{
            TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
        },
    },
};

use super::{
    Transaction, TransactionOutput,
    dialogue::{Asked, UnderWay},
    scope::Offsets,
    table::State,
};
use crate::{
    BrokerId, Instant, Purpose, Request, Target, Token,
    group::TopicPartition,
    producer::ProducerId,
    whereabouts::{self, Coordinated, Whereabouts},
};

/// Later versions are for brokers.
const ADD_PARTITIONS_VERSION: i16 = 3;
/// The last versions of protocol version 1. A later one means version 2, whatever else is said.
const OFFSETS_VERSION_1: i16 = 4;
const END_VERSION_1: i16 = 4;
/// The last version that names topics by name.
const OFFSETS_VERSION_WITH_NAMES: i16 = 5;

const NOBODY: ProducerId = ProducerId { id: -1, epoch: -1 };

impl Transaction {
    /// Makes one request, or takes one step that needs none; returns whether there was one.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        self.dialogue.retry_at.take_if(|at| *at <= now);
        if self.dialogue.is_pausing(now) {
            return false;
        }
        let Some(asked) = self.next_to_ask() else { return false };
        if let (Asked::Partitions(partitions), true) = (&asked, self.scope.implicit) {
            let indices = self.scope.enrol(partitions);
            self.outputs.push_back(TransactionOutput::Enrolled(indices));
            return true;
        }
        let Some(broker) = self.coordinator_of(&asked).and_then(|whereabouts| whereabouts.broker()) else {
            return self.look_for(now, &asked);
        };
        let (message, max_version) = self.message(&asked);
        self.send(asked, Some(broker), message, max_version);
        true
    }

    /// When there will be something to ask.
    pub(super) fn ask_timeout(&self) -> Option<Instant> {
        let group = self.scope.offsets.front().map(|offsets| &offsets.group.group_id);
        self.next_to_ask().and_then(|asked| self.dialogue.poll_timeout(&asked, group))
    }

    fn next_to_ask(&self) -> Option<Asked> {
        match self.state {
            State::Starting => Some(Asked::Init),
            State::Open | State::Flushing if !self.scope.wanted.is_empty() => {
                Some(Asked::Partitions(self.scope.wanted.keys().cloned().collect()))
            }
            State::Open | State::Flushing => {
                let group = &self.scope.offsets.front()?.group.group_id;
                let known = self.scope.implicit || self.scope.groups.contains(group);
                Some(if known { Asked::Offsets } else { Asked::Group(group.clone()) })
            }
            State::Committing => Some(Asked::End { commit: true }),
            State::Aborting => Some(Asked::End { commit: false }),
            State::New | State::Ready | State::Failed | State::Draining | State::InDoubt | State::Dead => {
                None
            }
        }
    }

    /// Who is to be asked that.
    fn coordinator_of(&mut self, asked: &Asked) -> Option<&mut Whereabouts> {
        if *asked != Asked::Offsets {
            return Some(&mut self.dialogue.coordinator);
        }
        let group = self.scope.offsets.front()?.group.group_id.clone();
        let unknown = Whereabouts::new(self.config.backoff);
        Some(self.dialogue.groups.entry(group).or_insert(unknown))
    }

    /// Looks for the coordinator who is to be asked that.
    fn look_for(&mut self, now: Instant, asked: &Asked) -> bool {
        let number = self.dialogue.last + 1;
        let (key, about) = match (asked, self.scope.offsets.front()) {
            (Asked::Offsets, Some(offsets)) => {
                let group = offsets.group.group_id.clone();
                ((Coordinated::Group, group.clone()), Asked::GroupCoordinator(group))
            }
            _ => ((Coordinated::Transaction, self.config.transactional_id.clone()), Asked::Coordinator),
        };
        let Some(whereabouts) = self.coordinator_of(asked) else { return false };
        whereabouts.want();
        let Some(request) = whereabouts.ask(now, number, (key.0, &key.1)) else { return false };
        self.send(about, None, request, whereabouts::MAX_VERSION);
        true
    }

    fn send(
        &mut self,
        asked: Asked,
        broker: Option<BrokerId>,
        message: impl Into<AnyRequest>,
        max_version: i16,
    ) {
        self.dialogue.last += 1;
        let number = self.dialogue.last;
        self.dialogue.under_way = Some(UnderWay { number, asked, broker });
        let (to, purpose) = match broker {
            Some(broker) => (Target::Broker(broker), Purpose::Coordinator),
            None => (Target::Any, Purpose::General),
        };
        let token = Token::Transaction(self.handle, number);
        let mut request = Request::new(to, purpose, token, message, self.config.request_timeout);
        request.max_version = max_version;
        self.outputs.push_back(TransactionOutput::Request(Box::new(request)));
    }

    fn message(&mut self, asked: &Asked) -> (AnyRequest, i16) {
        let ProducerId { id: producer_id, epoch: producer_epoch } = self.name.id.unwrap_or(NOBODY);
        let transactional_id = self.config.transactional_id.clone();
        match asked {
            // Their coordinators are looked for elsewhere.
            Asked::Init | Asked::Coordinator | Asked::GroupCoordinator(_) => {
                let timeout = self.config.timeout.as_millis();
                let request = InitProducerIdRequest {
                    transactional_id: Some(transactional_id),
                    transaction_timeout_ms: i32::try_from(timeout).unwrap_or(i32::MAX),
                    producer_id,
                    producer_epoch,
                    ..Default::default()
                };
                (request.into(), i16::MAX)
            }
            Asked::Partitions(partitions) => {
                let request = AddPartitionsToTxnRequest {
                    v3_and_below_transactional_id: transactional_id,
                    v3_and_below_producer_id: producer_id,
                    v3_and_below_producer_epoch: producer_epoch,
                    v3_and_below_topics: by_topic(partitions),
                    ..Default::default()
                };
                (request.into(), ADD_PARTITIONS_VERSION)
            }
            Asked::Group(group_id) => {
                let request = AddOffsetsToTxnRequest {
                    transactional_id,
                    producer_id,
                    producer_epoch,
                    group_id: group_id.clone(),
                    ..Default::default()
                };
                (request.into(), i16::MAX)
            }
            Asked::Offsets => self.offsets_message(transactional_id),
            Asked::End { commit } => {
                let request = EndTxnRequest {
                    transactional_id,
                    producer_id,
                    producer_epoch,
                    committed: *commit || planted!(AbortCommits),
                    ..Default::default()
                };
                (request.into(), if self.scope.implicit { i16::MAX } else { END_VERSION_1 })
            }
        }
    }

    fn offsets_message(&mut self, transactional_id: Str) -> (AnyRequest, i16) {
        let ProducerId { id: producer_id, epoch: producer_epoch } = self.name.id.unwrap_or(NOBODY);
        let mut request =
            TxnOffsetCommitRequest { transactional_id, producer_id, producer_epoch, ..Default::default() };
        let Some(offsets) = self.scope.offsets.front() else { return (request.into(), i16::MAX) };
        request.group_id = offsets.group.group_id.clone();
        request.generation_id_or_member_epoch = -1;
        if !self.dialogue.anonymous {
            request.generation_id_or_member_epoch = offsets.group.generation;
            request.member_id = offsets.group.member_id.clone();
            request.group_instance_id = offsets.group.instance_id.clone();
        }
        request.topics = offset_topics(offsets);
        let named = request.topics.iter().any(|topic| topic.topic_id.is_zero());
        let max_version = match (self.scope.implicit, named) {
            (false, _) => OFFSETS_VERSION_1,
            (true, true) => OFFSETS_VERSION_WITH_NAMES,
            (true, false) => i16::MAX,
        };
        if self.scope.implicit {
            self.scope.groups.insert(request.group_id.clone());
        }
        (request.into(), max_version)
    }
}

fn by_topic(partitions: &[TopicPartition]) -> Vec<AddPartitionsToTxnTopic> {
    let mut topics: BTreeMap<&Str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let topic = |(name, partitions): (&Str, Vec<i32>)| AddPartitionsToTxnTopic {
        name: name.clone(),
        partitions: partitions.into(),
        ..Default::default()
    };
    topics.into_iter().map(topic).collect()
}

fn offset_topics(offsets: &Offsets) -> Vec<TxnOffsetCommitRequestTopic> {
    let mut topics: Vec<TxnOffsetCommitRequestTopic> = Vec::new();
    for ((topic, partition), commit) in &offsets.left {
        let partition = TxnOffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: commit.offset,
            committed_leader_epoch: commit.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(commit.metadata.clone()),
            ..Default::default()
        };
        match topics.last_mut().filter(|last| last.name == *topic) {
            Some(last) => last.partitions.push(partition),
            None => topics.push(TxnOffsetCommitRequestTopic {
                name: topic.clone(),
                topic_id: offsets.topic_ids.get(topic).copied().unwrap_or(Uuid::ZERO),
                partitions: vec![partition],
                ..Default::default()
            }),
        }
    }
    topics
}
