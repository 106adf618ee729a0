//! What faults change in responses of any API: the throttle time, tagged fields, and errors of single entries.

use bytes::Bytes;
use klamm_protocol::messages as m;
use klamm_protocol::{ErrorCode, Message, Uuid};

use crate::cluster::faults::Spot;

/// The number of a tagged field that no release has.
const FUTURE_TAG: u32 = 9_999;

/// A response that faults can change.
pub(crate) trait Answer: Message {
    fn set_throttle_time(&mut self, millis: i32);

    /// The error of the request as a whole, in responses that have one.
    fn error(&self) -> ErrorCode {
        ErrorCode::NONE
    }

    /// Adds a tagged field that nobody knows.
    fn add_unknown_tag(&mut self);

    /// Puts the entries of another response into the place of those for the same topics and partitions.
    fn replace_entries(&mut self, _entries: Self) {}

    /// Has each entry at the spot say an error, as a broker says it. Returns false if there is no such entry.
    fn fail_entries(&mut self, _spot: &Spot, _error: ErrorCode) -> bool {
        false
    }
}

macro_rules! common {
    () => {
        fn set_throttle_time(&mut self, millis: i32) {
            self.throttle_time_ms = millis;
        }

        fn add_unknown_tag(&mut self) {
            self.unknown_tags.insert(FUTURE_TAG, Bytes::from_static(b"future"));
        }
    };
}

/// Responses whose entries have no errors, or none that can be told apart by topic.
macro_rules! plain {
    ($($response:path),* $(,)?) => {
        $(impl Answer for $response {
            common!();
        })*
    };
}

/// Responses whose only error is that of the whole, or whose entries are somebody else's to change.
macro_rules! whole {
    ($($response:path),* $(,)?) => {
        $(impl Answer for $response {
            common!();

            fn error(&self) -> ErrorCode {
                self.error_code
            }
        })*
    };
}

/// Responses of requests that change something, with an entry for each topic and in it one for each partition, or
/// with an entry for each topic only.
macro_rules! replaceable {
    ($($response:path: $topics:ident by $($key:ident)&+ $(, $partitions:ident by $index:ident)?;)*) => {
        $(impl Answer for $response {
            common!();

            fn replace_entries(&mut self, entries: Self) {
                for topic in entries.$topics {
                    let known = self.$topics.iter_mut().find(|known| $(known.$key == topic.$key)&&+);
                    let Some(known) = known else {
                        self.$topics.push(topic);
                        continue;
                    };
                    replaceable!(@entry known, topic $(, $partitions by $index)?);
                }
            }
        })*
    };
    (@entry $known:ident, $topic:ident) => {
        *$known = $topic;
    };
    (@entry $known:ident, $topic:ident, $partitions:ident by $index:ident) => {
        for partition in $topic.$partitions {
            match $known.$partitions.iter_mut().find(|known| known.$index == partition.$index) {
                Some(place) => *place = partition,
                None => $known.$partitions.push(partition),
            }
        }
    };
}

plain! {
    m::alter_configs::AlterConfigsResponse,
    m::consumer_group_describe::ConsumerGroupDescribeResponse,
    m::delete_groups::DeleteGroupsResponse,
    m::describe_configs::DescribeConfigsResponse,
    m::describe_groups::DescribeGroupsResponse,
    m::describe_transactions::DescribeTransactionsResponse,
    m::incremental_alter_configs::IncrementalAlterConfigsResponse,
}

whole! {
    m::add_offsets_to_txn::AddOffsetsToTxnResponse,
    m::api_versions::ApiVersionsResponse,
    m::consumer_group_heartbeat::ConsumerGroupHeartbeatResponse,
    m::describe_cluster::DescribeClusterResponse,
    m::describe_log_dirs::DescribeLogDirsResponse,
    m::end_txn::EndTxnResponse,
    m::fetch::FetchResponse,
    m::find_coordinator::FindCoordinatorResponse,
    m::heartbeat::HeartbeatResponse,
    m::init_producer_id::InitProducerIdResponse,
    m::join_group::JoinGroupResponse,
    m::leave_group::LeaveGroupResponse,
    m::list_groups::ListGroupsResponse,
    m::list_transactions::ListTransactionsResponse,
    m::sync_group::SyncGroupResponse,
}

replaceable! {
    m::produce::ProduceResponse: responses by name & topic_id, partition_responses by index;
    m::offset_commit::OffsetCommitResponse: topics by name & topic_id, partitions by partition_index;
    m::offset_delete::OffsetDeleteResponse: topics by name, partitions by partition_index;
    m::delete_records::DeleteRecordsResponse: topics by name, partitions by partition_index;
    m::txn_offset_commit::TxnOffsetCommitResponse: topics by name & topic_id, partitions by partition_index;
    m::elect_leaders::ElectLeadersResponse: replica_election_results by topic, partition_result by partition_id;
    m::create_topics::CreateTopicsResponse: topics by name;
    m::create_partitions::CreatePartitionsResponse: results by name;
    m::delete_topics::DeleteTopicsResponse: responses by name & topic_id;
}

impl Answer for m::write_txn_markers::WriteTxnMarkersResponse {
    fn set_throttle_time(&mut self, _: i32) {}

    fn add_unknown_tag(&mut self) {
        self.unknown_tags.insert(FUTURE_TAG, Bytes::from_static(b"future"));
    }
}

impl Answer for m::add_partitions_to_txn::AddPartitionsToTxnResponse {
    common!();

    fn error(&self) -> ErrorCode {
        self.error_code
    }

    fn fail_entries(&mut self, spot: &Spot, error: ErrorCode) -> bool {
        let mut is_any = false;
        let later = self.results_by_transaction.iter_mut().flat_map(|result| &mut result.topic_results);
        for topic in later.chain(&mut self.results_by_topic_v3_and_below) {
            for partition in &mut topic.results_by_partition {
                let is_here = spot.has(&topic.name, Uuid::ZERO, partition.partition_index);
                is_any |= is_here;
                partition.partition_error_code = match is_here {
                    true => error,
                    // One that is refused has the others not even tried.
                    false => ErrorCode::OPERATION_NOT_ATTEMPTED,
                };
            }
        }
        is_any
    }
}

impl Answer for m::describe_producers::DescribeProducersResponse {
    common!();

    fn fail_entries(&mut self, spot: &Spot, error: ErrorCode) -> bool {
        let mut is_any = false;
        for topic in &mut self.topics {
            for partition in &mut topic.partitions {
                if spot.has(&topic.name, Uuid::ZERO, partition.partition_index) {
                    (partition.error_code, is_any) = (error, true);
                    partition.active_producers.clear();
                }
            }
        }
        is_any
    }
}

impl Answer for m::list_offsets::ListOffsetsResponse {
    common!();

    fn fail_entries(&mut self, spot: &Spot, error: ErrorCode) -> bool {
        let partitions = self.topics.iter_mut().flat_map(|topic| {
            let name = topic.name.clone();
            let here = move |index| spot.has(&name, Uuid::ZERO, index);
            topic.partitions.iter_mut().filter(move |partition| here(partition.partition_index))
        });
        let fail = |partition: &mut m::list_offsets::ListOffsetsPartitionResponse| {
            *partition = m::list_offsets::ListOffsetsPartitionResponse {
                partition_index: partition.partition_index,
                error_code: error,
                ..m::list_offsets::ListOffsetsPartitionResponse::default()
            };
        };
        partitions.map(fail).count() > 0
    }
}

impl Answer for m::offset_for_leader_epoch::OffsetForLeaderEpochResponse {
    common!();

    fn fail_entries(&mut self, spot: &Spot, error: ErrorCode) -> bool {
        let partitions = self.topics.iter_mut().flat_map(|topic| {
            let name = topic.topic.clone();
            let here = move |index| spot.has(&name, Uuid::ZERO, index);
            topic.partitions.iter_mut().filter(move |partition| here(partition.partition))
        });
        let fail = |partition: &mut m::offset_for_leader_epoch::EpochEndOffset| {
            (partition.error_code, partition.end_offset, partition.leader_epoch) = (error, -1, -1);
        };
        partitions.map(fail).count() > 0
    }
}

impl Answer for m::offset_fetch::OffsetFetchResponse {
    common!();

    fn fail_entries(&mut self, spot: &Spot, error: ErrorCode) -> bool {
        let mut any = false;
        for topic in &mut self.topics {
            for partition in &mut topic.partitions {
                if spot.has(&topic.name, Uuid::ZERO, partition.partition_index) {
                    (partition.error_code, partition.committed_offset) = (error, -1);
                    any = true;
                }
            }
        }
        for topic in self.groups.iter_mut().flat_map(|group| &mut group.topics) {
            for partition in &mut topic.partitions {
                if spot.has(&topic.name, topic.topic_id, partition.partition_index) {
                    (partition.error_code, partition.committed_offset) = (error, -1);
                    any = true;
                }
            }
        }
        any
    }
}

impl Answer for m::metadata::MetadataResponse {
    common!();

    fn fail_entries(&mut self, spot: &Spot, error: ErrorCode) -> bool {
        let mut any = false;
        for topic in &mut self.topics {
            let name = topic.name.as_deref().unwrap_or_default();
            if !spot.has_topic(name, topic.topic_id) {
                continue;
            }
            if spot.is_whole_topic() {
                topic.error_code = error;
                topic.partitions.clear();
                any = true;
                continue;
            }
            for partition in &mut topic.partitions {
                if spot.has(name, topic.topic_id, partition.partition_index) {
                    (partition.error_code, partition.leader_id) = (error, -1);
                    any = true;
                }
            }
        }
        any
    }
}

impl Answer for m::describe_topic_partitions::DescribeTopicPartitionsResponse {
    common!();

    fn fail_entries(&mut self, spot: &Spot, error: ErrorCode) -> bool {
        let here = |topic: &&mut m::describe_topic_partitions::DescribeTopicPartitionsResponseTopic| {
            spot.has_topic(topic.name.as_deref().unwrap_or_default(), topic.topic_id)
        };
        let fail = |topic: &mut m::describe_topic_partitions::DescribeTopicPartitionsResponseTopic| {
            topic.error_code = error;
            topic.partitions.clear();
        };
        self.topics.iter_mut().filter(here).map(fail).count() > 0
    }
}
