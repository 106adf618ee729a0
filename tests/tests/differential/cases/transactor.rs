//! A producer with transactions, as a case plays it.

use klamm_protocol::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use klamm_protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use klamm_protocol::messages::describe_producers::{DescribeProducersRequest, TopicRequest};
use klamm_protocol::messages::describe_transactions::DescribeTransactionsRequest;
use klamm_protocol::messages::end_txn::EndTxnRequest;
use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::list_transactions::ListTransactionsRequest;
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::produce::ProduceRequest;
use klamm_protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use klamm_protocol::records::Stamp;
use klamm_protocol::{ErrorCode, Str};
use klamm_tests::Outcome;

use crate::records::batch;
use crate::requests::{fetch_from, produce_to};
use crate::talk::{Connection, FIRST, Talk, Topic};

/// How a client goes about transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// It adds partitions before it produces, and keeps its epoch.
    Old,
    /// The brokers add them, and its epoch rises with each transaction (KIP-890).
    New,
}

/// Who the producer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Producer {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// A producer that has been given its id, and a topic.
pub(super) struct Desk<'a> {
    pub(super) talk: &'a mut Talk,
    pub(super) style: Style,
    pub(super) id: Str,
    /// The coordinator of the transactional id.
    pub(super) at: Connection,
    pub(super) topic: Topic,
    pub(super) producer: Producer,
    pub(super) sequence: i32,
    /// A group, and its coordinator, if there is one.
    group: Option<(Str, Connection)>,
}

/// All of a desk but the talk.
pub(super) struct Packed {
    style: Style,
    id: Str,
    at: Connection,
    topic: Topic,
    producer: Producer,
    sequence: i32,
}

impl<'a> Desk<'a> {
    pub(super) fn open(talk: &'a mut Talk, style: Style) -> Outcome<Self> {
        let topic = talk.topic("t", 1)?;
        Self::with(talk, style, "id", topic)
    }

    pub(super) fn with(talk: &'a mut Talk, style: Style, name: &str, topic: Topic) -> Outcome<Self> {
        // States are settled before they are looked at, but lists of partitions come in any order.
        talk.seen.is_unordered = false;
        let id = talk.name(name);
        let mut at = FIRST;
        let find =
            FindCoordinatorRequest { key_type: 1, coordinator_keys: vec![id.clone()], ..Default::default() };
        let mut producer = Producer { id: -1, epoch: -1 };
        let init = InitProducerIdRequest {
            transactional_id: Some(id.clone()),
            transaction_timeout_ms: 600_000,
            ..InitProducerIdRequest::default()
        };
        // A fresh broker makes the coordinators' topic and gets itself a block of ids first.
        talk.until("a producer id", |talk| {
            let found = talk.quiet(FIRST, 4, &find)?.coordinators.remove(0);
            if !found.error_code.is_ok() {
                return Ok(false);
            }
            at = talk.connect(usize::try_from(found.node_id)?);
            let answer = talk.quiet(at, 4, &init)?;
            producer = Producer { id: answer.producer_id, epoch: answer.producer_epoch };
            Ok(answer.error_code.is_ok())
        })?;
        Ok(Self { talk, style, id, at, topic, producer, sequence: 0, group: None })
    }

    pub(super) fn pack(self) -> Packed {
        let Self { style, id, at, topic, producer, sequence, .. } = self;
        Packed { style, id, at, topic, producer, sequence }
    }

    pub(super) fn unpack(talk: &'a mut Talk, packed: Packed) -> Self {
        let Packed { style, id, at, topic, producer, sequence } = packed;
        Self { talk, style, id, at, topic, producer, sequence, group: None }
    }

    /// From now on it is about an id that nobody has used, at its coordinator.
    pub(super) fn unknown_id(&mut self) -> Outcome<()> {
        self.id = Str::from(format!("{}-unknown", self.id));
        let find = FindCoordinatorRequest {
            key_type: 1,
            coordinator_keys: vec![self.id.clone()],
            ..FindCoordinatorRequest::default()
        };
        let found = self.talk.quiet(FIRST, 4, &find)?.coordinators.remove(0);
        self.at = self.talk.connect(usize::try_from(found.node_id)?);
        Ok(())
    }

    pub(super) fn init_request(&self) -> InitProducerIdRequest {
        InitProducerIdRequest {
            transactional_id: Some(self.id.clone()),
            transaction_timeout_ms: 600_000,
            ..InitProducerIdRequest::default()
        }
    }

    fn take(&mut self, (error, id, epoch): (ErrorCode, i64, i16)) {
        if error.is_ok() && id >= 0 {
            (self.producer, self.sequence) = (Producer { id, epoch }, 0);
        }
    }

    pub(super) fn init(&mut self, step: &str) -> Outcome<()> {
        self.init_in(step, 4)
    }

    pub(super) fn init_in(&mut self, step: &str, version: i16) -> Outcome<()> {
        let request = self.init_request();
        let answer = self.talk.on(self.at, step, version, &request)?;
        self.take((answer.error_code, answer.producer_id, answer.producer_epoch));
        Ok(())
    }

    pub(super) fn init_as(&mut self, step: &str, producer: Producer) -> Outcome<()> {
        let request = InitProducerIdRequest {
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            ..self.init_request()
        };
        let answer = self.talk.on(self.at, step, 4, &request)?;
        self.take((answer.error_code, answer.producer_id, answer.producer_epoch));
        Ok(())
    }

    /// Adds partition 0, if that is the client's to do.
    pub(super) fn begin(&mut self, step: &str) -> Outcome<()> {
        if self.style == Style::Old { self.add(step, 3, &[0]) } else { Ok(()) }
    }

    fn added(&self, partitions: &[i32]) -> Vec<AddPartitionsToTxnTopic> {
        vec![AddPartitionsToTxnTopic {
            name: self.topic.name.clone(),
            partitions: partitions.into(),
            ..AddPartitionsToTxnTopic::default()
        }]
    }

    pub(super) fn add(&mut self, step: &str, version: i16, partitions: &[i32]) -> Outcome<()> {
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.id.clone(),
            v3_and_below_producer_id: self.producer.id,
            v3_and_below_producer_epoch: self.producer.epoch,
            v3_and_below_topics: self.added(partitions),
            ..AddPartitionsToTxnRequest::default()
        };
        self.talk.try_on(self.at, step, version, &request).map(drop)
    }

    pub(super) fn add_as_broker(&mut self, step: &str, version: i16, verify_only: bool) -> Outcome<()> {
        let transaction = AddPartitionsToTxnTransaction {
            transactional_id: self.id.clone(),
            producer_id: self.producer.id,
            producer_epoch: self.producer.epoch,
            verify_only,
            topics: self.added(&[0]),
            ..AddPartitionsToTxnTransaction::default()
        };
        let request = AddPartitionsToTxnRequest { transactions: vec![transaction], ..Default::default() };
        self.talk.try_on(self.at, step, version, &request).map(drop)
    }

    /// Produces to partition 0 under the transactional id, and notes the answer.
    pub(super) fn produce(&mut self, step: &str, values: &[&str]) -> Outcome<()> {
        self.produce_in(step, if self.style == Style::Old { 11 } else { 12 }, values)
    }

    pub(super) fn produce_in(&mut self, step: &str, version: i16, values: &[&str]) -> Outcome<()> {
        let stamp = Stamp::idempotent(self.producer.id, self.producer.epoch, self.sequence).transactional();
        let records = batch(self.talk.epoch_ms, values, &stamp);
        let request = ProduceRequest {
            transactional_id: Some(self.id.clone()),
            ..produce_to(&self.topic, version, -1, 0, records)
        };
        let answer = self.talk.ask(step, version, &request)?;
        let is_written = answer
            .responses
            .iter()
            .all(|topic| topic.partition_responses.iter().all(|partition| partition.error_code.is_ok()));
        if is_written {
            self.sequence += i32::try_from(values.len())?;
        }
        Ok(())
    }

    /// Produces a record to partition 0 that is part of no transaction.
    pub(super) fn plain(&mut self, step: &str) -> Outcome<()> {
        let records = batch(self.talk.epoch_ms, &["plain"], &Stamp::NONE);
        self.talk.produce(step, &self.topic.clone(), records)
    }

    pub(super) fn end(&mut self, step: &str, commit: bool) -> Outcome<()> {
        self.end_in(step, if self.style == Style::Old { 4 } else { 5 }, commit)
    }

    pub(super) fn end_in(&mut self, step: &str, version: i16, committed: bool) -> Outcome<()> {
        let request = EndTxnRequest {
            transactional_id: self.id.clone(),
            producer_id: self.producer.id,
            producer_epoch: self.producer.epoch,
            committed,
            ..EndTxnRequest::default()
        };
        let answer = self.talk.on(self.at, step, version, &request)?;
        if version >= 5 {
            self.take((answer.error_code, answer.producer_id, answer.producer_epoch));
        }
        Ok(())
    }

    /// What the coordinator says where the transaction is.
    fn state(&mut self) -> Outcome<String> {
        let request =
            DescribeTransactionsRequest { transactional_ids: vec![self.id.clone()], ..Default::default() };
        let answer = self.talk.quiet(self.at, 0, &request)?;
        Ok(answer
            .transaction_states
            .first()
            .map(|state| state.transaction_state.to_string())
            .unwrap_or_default())
    }

    /// Waits until no markers are under way, and the end of the log is committed.
    pub(super) fn settle(&mut self) -> Outcome<()> {
        let mut id = Str::default();
        std::mem::swap(&mut id, &mut self.id);
        let request =
            DescribeTransactionsRequest { transactional_ids: vec![id.clone()], ..Default::default() };
        self.id = id;
        let at = self.at;
        self.talk.until("the end of a transaction", |talk| {
            let answer = talk.quiet(at, 0, &request)?;
            Ok(answer.transaction_states.iter().all(|state| !state.transaction_state.starts_with("Prepare")))
        })
    }

    /// Waits until the transaction is not ongoing any more.
    pub(super) fn await_end(&mut self) -> Outcome<()> {
        let start = std::time::Instant::now();
        while self.state()? == "Ongoing" {
            if start.elapsed() > std::time::Duration::from_secs(60) {
                return Err("it goes on for ever".into());
            }
            std::thread::yield_now();
        }
        self.settle()
    }

    pub(super) fn describe(&mut self, step: &str) -> Outcome<()> {
        let request =
            DescribeTransactionsRequest { transactional_ids: vec![self.id.clone()], ..Default::default() };
        let mut answer = self.talk.quiet(self.at, 0, &request)?;
        for topic in answer.transaction_states.iter_mut().flat_map(|state| &mut state.topics) {
            // Which partition of it stands for a group is by the group's name, which differs from run to run.
            if topic.topic == "__consumer_offsets" {
                topic.partitions = [0].as_slice().into();
            }
        }
        self.talk.seen.note_response(step, klamm_protocol::ApiKey::DESCRIBE_TRANSACTIONS, &answer);
        Ok(())
    }

    pub(super) fn describe_producers(&mut self, step: &str) -> Outcome<()> {
        let topic = TopicRequest {
            name: self.topic.name.clone(),
            partition_indexes: [0].as_slice().into(),
            ..TopicRequest::default()
        };
        let request = DescribeProducersRequest { topics: vec![topic], ..Default::default() };
        self.talk.ask(step, 0, &request).map(drop)
    }

    pub(super) fn list(
        &mut self,
        step: &str,
        producers: &[i64],
        states: &[&'static str],
        version: i16,
    ) -> Outcome<()> {
        let request = ListTransactionsRequest {
            producer_id_filters: producers.to_vec(),
            state_filters: states.iter().map(|state| Str::from_static(state)).collect(),
            ..ListTransactionsRequest::default()
        };
        self.talk.on(self.at, step, version, &request).map(drop)
    }

    pub(super) fn list_longer(&mut self, step: &str, producers: &[i64], duration_filter: i64) -> Outcome<()> {
        let request = ListTransactionsRequest {
            producer_id_filters: producers.to_vec(),
            duration_filter,
            ..ListTransactionsRequest::default()
        };
        self.talk.on(self.at, step, 1, &request).map(drop)
    }

    pub(super) fn list_named(&mut self, step: &str, producers: &[i64], pattern: &str) -> Outcome<()> {
        let request = ListTransactionsRequest {
            producer_id_filters: producers.to_vec(),
            transactional_id_pattern: Some(Str::copy_of(pattern)),
            ..ListTransactionsRequest::default()
        };
        self.talk.on(self.at, step, 2, &request).map(drop)
    }

    /// Notes what readers of either kind get of partition 0 from an offset on.
    pub(super) fn read(&mut self, step: &str, offset: i64) -> Outcome<()> {
        for (name, isolation_level) in [("uncommitted", 0), ("committed", 1)] {
            let mut request = fetch_from(&self.topic, 12, offset);
            request.isolation_level = isolation_level;
            self.talk.fetch(FIRST, &format!("{step}, {name}"), 12, &request)?;
        }
        Ok(())
    }

    /// The group of the case, and its coordinator.
    fn group(&mut self) -> Outcome<(Str, Connection)> {
        if self.group.is_none() {
            let name = self.talk.name("group");
            let at = self.talk.coordinator(&name)?;
            self.group = Some((name, at));
        }
        self.group.clone().ok_or_else(|| "no group".into())
    }

    pub(super) fn add_offsets(&mut self, step: &str, version: i16) -> Outcome<()> {
        let (group_id, _) = self.group()?;
        let request = AddOffsetsToTxnRequest {
            transactional_id: self.id.clone(),
            producer_id: self.producer.id,
            producer_epoch: self.producer.epoch,
            group_id,
            ..AddOffsetsToTxnRequest::default()
        };
        self.talk.on(self.at, step, version, &request).map(drop)
    }

    /// Adds the group to the transaction, if that is the client's to do.
    pub(super) fn begin_offsets(&mut self, step: &str) -> Outcome<()> {
        if self.style == Style::Old { self.add_offsets(step, 3) } else { Ok(()) }
    }

    pub(super) fn commit_offset(&mut self, step: &str, offset: i64, generation: i32) -> Outcome<()> {
        self.commit_as(step, offset, (generation, ""))
    }

    pub(super) fn commit_as(&mut self, step: &str, offset: i64, member: (i32, &str)) -> Outcome<()> {
        self.commit_in(step, if self.style == Style::Old { 3 } else { 5 }, offset, member)
    }

    pub(super) fn commit_in(
        &mut self,
        step: &str,
        version: i16,
        offset: i64,
        (generation, member): (i32, &str),
    ) -> Outcome<()> {
        let (group_id, at) = self.group()?;
        let partition = TxnOffsetCommitRequestPartition {
            committed_offset: offset,
            committed_metadata: Some("note".into()),
            ..TxnOffsetCommitRequestPartition::default()
        };
        let topic = TxnOffsetCommitRequestTopic {
            name: self.topic.name.clone(),
            partitions: vec![partition],
            ..TxnOffsetCommitRequestTopic::default()
        };
        let is_telling = version >= 3;
        let request = TxnOffsetCommitRequest {
            transactional_id: self.id.clone(),
            group_id,
            producer_id: self.producer.id,
            producer_epoch: self.producer.epoch,
            generation_id_or_member_epoch: if is_telling { generation } else { -1 },
            member_id: if is_telling { Str::copy_of(member) } else { Str::default() },
            topics: vec![topic],
            ..TxnOffsetCommitRequest::default()
        };
        self.talk.on(at, step, version, &request).map(drop)
    }

    /// Commits outside of the transaction.
    pub(super) fn commit_plainly(&mut self, step: &str, offset: i64) -> Outcome<()> {
        let (group_id, at) = self.group()?;
        let partition = OffsetCommitRequestPartition {
            committed_offset: offset,
            committed_metadata: Some("plain".into()),
            ..OffsetCommitRequestPartition::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: self.topic.name.clone(),
            partitions: vec![partition],
            ..OffsetCommitRequestTopic::default()
        };
        let request = OffsetCommitRequest {
            group_id,
            generation_id_or_member_epoch: -1,
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        };
        self.talk.on(at, step, 8, &request).map(drop)
    }

    fn committed_request(&mut self, require_stable: bool) -> Outcome<(Connection, OffsetFetchRequest)> {
        let (group_id, at) = self.group()?;
        let topic = OffsetFetchRequestTopics {
            name: self.topic.name.clone(),
            partition_indexes: [0].as_slice().into(),
            ..OffsetFetchRequestTopics::default()
        };
        let group = OffsetFetchRequestGroup { group_id, topics: Some(vec![topic]), ..Default::default() };
        Ok((at, OffsetFetchRequest { groups: vec![group], require_stable, ..OffsetFetchRequest::default() }))
    }

    /// Notes what is committed for partition 0, and for all.
    pub(super) fn committed(&mut self, step: &str, require_stable: bool) -> Outcome<()> {
        let (at, mut request) = self.committed_request(require_stable)?;
        self.talk.on(at, step, 8, &request)?;
        request.groups.iter_mut().for_each(|group| group.topics = None);
        self.talk.on(at, &format!("{step}, all"), 8, &request).map(drop)
    }

    /// Waits until the group's coordinator has heard of the end of the transaction.
    pub(super) fn settle_offsets(&mut self) -> Outcome<()> {
        let (at, request) = self.committed_request(true)?;
        self.talk.until("stable offsets", |talk| {
            let answer = talk.quiet(at, 8, &request)?;
            let mut topics = answer.groups.iter().flat_map(|group| &group.topics);
            Ok(topics.all(|topic| {
                topic
                    .partitions
                    .iter()
                    .all(|partition| partition.error_code != ErrorCode::UNSTABLE_OFFSET_COMMIT)
            }))
        })
    }
}
