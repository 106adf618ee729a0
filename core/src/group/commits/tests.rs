use alloc::collections::BTreeMap;
use core::time::Duration;
use std::vec::Vec;

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest,
        offset_commit::{OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch::{
            OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopics,
        },
    },
};

use super::{Commit, CommitOutput, Commits, LookupId, LookupOutput, Lookups};
use crate::{
    Backoff, Effect, Entropy, Instant, OperationId,
    group::{
        CommitErrorKind, CommitOffset, TopicPartition,
        membership::{Ask, Identity},
    },
};

const NOW: Instant = Instant::from_millis(1_000);
const TIMEOUT: Duration = Duration::from_secs(30);

fn partition(number: i32) -> TopicPartition {
    ("t".into(), number)
}

fn member() -> Identity {
    Identity { generation: 3, member_id: "m".into() }
}

struct Link {
    commits: Commits,
    entropy: Entropy,
    now: Instant,
    number: u64,
}

impl Link {
    fn new() -> Self {
        let commits = Commits::new("g".into(), None, Backoff::RETRY);
        Self { commits, entropy: Entropy::new(1), now: NOW, number: 0 }
    }

    fn push(&mut self, operation: u64, offsets: &[(i32, i64)]) {
        let offsets =
            offsets.iter().map(|(at, offset)| (partition(*at), CommitOffset::new(*offset))).collect();
        let deadline = self.now + Duration::from_secs(60);
        self.commits.push(Commit { operation: Some(OperationId(operation)), offsets, deadline });
    }

    fn ask(&mut self) -> Option<Ask> {
        self.number += 1;
        self.commits.ask(self.now, self.number, &member(), |_| true, TIMEOUT)
    }

    /// The offsets that are asked to be committed.
    fn asked(&mut self) -> Vec<(i32, i64)> {
        let Some(Ask { request: AnyRequest::OffsetCommit(request), .. }) = self.ask() else {
            return Vec::new();
        };
        assert_eq!((request.generation_id_or_member_epoch, request.member_id.as_str()), (3, "m"));
        let all = request.topics.iter().flat_map(|topic| &topic.partitions);
        all.map(|each| (each.partition_index, each.committed_offset)).collect()
    }

    fn answer(&mut self, codes: &[(i32, ErrorCode)]) {
        let partitions = codes.iter().map(|(at, code)| OffsetCommitResponsePartition {
            partition_index: *at,
            error_code: *code,
            ..Default::default()
        });
        let topic = OffsetCommitResponseTopic {
            name: "t".into(),
            partitions: partitions.collect(),
            ..Default::default()
        };
        let response = OffsetCommitResponse { topics: alloc::vec![topic], ..Default::default() };
        self.commits.handle_response(self.now, self.number, &response, &mut self.entropy);
    }

    fn done(&mut self) -> Vec<(u64, Result<(), CommitErrorKind>)> {
        let mut done = Vec::new();
        while let Some(output) = self.commits.poll() {
            if let CommitOutput::Done(operation, result) = output {
                done.push((operation.unwrap().0, result.map_err(|error| error.kind)));
            }
        }
        done
    }
}

#[test]
fn one_is_under_way_at_a_time_and_none_overtakes() {
    let mut link = Link::new();
    link.push(1, &[(0, 10)]);
    link.push(2, &[(0, 20)]);
    assert_eq!(link.asked(), [(0, 10)]);
    assert_eq!(link.ask(), None);
    link.number -= 1;
    link.answer(&[(0, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)]);
    assert_eq!(link.ask(), None, "it waits for the first to be tried again");
    link.now = link.now + Duration::from_secs(2);
    assert_eq!(link.asked(), [(0, 10)]);
    link.answer(&[(0, ErrorCode::NONE)]);
    assert_eq!(link.asked(), [(0, 20)]);
    link.answer(&[(0, ErrorCode::NONE)]);
    assert_eq!(link.done(), [(1, Ok(())), (2, Ok(()))]);
}

#[test]
fn only_what_was_not_stored_is_asked_again() {
    let mut link = Link::new();
    link.push(1, &[(0, 10), (1, 11), (2, 12)]);
    assert_eq!(link.asked().len(), 3);
    link.answer(&[
        (0, ErrorCode::NONE),
        (1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (2, ErrorCode::TOPIC_AUTHORIZATION_FAILED),
    ]);
    link.now = link.now + Duration::from_secs(2);
    assert_eq!(link.asked(), [(1, 11)]);
    link.answer(&[(1, ErrorCode::NONE)]);
    assert_eq!(link.done(), [(1, Err(CommitErrorKind::Refused))]);
}

#[test]
fn a_commit_of_another_generation_is_never_repeated() {
    for code in [
        ErrorCode::UNKNOWN_MEMBER_ID,
        ErrorCode::ILLEGAL_GENERATION,
        ErrorCode::REBALANCE_IN_PROGRESS,
        ErrorCode::FENCED_INSTANCE_ID,
    ] {
        let mut link = Link::new();
        link.push(1, &[(0, 10)]);
        link.asked();
        link.answer(&[(0, code)]);
        assert_eq!(link.commits.poll(), Some(CommitOutput::Disowned(member(), code)));
        assert_eq!(link.done(), [(1, Err(CommitErrorKind::Rebalanced))]);
    }
}

#[test]
fn what_is_not_owned_any_more_is_not_sent() {
    let mut link = Link::new();
    link.push(1, &[(0, 10), (1, 10)]);
    link.push(2, &[(0, 20)]);
    let ask = link.commits.ask(link.now, 9, &member(), |(_, at)| *at == 0, TIMEOUT).unwrap();
    assert!(
        matches!(ask.request, AnyRequest::OffsetCommit(request) if request.topics[0].partitions[0].committed_offset == 20)
    );
    assert_eq!(link.done(), [(1, Err(CommitErrorKind::NotAssigned))]);
}

#[test]
fn a_commit_that_got_no_answer_may_have_been_stored() {
    let mut link = Link::new();
    link.push(1, &[(0, 10)]);
    link.asked();
    link.commits.handle_lost(link.now, link.number, (true, false), &mut link.entropy);
    link.now = link.now + Duration::from_secs(61);
    link.commits.handle_timeout(link.now);
    let Some(CommitOutput::Done(_, Err(error))) = link.commits.poll() else { panic!() };
    assert_eq!((error.kind, error.effect), (CommitErrorKind::TimedOut, Effect::Unknown));
}

#[test]
fn what_is_under_way_outlives_its_deadline() {
    let mut link = Link::new();
    link.push(1, &[(0, 10)]);
    link.asked();
    link.now = link.now + Duration::from_secs(61);
    link.commits.handle_timeout(link.now);
    assert_eq!(link.done(), []);
    link.answer(&[(0, ErrorCode::NONE)]);
    assert_eq!(link.done(), [(1, Ok(()))]);
}

fn fetched(code: ErrorCode, offset: i64, epoch: i32) -> OffsetFetchResponse {
    all_fetched(&[(code, offset, epoch)])
}

/// Of partition 0, 1 and so on.
fn all_fetched(each: &[(ErrorCode, i64, i32)]) -> OffsetFetchResponse {
    let partition =
        |(index, (code, offset, epoch)): (i32, &(ErrorCode, i64, i32))| OffsetFetchResponsePartitions {
            partition_index: index,
            committed_offset: *offset,
            committed_leader_epoch: *epoch,
            error_code: *code,
            ..Default::default()
        };
    let partitions = (0..).zip(each).map(partition).collect();
    let topic = OffsetFetchResponseTopics { name: "t".into(), partitions, ..Default::default() };
    let group =
        OffsetFetchResponseGroup { group_id: "g".into(), topics: alloc::vec![topic], ..Default::default() };
    OffsetFetchResponse { groups: alloc::vec![group], ..Default::default() }
}

#[test]
fn an_offset_that_a_transaction_may_change_is_waited_for() {
    let mut lookups = Lookups::new("g".into(), Backoff::RETRY);
    let mut entropy = Entropy::new(1);
    let id = LookupId::Operation(OperationId(1));
    lookups.push(id, [partition(0)], NOW + TIMEOUT);
    let ask = lookups.ask(NOW, 1, None, TIMEOUT).unwrap();
    assert!(matches!(ask.request, AnyRequest::OffsetFetch(request) if request.require_stable));
    lookups.handle_response(NOW, 1, &fetched(ErrorCode::UNSTABLE_OFFSET_COMMIT, -1, -1), &mut entropy);
    assert_eq!((lookups.poll(), lookups.ask(NOW, 2, None, TIMEOUT)), (None, None));
    let later = NOW + Duration::from_secs(1);
    assert!(lookups.ask(later, 2, None, TIMEOUT).is_some());
    lookups.handle_response(later, 2, &fetched(ErrorCode::NONE, 5, 2), &mut entropy);
    let commit = CommitOffset { offset: 5, leader_epoch: Some(2), metadata: Str::default() };
    let found = BTreeMap::from([(partition(0), Ok(Some(commit)))]);
    assert_eq!(lookups.poll(), Some(LookupOutput::Done(id, Ok(found))));
}

/// What is found of one partition may be old when the transaction ends that another one waits for.
#[test]
fn what_is_told_of_several_partitions_is_of_one_moment() {
    let mut lookups = Lookups::new("g".into(), Backoff::RETRY);
    let mut entropy = Entropy::new(1);
    let id = LookupId::Operation(OperationId(1));
    lookups.push(id, [partition(0), partition(1)], NOW + TIMEOUT);
    let stable = |offset| (ErrorCode::NONE, offset, -1);
    let undecided = all_fetched(&[stable(5), (ErrorCode::UNSTABLE_OFFSET_COMMIT, -1, -1)]);
    let mut now = NOW;
    for (number, answer) in [(1, undecided), (2, all_fetched(&[stable(7), stable(8)]))] {
        assert_eq!(lookups.poll(), None);
        let Some(AnyRequest::OffsetFetch(request)) =
            lookups.ask(now, number, None, TIMEOUT).map(|ask| ask.request)
        else {
            panic!("it is due")
        };
        assert_eq!(request.groups[0].topics.as_ref().unwrap()[0].partition_indexes, [0, 1]);
        lookups.handle_response(now, number, &answer, &mut entropy);
        now = now + Duration::from_secs(1);
    }
    let commits = [(0, 7), (1, 8)].map(|(at, offset)| (partition(at), Ok(Some(CommitOffset::new(offset)))));
    assert_eq!(lookups.poll(), Some(LookupOutput::Done(id, Ok(BTreeMap::from(commits)))));
}

/// A member that the group has gone on without joins again: who asks through it is not told of that.
#[test]
fn a_look_up_outlives_a_membership() {
    let mut lookups = Lookups::new("g".into(), Backoff::RETRY);
    let mut entropy = Entropy::new(1);
    let (asked, adoption) = (LookupId::Operation(OperationId(1)), LookupId::Adoption(1));
    let group = OffsetFetchResponseGroup {
        group_id: "g".into(),
        error_code: ErrorCode::UNKNOWN_MEMBER_ID,
        ..Default::default()
    };
    let refusal = OffsetFetchResponse { groups: alloc::vec![group], ..Default::default() };
    lookups.push(asked, [partition(0)], NOW + TIMEOUT);
    drop(lookups.ask(NOW, 1, None, TIMEOUT).unwrap());
    lookups.handle_response(NOW, 1, &refusal, &mut entropy);
    assert_eq!(lookups.poll(), None);
    assert!(lookups.ask(NOW + Duration::from_secs(1), 2, None, TIMEOUT).is_some());
    lookups.handle_timeout(NOW + TIMEOUT);
    let Some(LookupOutput::Done(_, Err(error))) = lookups.poll() else { panic!("it has a deadline") };
    assert_eq!((error.kind, error.code), (CommitErrorKind::TimedOut, ErrorCode::UNKNOWN_MEMBER_ID));

    lookups.push(adoption, [partition(0)], Instant::MAX);
    drop(lookups.ask(NOW, 3, None, TIMEOUT).unwrap());
    lookups.handle_response(NOW, 3, &refusal, &mut entropy);
    let Some(LookupOutput::Done(id, Err(error))) = lookups.poll() else { panic!("it is void") };
    assert_eq!((id, error.kind), (adoption, CommitErrorKind::Refused));
}

#[test]
fn older_brokers_are_asked_in_their_own_form() {
    let mut lookups = Lookups::new("g".into(), Backoff::RETRY);
    let mut entropy = Entropy::new(1);
    lookups.push(LookupId::Adoption(1), [partition(0)], Instant::MAX);
    let mut versions = Vec::new();
    for number in 1..=3 {
        let ask = lookups.ask(NOW, number, None, TIMEOUT).unwrap();
        versions.push(ask.max_version);
        lookups.handle_lost(NOW, number, true, &mut entropy);
    }
    assert_eq!(versions, [9, 7, 6]);
    let Some(LookupOutput::Done(_, Err(error))) = lookups.poll() else { panic!() };
    assert_eq!(error.kind, CommitErrorKind::Unsupported);
}

/// Each older form says less: a look-up that transactions may still change must not be asked in the oldest one only
/// because two at once were not understood.
#[test]
fn look_ups_at_once_find_the_form_together() {
    let mut lookups = Lookups::new("g".into(), Backoff::RETRY);
    let mut entropy = Entropy::new(1);
    lookups.push(LookupId::Adoption(1), [partition(0)], Instant::MAX);
    lookups.push(LookupId::Adoption(2), [partition(1)], Instant::MAX);
    for number in [1, 2] {
        assert_eq!(lookups.ask(NOW, number, None, TIMEOUT).unwrap().max_version, 9);
    }
    for number in [1, 2] {
        lookups.handle_lost(NOW, number, true, &mut entropy);
    }
    let ask = lookups.ask(NOW, 3, None, TIMEOUT).unwrap();
    assert_eq!(ask.max_version, 7);
    assert!(matches!(ask.request, AnyRequest::OffsetFetch(request) if request.require_stable));
}
