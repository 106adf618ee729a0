//! Partitions, their leaders and the epochs of these.

use core::time::Duration;
use std::{vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::metadata::{MetadataResponse, MetadataResponsePartition, MetadataResponseTopic},
};

use super::world::{World, broker, id, response, topic};
use crate::{
    BrokerId,
    cluster::{Address, Broker, ClusterOutput, Leader, Moved},
};

#[test]
fn a_newer_epoch_replaces_the_leader_and_an_older_does_not() {
    let mut world = World::with_topic(&[(1, 5)]);
    for (leader, expected) in [((2, 4), (1, 5)), ((2, 5), (2, 5)), ((1, 6), (1, 6)), ((2, 0), (1, 6))] {
        world.cluster.request_refresh();
        world.answer_later(&response(&[topic("t", &[leader])]));
        assert_eq!(world.leader(0), Some(expected), "{leader:?}");
    }
}

#[test]
fn a_leader_of_whom_nobody_says_where_it_is_is_asked_for_again_soon() {
    let mut world = World::with_topic(&[(1, 5)]);
    world.cluster.request_refresh();
    world.answer_later(&response(&[topic("t", &[(3, 6)])]));
    assert_eq!(world.leader(0), None);
    let (waited, _) = world.asked_later();
    assert!(waited < Duration::from_secs(2), "{waited:?}");
}

#[test]
fn leaders_of_other_topics_are_asked_for_when_a_broker_is_gone() {
    let mut world = World::with_topic(&[(1, 5), (2, 5)]);
    world.cluster.want_topic("u");
    let answer = MetadataResponse {
        brokers: vec![broker(1)],
        ..response(&[MetadataResponseTopic { topic_id: id(2), ..topic("u", &[(1, 0)]) }])
    };
    let asked = world.asked();
    assert_eq!(asked.topics(), Some(vec!["u"]));
    world.cluster.handle_response(world.now, asked.number, 12, &answer);
    assert_eq!((world.leader(0), world.leader(1)), (Some((1, 5)), None));
    let (waited, asked) = world.asked_later();
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    assert_eq!(asked.topics(), Some(vec!["t", "u"]));
}

#[test]
fn a_topic_without_all_its_leaders_is_asked_for_when_it_is_wanted_by_name() {
    let mut world = World::started();
    world.cluster.want_all_topics();
    world.answer_later(&response(&[topic("t", &[(1, 5), (-1, 5)])]));
    world.outputs();
    world.cluster.want_topic("t");
    let (waited, asked) = world.asked_later();
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    assert_eq!(asked.topics(), Some(vec!["t"]));
}

#[test]
fn a_recreated_topic_begins_with_new_epochs() {
    let mut world = World::with_topic(&[(1, 50), (1, 50), (1, 50)]);
    let third = world.index(2);
    let mut recreated = topic("t", &[(2, 0), (2, 0)]);
    recreated.topic_id = id(2);
    world.cluster.request_refresh();
    world.answer_later(&response(&[recreated]));
    assert_eq!((world.leader(0), world.leader(1)), (Some((2, 0)), Some((2, 0))));
    assert_eq!(world.cluster.partition(third), None);
    assert!(world.cluster.topic_by_id(id(1)).is_none());
    assert_eq!(world.cluster.topic_by_id(id(2)).unwrap().partitions.len(), 2);
}

#[test]
fn epochs_that_stay_old_are_believed_in_the_end_unless_the_topic_has_an_id() {
    for (topic_id, believed) in [(Uuid::ZERO, (2, 1)), (Uuid([7; 16]), (1, 50))] {
        let mut world = World::started();
        let of = |leader, epoch| MetadataResponseTopic { topic_id, ..topic("t", &[(leader, epoch)]) };
        world.cluster.want_topic("t");
        world.answer(&response(&[of(1, 50)]));
        for _ in 0..5 {
            world.cluster.request_refresh();
            world.answer_later(&response(&[of(2, 1)]));
            assert_eq!(world.leader(0), Some((1, 50)));
        }
        world.cluster.request_refresh();
        world.answer_later(&response(&[of(2, 1)]));
        assert_eq!(world.leader(0), Some(believed));
    }
}

#[test]
fn epochs_of_old_versions_are_not_believed() {
    let mut world = World::started();
    world.cluster.want_topic("t");
    let asked = world.asked();
    world.cluster.handle_response(world.now, asked.number, 8, &response(&[topic("t", &[(1, 5)])]));
    assert_eq!(world.leader(0), Some((1, -1)));
    world.cluster.request_refresh();
    let (_, asked) = world.asked_later();
    world.cluster.handle_response(world.now, asked.number, 8, &response(&[topic("t", &[(2, 4)])]));
    assert_eq!(world.leader(0), Some((2, -1)));
}

#[test]
fn no_epoch_never_replaces_one() {
    let mut world = World::with_topic(&[(1, 5)]);
    world.cluster.request_refresh();
    world.answer_later(&response(&[topic("t", &[(-1, -1)])]));
    assert_eq!(world.leader(0), None);
    assert_eq!(world.cluster.partition(world.index(0)).unwrap().leader_epoch, 5);
}

#[test]
fn brokers_that_were_downgraded_tell_no_epochs_and_none_is_kept() {
    let mut world = World::with_topic(&[(1, 5)]);
    world.cluster.request_refresh();
    let (_, asked) = world.asked_later();
    world.cluster.handle_response(world.now, asked.number, 7, &response(&[topic("t", &[(2, 6)])]));
    assert_eq!(world.leader(0), Some((2, -1)));
}

#[test]
fn a_partition_without_a_leader_is_asked_for_until_it_has_one() {
    let mut world = World::with_topic(&[(1, 5), (-1, 3)]);
    assert_eq!((world.leader(0), world.leader(1)), (Some((1, 5)), None));
    let partition = world.cluster.partition(world.index(1)).unwrap();
    assert_eq!(partition.error, ErrorCode::LEADER_NOT_AVAILABLE);
    assert_eq!((&partition.replicas[..], &partition.in_sync[..]), (&[1, 2][..], &[1][..]));
    for _ in 0..5 {
        let (after, asked) = world.asked_later();
        assert!(after.as_millis() <= 1_200);
        assert_eq!(asked.topics().unwrap(), ["t"]);
        let answer = response(&[topic("t", &[(1, 5), (-1, 3)])]);
        world.cluster.handle_response(world.now, asked.number, 12, &answer);
    }
    world.answer_later(&response(&[topic("t", &[(1, 5), (2, 4)])]));
    assert_eq!(world.outputs(), [ClusterOutput::Changed]);
    assert!((world.cluster.poll_timeout().unwrap() - world.now).as_secs() > 200, "no more questions");
}

#[test]
fn a_follower_that_is_down_is_no_hindrance() {
    let mut world = World::started();
    world.cluster.want_topic("t");
    let mut answer = topic("t", &[(1, 0)]);
    answer.partitions[0].error_code = ErrorCode::REPLICA_NOT_AVAILABLE;
    world.answer(&response(&[answer]));
    world.outputs();
    assert!((world.cluster.poll_timeout().unwrap() - world.now).as_secs() > 200);
}

#[test]
fn a_leader_that_is_not_listed_is_none() {
    let world = World::with_topic(&[(9, 0)]);
    assert_eq!(world.leader(0), None);
    assert_eq!(world.cluster.partition(world.index(0)).unwrap().leader, Some(BrokerId(9)));
}

#[test]
fn more_partitions_are_noticed() {
    let mut world = World::with_topic(&[(1, 0)]);
    world.cluster.request_refresh();
    world.answer_later(&response(&[topic("t", &[(1, 0), (2, 0)])]));
    assert_eq!(world.outputs(), [ClusterOutput::Changed]);
    assert_eq!(world.cluster.topic("t").unwrap().partitions, [world.index(0), world.index(1)]);
    assert_eq!(world.leader(1), Some((2, 0)));
}

#[test]
fn partitions_out_of_order_and_out_of_range() {
    let mut world = World::started();
    world.cluster.want_topic("t");
    let mut answer = topic("t", &[(1, 0), (2, 0), (1, 0), (1, 0), (1, 0)]);
    let numbers = [2, 0, 1, i32::MAX, -1];
    for (partition, number) in answer.partitions.iter_mut().zip(numbers) {
        partition.partition_index = number;
    }
    answer.partitions.push(MetadataResponsePartition { partition_index: 0, ..answer.partitions[1].clone() });
    world.answer(&response(&[answer]));
    let expected = [world.index(0), world.index(1), world.index(2)];
    assert_eq!(world.cluster.topic("t").unwrap().partitions, expected);
    assert_eq!(world.cluster.partitions().len(), 3);
}

fn hint(broker: i32, epoch: i32) -> Leader {
    Leader { broker: BrokerId(broker), epoch }
}

#[test]
fn a_hint_moves_a_partition_at_once() {
    let mut world = World::with_topic(&[(1, 5)]);
    let index = world.index(0);
    world.pass(1_000);
    assert!(world.cluster.handle_leader_hint(index, hint(2, 6), None));
    assert_eq!(world.leader(0), Some((2, 6)));
    assert_eq!(world.cluster.poll(world.now), Some(ClusterOutput::Changed));
    assert_eq!(world.asked().topics().unwrap(), ["t"], "and is verified");
}

#[test]
fn a_hint_is_believed_only_if_it_is_newer_and_says_where() {
    let mut world = World::with_topic(&[(1, 5)]);
    let index = world.index(0);
    assert!(!world.cluster.handle_leader_hint(index, hint(2, 5), None), "not newer");
    assert!(!world.cluster.handle_leader_hint(index, hint(3, 6), None), "where is 3?");
    let address = Address { host: Str::from("host3"), port: 9003 };
    let endpoint = |id| Some(Broker { id: BrokerId(id), address: address.clone(), rack: None });
    assert!(!world.cluster.handle_leader_hint(index, hint(3, 6), endpoint(4)), "another broker's");
    assert_eq!(world.leader(0), Some((1, 5)));
    assert!(world.cluster.handle_leader_hint(index, hint(3, 6), endpoint(3)));
    assert_eq!(world.leader(0), Some((3, 6)));
    assert_eq!(world.cluster.broker(BrokerId(3)).unwrap().address, address);
    assert!(!world.cluster.handle_leader_hint(crate::PartitionIndex(77), hint(1, 1), None));
}

#[test]
fn a_broker_that_moves_is_noticed() {
    let mut world = World::with_topic(&[(1, 0)]);
    let mut answer = response(&[topic("t", &[(1, 0)])]);
    answer.brokers[0] =
        klamm_protocol::messages::metadata::MetadataResponseBroker { port: 9999, ..broker(1) };
    world.cluster.request_refresh();
    world.answer_later(&answer);
    assert_eq!(world.outputs(), [ClusterOutput::Changed]);
    assert_eq!(world.cluster.broker(BrokerId(1)).unwrap().address.port, 9999);
}

#[test]
fn what_moved_is_told_and_nothing_else() {
    let mut world = World::with_topic(&[(1, 5), (1, 5), (2, 5)]);
    let all: Vec<_> = (0..3).map(|partition| world.index(partition)).collect();
    assert_eq!(world.cluster.take_moved(), Moved::All, "brokers are known now");
    let next = |world: &mut World, leaders: &[(i32, i32)]| {
        world.cluster.request_refresh();
        world.answer_later(&response(&[topic("t", leaders)]));
        world.cluster.take_moved()
    };
    assert_eq!(next(&mut world, &[(1, 5), (1, 5), (2, 5)]), Moved::Some(Vec::new()), "the same again");
    assert_eq!(next(&mut world, &[(1, 5), (2, 6), (2, 5)]), Moved::Some(vec![all[1]]));
    assert_eq!(next(&mut world, &[(1, 5), (2, 6)]), Moved::Some(vec![all[2]]), "it is gone");
    world.cluster.handle_leader_hint(all[0], Leader { broker: BrokerId(2), epoch: 9 }, None);
    assert_eq!(world.cluster.take_moved(), Moved::Some(vec![all[0]]));
    let mut recreated = topic("t", &[(1, 0), (2, 0)]);
    recreated.topic_id = id(2);
    world.cluster.request_refresh();
    world.answer_later(&response(&[recreated]));
    let Moved::Some(moved) = world.cluster.take_moved() else { panic!("not all") };
    assert!(all[..2].iter().all(|index| moved.contains(index)), "their topic has another id");
    world.cluster.release_topic("t");
    assert_eq!(world.cluster.take_moved(), Moved::Some(all[..2].to_vec()));
}

#[test]
fn all_topics_are_known_when_the_question_for_all_is_answered() {
    let mut world = World::with_topic(&[(1, 5)]);
    world.outputs();
    assert!(!world.cluster.knows_all_topics());
    world.cluster.want_all_topics();
    assert!(!world.cluster.knows_all_topics(), "nobody has said so");
    world.answer_later(&response(&[topic("t", &[(1, 5)])]));
    assert!(world.cluster.knows_all_topics());
    assert!(world.outputs().contains(&ClusterOutput::Changed), "told also if there are no others");
    world.cluster.release_all_topics();
    assert!(!world.cluster.knows_all_topics());
}
