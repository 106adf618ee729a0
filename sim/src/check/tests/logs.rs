use bytes::Bytes;
use klamm_core::Effect;
use klamm_protocol::compression::Compression;

use super::history::*;
use crate::check::Invariant;
use crate::observe::{ClusterEvent, ProducerFacts};

#[test]
fn what_was_stored_is_what_was_offered() {
    let stamped = Stamped { offset: 0, leader_epoch: 0, ..UNSTORED };
    for codec in
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        let bytes = batch(&[0, 1, 2], stamped, codec);
        History::new().accept(&[0, 1, 2]).append_bytes(0, 0, Bytes::from(bytes)).passes();
    }
    let mut bytes = batch(&[0], stamped, Compression::None);
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    History::new().accept(&[0]).append_bytes(0, 0, Bytes::from(bytes)).breaks(Invariant::BatchesValid);
}

#[test]
fn the_log_of_a_leader_has_no_holes() {
    History::new().accept(&[0]).append(0, (0, 1), &[0]).breaks(Invariant::OneValuePerOffset);
}

#[test]
fn a_clean_election_keeps_what_is_committed() {
    History::new().written(3).elect(0, 1, 3, &[(0, 0), (1, 3)]).passes();
    assert_eq!(
        History::new().written(3).elect(0, 1, 2, &[(0, 0), (1, 2)]).found(),
        [Invariant::AckedIsThere]
    );
    History::new().written(3).lose(0, (1, 2)).elect(0, 1, 2, &[(0, 0), (1, 2)]).passes();
}

#[test]
fn what_an_old_leader_appends_does_not_count() {
    let facts = ProducerFacts { acks: 1, idempotent: false, ..facts() };
    let mut history = History::with(facts);
    history.accept(&[0, 2]).elect(0, 1, 0, &[(1, 0)]);
    history.append(0, (0, 0), &[0]).write(0, 0, 0).append(0, (1, 0), &[2]).write(2, 0, 0).passes();
}

#[test]
fn what_an_old_leader_appended_comes_back_with_it() {
    let facts = ProducerFacts { acks: 1, idempotent: false, ..facts() };
    let mut history = History::with(facts);
    history.accept(&[0, 2]).elect(0, 1, 0, &[(1, 0)]);
    history.append(0, (0, 0), &[0]).write(0, 0, 0).append(0, (1, 0), &[2]).write(2, 0, 0);
    history.elect(0, 2, 1, &[(0, 0), (2, 1)]).commit(0, 1);
    history.position(0, 0).deliver(0, 0, 0).passes();
}

#[test]
fn what_a_forgotten_leader_acknowledged_is_lost() {
    let acknowledged = || {
        let mut history = History::new();
        history.accept(&[0]).elect(0, 1, 0, &[(1, 0)]).append(0, (0, 0), &[0]);
        history
    };
    acknowledged().write(0, 0, 0).breaks(Invariant::AckedIsThere);
    acknowledged().lose(0, (1, 0)).write(0, 0, 0).passes();
}

#[test]
fn a_copy_in_a_lost_log_is_none() {
    let mut history = History::new();
    history.accept(&[0]).append(0, (0, 0), &[0]).lose(0, (1, 0)).append(0, (1, 0), &[0]).commit(0, 1);
    history.write(0, 0, 0).passes();
}

#[test]
fn who_has_not_heard_of_a_deletion_goes_on() {
    let mut history = History::new();
    history.written(1).cluster(ClusterEvent::TopicDeleted { topic_id: TOPIC_ID, topic: TOPIC });
    history.accept(&[2]).append(0, (0, 1), &[2]).commit(0, 2).write(2, 0, 1);
    history.position(0, 1).deliver(0, 1, 2).passes();
}

#[test]
fn a_topic_made_anew_begins_from_nothing() {
    let mut history = History::new();
    history.written(1).accept(&[2]).fail(2, Effect::Unknown);
    history.cluster(ClusterEvent::TopicDeleted { topic_id: TOPIC_ID, topic: TOPIC });
    let topic_id = klamm_protocol::Uuid([8; 16]);
    history.cluster(ClusterEvent::Topic { topic_id, topic: TOPIC, partitions: 2, lacks_replicas: false });
    let batches =
        Bytes::from(batch(&[2], Stamped { offset: 0, leader_epoch: 0, ..UNSTORED }, Compression::None));
    let (topic, partition, broker, leader_epoch) = (TOPIC, 0, 1, 0);
    history.cluster(ClusterEvent::Appended { topic_id, topic, partition, broker, leader_epoch, batches });
    history.cluster(ClusterEvent::Committed { topic_id, partition: 0, high_watermark: 1 });
    history.position(0, 0).deliver(0, 0, 2).passes();
}
