//! The parts of requests that faults single out: topics and partitions.

use klamm_protocol::messages as m;
use klamm_protocol::{Request, Uuid};

use crate::cluster::faults::Spot;
use crate::cluster::session::Sessions;

/// A request from which faults can single out topics and partitions.
pub(crate) trait Parts: Request {
    /// Whether the request changes something, and its parts can be taken out of it.
    const CAN_SPLIT: bool = false;

    /// Whether it is about any partition at the spot. `sessions` are those of the broker.
    fn touches(&self, _spot: &Spot, _sessions: &Sessions) -> bool {
        false
    }

    /// Takes what is about the spot out, as a request of its own.
    fn take_part(&mut self, _spot: &Spot) -> Option<Self> {
        None
    }

    /// Whether the client expects a response.
    fn expects_answer(&self) -> bool {
        true
    }

    /// Whether the answer waits for others once the request is applied, so that something can go wrong meanwhile.
    fn waits(&self) -> bool {
        true
    }
}

/// Requests that are about no topics, or whose topics cannot be singled out.
macro_rules! whole {
    ($($request:path),* $(,)?) => {
        $(impl Parts for $request {})*
    };
}

/// Requests that change something and have topics with partitions.
macro_rules! split_by_partition {
    ($($request:path: $topics:ident($name:ident $(, $id:ident)?), $partitions:ident($index:ident)
        $(, answered if $answered:expr, waits if $waits:expr)?;)*) => {
        $(impl Parts for $request {
            const CAN_SPLIT: bool = true;

            fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
                self.$topics.iter().any(|topic| {
                    let id = split_by_partition!(@id topic $(, $id)?);
                    topic.$partitions.iter().any(|partition| spot.has(&topic.$name, id, partition.$index))
                })
            }

            fn take_part(&mut self, spot: &Spot) -> Option<Self> {
                let mut part = self.clone();
                for topic in &mut self.$topics {
                    let id = split_by_partition!(@id topic $(, $id)?);
                    let name = &topic.$name;
                    topic.$partitions.retain(|partition| !spot.has(name, id, partition.$index));
                }
                self.$topics.retain(|topic| !topic.$partitions.is_empty());
                for topic in &mut part.$topics {
                    let id = split_by_partition!(@id topic $(, $id)?);
                    let name = &topic.$name;
                    topic.$partitions.retain(|partition| spot.has(name, id, partition.$index));
                }
                part.$topics.retain(|topic| !topic.$partitions.is_empty());
                (!part.$topics.is_empty()).then_some(part)
            }

            $(fn expects_answer(&self) -> bool {
                let answered: fn(&Self) -> bool = $answered;
                answered(self)
            }

            fn waits(&self) -> bool {
                let waits: fn(&Self) -> bool = $waits;
                waits(self)
            })?
        })*
    };
    (@id $topic:ident) => { Uuid::ZERO };
    (@id $topic:ident, $id:ident) => { $topic.$id };
}

/// Requests that change something and have topics.
macro_rules! split_by_topic {
    ($($request:path: $topics:ident;)*) => {
        $(impl Parts for $request {
            const CAN_SPLIT: bool = true;

            fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
                self.$topics.iter().any(|topic| spot.has_topic(&topic.name, Uuid::ZERO))
            }

            fn take_part(&mut self, spot: &Spot) -> Option<Self> {
                let mut part = self.clone();
                self.$topics.retain(|topic| !spot.has_topic(&topic.name, Uuid::ZERO));
                part.$topics.retain(|topic| spot.has_topic(&topic.name, Uuid::ZERO));
                (!part.$topics.is_empty()).then_some(part)
            }
        })*
    };
}

whole! {
    m::add_offsets_to_txn::AddOffsetsToTxnRequest,
    m::alter_configs::AlterConfigsRequest,
    m::api_versions::ApiVersionsRequest,
    m::consumer_group_describe::ConsumerGroupDescribeRequest,
    m::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest,
    m::delete_groups::DeleteGroupsRequest,
    m::describe_cluster::DescribeClusterRequest,
    m::describe_configs::DescribeConfigsRequest,
    m::describe_groups::DescribeGroupsRequest,
    m::describe_log_dirs::DescribeLogDirsRequest,
    m::describe_transactions::DescribeTransactionsRequest,
    m::end_txn::EndTxnRequest,
    m::find_coordinator::FindCoordinatorRequest,
    m::heartbeat::HeartbeatRequest,
    m::incremental_alter_configs::IncrementalAlterConfigsRequest,
    m::init_producer_id::InitProducerIdRequest,
    m::join_group::JoinGroupRequest,
    m::leave_group::LeaveGroupRequest,
    m::list_groups::ListGroupsRequest,
    m::list_transactions::ListTransactionsRequest,
    m::sync_group::SyncGroupRequest,
    m::write_txn_markers::WriteTxnMarkersRequest,
}

split_by_partition! {
    m::produce::ProduceRequest: topic_data(name, topic_id), partition_data(index),
        answered if |request| request.acks != 0, waits if |request| request.acks == -1;
    m::offset_commit::OffsetCommitRequest: topics(name, topic_id), partitions(partition_index);
    m::offset_delete::OffsetDeleteRequest: topics(name), partitions(partition_index);
    m::txn_offset_commit::TxnOffsetCommitRequest: topics(name, topic_id), partitions(partition_index);
    m::delete_records::DeleteRecordsRequest: topics(name), partitions(partition_index);
}

split_by_topic! {
    m::create_topics::CreateTopicsRequest: topics;
    m::create_partitions::CreatePartitionsRequest: topics;
}

impl Parts for m::add_partitions_to_txn::AddPartitionsToTxnRequest {
    fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
        let later = self.transactions.iter().flat_map(|transaction| &transaction.topics);
        later.chain(&self.v3_and_below_topics).any(|topic| {
            topic.partitions.iter().any(|partition| spot.has(&topic.name, Uuid::ZERO, *partition))
        })
    }
}

impl Parts for m::describe_producers::DescribeProducersRequest {
    fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
        let has = |topic: &m::describe_producers::TopicRequest| {
            topic.partition_indexes.iter().any(|index| spot.has(&topic.name, Uuid::ZERO, *index))
        };
        self.topics.iter().any(has)
    }
}

impl Parts for m::delete_topics::DeleteTopicsRequest {
    const CAN_SPLIT: bool = true;

    fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
        let by_name = self.topic_names.iter().any(|name| spot.has_topic(name, Uuid::ZERO));
        by_name || self.topics.iter().any(|topic| has_topic(spot, topic))
    }

    fn take_part(&mut self, spot: &Spot) -> Option<Self> {
        let mut part = self.clone();
        self.topic_names.retain(|name| !spot.has_topic(name, Uuid::ZERO));
        self.topics.retain(|topic| !has_topic(spot, topic));
        part.topic_names.retain(|name| spot.has_topic(name, Uuid::ZERO));
        part.topics.retain(|topic| has_topic(spot, topic));
        let is_empty = part.topic_names.is_empty() && part.topics.is_empty();
        (!is_empty).then_some(part)
    }
}

fn has_topic(spot: &Spot, topic: &m::delete_topics::DeleteTopicState) -> bool {
    spot.has_topic(topic.name.as_deref().unwrap_or_default(), topic.topic_id)
}

impl Parts for m::fetch::FetchRequest {
    fn touches(&self, spot: &Spot, sessions: &Sessions) -> bool {
        let named = self.topics.iter().any(|topic| {
            let has = |index| spot.has(&topic.topic, topic.topic_id, index);
            topic.partitions.iter().any(|partition| has(partition.partition))
        });
        named || self.session_epoch > 0 && sessions.has(self.session_id, |key| spot.has_key(key))
    }
}

impl Parts for m::metadata::MetadataRequest {
    fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
        self.topics.as_ref().is_none_or(|topics| {
            let name = |topic: &m::metadata::MetadataRequestTopic| topic.name.clone().unwrap_or_default();
            topics.iter().any(|topic| spot.has_topic(&name(topic), topic.topic_id))
        })
    }
}

impl Parts for m::list_offsets::ListOffsetsRequest {
    fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
        self.topics.iter().any(|topic| {
            let has = |index| spot.has(&topic.name, Uuid::ZERO, index);
            topic.partitions.iter().any(|partition| has(partition.partition_index))
        })
    }
}

impl Parts for m::offset_for_leader_epoch::OffsetForLeaderEpochRequest {
    fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
        self.topics.iter().any(|topic| {
            let has = |index| spot.has(&topic.topic, Uuid::ZERO, index);
            topic.partitions.iter().any(|partition| has(partition.partition))
        })
    }
}

impl Parts for m::offset_fetch::OffsetFetchRequest {
    fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
        let asks_for_all = self.groups.iter().any(|group| group.topics.is_none())
            || self.groups.is_empty() && self.topics.is_none();
        let old = self.topics.iter().flatten().any(|topic| {
            topic.partition_indexes.iter().any(|index| spot.has(&topic.name, Uuid::ZERO, *index))
        });
        let mut new = self.groups.iter().flat_map(|group| group.topics.iter().flatten());
        asks_for_all
            || old
            || new.any(|topic| {
                let has = |index: &i32| spot.has(&topic.name, topic.topic_id, *index);
                topic.partition_indexes.iter().any(has)
            })
    }
}

impl Parts for m::describe_topic_partitions::DescribeTopicPartitionsRequest {
    fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
        self.topics.is_empty() || self.topics.iter().any(|topic| spot.has_topic(&topic.name, Uuid::ZERO))
    }
}

impl Parts for m::elect_leaders::ElectLeadersRequest {
    const CAN_SPLIT: bool = true;

    fn touches(&self, spot: &Spot, _: &Sessions) -> bool {
        self.topic_partitions.iter().flatten().any(|topic| {
            topic.partitions.iter().any(|partition| spot.has(&topic.topic, Uuid::ZERO, *partition))
        })
    }

    fn take_part(&mut self, spot: &Spot) -> Option<Self> {
        let mut part = self.clone();
        let keep = |topics: &mut Vec<m::elect_leaders::TopicPartitions>, here: bool| {
            for topic in topics.iter_mut() {
                let wanted = topic.partitions.iter().copied();
                let name = &topic.topic;
                topic.partitions =
                    wanted.filter(|index| spot.has(name, Uuid::ZERO, *index) == here).collect();
            }
            topics.retain(|topic| !topic.partitions.is_empty());
            !topics.is_empty()
        };
        keep(self.topic_partitions.as_mut()?, false);
        keep(part.topic_partitions.as_mut()?, true).then_some(part)
    }
}
