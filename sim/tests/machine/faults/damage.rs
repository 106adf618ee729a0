use bytes::Bytes;
use klamm_protocol::messages::metadata::MetadataRequest;
use klamm_protocol::records::Batches;
use klamm_protocol::{ApiKey, RecordBytes};
use klamm_sim::cluster::{ConnectionId, Output};
use klamm_sim::observe::ClusterEvent;

use crate::wire::{Wire, plain};

/// What a broker sends for a request for metadata, and whether it closes the connection then.
fn sent(wire: &mut Wire, connection: ConnectionId) -> (Vec<u8>, bool) {
    wire.send(connection, 9, &MetadataRequest::default());
    let Some(Output::Response { segments, .. }) = wire.cluster.poll_output() else { panic!("no answer") };
    let closes = matches!(wire.cluster.poll_output(), Some(Output::Close { .. }));
    (segments.concat(), closes)
}

fn with_fault(fault: &str) -> (Vec<u8>, bool, Option<ClusterEvent>) {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.record_events(true);
    wire.inject(fault);
    let connection = wire.connect(1);
    let (bytes, closes) = sent(&mut wire, connection);
    (bytes, closes, wire.cluster.poll_event())
}

fn tampered(fault: &'static str) -> Option<ClusterEvent> {
    Some(ClusterEvent::Tampered { connection: ConnectionId(1), api: ApiKey::METADATA, fault })
}

#[test]
fn an_answer_breaks_off() {
    let (whole, closes, _) = with_fault("delay time=0ns api=Metadata");
    assert!(!closes);
    let (part, closes, event) = with_fault("truncate api=Metadata");
    assert!(closes && part.len() < whole.len() && whole.starts_with(&part));
    assert_eq!(event, tampered("truncate"));
}

#[test]
fn one_bit_is_flipped() {
    let (whole, ..) = with_fault("delay time=0ns api=Metadata");
    let (bytes, closes, event) = with_fault("flip api=Metadata");
    let differing: u32 = whole.iter().zip(&bytes).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!((differing, closes, &bytes[..4]), (1, false, &whole[..4]));
    assert_eq!(event, tampered("flip"));
}

#[test]
fn tags_of_the_future_are_read_over() {
    let mut wire = Wire::with_topic(1, "4.2");
    for (version, tags) in [(9, 1), (8, 0)] {
        wire.inject("unknown-tag api=Metadata");
        let response = wire.ask(1, version, &MetadataRequest::default());
        assert_eq!((response.unknown_tags.len(), response.brokers.len()), (tags, 1));
    }
}

/// What a fetch of two batches carries.
fn fetched(fault: &str) -> (Bytes, i64) {
    let mut wire = Wire::with_topic(1, "4.2");
    for _ in 0..2 {
        wire.produce(9, plain(&["some value"]));
    }
    wire.inject(fault);
    let partition = wire.fetch(12, 0);
    (partition.records.map(RecordBytes::into_bytes).unwrap_or_default(), partition.high_watermark)
}

#[test]
fn a_flipped_bit_of_a_batch_fails_its_checksum() {
    let (bytes, _) = fetched("flip-records");
    let batches: Vec<_> = Batches::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(batches.len(), 2);
    assert!(batches[0].verify_checksum().is_err() && batches[1].verify_checksum().is_ok());
}

#[test]
fn the_last_batch_is_cut_or_nothing_is_sent() {
    let (whole, end) = fetched("delay time=0ns");
    assert_eq!(end, 2);
    let (cut, end) = fetched("cut-batch");
    assert!(whole.len() / 2 <= cut.len() && cut.len() < whole.len() && whole.starts_with(&cut));
    assert_eq!(end, 2);
    assert_eq!(fetched("empty-fetch"), (Bytes::new(), 2));
}
