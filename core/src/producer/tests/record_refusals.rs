//! Batches that a broker refuses for some of their records (KIP-467).

use core::time::Duration;
use std::{format, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str,
    messages::produce::{BatchIndexAndErrorMessage, ProduceResponse},
};

use super::fixture::{Fixture, Received, refuse, response};
use crate::{
    Effect,
    producer::{Outcome, Portion, ProduceErrorKind, ProducerConfig},
};

fn values(batches: &[Received]) -> Vec<&str> {
    batches.iter().flat_map(|batch| &batch.values).map(|value| value.as_str()).collect()
}

/// A refusal of the batch of partition 0 that names these records.
fn refused_for(records: &[(i32, Option<&str>)], message: Option<&str>) -> ProduceResponse {
    let mut answer = response(&[refuse(0, ErrorCode::INVALID_RECORD)]);
    let partition = &mut answer.responses[0].partition_responses[0];
    partition.error_message = message.map(Str::copy_of);
    partition.record_errors = records
        .iter()
        .map(|(batch_index, message)| BatchIndexAndErrorMessage {
            batch_index: *batch_index,
            batch_index_error_message: message.map(Str::copy_of),
            ..BatchIndexAndErrorMessage::default()
        })
        .collect();
    answer
}

/// One batch of five records, refused like this.
fn five_refused(records: &[(i32, Option<&str>)], message: Option<&str>) -> Fixture {
    let mut f =
        Fixture::new(1, 1, ProducerConfig { linger: Duration::from_millis(5), ..ProducerConfig::default() });
    for number in 0..5 {
        f.append(0, &format!("{number}"));
    }
    f.wait_ms(6);
    let sent = f.request();
    assert_eq!(values(&sent.batches).len(), 5);
    f.producer.handle_response(f.now, sent.number, &refused_for(records, message).into()).unwrap();
    f.drain();
    f
}

fn told(f: &Fixture) -> Vec<(Portion, ProduceErrorKind, Effect, Option<&str>)> {
    let words = |outcome: Outcome| f.reasons.iter().find(|(of, _)| *of == outcome).map(|(_, words)| &**words);
    let one = |outcome: &Outcome| {
        let Outcome { portion, result: Err(error), .. } = *outcome else { panic!("{outcome:?}") };
        assert_eq!(error.code, ErrorCode::INVALID_RECORD);
        (portion, error.kind, error.effect, words(*outcome))
    };
    f.outcomes.iter().map(one).collect()
}

#[test]
fn records_that_the_broker_names_learn_why_and_the_others_that_it_was_not_them() {
    let part = |first, count, last| Portion::Part { first, count, last };
    let f = five_refused(&[(3, None), (1, Some("no key"))], Some("compacted"));
    let (invalid, beside) = (ProduceErrorKind::InvalidRecord, ProduceErrorKind::BesideInvalidRecord);
    assert_eq!(
        told(&f),
        [
            (part(0, 1, false), beside, Effect::None, Some("compacted")),
            (part(1, 1, false), invalid, Effect::None, Some("no key")),
            (part(2, 1, false), beside, Effect::None, Some("compacted")),
            (part(3, 1, false), invalid, Effect::None, Some("compacted")),
            (part(4, 1, true), beside, Effect::None, Some("compacted")),
        ]
    );
}

#[test]
fn a_refusal_that_names_no_record_is_passed_on_in_the_brokers_words() {
    let f = five_refused(&[], Some("it is full moon"));
    assert_eq!(
        told(&f),
        [(Portion::Whole, ProduceErrorKind::Refused, Effect::None, Some("it is full moon"))]
    );
}

#[test]
fn records_that_a_batch_does_not_have_are_named_in_vain() {
    let f =
        five_refused(&[(-1, None), (5, None), (i32::MAX, Some("?")), (0, None), (0, None), (4, None)], None);
    let part = |first, count, last| Portion::Part { first, count, last };
    let (invalid, beside) = (ProduceErrorKind::InvalidRecord, ProduceErrorKind::BesideInvalidRecord);
    assert_eq!(
        told(&f),
        [
            (part(0, 1, false), invalid, Effect::None, None),
            (part(1, 3, false), beside, Effect::None, None),
            (part(4, 1, true), invalid, Effect::None, None),
        ]
    );
}
