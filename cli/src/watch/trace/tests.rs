use klamm_blocking::{ClientEvent, EventOptions, Kafka, Record, WireContent};
use klamm_sim::serve::EmbeddedCluster;

use super::{fields, headline};

#[test]
fn every_request_has_its_answer_and_records_are_shown_as_batches_only() {
    let cluster = EmbeddedCluster::builder().start().unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    let builder = Kafka::builder([cluster.bootstrap()]);
    let (builder, events) = builder.events(EventOptions::default().with_messages());
    let kafka = builder.connect().unwrap();
    let producer = kafka.producer().build().unwrap();
    producer.send(Record::to("t").value("a most private text")).unwrap();
    kafka.close();

    let mut shown = String::new();
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for event in events {
        let ClientEvent::Message { peer, message } = event else { continue };
        let id = (peer.connection, message.correlation_id, message.api);
        match &message.content {
            WireContent::Request(_) => asked.push(id),
            WireContent::Response { .. } => answered.push(id),
        }
        shown.push_str(&headline(message.at.since(message.at), &peer, &message));
        shown.push_str(&fields(&message));
    }
    assert!(!asked.is_empty());
    assert!(answered.iter().all(|id| asked.contains(id)), "{asked:?} {answered:?}");
    for needle in [" > ApiVersions v", " < ApiVersions v", " > Produce v", "error_code: ", "..=0 "] {
        assert!(shown.contains(needle), "no {needle:?} in\n{shown}");
    }
    assert!(!shown.contains("private"), "{shown}");
    assert!(!shown.contains("unknown_tags: []"), "{shown}");
}
