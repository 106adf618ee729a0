//! What a subscriber of `tracing` is told of batches, polls and commits.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use klamm_protocol::ErrorCode;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record as Recorded},
};

use super::Bench;
use crate::{Record, StartAt, wait::lock};

type Fields = BTreeMap<&'static str, String>;

/// A span, as far as it has come.
#[derive(Clone, Debug, Default)]
struct Span {
    name: &'static str,
    is_root: bool,
    is_over: bool,
    fields: Fields,
}

/// Keeps all spans.
#[derive(Clone, Debug, Default)]
struct Recorder {
    spans: Arc<Mutex<Vec<Span>>>,
}

struct Visitor<'a>(&'a mut Fields);

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Recorder {
    fn change(&self, id: &Id, change: impl FnOnce(&mut Span)) {
        let at = usize::try_from(id.into_u64()).unwrap() - 1;
        change(&mut lock(&self.spans)[at]);
    }

    /// Those of a name.
    fn of(&self, name: &str) -> Vec<Span> {
        lock(&self.spans).iter().filter(|span| span.name == name).cloned().collect()
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut span =
            Span { name: attributes.metadata().name(), is_root: attributes.is_root(), ..Span::default() };
        attributes.record(&mut Visitor(&mut span.fields));
        let mut spans = lock(&self.spans);
        spans.push(span);
        Id::from_u64(u64::try_from(spans.len()).unwrap())
    }

    fn record(&self, id: &Id, values: &Recorded<'_>) {
        self.change(id, |span| values.record(&mut Visitor(&mut span.fields)));
    }

    fn try_close(&self, id: Id) -> bool {
        self.change(&id, |span| span.is_over = true);
        true
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn assert_fields(span: &Span, expected: &[(&'static str, &str)]) {
    for (name, value) in expected {
        assert_eq!(span.fields.get(name).map(String::as_str), Some(*value), "{name} of {span:?}");
    }
    assert_eq!(span.fields["messaging.system"], "kafka");
}

#[test]
fn a_batch_has_a_span_until_its_outcome() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let mut bench = Bench::new();
    let builder = bench.kafka.producer().idempotent(false).linger(Duration::from_millis(100));
    let producer = builder.build().unwrap();
    bench.broker.answers_produce = false;
    let receipts = bench.run(async {
        let mut receipts = Vec::new();
        for _ in 0..3 {
            receipts.push(producer.enqueue(Record::to("t").value("v")).await.unwrap());
        }
        receipts
    });
    bench.wait(200);
    let [span] = &recorder.of("send")[..] else { panic!("{:?}", recorder.spans) };
    assert!(span.is_root && !span.is_over, "{span:?}");
    assert_fields(
        span,
        &[
            ("otel.name", "send t"),
            ("otel.kind", "producer"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", "t"),
            ("messaging.destination.partition.id", "0"),
            ("messaging.batch.message_count", "3"),
        ],
    );
    bench.broker.answers_produce = true;
    for receipt in receipts {
        bench.run(receipt).unwrap();
    }
    let [span] = &recorder.of("send")[..] else { panic!("{:?}", recorder.spans) };
    assert!(span.is_over, "{span:?}");
    assert_fields(span, &[("messaging.kafka.offset", "0")]);
    assert_eq!(span.fields.get("error.type"), None);

    bench.broker.refusals = vec![ErrorCode::TOPIC_AUTHORIZATION_FAILED];
    bench.run(producer.send(Record::to("t").value("v"))).unwrap_err();
    let span = recorder.of("send").pop().unwrap();
    assert!(span.is_over, "{span:?}");
    assert_fields(&span, &[("otel.status_code", "ERROR"), ("error.type", "TOPIC_AUTHORIZATION_FAILED")]);
}

#[test]
fn a_batch_that_is_given_up_ends_its_span() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let mut bench = Bench::new();
    let producer = bench.kafka.producer().idempotent(false).linger(Duration::ZERO).build().unwrap();
    bench.broker.answers_produce = false;
    let receipt = bench.run(producer.enqueue(Record::to("t").value("v"))).unwrap();
    bench.wait(200);
    drop((producer, receipt));
    drop(bench);
    let [span] = &recorder.of("send")[..] else { panic!("{:?}", recorder.spans) };
    assert!(span.is_over && span.fields.contains_key("error.type"), "{span:?}");
}

#[test]
fn records_that_are_handed_out_and_commits_have_spans() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let mut bench = Bench::new();
    bench.broker.records = 10;
    let consumer = bench.kafka.consumer().assign([("t", 0, StartAt::Offset(0))]).build().unwrap();
    bench.run(consumer.next_batch()).unwrap();
    let [span] = &recorder.of("poll")[..] else { panic!("{:?}", recorder.spans) };
    assert!(span.is_over && !span.is_root, "{span:?}");
    assert_fields(
        span,
        &[
            ("otel.name", "poll t"),
            ("otel.kind", "consumer"),
            ("messaging.operation.type", "receive"),
            ("messaging.destination.name", "t"),
            ("messaging.destination.partition.id", "0"),
            ("messaging.batch.message_count", "10"),
            ("messaging.kafka.offset", "0"),
        ],
    );
    bench.run(consumer.commit()).unwrap_err();
    let [span] = &recorder.of("commit")[..] else { panic!("{:?}", recorder.spans) };
    assert!(span.is_over, "{span:?}");
    assert_fields(
        span,
        &[("otel.kind", "client"), ("messaging.operation.type", "settle"), ("otel.status_code", "ERROR")],
    );
}
