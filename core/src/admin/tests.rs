//! Scripts of single operations, and the laws.

use core::time::Duration;
use std::{boxed::Box, format, string::String, vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest, AnyResponse,
        create_topics::{CreatableTopicResult, CreateTopicsResponse},
        delete_topics::{DeletableTopicResult, DeleteTopicsResponse},
        list_offsets::{ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse},
        metadata::{
            MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
};
use proptest::prelude::*;

use super::{
    Admin, AdminCommand, AdminConfig, AdminError, AdminErrorKind, AdminOutput, AdminReply, ListedOffset,
    NewTopic, NoAnswer, OffsetSpec,
};
use crate::{
    BrokerId, Effect, Entropy, Instant, OperationId, Request, Target, Token,
    laws::{Machine, Step, check, step},
};

const ID: OperationId = OperationId(7);

struct Bench {
    admin: Admin,
    now: Instant,
}

impl Bench {
    /// An operation that has 10 s.
    fn start(command: AdminCommand) -> Self {
        let mut admin = Admin::new(AdminConfig::default(), Entropy::new(1));
        let now = Instant::from_millis(5_000);
        admin.start(now, ID, command, now + Duration::from_secs(10));
        Self { admin, now }
    }

    fn asks(&mut self) -> (u64, Request) {
        match self.admin.poll() {
            Some(AdminOutput::Request(request)) => {
                let Token::Operation(ID, serial) = request.token else { panic!("{request:?}") };
                (serial, request)
            }
            other => panic!("no request: {other:?}"),
        }
    }

    fn answer(&mut self, serial: u64, response: impl Into<AnyResponse>) {
        self.admin.handle_response(self.now, ID, serial, response.into()).unwrap();
    }

    fn lose(&mut self, serial: u64, written: bool) {
        self.admin.handle_failed(self.now, ID, serial, NoAnswer::Lost { written });
    }

    /// Goes to the next deadline.
    fn wait(&mut self) -> Duration {
        let at = self.admin.poll_timeout().unwrap();
        let waited = at - self.now;
        self.now = at;
        self.admin.handle_timeout(at);
        waited
    }

    fn done(&mut self) -> Result<AdminReply, AdminError> {
        let Some(AdminOutput::Done { operation: ID, result }) = self.admin.poll() else { panic!("not done") };
        assert!(self.admin.is_empty());
        assert_eq!(self.admin.poll(), None);
        result
    }
}

fn create(names: &[&'static str]) -> AdminCommand {
    let topics = names.iter().map(|name| NewTopic::new(*name).partitions(3).replication(1)).collect();
    AdminCommand::CreateTopics { topics, validate_only: false }
}

fn created(results: &[(&'static str, ErrorCode)]) -> CreateTopicsResponse {
    let topics = results.iter().map(|(name, error_code)| CreatableTopicResult {
        name: Str::from(*name),
        error_code: *error_code,
        num_partitions: 3,
        replication_factor: 1,
        ..Default::default()
    });
    CreateTopicsResponse { topics: topics.collect(), ..Default::default() }
}

fn metadata(topics: &[(&'static str, &[i32])]) -> MetadataResponse {
    let topics = topics.iter().map(|(name, leaders)| MetadataResponseTopic {
        name: Some(Str::from(*name)),
        partitions: (leaders.iter().zip(0..))
            .map(|(leader, index)| MetadataResponsePartition {
                partition_index: index,
                leader_id: *leader,
                leader_epoch: 4,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    MetadataResponse {
        brokers: vec![MetadataResponseBroker { node_id: 1, ..Default::default() }],
        topics: topics.collect(),
        ..Default::default()
    }
}

fn listed(topic: &'static str, partitions: &[(i32, ErrorCode, i64)]) -> ListOffsetsResponse {
    let partitions = partitions.iter().map(|(partition, error_code, offset)| ListOffsetsPartitionResponse {
        partition_index: *partition,
        error_code: *error_code,
        offset: *offset,
        timestamp: -1,
        leader_epoch: -1,
        ..Default::default()
    });
    let topic = ListOffsetsTopicResponse {
        name: Str::from(topic),
        partitions: partitions.collect(),
        ..Default::default()
    };
    ListOffsetsResponse { topics: vec![topic], ..Default::default() }
}

#[test]
fn topics_are_created_by_the_controller_and_answered_one_by_one() {
    let mut bench = Bench::start(create(&["a", "b"]));
    let (serial, request) = bench.asks();
    assert_eq!(request.to, Target::Controller);
    bench.answer(serial, created(&[("b", ErrorCode::TOPIC_ALREADY_EXISTS), ("a", ErrorCode::NONE)]));
    let Ok(AdminReply::CreateTopics(topics)) = bench.done() else { panic!() };
    assert_eq!(topics["a"].as_ref().unwrap().partitions, Some(3));
    let error = topics["b"].as_ref().unwrap_err();
    assert_eq!((error.code, error.effect), (ErrorCode::TOPIC_ALREADY_EXISTS, Effect::None));
}

#[test]
fn only_what_the_wrong_controller_refused_is_asked_again() {
    let mut bench = Bench::start(create(&["a", "b"]));
    let (serial, _) = bench.asks();
    bench.answer(serial, created(&[("a", ErrorCode::NONE), ("b", ErrorCode::NOT_CONTROLLER)]));
    assert_eq!(bench.admin.poll(), Some(AdminOutput::Refresh));
    let pause = bench.wait();
    assert!((80..=120).contains(&pause.as_millis()), "{pause:?}");
    let (serial, request) = bench.asks();
    let AnyRequest::CreateTopics(message) = &*request.request else { panic!() };
    assert_eq!(message.topics.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>(), ["b"]);
    bench.answer(serial, created(&[("b", ErrorCode::NONE)]));
    let Ok(AdminReply::CreateTopics(topics)) = bench.done() else { panic!() };
    assert!(topics.values().all(Result::is_ok));
}

#[test]
fn a_lost_answer_makes_the_effect_unknown() {
    let mut bench = Bench::start(create(&["a"]));
    let (serial, _) = bench.asks();
    bench.lose(serial, true);
    bench.wait();
    let (serial, _) = bench.asks();
    bench.answer(serial, created(&[("a", ErrorCode::TOPIC_ALREADY_EXISTS)]));
    let Ok(AdminReply::CreateTopics(topics)) = bench.done() else { panic!() };
    assert_eq!(topics["a"].as_ref().unwrap_err().effect, Effect::Unknown);
}

#[test]
fn what_was_never_sent_had_no_effect_when_the_deadline_passes() {
    let mut bench = Bench::start(create(&["a"]));
    let begun = bench.now;
    let mut attempts = 0;
    while bench.now - begun < Duration::from_secs(10) {
        let (serial, _) = bench.asks();
        bench.lose(serial, false);
        bench.wait();
        attempts += 1;
    }
    assert!((10..=16).contains(&attempts), "{attempts} attempts: 100 ms, doubled up to 1 s");
    let error = bench.done().unwrap_err();
    assert_eq!((error.kind, error.effect), (AdminErrorKind::TimedOut, Effect::None));
}

#[test]
fn the_deadline_ends_an_operation_that_nobody_answers() {
    for (command, effect) in [(create(&["a"]), Effect::Unknown), (AdminCommand::ListTopics, Effect::None)] {
        let mut bench = Bench::start(command);
        let (serial, _) = bench.asks();
        assert_eq!(bench.wait(), Duration::from_secs(10));
        let error = bench.done().unwrap_err();
        assert_eq!((error.kind, error.effect), (AdminErrorKind::TimedOut, effect));
        bench.answer(serial, created(&[("a", ErrorCode::NONE)]));
        assert_eq!(bench.admin.poll(), None, "a late answer is none");
    }
}

#[test]
fn an_unknown_topic_is_the_brokers_last_word_on_deleting_it() {
    let mut bench = Bench::start(AdminCommand::DeleteTopics { names: vec![Str::from("a")] });
    let (serial, request) = bench.asks();
    assert_eq!(request.max_version, 5, "the last version with plain names");
    let result = DeletableTopicResult {
        name: Some(Str::from("a")),
        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ..Default::default()
    };
    bench.answer(serial, DeleteTopicsResponse { responses: vec![result], ..Default::default() });
    let Ok(AdminReply::DeleteTopics(topics)) = bench.done() else { panic!() };
    assert_eq!(topics["a"].as_ref().unwrap_err().code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn offsets_are_asked_of_each_leader_and_again_of_the_next_one() {
    let of = (0..3).map(|partition| (Str::from("t"), partition, OffsetSpec::Latest)).collect();
    let mut bench = Bench::start(AdminCommand::ListOffsets { of, read_committed: true });
    let (serial, request) = bench.asks();
    assert_eq!(request.to, Target::Any);
    bench.answer(serial, metadata(&[("t", &[1, 2, 1])]));
    let (to_first, first) = bench.asks();
    let (to_second, second) = bench.asks();
    assert_eq!((first.to, second.to), (Target::Broker(BrokerId(1)), Target::Broker(BrokerId(2))));
    let AnyRequest::ListOffsets(message) = &*first.request else { panic!() };
    assert_eq!((message.replica_id, message.isolation_level), (-1, 1));
    bench.answer(to_second, listed("t", &[(1, ErrorCode::NOT_LEADER_OR_FOLLOWER, -1)]));
    assert_eq!(bench.admin.poll(), Some(AdminOutput::Refresh));
    bench.answer(to_first, listed("t", &[(0, ErrorCode::NONE, 10), (2, ErrorCode::NONE, -1)]));
    bench.wait();
    let (serial, _) = bench.asks();
    bench.answer(serial, metadata(&[("t", &[1, 1, 1])]));
    let (serial, request) = bench.asks();
    assert_eq!(request.to, Target::Broker(BrokerId(1)));
    bench.answer(serial, listed("t", &[(1, ErrorCode::NONE, 11)]));
    let Ok(AdminReply::ListOffsets(offsets)) = bench.done() else { panic!() };
    let offsets: Vec<_> = offsets.values().map(|offset| offset.as_ref().unwrap().offset).collect();
    assert_eq!(offsets, [Some(10), Some(11), None]);
    let nothing = ListedOffset { offset: None, timestamp: None, leader_epoch: None };
    assert_eq!(nothing.offset, None);
}

#[test]
fn an_answer_to_another_request_is_nonsense_and_repeated() {
    let mut bench = Bench::start(AdminCommand::ListTopics);
    let (serial, _) = bench.asks();
    assert!(bench.admin.handle_response(bench.now, ID, serial, created(&[]).into()).is_err());
    bench.wait();
    let (serial, _) = bench.asks();
    bench.answer(serial, metadata(&[("t", &[1])]));
    let Ok(AdminReply::ListTopics(topics)) = bench.done() else { panic!() };
    assert_eq!(topics["t"].partitions, 1);
}

#[test]
fn an_api_that_the_broker_lacks_ends_the_operation() {
    let mut bench = Bench::start(create(&["a"]));
    let (serial, _) = bench.asks();
    bench.admin.handle_failed(bench.now, ID, serial, NoAnswer::Unsupported);
    assert_eq!(bench.done().unwrap_err().kind, AdminErrorKind::Unsupported);
}

#[test]
fn brokers_that_would_create_topics_are_asked_for_all_of_them() {
    let names = vec![Str::from("t"), Str::from("u")];
    let mut bench = Bench::start(AdminCommand::DescribeTopics { names });
    let (serial, request) = bench.asks();
    let AnyRequest::Metadata(message) = &*request.request else { panic!() };
    assert!(!message.allow_auto_topic_creation);
    bench.admin.handle_failed(bench.now, ID, serial, NoAnswer::Unsupported);
    let (serial, request) = bench.asks();
    let AnyRequest::Metadata(message) = &*request.request else { panic!() };
    assert_eq!((&message.topics, message.allow_auto_topic_creation), (&None, true));
    bench.answer(serial, metadata(&[("t", &[1]), ("v", &[1])]));
    let Ok(AdminReply::DescribeTopics(topics)) = bench.done() else { panic!() };
    assert_eq!(topics["t"].as_ref().unwrap().partitions.len(), 1);
    assert_eq!(topics["u"].as_ref().unwrap_err().code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn closing_ends_everything_at_once() {
    let mut bench = Bench::start(create(&["a"]));
    bench.asks();
    bench.admin.close(bench.now);
    let error = bench.done().unwrap_err();
    assert_eq!((error.kind, error.effect), (AdminErrorKind::Closed, Effect::Unknown));
}

#[derive(Clone, Debug)]
enum Act {
    Start(u64, AdminCommand),
    Answer(usize, Box<AnyResponse>),
    Lose(usize, bool),
    Unsupported(usize),
    Close,
}

struct Subject {
    admin: Admin,
    open: Vec<(OperationId, u64)>,
}

impl Machine for Subject {
    type Input = Act;
    type Output = String;

    fn apply(&mut self, now: Instant, input: &Act) {
        match input {
            Act::Start(id, command) => {
                self.admin.start(now, OperationId(*id), command.clone(), now + Duration::from_secs(20));
            }
            Act::Answer(at, response) if *at < self.open.len() => {
                let (id, serial) = self.open.swap_remove(*at);
                // Nonsense is a value, and one of the possible answers.
                drop(self.admin.handle_response(now, id, serial, AnyResponse::clone(response)));
            }
            Act::Lose(at, written) if *at < self.open.len() => {
                let (id, serial) = self.open.swap_remove(*at);
                self.admin.handle_failed(now, id, serial, NoAnswer::Lost { written: *written });
            }
            Act::Unsupported(at) if *at < self.open.len() => {
                let (id, serial) = self.open.swap_remove(*at);
                self.admin.handle_failed(now, id, serial, NoAnswer::Unsupported);
            }
            Act::Close => self.admin.close(now),
            Act::Answer(..) | Act::Lose(..) | Act::Unsupported(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.admin.handle_timeout(now);
    }

    fn poll(&mut self, _: Instant, _: Instant) -> Option<String> {
        let output = self.admin.poll()?;
        if let AdminOutput::Request(request) = &output {
            let Token::Operation(id, serial) = request.token else { panic!("{request:?}") };
            self.open.push((id, serial));
        }
        Some(format!("{output:?}"))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.admin.poll_timeout()
    }

    fn backlog(&self) -> usize {
        self.admin.len()
    }
}

fn command() -> impl Strategy<Value = AdminCommand> {
    prop_oneof![
        Just(create(&["a", "b"])),
        Just(AdminCommand::DeleteTopics { names: vec![Str::from("a")] }),
        Just(AdminCommand::ListTopics),
        Just(AdminCommand::DescribeCluster),
        Just(AdminCommand::DescribeTopics { names: vec![Str::from("t"), Str::from("u")] }),
        Just(AdminCommand::ListOffsets {
            of: vec![(Str::from("t"), 0, OffsetSpec::Earliest), (Str::from("t"), 1, OffsetSpec::Latest)],
            read_committed: false
        }),
        Just(AdminCommand::ListOffsets { of: Vec::new(), read_committed: false }),
    ]
}

fn answer() -> impl Strategy<Value = AnyResponse> {
    let code = prop_oneof![
        Just(ErrorCode::NONE),
        Just(ErrorCode::NOT_CONTROLLER),
        Just(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        Just(ErrorCode::REQUEST_TIMED_OUT),
        Just(ErrorCode::TOPIC_ALREADY_EXISTS),
    ];
    prop_oneof![
        code.clone().prop_map(|code| created(&[("a", code), ("b", ErrorCode::NONE)]).into()),
        (code, 0..2_i32).prop_map(|(code, partition)| listed("t", &[(partition, code, 5)]).into()),
        prop_oneof![Just(-1), Just(1)].prop_map(|leader| metadata(&[("t", &[leader, 1])]).into()),
        Just(metadata(&[]).into()),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step<Act>>> {
    let act = prop_oneof![
        3 => (0..4_u64, command()).prop_map(|(id, command)| Act::Start(id, command)),
        6 => (0..3_usize, answer()).prop_map(|(at, answer)| Act::Answer(at, Box::new(answer))),
        2 => (0..3_usize, any::<bool>()).prop_map(|(at, written)| Act::Lose(at, written)),
        1 => (0..3_usize).prop_map(Act::Unsupported),
        1 => Just(Act::Close),
    ];
    proptest::collection::vec((0..3_000_u64, act).prop_map(|(millis, act)| step(millis, act)), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn obeys_the_laws(script in steps()) {
        let make = |_| Subject { admin: Admin::new(AdminConfig::default(), Entropy::new(3)), open: Vec::new() };
        check(make, &script);
    }
}

#[test]
fn offsets_of_the_oldest_brokers_are_the_first_of_a_list() {
    let of = vec![(Str::from("t"), 0, OffsetSpec::Latest)];
    let mut bench = Bench::start(AdminCommand::ListOffsets { of, read_committed: false });
    let (serial, _) = bench.asks();
    bench.admin.handle_failed(bench.now, ID, serial, NoAnswer::Unsupported);
    let (serial, request) = bench.asks();
    assert!(matches!(*request.request, AnyRequest::Metadata(ref asked) if asked.topics.is_none()));
    bench.answer(serial, metadata(&[("t", &[1])]));
    let (serial, request) = bench.asks();
    assert_eq!(request.to, Target::Broker(BrokerId(1)));
    let mut response = listed("t", &[(0, ErrorCode::NONE, -1)]);
    response.topics[0].partitions[0].old_style_offsets = vec![42];
    bench.answer(serial, response);
    let Ok(AdminReply::ListOffsets(offsets)) = bench.done() else { panic!("not listed") };
    assert_eq!(offsets[&(Str::from("t"), 0)].as_ref().unwrap().offset, Some(42));
}
