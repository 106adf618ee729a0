use klamm_protocol::compression::Compression;
use klamm_protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, ForgottenTopic,
    PartitionData,
};
use klamm_protocol::{ErrorCode, Ints, RecordBytes};

use super::history::*;
use crate::check::Invariant;
use crate::observe::{ClusterEvent, ConsumerFacts, Consuming};

const VERSION: i16 = 16;

fn fetch(session_id: i32, session_epoch: i32, partitions: &[i32], leader_epoch: i32) -> FetchRequest {
    let wanted = |partition: &i32| FetchPartition {
        partition: *partition,
        current_leader_epoch: leader_epoch,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic_id: TOPIC_ID,
        partitions: partitions.iter().map(wanted).collect(),
        ..FetchTopic::default()
    };
    FetchRequest { session_id, session_epoch, topics: vec![topic], ..FetchRequest::default() }
}

fn told(session_id: i32, error_code: ErrorCode) -> FetchResponse {
    FetchResponse { session_id, error_code, ..FetchResponse::default() }
}

impl History {
    fn fetch(&mut self, id: i32, request: &FetchRequest, answer: &FetchResponse) -> &mut Self {
        self.ask(1, id, VERSION, request).answer::<FetchRequest>(1, id, VERSION, answer)
    }

    /// Both partitions are assigned, and fetched in session 9.
    fn fetching(&mut self) -> &mut Self {
        self.connected(1, 1).position(0, 0).position(1, 0);
        self.fetch(1, &fetch(0, 0, &[0, 1], 3), &told(9, ErrorCode::NONE))
    }
}

#[test]
fn a_session_that_counts_up_passes() {
    let mut history = History::new();
    history.fetching().fetch(2, &fetch(9, 1, &[], 3), &told(9, ErrorCode::NONE));
    history.fetch(3, &fetch(9, 2, &[0], 4), &told(9, ErrorCode::NONE)).passes();
}

#[test]
fn epochs_of_a_session_count_up() {
    let mut history = History::new();
    history
        .fetching()
        .fetch(2, &fetch(9, 2, &[], 3), &told(9, ErrorCode::NONE))
        .breaks(Invariant::FetchSessions);
}

#[test]
fn no_session_is_refused_without_a_reason() {
    let refused = told(0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    let mut history = History::new();
    history.fetching().fetch(2, &fetch(9, 1, &[], 3), &refused).breaks(Invariant::FetchSessions);
    let mut history = History::new();
    history.fetching().cluster(ClusterEvent::Broker { broker: 1, up: false });
    history.fetch(2, &fetch(9, 1, &[], 3), &refused).passes();
}

#[test]
fn what_is_not_wanted_leaves_the_session() {
    let unassigned = |wait: u64, forget: bool| {
        let mut history = History::new();
        history.fetching().consuming(Consuming::Unassigned(&of(1))).pass(wait);
        let request = if forget { forgetting(1, 1) } else { fetch(9, 1, &[], 3) };
        history.fetch(2, &request, &told(9, ErrorCode::NONE));
        history
    };
    unassigned(500, true).passes();
    unassigned(50, false).passes();
    unassigned(500, false).breaks(Invariant::FetchSessions);
}

#[test]
fn what_is_not_wanted_is_not_asked_for() {
    let mut history = History::new();
    history.connected(1, 1).position(0, 0).consuming(Consuming::Paused(&of(0))).pass(500);
    history.fetch(1, &fetch(0, 0, &[0], 3), &told(9, ErrorCode::NONE)).breaks(Invariant::FetchSessions);
}

#[test]
fn leader_epochs_do_not_fall() {
    let mut history = History::new();
    history
        .fetching()
        .pass(500)
        .fetch(2, &fetch(9, 1, &[0], 2), &told(9, ErrorCode::NONE))
        .breaks(Invariant::EpochsRise);
}

fn forgetting(session_epoch: i32, partition: i32) -> FetchRequest {
    let partitions = Ints::from([partition]);
    let forgotten = ForgottenTopic { topic_id: TOPIC_ID, partitions, ..ForgottenTopic::default() };
    FetchRequest { forgotten_topics_data: vec![forgotten], ..fetch(9, session_epoch, &[], 3) }
}

/// A response with 600 bytes and more of partition 0, from an offset on.
fn records(offset: i64) -> FetchResponse {
    let numbers: Vec<u64> = (0..10).collect();
    let bytes = batch(&numbers, Stamped { offset, leader_epoch: 0, ..UNSTORED }, Compression::None);
    let data = PartitionData { records: Some(RecordBytes::from(bytes)), ..PartitionData::default() };
    let topic = FetchableTopicResponse {
        topic_id: TOPIC_ID,
        partitions: vec![data],
        ..FetchableTopicResponse::default()
    };
    FetchResponse { responses: vec![topic], ..told(9, ErrorCode::NONE) }
}

#[test]
fn no_more_is_fetched_than_fits() {
    let mut history = History::new();
    history.written(10).fetching();
    history.fetch(2, &fetch(9, 1, &[], 3), &records(0)).fetch(3, &fetch(9, 2, &[], 3), &records(10));
    assert_eq!(history.checker.violations(), []);
    history.fetch(4, &fetch(9, 3, &[], 3), &records(20)).breaks(Invariant::FetchBudget);
}

#[test]
fn what_was_handed_out_makes_room() {
    let mut history = History::new();
    history.written(10).fetching();
    history.fetch(2, &fetch(9, 1, &[], 3), &records(0)).fetch(3, &fetch(9, 2, &[], 3), &records(10));
    for number in 0..10 {
        history.deliver(0, i64::try_from(number).unwrap(), number);
    }
    history.fetch(4, &fetch(9, 3, &[], 3), &records(20)).passes();
}

#[test]
fn what_may_have_been_set_aside_is_not_counted() {
    let fetched = |reads_apart: bool, last: &FetchRequest| {
        let mut history = History::new();
        let facts = ConsumerFacts { read_committed: false, buffer_memory: 1_000, reset: None, reads_apart };
        history.consuming(Consuming::Made(CLIENT, &facts)).written(10).fetching();
        history.fetch(2, &fetch(9, 1, &[], 3), &records(0)).fetch(3, &fetch(9, 2, &[], 3), &records(10));
        history.fetch(4, last, &records(20));
        history
    };
    fetched(true, &forgetting(3, 0)).passes();
    fetched(true, &forgetting(3, 1)).breaks(Invariant::FetchBudget);
    fetched(false, &forgetting(3, 0)).breaks(Invariant::FetchBudget);
}

#[test]
fn fetching_in_vain_has_a_bounded_rate() {
    let mut history = History::new();
    history.connected(1, 1).position(0, 0);
    for id in 1..=120 {
        history.fetch(id, &fetch(0, -1, &[0], 3), &told(0, ErrorCode::UNKNOWN_SERVER_ERROR));
    }
    history.breaks(Invariant::BoundedRates);
}
