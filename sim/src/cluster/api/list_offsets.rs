//! ListOffsets (2).

use std::collections::BTreeSet;

use klamm_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::session::TopicRef;
use crate::cluster::topics::Replica;
use crate::cluster::{Cluster, Origin, batches};

/// The isolation level of who reads committed records only.
const COMMITTED: i8 = 1;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// From this version on a client knows the error `OFFSET_NOT_AVAILABLE` (KIP-207).
const FIRST_WITH_NOT_AVAILABLE: i16 = 5;

impl Serve for ListOffsetsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<ListOffsetsResponse> {
        if self.isolation_level != 0 && self.isolation_level != 1 {
            return Reply::Now(self.refuse(ErrorCode::UNKNOWN_SERVER_ERROR));
        }
        let repeated = repeated(&self);
        let mut response = answer(&self, |topic, wanted| {
            if repeated.contains(&(topic, wanted.partition_index)) {
                return failed(wanted, ErrorCode::INVALID_REQUEST);
            }
            list(cluster, origin, topic, wanted, self.isolation_level == COMMITTED)
                .unwrap_or_else(|error| failed(wanted, error))
        });
        // What is named more than once is answered once.
        for topic in &mut response.topics {
            let mut answered = BTreeSet::new();
            topic.partitions.retain(|partition| answered.insert(partition.partition_index));
        }
        Reply::Now(response)
    }

    fn refuse(&self, error: ErrorCode) -> ListOffsetsResponse {
        answer(self, |_, wanted| failed(wanted, error))
    }
}

/// The partitions that a request names more than once.
fn repeated(request: &ListOffsetsRequest) -> BTreeSet<(&Str, i32)> {
    let mut named = BTreeSet::new();
    let all = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (&topic.name, partition.partition_index)));
    all.filter(|partition| !named.insert(*partition)).collect()
}

fn answer(
    request: &ListOffsetsRequest,
    partition: impl Fn(&Str, &ListOffsetsPartition) -> ListOffsetsPartitionResponse,
) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|wanted| partition(&topic.name, wanted)).collect(),
        ..ListOffsetsTopicResponse::default()
    });
    ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
}

fn failed(wanted: &ListOffsetsPartition, error: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index: wanted.partition_index,
        error_code: error,
        timestamp: -1,
        offset: -1,
        leader_epoch: -1,
        ..ListOffsetsPartitionResponse::default()
    }
}

fn list(
    cluster: &Cluster,
    origin: &Origin,
    topic: &Str,
    wanted: &ListOffsetsPartition,
    committed_only: bool,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let topic = TopicRef::Name(topic.clone());
    let (partition, replica) =
        cluster.led(origin, &topic, wanted.partition_index, wanted.current_leader_epoch)?;
    if origin.version == 0 {
        return Ok(list_segments(replica, wanted));
    }
    let least_version = match wanted.timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        i64::MIN..0 if !matches!(wanted.timestamp, LATEST | EARLIEST) => i16::MAX,
        _ => 0,
    };
    if origin.version < least_version {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    let (store, log) = (&partition.store, &replica.log);
    let end = if committed_only { replica.last_stable_offset() } else { replica.high_watermark };
    let (timestamp, offset) = match wanted.timestamp {
        LATEST => (-1, end),
        EARLIEST | EARLIEST_LOCAL => (-1, log.start_offset()),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => (-1, -1),
        MAX_TIMESTAMP => batches::record_of_highest_timestamp(store, log).unwrap_or((-1, -1)),
        timestamp => batches::record_by_timestamp(store, log, timestamp).unwrap_or((-1, -1)),
    };
    let is_behind = replica.leading.epoch_start > replica.high_watermark;
    let is_search = !matches!(wanted.timestamp, LATEST | EARLIEST | EARLIEST_LOCAL);
    let finds_nothing = is_search && (offset < 0 || offset >= end);
    if is_behind && (wanted.timestamp == LATEST || finds_nothing) {
        // What the leader before had committed may be more than this one knows of yet (KIP-207).
        let knows = origin.version >= FIRST_WITH_NOT_AVAILABLE;
        return Err(if knows { ErrorCode::OFFSET_NOT_AVAILABLE } else { ErrorCode::LEADER_NOT_AVAILABLE });
    }
    let (timestamp, offset) = if finds_nothing { (-1, -1) } else { (timestamp, offset) };
    let epoch = match wanted.timestamp {
        _ if origin.version < 4 => None,
        LATEST => Some(replica.belief.leader_epoch),
        _ if offset < 0 => None,
        // An empty log begins in the epoch of its leader.
        _ if offset == log.end_offset() => Some(replica.belief.leader_epoch),
        _ => log.epochs.at(offset),
    };
    Ok(ListOffsetsPartitionResponse {
        partition_index: wanted.partition_index,
        timestamp,
        offset,
        leader_epoch: epoch.unwrap_or(-1),
        ..ListOffsetsPartitionResponse::default()
    })
}

/// Version 0: the offsets at which segments begin that are older than a time, the newest first. A log has one
/// segment here; for the latest offset its end counts, too.
fn list_segments(replica: &Replica, wanted: &ListOffsetsPartition) -> ListOffsetsPartitionResponse {
    let (start, end) = (replica.log.start_offset(), replica.high_watermark);
    let mut offsets = match wanted.timestamp {
        EARLIEST => vec![start],
        LATEST if end > start => vec![end, start],
        LATEST => vec![start],
        time => {
            let newest =
                replica.log.entry_of_highest_timestamp().map_or(i64::MAX, |entry| entry.max_timestamp);
            if newest <= time { vec![start] } else { Vec::new() }
        }
    };
    offsets.truncate(usize::try_from(wanted.max_num_offsets).unwrap_or(0));
    ListOffsetsPartitionResponse {
        partition_index: wanted.partition_index,
        old_style_offsets: offsets,
        ..ListOffsetsPartitionResponse::default()
    }
}
