//! Behaviours one by one.

mod commands;
mod explain;
mod fetching;
mod positions;
mod rare;
mod replicas;
mod seeks;

use std::{vec, vec::Vec};

use bytes::Bytes;
use klamm_protocol::{
    ErrorCode, RecordBytes, Str,
    messages::{
        AnyRequest,
        fetch::{
            AbortedTransaction, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
            NodeEndpoint, PartitionData,
        },
        offset_for_leader_epoch::{EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult},
    },
};

use super::{
    broker::batch,
    world::{TOPIC, World},
};
use crate::{
    BrokerId, Instant, PartitionIndex, Token,
    consumer::{
        Aborted, ConsumerConfig, ConsumerEvent, ConsumerOutput, Isolation, LeaderHint, OffsetReset,
        PartitionError, PartitionErrorKind, PositionState, ResetReason, SeekError, StartAt,
    },
};

const P0: PartitionIndex = PartitionIndex(0);
const P1: PartitionIndex = PartitionIndex(1);

fn config() -> ConsumerConfig {
    ConsumerConfig {
        max_partition_fetch_bytes: 700,
        offset_reset: OffsetReset::Earliest,
        ..ConsumerConfig::default()
    }
}

/// The fetch that waits for its answer.
fn fetch(world: &World) -> &FetchRequest {
    let mut fetches = world.requests.iter().filter_map(|request| match &*request.request {
        AnyRequest::Fetch(fetch) => Some(fetch),
        _ => None,
    });
    let fetch = fetches.next().expect("a fetch");
    assert!(fetches.next().is_none(), "one fetch");
    fetch
}

fn offsets(fetch: &FetchRequest) -> Vec<(i32, i64)> {
    let partitions = fetch.topics.iter().flat_map(|topic| &topic.partitions);
    let mut offsets: Vec<_> = partitions.map(|each| (each.partition, each.fetch_offset)).collect();
    offsets.sort_unstable();
    offsets
}

/// Answers the only request that waits.
fn reply(world: &mut World, version: i16, response: impl Into<klamm_protocol::messages::AnyResponse>) {
    assert_eq!(world.requests.len(), 1);
    let Token::Consumer(_, number) = world.requests.remove(0).token else { panic!("not a consumer's") };
    world.consumer.handle_response(world.now, number, version, &response.into());
}

fn fetched(partitions: Vec<PartitionData>) -> FetchResponse {
    let topic =
        FetchableTopicResponse { topic: Str::from(TOPIC), partitions, ..FetchableTopicResponse::default() };
    FetchResponse { responses: vec![topic], ..FetchResponse::default() }
}

fn data(partition: i32, records: Bytes, high_watermark: i64) -> PartitionData {
    PartitionData {
        partition_index: partition,
        records: Some(RecordBytes::from(records)),
        high_watermark,
        last_stable_offset: high_watermark,
        ..PartitionData::default()
    }
}

fn error(partition: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData { partition_index: partition, error_code, high_watermark: -1, ..PartitionData::default() }
}

/// One broker that is answered by hand, without sessions.
fn by_hand(config: ConsumerConfig, start: StartAt) -> World {
    let mut world = World::new(config, 6, 1, 1);
    world.assign(0, start);
    world.drain();
    world
}
