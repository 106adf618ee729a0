use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::records::Batches;
use klamm_sim::observe::ClusterEvent;

use crate::wire::{Wire, plain};

pub(crate) fn events(wire: &mut Wire) -> Vec<ClusterEvent> {
    std::iter::from_fn(|| wire.cluster.poll_event()).collect()
}

/// In short: what happened, and its numbers.
pub(crate) fn shown(event: &ClusterEvent) -> String {
    match event {
        ClusterEvent::Appended { partition, broker, leader_epoch, batches, .. } => {
            let first = Batches::new(batches).next().unwrap().unwrap();
            assert_eq!(first.leader_epoch(), Some(*leader_epoch));
            format!("appended {partition} at {broker}/{leader_epoch} from {}", first.base_offset())
        }
        ClusterEvent::Committed { partition, high_watermark, .. } => {
            format!("committed {partition} below {high_watermark}")
        }
        ClusterEvent::Elected { partition, leader, leader_epoch, end_offset, unclean, .. } => {
            let how = if *unclean { " uncleanly" } else { "" };
            format!("elected {leader}/{leader_epoch} for {partition}{how}, end {end_offset}")
        }
        ClusterEvent::Lost { partition, from_offset, leader_epoch, .. } => {
            format!("lost {partition} from {from_offset} before epoch {leader_epoch}")
        }
        ClusterEvent::LogStart { partition, offset, .. } => format!("start {partition} at {offset}"),
        ClusterEvent::Topic { topic, partitions, .. } => format!("topic {topic} of {partitions}"),
        ClusterEvent::TopicDeleted { topic, .. } => format!("topic {topic} deleted"),
        ClusterEvent::Broker { broker, up } => format!("broker {broker} {}", if *up { "up" } else { "down" }),
        ClusterEvent::ProducerId { producer_id, epoch } => format!("producer {producer_id}/{epoch}"),
        other => format!("{other:?}"),
    }
}

/// What happened since the last time.
pub(crate) fn story(wire: &mut Wire) -> Vec<String> {
    events(wire).iter().map(shown).collect()
}

#[test]
fn nothing_is_recorded_unless_somebody_looks() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.produce(9, plain(&["a"]));
    assert_eq!(wire.cluster.poll_event(), None);
    wire.cluster.record_events(true);
    wire.produce(9, plain(&["b", "c"]));
    assert_eq!(story(&mut wire), ["appended 0 at 1/0 from 1", "committed 0 below 3"]);
    wire.produce(9, plain(&["d"]));
    wire.cluster.record_events(false);
    wire.cluster.record_events(true);
    assert_eq!(wire.cluster.poll_event(), None);
}

#[test]
fn what_was_appended_is_told_as_it_is_stored() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.record_events(true);
    wire.produce(9, plain(&["a"]));
    wire.produce(9, plain(&["b", "c"]));
    let told: Vec<u8> = events(&mut wire)
        .into_iter()
        .filter_map(|event| match event {
            ClusterEvent::Appended { topic_id, topic, batches, .. } => {
                assert_eq!((topic_id, topic.as_str()), (wire.topic_id(), "t"));
                Some(batches)
            }
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(told, wire.cluster.batches("t", 0).unwrap());
}

#[test]
fn topics_brokers_and_elections_are_told() {
    let mut wire = Wire::with_topic(2, "4.2");
    wire.cluster.record_events(true);
    wire.cluster.create_topic("u", 2, 1).unwrap();
    assert_eq!(story(&mut wire), ["topic u of 2"]);
    wire.cluster.delete_topic(wire.now, "u").unwrap();
    assert_eq!(story(&mut wire), ["topic u deleted"]);
    wire.produce(9, plain(&["a"]));
    wire.cluster.kill(wire.now, 1);
    wire.produce(9, plain(&["b"]));
    wire.cluster.restart(1);
    assert_eq!(
        story(&mut wire),
        [
            "appended 0 at 1/0 from 0",
            "committed 0 below 1",
            "broker 1 down",
            "elected 2/1 for 0, end 1",
            "appended 0 at 2/1 from 1",
            "committed 0 below 2",
            "broker 1 up",
        ]
    );
    wire.cluster.kill(wire.now, 1);
    wire.cluster.kill(wire.now, 2);
    assert_eq!(story(&mut wire), ["broker 1 down", "broker 2 down", "elected -1/2 for 0, end -1"]);
    wire.cluster.restart(2);
    assert_eq!(story(&mut wire), ["broker 2 up", "elected 2/3 for 0, end 2"]);
    let request = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
    let producer_id = wire.ask(2, 4, &request).producer_id;
    assert_eq!(story(&mut wire), [format!("producer {producer_id}/0")]);
}
