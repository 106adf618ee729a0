//! Brokers that answer anything: no panic, no endless outputs, and the memory stays within the budget's reach.

use std::{vec, vec::Vec};

use bytes::Bytes;
use klamm_protocol::{
    ErrorCode, RecordBytes, Str,
    messages::{
        AnyRequest, AnyResponse,
        fetch::{FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData},
        list_offsets::{ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse},
        offset_for_leader_epoch::{EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult},
    },
};
use proptest::prelude::*;

use super::{
    broker::batch,
    world::{TOPIC, World},
};
use crate::{
    Token,
    consumer::{ConsumerConfig, ConsumerOutput, StartAt},
};

/// One partition's part of an answer: number, error, two numbers, and what its records are.
type Part = (i32, i16, i64, i64, u8);

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -3..300i64]
}

fn part() -> impl Strategy<Value = Part> {
    let code = prop_oneof![4 => Just(0i16), 1 => -2..140i16];
    (-1..5i32, code, number(), number(), any::<u8>())
}

fn records(kind: u8, offset: i64) -> Option<RecordBytes> {
    let whole = || batch(offset.rem_euclid(1_000), 5, 1);
    match kind % 6 {
        0 => None,
        1 => Some(RecordBytes::from(Bytes::from_static(
            b"no batch at all, though long enough to have a header",
        ))),
        2 => Some(RecordBytes::from(whole().slice(..usize::from(kind).min(60)))),
        3 => {
            let mut bytes = whole().to_vec();
            let at = usize::from(kind) % bytes.len();
            bytes[at] = bytes[at].wrapping_add(kind);
            Some(RecordBytes::from(Bytes::from(bytes)))
        }
        _ => Some(RecordBytes::from(whole())),
    }
}

fn answer(request: &AnyRequest, session_id: i32, error_code: ErrorCode, parts: &[Part]) -> AnyResponse {
    let name = Str::from(TOPIC);
    match request {
        AnyRequest::Fetch(_) => {
            let partitions = parts.iter().map(|(partition, code, one, other, kind)| PartitionData {
                partition_index: *partition,
                error_code: ErrorCode(*code),
                high_watermark: *one,
                last_stable_offset: *other,
                log_start_offset: *other,
                current_leader: LeaderIdAndEpoch {
                    leader_id: i32::from(*kind),
                    leader_epoch: *partition,
                    ..LeaderIdAndEpoch::default()
                },
                records: records(*kind, *one),
                ..PartitionData::default()
            });
            let partitions = partitions.collect();
            let topic =
                FetchableTopicResponse { topic: name, partitions, ..FetchableTopicResponse::default() };
            FetchResponse { error_code, session_id, responses: vec![topic], ..FetchResponse::default() }
                .into()
        }
        AnyRequest::ListOffsets(_) => {
            let partitions =
                parts.iter().map(|(partition, code, one, other, _)| ListOffsetsPartitionResponse {
                    partition_index: *partition,
                    error_code: ErrorCode(*code),
                    old_style_offsets: vec![*other],
                    offset: *one,
                    ..ListOffsetsPartitionResponse::default()
                });
            let partitions = partitions.collect();
            let topic = ListOffsetsTopicResponse { name, partitions, ..ListOffsetsTopicResponse::default() };
            ListOffsetsResponse { topics: vec![topic], ..ListOffsetsResponse::default() }.into()
        }
        _ => {
            let partitions = parts.iter().map(|(partition, code, one, _, kind)| EpochEndOffset {
                error_code: ErrorCode(*code),
                partition: *partition,
                leader_epoch: i32::from(*kind) - 1,
                end_offset: *one,
                ..EpochEndOffset::default()
            });
            let partitions = partitions.collect();
            let topic = OffsetForLeaderTopicResult {
                topic: name,
                partitions,
                ..OffsetForLeaderTopicResult::default()
            };
            OffsetForLeaderEpochResponse { topics: vec![topic], ..OffsetForLeaderEpochResponse::default() }
                .into()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_is_survived(
        answers in prop::collection::vec(
            (0..19i16, 0..3i32, prop_oneof![6 => Just(0i16), 1 => -1..140i16], prop::collection::vec(part(), 0..5), any::<bool>()),
            1..60,
        ),
    ) {
        let config = ConsumerConfig { buffer_bytes: 4_096, max_partition_fetch_bytes: 700, ..ConsumerConfig::default() };
        let mut world = World::new(config, 12, 3, 1);
        for (partition, start) in [(0, StartAt::Offset(0)), (1, StartAt::Latest), (2, StartAt::Timestamp(5))] {
            world.assign(partition, start);
        }
        for (version, session_id, code, parts, swap) in answers {
            let outputs: Vec<ConsumerOutput> = core::iter::from_fn(|| world.consumer.poll(world.now)).take(1_000).collect();
            prop_assert!(outputs.len() < 1_000);
            for output in outputs {
                match output {
                    ConsumerOutput::Request(request) => world.requests.push(*request),
                    ConsumerOutput::Deliver(chunk) => world.consumer.handle_consumed(world.now, chunk.ticket),
                    _ => {}
                }
            }
            if swap && world.requests.len() > 1 {
                world.requests.swap(0, 1);
            }
            if !world.requests.is_empty() {
                let request = world.requests.remove(0);
                let Token::Consumer(_, number) = request.token else { panic!("not a consumer's") };
                // Now and then it is the answer to another question.
                let asked = world.requests.first().filter(|_| swap).unwrap_or(&request);
                let response = answer(&asked.request, session_id, ErrorCode(code), &parts);
                world.consumer.handle_response(world.now, number, version, &response);
            }
            world.advance(300);
        }
        let indices: Vec<_> = world.consumer.assignment().collect();
        world.consumer.unassign(world.now, &indices);
        while let Some(output) = world.consumer.poll(world.now) {
            if let ConsumerOutput::Request(request) = output {
                world.requests.push(*request);
            }
        }
        for request in core::mem::take(&mut world.requests) {
            let Token::Consumer(_, number) = request.token else { panic!("not a consumer's") };
            world.consumer.handle_lost(world.now, number, None);
        }
        while world.consumer.poll(world.now).is_some() {}
        prop_assert!(world.consumer.is_at_rest());
    }
}
