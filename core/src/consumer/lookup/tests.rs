//! Scripts of look-ups.

use core::time::Duration;
use std::{vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::{
        AnyRequest,
        list_offsets::{ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse},
    },
};

use super::{ListedOffset, LookupError, LookupOutput, OffsetLookup, OffsetQuery, OffsetSpec};
use crate::{
    BrokerId, Entropy, Instant, OperationId, PartitionIndex, Request, Target, Token,
    consumer::{Isolation, PartitionLeader},
};

const START: Instant = Instant::from_millis(1_000);

fn query(partition: u32, spec: OffsetSpec) -> OffsetQuery {
    let (index, number) = (PartitionIndex(partition), i32::try_from(partition).unwrap());
    OffsetQuery { index, topic: Str::from("t"), partition: number, spec }
}

fn begin(queries: Vec<OffsetQuery>) -> OffsetLookup {
    let (timeout, deadline) = (Duration::from_secs(30), START + Duration::from_secs(60));
    OffsetLookup::new(OperationId(4), queries, Isolation::ReadUncommitted, timeout, deadline, Entropy::new(1))
}

fn lead(lookup: &mut OffsetLookup, partition: u32, broker: i32) {
    let leader = PartitionLeader { broker: BrokerId(broker), epoch: 2, topic_id: Uuid::ZERO };
    lookup.handle_leader(PartitionIndex(partition), Some(leader));
}

fn drain(lookup: &mut OffsetLookup, now: Instant) -> Vec<LookupOutput> {
    let outputs: Vec<_> = core::iter::from_fn(|| lookup.poll(now)).collect();
    assert!(lookup.poll_timeout().is_none_or(|at| at > now), "a deadline in the past");
    outputs
}

fn requests(outputs: &[LookupOutput]) -> Vec<&Request> {
    let mut requests = Vec::new();
    for output in outputs {
        if let LookupOutput::Request(request) = output {
            requests.push(&**request);
        }
    }
    requests
}

/// Broker, number, and the partitions with their timestamps.
fn asked(request: &Request) -> (i32, u64, Vec<(i32, i64)>) {
    let (Target::Broker(broker), Token::Operation(OperationId(4), number)) = (request.to, request.token)
    else {
        panic!("{request:?}");
    };
    let AnyRequest::ListOffsets(body) = &*request.request else { panic!("{request:?}") };
    let partitions = body.topics.iter().flat_map(|topic| &topic.partitions);
    (broker.0, number, partitions.map(|each| (each.partition_index, each.timestamp)).collect())
}

fn answer(partitions: &[(i32, ErrorCode, i64)]) -> klamm_protocol::messages::AnyResponse {
    let partitions =
        partitions.iter().map(|(partition_index, error_code, offset)| ListOffsetsPartitionResponse {
            partition_index: *partition_index,
            error_code: *error_code,
            offset: *offset,
            timestamp: -1,
            leader_epoch: 2,
            ..ListOffsetsPartitionResponse::default()
        });
    let name = Str::from("t");
    let topic = ListOffsetsTopicResponse {
        name,
        partitions: partitions.collect(),
        ..ListOffsetsTopicResponse::default()
    };
    ListOffsetsResponse { topics: vec![topic], ..ListOffsetsResponse::default() }.into()
}

fn at(offset: i64) -> super::OffsetResult {
    Ok(ListedOffset { offset: Some(offset), timestamp: None, leader_epoch: Some(2) })
}

#[test]
fn each_leader_is_asked_once_and_results_keep_their_order() {
    let mut lookup = begin(vec![
        query(2, OffsetSpec::Latest),
        query(0, OffsetSpec::Earliest),
        query(1, OffsetSpec::Timestamp(77)),
    ]);
    assert_eq!(drain(&mut lookup, START), [LookupOutput::WantTopic(Str::from("t"))]);
    for partition in 0..3 {
        lead(&mut lookup, partition, i32::from(partition == 2));
    }
    let outputs = drain(&mut lookup, START);
    let asked: Vec<_> = requests(&outputs).into_iter().map(asked).collect();
    assert_eq!(asked, [(0, 1, vec![(0, -2), (1, 77)]), (1, 2, vec![(2, -1)])]);
    lookup.handle_response(START, 2, 6, &answer(&[(2, ErrorCode::NONE, 50)]));
    assert_eq!(drain(&mut lookup, START), []);
    lookup.handle_response(START, 1, 6, &answer(&[(0, ErrorCode::NONE, 3), (1, ErrorCode::NONE, -1)]));
    let none = Ok(ListedOffset { offset: None, timestamp: None, leader_epoch: Some(2) });
    assert_eq!(drain(&mut lookup, START), [LookupOutput::Done(vec![at(50), at(3), none])]);
    assert_eq!(lookup.poll_timeout(), None);
}

#[test]
fn both_ends_of_one_partition_are_two_questions() {
    let mut lookup = begin(vec![query(0, OffsetSpec::Earliest), query(0, OffsetSpec::Latest)]);
    lead(&mut lookup, 0, 0);
    let outputs = drain(&mut lookup, START);
    assert_eq!(requests(&outputs).len(), 1);
    lookup.handle_response(START, 1, 6, &answer(&[(0, ErrorCode::NONE, 3)]));
    let outputs = drain(&mut lookup, START);
    assert_eq!(asked(requests(&outputs)[0]), (0, 2, vec![(0, -1)]));
    lookup.handle_response(START, 2, 6, &answer(&[(0, ErrorCode::NONE, 9)]));
    assert_eq!(drain(&mut lookup, START), [LookupOutput::Done(vec![at(3), at(9)])]);
}

#[test]
fn a_moved_leader_is_asked_again_and_a_refusal_is_final() {
    let mut lookup = begin(vec![query(0, OffsetSpec::Latest), query(1, OffsetSpec::Latest)]);
    lead(&mut lookup, 0, 0);
    lead(&mut lookup, 1, 0);
    drain(&mut lookup, START);
    let codes = [(0, ErrorCode::NOT_LEADER_OR_FOLLOWER, -1), (1, ErrorCode::TOPIC_AUTHORIZATION_FAILED, -1)];
    lookup.handle_response(START, 1, 6, &answer(&codes));
    assert_eq!(drain(&mut lookup, START), [LookupOutput::RefreshTopic(Str::from("t"))]);
    lead(&mut lookup, 0, 1);
    let outputs = drain(&mut lookup, START);
    assert_eq!(asked(requests(&outputs)[0]), (1, 2, vec![(0, -1)]), "at once, as the leader is another");
    lookup.handle_response(START, 2, 6, &answer(&[(0, ErrorCode::NONE, 5)]));
    let refused = Err(LookupError::Code(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    assert_eq!(drain(&mut lookup, START), [LookupOutput::Done(vec![at(5), refused])]);
}

#[test]
fn a_lost_request_is_repeated_after_a_while() {
    let mut lookup = begin(vec![query(0, OffsetSpec::Latest)]);
    lead(&mut lookup, 0, 0);
    drain(&mut lookup, START);
    lookup.handle_lost(START, 1, None);
    assert_eq!(drain(&mut lookup, START), []);
    let at = lookup.poll_timeout().expect("a time to try again");
    assert!((80..=120).contains(&(at - START).as_millis()));
    lookup.handle_timeout(at);
    assert_eq!(requests(&drain(&mut lookup, at)).len(), 1);
}

#[test]
fn what_an_old_broker_does_not_know_is_not_taken_for_an_answer() {
    let mut lookup = begin(vec![query(0, OffsetSpec::MaxTimestamp)]);
    lead(&mut lookup, 0, 0);
    drain(&mut lookup, START);
    lookup.handle_response(START, 1, 6, &answer(&[(0, ErrorCode::NONE, 0)]));
    assert_eq!(drain(&mut lookup, START), [LookupOutput::Done(vec![Err(LookupError::Unsupported)])]);
}

#[test]
fn the_deadline_ends_it_with_the_last_answer() {
    let mut lookup = begin(vec![query(0, OffsetSpec::Latest), query(1, OffsetSpec::Latest)]);
    lead(&mut lookup, 0, 0);
    drain(&mut lookup, START);
    lookup.handle_response(START, 1, 6, &answer(&[(0, ErrorCode::LEADER_NOT_AVAILABLE, -1)]));
    drain(&mut lookup, START);
    let end = START + Duration::from_secs(60);
    lookup.handle_timeout(end);
    let expected = vec![
        Err(LookupError::TimedOut(Some(ErrorCode::LEADER_NOT_AVAILABLE))),
        Err(LookupError::TimedOut(None)),
    ];
    assert_eq!(drain(&mut lookup, end), [LookupOutput::Done(expected)]);
}

#[test]
fn a_topic_that_cannot_be_had_fails_at_once() {
    let mut lookup = begin(vec![query(0, OffsetSpec::Latest)]);
    lookup.handle_topic_failed("t", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let expected = Err(LookupError::Code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    assert_eq!(drain(&mut lookup, START).pop(), Some(LookupOutput::Done(vec![expected])));
}
