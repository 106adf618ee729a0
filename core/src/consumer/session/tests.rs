//! The session's dialogue, row by row.

use std::{vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData},
};

use super::{FetchSession, From, Verdict, Wanted};
use crate::PartitionIndex;

const ID: Uuid = Uuid([3; 16]);
const OTHER_ID: Uuid = Uuid([4; 16]);

fn want(partition: u32, offset: i64) -> Wanted {
    Wanted {
        index: PartitionIndex(partition),
        topic: Str::from("t"),
        topic_id: ID,
        partition: i32::try_from(partition).unwrap(),
        from: From { offset, leader_epoch: 5, max_bytes: 100 },
    }
}

fn without_id(wanted: Wanted) -> Wanted {
    Wanted { topic_id: Uuid::ZERO, ..wanted }
}

/// A request: session id and epoch, partitions with their offsets, forgotten partitions, highest version.
type Built = (i32, i32, Vec<(i32, i64)>, Vec<i32>, i16);

fn build(session: &mut FetchSession, wanted: &[Wanted]) -> Built {
    let mut request = FetchRequest::default();
    let have_ids = wanted.iter().all(|each| !each.topic_id.is_zero());
    session.prepare(have_ids);
    let unwanted = session.members.keys().filter(|index| wanted.iter().all(|each| each.index != **index));
    let unwanted: Vec<PartitionIndex> = unwanted.copied().collect();
    let max_version = session.build(wanted.iter().cloned(), &unwanted, &mut request);
    let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| topic.partitions.iter().copied());
    (
        request.session_id,
        request.session_epoch,
        partitions.map(|each| (each.partition, each.fetch_offset)).collect(),
        forgotten.collect(),
        max_version,
    )
}

fn response(session_id: i32, topic_id: Uuid, partitions: &[i32]) -> FetchResponse {
    let partitions =
        partitions.iter().map(|each| PartitionData { partition_index: *each, ..PartitionData::default() });
    let topic = if topic_id.is_zero() { Str::from("t") } else { Str::default() };
    let partitions: Vec<_> = partitions.collect();
    let responses = if partitions.is_empty() {
        vec![]
    } else {
        vec![FetchableTopicResponse { topic, topic_id, partitions, ..FetchableTopicResponse::default() }]
    };
    FetchResponse { session_id, responses, ..FetchResponse::default() }
}

fn refusal(error_code: ErrorCode) -> FetchResponse {
    FetchResponse { error_code, ..FetchResponse::default() }
}

/// A session 9 of the partitions 0 and 1 by topic id, at epoch 1.
fn open() -> FetchSession {
    let mut session = FetchSession::default();
    let built = build(&mut session, &[want(0, 10), want(1, 20)]);
    assert_eq!(built, (0, 0, vec![(0, 10), (1, 20)], vec![], i16::MAX));
    assert_eq!(session.handle_response(13, &response(9, ID, &[0, 1])), Verdict::Use);
    session
}

#[test]
fn increments_carry_what_changed_came_and_went() {
    let mut session = open();
    assert_eq!(build(&mut session, &[want(0, 10), want(1, 20)]), (9, 1, vec![], vec![], i16::MAX));
    assert_eq!(session.handle_response(13, &response(9, ID, &[])), Verdict::Use);
    let built = build(&mut session, &[want(0, 15), want(2, 30)]);
    assert_eq!(built, (9, 2, vec![(0, 15), (2, 30)], vec![1], i16::MAX));
    assert_eq!(session.handle_response(13, &response(9, ID, &[2])), Verdict::Use);
    assert_eq!(build(&mut session, &[want(0, 15), want(2, 30)]), (9, 3, vec![], vec![], i16::MAX));
}

#[test]
fn a_change_of_leader_epoch_or_size_is_a_change() {
    let mut session = open();
    let mut changed = [want(0, 10), want(1, 20)];
    changed[0].from.leader_epoch = 6;
    changed[1].from.max_bytes = 200;
    assert_eq!(build(&mut session, &changed).2, [(0, 10), (1, 20)]);
}

#[test]
fn what_was_not_used_is_told_again() {
    let mut session = open();
    session.mark_stale(PartitionIndex(1));
    assert_eq!(build(&mut session, &[want(0, 10), want(1, 20)]).2, [(1, 20)]);
}

#[test]
fn the_epoch_wraps_to_one() {
    let mut session = open();
    session.epoch = i32::MAX;
    assert_eq!(build(&mut session, &[want(0, 10), want(1, 20)]).1, i32::MAX);
    assert_eq!(session.handle_response(13, &response(9, ID, &[])), Verdict::Use);
    assert_eq!(build(&mut session, &[want(0, 10), want(1, 20)]).1, 1);
}

#[test]
fn without_a_session_every_request_is_full() {
    let mut session = FetchSession::default();
    for _ in 0..2 {
        assert_eq!(build(&mut session, &[want(0, 10)]), (0, 0, vec![(0, 10)], vec![], i16::MAX));
        assert_eq!(session.handle_response(6, &response(0, Uuid::ZERO, &[0])), Verdict::Use);
    }
}

#[test]
fn a_full_response_must_have_exactly_what_was_asked_for() {
    for partitions in [&[0][..], &[0, 1, 2]] {
        let mut session = FetchSession::default();
        build(&mut session, &[want(0, 10), want(1, 20)]);
        assert_eq!(session.handle_response(13, &response(9, ID, partitions)), Verdict::Drop);
        assert_eq!(build(&mut session, &[want(0, 10), want(1, 20)]).2, [(0, 10), (1, 20)]);
        assert_eq!((session.id, session.epoch), (0, 0));
    }
}

#[test]
fn an_empty_full_response_of_a_broker_that_throttles_is_no_error() {
    let mut session = FetchSession::default();
    build(&mut session, &[want(0, 10)]);
    let throttled = FetchResponse { throttle_time_ms: 100, ..FetchResponse::default() };
    assert_eq!(session.handle_response(13, &throttled), Verdict::Use);
    assert_eq!(build(&mut session, &[want(0, 10)]).1, 0);
}

#[test]
fn an_incremental_response_must_not_have_more_than_the_session() {
    let mut session = open();
    build(&mut session, &[want(0, 10), want(1, 20)]);
    assert_eq!(session.handle_response(13, &response(9, ID, &[7])), Verdict::Drop);
    let built = build(&mut session, &[want(0, 10), want(1, 20)]);
    assert_eq!(built, (9, 0, vec![(0, 10), (1, 20)], vec![], i16::MAX), "closed and opened anew");
}

#[test]
fn a_session_that_the_broker_closed_still_answers() {
    let mut session = open();
    build(&mut session, &[want(0, 10), want(1, 20)]);
    assert_eq!(session.handle_response(13, &response(0, ID, &[1])), Verdict::Use);
    assert_eq!(build(&mut session, &[want(0, 10), want(1, 20)]).1, 0);
    assert_eq!(session.id(), 0);
}

#[test]
fn errors_start_over() {
    let cases = [
        (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0),
        (ErrorCode::INVALID_FETCH_SESSION_EPOCH, 9),
        (ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR, 9),
        (ErrorCode::UNKNOWN_SERVER_ERROR, 9),
    ];
    for (code, id) in cases {
        let mut session = open();
        build(&mut session, &[want(0, 10), want(1, 20)]);
        assert_eq!(session.handle_response(13, &refusal(code)), Verdict::Refused(code));
        let built = build(&mut session, &[want(0, 11), want(1, 20)]);
        assert_eq!(built, (id, 0, vec![(0, 11), (1, 20)], vec![], i16::MAX));
    }
}

#[test]
fn a_lost_request_starts_over_and_closes_the_old_session() {
    let mut session = open();
    build(&mut session, &[want(0, 12), want(1, 20)]);
    session.handle_lost();
    assert_eq!(build(&mut session, &[want(0, 12)]), (9, 0, vec![(0, 12)], vec![], i16::MAX));
}

#[test]
fn a_broker_that_refuses_to_open_sessions_is_not_asked_again() {
    let mut session = FetchSession::default();
    assert_eq!(build(&mut session, &[want(0, 10)]).1, 0);
    let code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
    assert_eq!(session.handle_response(13, &refusal(code)), Verdict::Refused(code));
    assert_eq!(build(&mut session, &[want(0, 10)]), (0, -1, vec![(0, 10)], vec![], i16::MAX));
}

#[test]
fn ids_and_names_are_never_mixed() {
    // By id, and one topic loses its id: a new session by name.
    let mut session = open();
    let built = build(&mut session, &[want(0, 10), without_id(want(1, 20))]);
    assert_eq!(built, (9, 0, vec![(0, 10), (1, 20)], vec![], 12));
    assert_eq!(session.handle_response(12, &response(10, Uuid::ZERO, &[0, 1])), Verdict::Use);
    assert_eq!(build(&mut session, &[want(0, 10), without_id(want(1, 20))]).4, 12);
    assert_eq!(session.handle_response(12, &response(10, Uuid::ZERO, &[])), Verdict::Use);
    // All have ids again: a new session by id.
    let built = build(&mut session, &[want(0, 10), want(1, 20)]);
    assert_eq!(built, (10, 0, vec![(0, 10), (1, 20)], vec![], i16::MAX));
}

#[test]
fn a_session_by_name_stays_so_with_a_broker_that_knows_no_ids() {
    let mut session = FetchSession::default();
    build(&mut session, &[want(0, 10)]);
    assert_eq!(session.handle_response(12, &response(9, Uuid::ZERO, &[0])), Verdict::Use);
    assert_eq!(build(&mut session, &[want(0, 10)]), (9, 1, vec![], vec![], 12));
}

#[test]
fn a_topic_that_was_made_again_is_forgotten_by_its_old_id_and_added_by_its_new() {
    let mut session = open();
    let mut request = FetchRequest::default();
    let recreated = |wanted: Wanted| Wanted { topic_id: OTHER_ID, ..wanted };
    assert!(!session.prepare(true));
    session.build([want(0, 0), want(1, 0)].map(recreated).into_iter(), &[], &mut request);
    assert_eq!(request.forgotten_topics_data.len(), 1);
    assert_eq!(request.forgotten_topics_data[0].topic_id, ID);
    assert_eq!(request.forgotten_topics_data[0].partitions, [0, 1]);
    assert_eq!(request.topics[0].topic_id, OTHER_ID);
    let answer = response(9, OTHER_ID, &[0, 1]);
    assert_eq!(session.handle_response(13, &answer), Verdict::Use);
    assert_eq!(session.partition(&answer.responses[0], 1), Some(PartitionIndex(1)));
    assert_eq!(session.partition(&response(9, ID, &[1]).responses[0], 1), None);
}
