//! Operations on transactions: first who coordinates each, or leads each partition, then each of those brokers.

#[cfg(test)]
mod tests;
mod types;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest, AnyResponse,
        describe_producers::{DescribeProducersRequest, DescribeProducersResponse, TopicRequest},
        describe_transactions::{DescribeTransactionsRequest, DescribeTransactionsResponse},
        find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse},
        list_transactions::{ListTransactionsRequest, ListTransactionsResponse},
        metadata::MetadataResponse,
        write_txn_markers::{
            WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
        },
    },
};

pub use types::{
    HangingTransaction, PartitionProducer, TransactionDescription, TransactionListing, TransactionsCommand,
    TransactionsReply,
};

use super::{
    AdminError, PerItem,
    describe::{Describe, metadata_of},
    operation::{Ask, Verdict},
};
use crate::{BrokerId, Misbehaved, Target};

/// FindCoordinator asks for one key up to this version, which all brokers have.
const ONE_COORDINATOR: i16 = 3;

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    /// What this broker coordinates.
    Broker(BrokerId),
    Id(Str),
    Partition(Str, i32),
}

/// What a request asks for.
#[derive(Clone, Debug)]
enum Asked {
    Brokers,
    Coordinator(Str),
    Leaders,
    Items(Vec<Item>),
}

/// An operation on transactions.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) command: TransactionsCommand,
    /// `None`: the brokers are not known yet.
    todo: Option<BTreeSet<Item>>,
    located: BTreeMap<Item, BrokerId>,
    /// What each request of this round asks for, the first last.
    round: Vec<Asked>,
    asked: BTreeMap<u64, Asked>,
    pub(super) reply: TransactionsReply,
}

impl Transactions {
    pub(super) fn new(command: TransactionsCommand) -> Self {
        let partition = |(topic, partition): &(Str, i32)| Item::Partition(topic.clone(), *partition);
        let (todo, reply) = match &command {
            TransactionsCommand::List { .. } => (None, TransactionsReply::List(PerItem::new())),
            TransactionsCommand::Describe { ids } => {
                let ids = ids.iter().cloned().map(Item::Id).collect();
                (Some(ids), TransactionsReply::Describe(PerItem::new()))
            }
            TransactionsCommand::DescribeProducers { partitions } => {
                let partitions = partitions.iter().map(partition).collect();
                (Some(partitions), TransactionsReply::DescribeProducers(PerItem::new()))
            }
            TransactionsCommand::Abort(hanging) => {
                let item = Item::Partition(hanging.topic.clone(), hanging.partition);
                (Some(BTreeSet::from([item])), TransactionsReply::Abort(PerItem::new()))
            }
        };
        Self { command, todo, located: BTreeMap::new(), round: Vec::new(), asked: BTreeMap::new(), reply }
    }

    pub(super) fn ask(&mut self) -> Vec<Ask> {
        let (asks, mut round): (Vec<Ask>, Vec<Asked>) = self.next_asks().into_iter().unzip();
        // `asked` takes from the end.
        round.reverse();
        self.round = round;
        asks
    }

    /// The next request of the round has this number.
    pub(super) fn asked(&mut self, serial: u64) {
        if let Some(asked) = self.round.pop() {
            self.asked.insert(serial, asked);
        }
    }

    fn next_asks(&self) -> Vec<(Ask, Asked)> {
        let Some(todo) = &self.todo else {
            return Describe::ask_all(true).into_iter().map(|ask| (ask, Asked::Brokers)).collect();
        };
        let mut asks = Vec::new();
        let mut topics = BTreeSet::new();
        let mut by_broker: BTreeMap<BrokerId, Vec<Item>> = BTreeMap::new();
        for item in todo {
            match (self.located.get(item), item) {
                (Some(broker), _) => by_broker.entry(*broker).or_default().push(item.clone()),
                (None, Item::Broker(broker)) => by_broker.entry(*broker).or_default().push(item.clone()),
                (None, Item::Partition(topic, _)) => drop(topics.insert(topic)),
                (None, Item::Id(id)) => {
                    let request =
                        FindCoordinatorRequest { key: id.clone(), key_type: 1, ..Default::default() };
                    let ask = Ask { to: Target::Any, request: request.into(), max_version: ONE_COORDINATOR };
                    asks.push((ask, Asked::Coordinator(id.clone())));
                }
            }
        }
        if !topics.is_empty() {
            let request = metadata_of(&topics.into_iter().collect::<Vec<_>>());
            let ask = Ask { to: Target::Any, request: request.into(), max_version: i16::MAX };
            asks.push((ask, Asked::Leaders));
        }
        for (broker, items) in by_broker {
            let request = self.request(&items);
            let ask = Ask { to: Target::Broker(broker), request, max_version: i16::MAX };
            asks.push((ask, Asked::Items(items)));
        }
        asks
    }

    fn request(&self, items: &[Item]) -> AnyRequest {
        match &self.command {
            TransactionsCommand::List { producer_ids } => {
                let producer_id_filters = producer_ids.clone();
                ListTransactionsRequest { producer_id_filters, ..Default::default() }.into()
            }
            TransactionsCommand::Describe { .. } => {
                let id = |item: &Item| if let Item::Id(id) = item { Some(id.clone()) } else { None };
                let transactional_ids = items.iter().filter_map(id).collect();
                DescribeTransactionsRequest { transactional_ids, ..Default::default() }.into()
            }
            TransactionsCommand::DescribeProducers { .. } => {
                let mut topics: BTreeMap<&Str, Vec<i32>> = BTreeMap::new();
                for item in items {
                    if let Item::Partition(topic, partition) = item {
                        topics.entry(topic).or_default().push(*partition);
                    }
                }
                let topic = |(name, partitions): (&Str, Vec<i32>)| TopicRequest {
                    name: name.clone(),
                    partition_indexes: partitions.into(),
                    ..Default::default()
                };
                let topics = topics.into_iter().map(topic).collect();
                DescribeProducersRequest { topics, ..Default::default() }.into()
            }
            TransactionsCommand::Abort(hanging) => {
                let topic = WritableTxnMarkerTopic {
                    name: hanging.topic.clone(),
                    partition_indexes: vec![hanging.partition].into(),
                    ..Default::default()
                };
                let marker = WritableTxnMarker {
                    producer_id: hanging.producer_id,
                    producer_epoch: hanging.producer_epoch,
                    transaction_result: false,
                    topics: vec![topic],
                    coordinator_epoch: hanging.coordinator_epoch,
                    ..Default::default()
                };
                WriteTxnMarkersRequest { markers: vec![marker], ..Default::default() }.into()
            }
        }
    }

    pub(super) fn answer(&mut self, serial: u64, response: AnyResponse) -> Result<Verdict, Misbehaved> {
        let mut verdict = Verdict::default();
        match (self.asked.remove(&serial), response) {
            (Some(Asked::Brokers), AnyResponse::Metadata(response)) => {
                let brokers = response.brokers.iter().map(|broker| Item::Broker(BrokerId(broker.node_id)));
                self.todo = Some(brokers.collect());
            }
            (Some(Asked::Coordinator(id)), AnyResponse::FindCoordinator(response)) => {
                self.answer_coordinator(id, response, &mut verdict);
            }
            (Some(Asked::Leaders), AnyResponse::Metadata(response)) => {
                self.answer_leaders(&response, &mut verdict);
            }
            (Some(Asked::Items(items)), response) => match response {
                AnyResponse::ListTransactions(response) => self.answer_list(&items, response, &mut verdict),
                AnyResponse::DescribeTransactions(response) => {
                    self.answer_described(response, &mut verdict);
                }
                AnyResponse::DescribeProducers(response) => self.answer_producers(response, &mut verdict),
                AnyResponse::WriteTxnMarkers(response) => self.answer_aborted(&response, &mut verdict),
                _ => return Err(Misbehaved::Nonsense("an answer to another request")),
            },
            _ => return Err(Misbehaved::Nonsense("an answer to another request")),
        }
        Ok(verdict)
    }

    fn answer_coordinator(&mut self, id: Str, response: FindCoordinatorResponse, verdict: &mut Verdict) {
        if response.error_code.is_ok() && response.node_id >= 0 {
            self.located.insert(Item::Id(id), BrokerId(response.node_id));
        } else if response.error_code.is_ok() || response.error_code.is_retriable() {
            verdict.retry = Some((ErrorCode::COORDINATOR_NOT_AVAILABLE, response.error_message));
        } else {
            let error = AdminError::refused(response.error_code, response.error_message);
            self.fail(&Item::Id(id), error);
        }
    }

    fn answer_leaders(&mut self, response: &MetadataResponse, verdict: &mut Verdict) {
        let unlocated = |item: &&Item| !self.located.contains_key(*item);
        let wanted: Vec<Item> = self.todo.iter().flatten().filter(unlocated).cloned().collect();
        for item in wanted {
            let Item::Partition(topic, number) = &item else { continue };
            let described = response.topics.iter().find(|each| each.name.as_ref() == Some(topic));
            let partition = described
                .and_then(|topic| topic.partitions.iter().find(|each| each.partition_index == *number));
            match (described.map(|topic| topic.error_code), partition) {
                (_, Some(partition)) if partition.leader_id >= 0 => {
                    self.located.insert(item, BrokerId(partition.leader_id));
                }
                (_, Some(_)) | (Some(ErrorCode::LEADER_NOT_AVAILABLE), None) => {
                    verdict.retry = Some((ErrorCode::LEADER_NOT_AVAILABLE, None));
                }
                (Some(code), None) if code.is_error() => self.fail(&item, AdminError::refused(code, None)),
                _ => {
                    self.fail(&item, AdminError::refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None));
                }
            }
        }
    }

    fn answer_list(&mut self, items: &[Item], response: ListTransactionsResponse, verdict: &mut Verdict) {
        let Some(item @ Item::Broker(broker)) = items.first() else { return };
        if self.passes(item, response.error_code, None, verdict) {
            return;
        }
        if response.error_code.is_error() {
            return self.fail(item, AdminError::refused(response.error_code, None));
        }
        let listed = response.transaction_states.into_iter().map(|listed| TransactionListing {
            transactional_id: listed.transactional_id,
            producer_id: listed.producer_id,
            state: listed.transaction_state,
        });
        let listed = listed.collect();
        self.done(item);
        if let TransactionsReply::List(answers) = &mut self.reply {
            answers.insert(*broker, Ok(listed));
        }
    }

    fn answer_described(&mut self, response: DescribeTransactionsResponse, verdict: &mut Verdict) {
        for described in response.transaction_states {
            let item = Item::Id(described.transactional_id.clone());
            if self.passes(&item, described.error_code, None, verdict) {
                continue;
            }
            if described.error_code.is_error() {
                self.fail(&item, AdminError::refused(described.error_code, None));
                continue;
            }
            let coordinator = self.located.get(&item).copied().unwrap_or(BrokerId(-1));
            let topics = described.topics.into_iter();
            let description = TransactionDescription {
                coordinator,
                producer_id: described.producer_id,
                producer_epoch: described.producer_epoch,
                state: described.transaction_state,
                timeout_ms: described.transaction_timeout_ms,
                started_ms: Some(described.transaction_start_time_ms).filter(|start| *start >= 0),
                partitions: topics.map(|topic| (topic.topic, topic.partitions.to_vec())).collect(),
            };
            self.done(&item);
            if let TransactionsReply::Describe(answers) = &mut self.reply {
                answers.insert(described.transactional_id, Ok(description));
            }
        }
    }

    fn answer_producers(&mut self, response: DescribeProducersResponse, verdict: &mut Verdict) {
        for topic in response.topics {
            for partition in topic.partitions {
                let item = Item::Partition(topic.name.clone(), partition.partition_index);
                let (code, message) = (partition.error_code, partition.error_message);
                if self.passes(&item, code, message.clone(), verdict) {
                    continue;
                }
                if code.is_error() {
                    self.fail(&item, AdminError::refused(code, message));
                    continue;
                }
                let producers = partition.active_producers.into_iter().map(|producer| PartitionProducer {
                    producer_id: producer.producer_id,
                    producer_epoch: producer.producer_epoch,
                    last_sequence: producer.last_sequence,
                    last_timestamp_ms: producer.last_timestamp,
                    coordinator_epoch: producer.coordinator_epoch,
                    transaction_start_offset: Some(producer.current_txn_start_offset)
                        .filter(|offset| *offset >= 0),
                });
                let producers = producers.collect();
                self.done(&item);
                if let TransactionsReply::DescribeProducers(answers) = &mut self.reply {
                    answers.insert((topic.name.clone(), partition.partition_index), Ok(producers));
                }
            }
        }
    }

    fn answer_aborted(&mut self, response: &WriteTxnMarkersResponse, verdict: &mut Verdict) {
        for topic in response.markers.iter().flat_map(|marker| &marker.topics) {
            for partition in &topic.partitions {
                let item = Item::Partition(topic.name.clone(), partition.partition_index);
                if self.passes(&item, partition.error_code, None, verdict) {
                    continue;
                }
                if partition.error_code.is_error() {
                    self.fail(&item, AdminError::refused(partition.error_code, None));
                    continue;
                }
                self.done(&item);
                if let TransactionsReply::Abort(answers) = &mut self.reply {
                    answers.insert((topic.name.clone(), partition.partition_index), Ok(()));
                }
            }
        }
    }

    /// Whether an error passes by itself, so that the same is asked again, of another broker if need be.
    fn passes(&mut self, item: &Item, code: ErrorCode, message: Option<Str>, verdict: &mut Verdict) -> bool {
        if !code.is_retriable() {
            return false;
        }
        let moved = code.is_stale_metadata()
            || matches!(code, ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR);
        if moved {
            self.located.remove(item);
        }
        verdict.retry = Some((code, message));
        true
    }

    fn done(&mut self, item: &Item) {
        if let Some(todo) = &mut self.todo {
            todo.remove(item);
        }
    }

    fn fail(&mut self, item: &Item, error: AdminError) {
        self.done(item);
        match (&mut self.reply, item.clone()) {
            (TransactionsReply::List(answers), Item::Broker(broker)) => {
                drop(answers.insert(broker, Err(error)));
            }
            (TransactionsReply::Describe(answers), Item::Id(id)) => drop(answers.insert(id, Err(error))),
            (TransactionsReply::DescribeProducers(answers), Item::Partition(topic, at)) => {
                drop(answers.insert((topic, at), Err(error)));
            }
            (TransactionsReply::Abort(answers), Item::Partition(topic, at)) => {
                drop(answers.insert((topic, at), Err(error)));
            }
            _ => {}
        }
    }

    /// A request got no answer: another broker may be responsible by now.
    pub(super) fn lost(&mut self, serial: u64) {
        if let Some(Asked::Items(items)) = self.asked.remove(&serial) {
            for item in items {
                self.located.remove(&item);
            }
        }
    }

    /// Ends it with this error for all that is not answered. Returns whether nothing is known at all.
    pub(super) fn give_up(&mut self, error: &AdminError) -> bool {
        let Some(todo) = self.todo.clone() else { return true };
        for item in &todo {
            self.fail(item, error.clone());
        }
        let failed = |answer: Option<&AdminError>| answer == Some(error);
        match &self.reply {
            TransactionsReply::List(answers) => answers.values().all(|answer| failed(answer.as_ref().err())),
            TransactionsReply::Describe(answers) => {
                answers.values().all(|answer| failed(answer.as_ref().err()))
            }
            TransactionsReply::DescribeProducers(answers) => {
                answers.values().all(|answer| failed(answer.as_ref().err()))
            }
            TransactionsReply::Abort(answers) => answers.values().all(|answer| failed(answer.as_ref().err())),
        }
    }

    pub(super) const fn changes_the_cluster(&self) -> bool {
        matches!(self.command, TransactionsCommand::Abort(_))
    }
}
