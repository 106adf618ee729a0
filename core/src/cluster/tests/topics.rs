//! Topics: wanted, known, missing, refused, deleted.

use core::time::Duration;

use klamm_protocol::{ErrorCode, Str, messages::metadata::MetadataResponseTopic};

use super::world::{World, failing, id, response, topic};
use crate::cluster::{ClusterOutput, TopicError, TopicState};

const UNKNOWN: ErrorCode = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;

fn failed(code: ErrorCode, deleted: bool) -> ClusterOutput {
    ClusterOutput::TopicFailed { topic: Str::from("t"), error: TopicError { code, deleted } }
}

/// Lets the machine ask and answers with `answer` until `millis` have passed; what it reports meanwhile.
fn answers_for(
    world: &mut World,
    millis: u64,
    answer: &MetadataResponseTopic,
) -> std::vec::Vec<ClusterOutput> {
    asked_for(world, millis, answer).0
}

/// As [`answers_for`], and how often it asked.
fn asked_for(
    world: &mut World,
    millis: u64,
    answer: &MetadataResponseTopic,
) -> (std::vec::Vec<ClusterOutput>, u32) {
    let end = world.now + Duration::from_millis(millis);
    let (mut reported, mut asked) = (std::vec::Vec::new(), 0);
    while let Some(due) = world.cluster.poll_timeout().filter(|due| *due <= end) {
        world.now = world.now.max(due);
        world.cluster.handle_timeout(world.now);
        while let Some(output) = world.cluster.poll(world.now) {
            match output {
                ClusterOutput::Request(request) => {
                    let crate::Token::Cluster(number) = request.token else { panic!("{request:?}") };
                    asked += 1;
                    let answer = response(core::slice::from_ref(answer));
                    world.cluster.handle_response(world.now, number, 12, &answer);
                }
                other => reported.push(other),
            }
        }
    }
    world.now = end;
    (reported, asked)
}

#[test]
fn a_topic_is_known_by_name_and_id() {
    let world = World::with_topic(&[(1, 3), (2, 4)]);
    let topic = world.cluster.topic("t").unwrap();
    assert_eq!((topic.name.as_str(), topic.id, topic.internal), ("t", id(1), false));
    assert_eq!(topic.partitions, [world.index(0), world.index(1)]);
    assert_eq!(world.cluster.topic_by_id(id(1)), Some(topic));
    assert_eq!(world.cluster.topic_by_id(id(9)), None);
    assert_eq!(world.cluster.topic_state("t"), TopicState::Known(topic));
    assert_eq!(world.cluster.topic_state("u"), TopicState::NotWanted);
    let name = world.cluster.partitions().name(world.index(1)).unwrap();
    assert_eq!((name.0.as_str(), name.1), ("t", 1));
}

#[test]
fn topics_that_nobody_wants_are_not_kept() {
    let mut world = World::with_topic(&[(1, 0)]);
    let mut stranger = topic("stranger", &[(1, 0)]);
    stranger.topic_id = id(7);
    world.cluster.request_refresh();
    world.answer_later(&response(&[topic("t", &[(1, 0)]), stranger]));
    assert!(world.cluster.topic("stranger").is_none());
    assert_eq!(world.cluster.partitions().len(), 1);

    world.cluster.want_topic("t");
    world.cluster.release_topic("t");
    assert!(world.cluster.topic("t").is_some(), "one owner is left");
    let index = world.index(0);
    world.cluster.release_topic("t");
    assert!(world.cluster.topic("t").is_none());
    assert!(world.cluster.topic_by_id(id(1)).is_none());
    assert_eq!((world.cluster.leader(index), world.cluster.partition(index)), (None, None));
    world.cluster.release_topic("t");
}

#[test]
fn numbers_of_partitions_are_never_reused() {
    let mut world = World::with_topic(&[(1, 0), (1, 0)]);
    let (first, second) = (world.index(0), world.index(1));
    world.cluster.release_topic("t");
    assert_eq!(world.cluster.intern(&Str::from("u"), 0).0, second.0 + 1);
    world.cluster.want_topic("t");
    world.answer(&response(&[topic("t", &[(2, 1), (1, 0)])]));
    assert_eq!((world.index(0), world.index(1)), (first, second));
    assert_eq!(world.leader(0), Some((2, 1)));
}

#[test]
fn an_unknown_topic_is_searched_for_and_then_reported() {
    let mut world = World::started();
    world.cluster.want_topic("t");
    assert_eq!(world.cluster.topic_state("t"), TopicState::Pending(ErrorCode::NONE));
    world.answer(&response(&[failing("t", UNKNOWN)]));
    assert_eq!(world.cluster.topic_state("t"), TopicState::Pending(UNKNOWN));
    assert_eq!(answers_for(&mut world, 9_999, &failing("t", UNKNOWN)), []);
    assert_eq!(answers_for(&mut world, 2, &failing("t", UNKNOWN)), [failed(UNKNOWN, false)]);
    assert_eq!(
        world.cluster.topic_state("t"),
        TopicState::Failed(TopicError { code: UNKNOWN, deleted: false })
    );

    // From then on it is asked for now and then, and found if it appears.
    let (reported, asked) = asked_for(&mut world, 100_000, &failing("t", UNKNOWN));
    assert_eq!(reported, []);
    assert!((8..=11).contains(&asked), "asked for {asked} times in 100 s");
    assert_eq!(answers_for(&mut world, 11_000, &topic("t", &[(1, 0)])), [ClusterOutput::Changed]);
    assert!(matches!(world.cluster.topic_state("t"), TopicState::Known(_)));
}

#[test]
fn silence_is_no_denial() {
    let mut world = World::new();
    world.cluster.want_topic("t");
    for _ in 0..30 {
        let (_, asked) = world.asked_later();
        world.pass(1_000);
        world.cluster.handle_lost(world.now, asked.number, None);
    }
    assert_eq!(world.cluster.topic_state("t"), TopicState::Pending(ErrorCode::NONE));
    assert_eq!(answers_for(&mut world, 9_000, &failing("t", UNKNOWN)), [ClusterOutput::Changed]);
    assert_eq!(answers_for(&mut world, 3_000, &failing("t", UNKNOWN)), [failed(UNKNOWN, false)]);
}

#[test]
fn wanting_a_failed_topic_begins_a_new_search() {
    let mut world = World::started();
    world.cluster.want_topic("t");
    assert_eq!(answers_for(&mut world, 10_000, &failing("t", UNKNOWN)), [failed(UNKNOWN, false)]);
    world.cluster.want_topic("t");
    assert_eq!(world.cluster.topic_state("t"), TopicState::Pending(ErrorCode::NONE));
    assert_eq!(answers_for(&mut world, 9_000, &failing("t", UNKNOWN)), []);
    assert_eq!(answers_for(&mut world, 2_000, &failing("t", UNKNOWN)), [failed(UNKNOWN, false)]);
}

#[test]
fn a_topic_that_is_being_created_is_found() {
    let mut world = World::started();
    world.cluster.want_topic("t");
    assert_eq!(answers_for(&mut world, 3_000, &failing("t", ErrorCode::LEADER_NOT_AVAILABLE)), []);
    assert_eq!(answers_for(&mut world, 1_300, &topic("t", &[(1, 0)])), [ClusterOutput::Changed]);
    assert_eq!(answers_for(&mut world, 60_000, &topic("t", &[(1, 0)])), []);
}

#[test]
fn an_error_that_says_nothing_of_the_topic_is_asked_past() {
    for code in [ErrorCode::UNKNOWN_SERVER_ERROR, ErrorCode(9999)] {
        let mut world = World::started();
        world.cluster.want_topic("t");
        assert_eq!(answers_for(&mut world, 1_000, &failing("t", code)), []);
        answers_for(&mut world, 1_000, &topic("t", &[(1, 0)]));
        assert!(matches!(world.cluster.topic_state("t"), TopicState::Known(_)), "{code:?}");
    }
}

#[test]
fn a_refusal_is_reported_at_once_and_once() {
    for code in [ErrorCode::INVALID_TOPIC_EXCEPTION, ErrorCode::TOPIC_AUTHORIZATION_FAILED] {
        let mut world = World::started();
        world.cluster.want_topic("t");
        world.cluster.want_topic("u");
        world.answer(&response(&[failing("t", code), topic("u", &[(1, 0)])]));
        assert_eq!(world.outputs(), [failed(code, false), ClusterOutput::Changed], "the other is unharmed");
        assert_eq!(answers_for(&mut world, 400_000, &failing("t", code)), []);
    }
}

#[test]
fn a_forbidden_topic_is_asked_for_again_until_it_is_allowed() {
    let mut world = World::started();
    world.cluster.want_topic("t");
    answers_for(&mut world, 1_000, &failing("t", ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    assert!(matches!(world.cluster.topic_state("t"), TopicState::Failed(_)));
    assert_eq!(answers_for(&mut world, 12_000, &topic("t", &[(1, 0)])), [ClusterOutput::Changed]);
    assert!(matches!(world.cluster.topic_state("t"), TopicState::Known(_)));
}

#[test]
fn a_deleted_topic_is_reported_once_brokers_agree() {
    let mut world = World::with_topic(&[(1, 0)]);
    world.cluster.request_refresh();
    world.answer_later(&response(&[failing("t", UNKNOWN)]));
    assert_eq!(world.leader(0), Some((1, 0)), "perhaps that broker had not heard of it");
    assert_eq!(answers_for(&mut world, 9_000, &failing("t", UNKNOWN)), []);
    let reported = answers_for(&mut world, 1_100, &failing("t", UNKNOWN));
    assert_eq!(reported, [ClusterOutput::Changed, failed(UNKNOWN, true)]);
    assert!(world.cluster.topic("t").is_none());
    assert_eq!(world.leader(0), None);
}

#[test]
fn a_topic_that_was_missed_by_one_broker_stays() {
    let mut world = World::with_topic(&[(1, 0)]);
    world.cluster.request_refresh();
    world.answer_later(&response(&[failing("t", UNKNOWN)]));
    assert_eq!(answers_for(&mut world, 60_000, &topic("t", &[(1, 0)])), []);
    assert_eq!(world.leader(0), Some((1, 0)));
}

#[test]
fn a_topic_that_becomes_forbidden_is_forgotten() {
    let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let mut world = World::with_topic(&[(1, 0)]);
    world.cluster.request_refresh();
    world.answer_later(&response(&[failing("t", code)]));
    assert_eq!(world.outputs(), [failed(code, false), ClusterOutput::Changed]);
    assert_eq!(world.leader(0), None);
}

#[test]
fn two_topics_with_one_id_do_not_confuse_their_ends() {
    let mut world = World::with_topic(&[(1, 0)]);
    world.cluster.want_topic("u");
    world.answer(&response(&[topic("u", &[(1, 0)])]));
    assert_eq!(world.cluster.topic_by_id(id(1)).unwrap().name, "u");
    world.cluster.release_topic("t");
    assert_eq!(world.cluster.topic_by_id(id(1)).unwrap().name, "u");
}
