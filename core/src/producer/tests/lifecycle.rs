//! Flush, abort, close.

use core::time::Duration;
use std::vec::Vec;

use super::fixture::{Fixture, ok, refuse};
use klamm_protocol::ErrorCode;

use crate::{
    Effect,
    producer::{FlushId, ProduceErrorKind, ProducerConfig, ProducerOutput},
};

fn long_linger(partitions: i32) -> Fixture {
    let linger = Duration::from_secs(10);
    Fixture::new(partitions, 1, ProducerConfig { linger, ..ProducerConfig::default() })
}

fn flushed(f: &Fixture) -> Vec<FlushId> {
    let flushed = |output: &ProducerOutput| match output {
        ProducerOutput::Flushed(flush) => Some(*flush),
        _ => None,
    };
    f.others.iter().filter_map(flushed).collect()
}

#[test]
fn flush_covers_what_was_accepted_before_it_and_does_not_linger() {
    let mut f = long_linger(3);
    for partition in 0..3 {
        f.append(partition, "v");
    }
    f.drain();
    assert!(f.requests.is_empty());
    let flush = f.producer.flush(f.now);
    f.drain();
    let request = f.request();
    assert_eq!(request.batches.len(), 3);
    f.answer(&request, &[ok(0, 0), ok(1, 0), refuse(2, ErrorCode::NOT_ENOUGH_REPLICAS)]);
    assert_eq!(flushed(&f), []);
    f.wait_ms(121);
    f.answer_next(&ok(2, 0));
    assert_eq!(flushed(&f), [flush]);
    assert!(matches!(f.others.last(), Some(ProducerOutput::Flushed(_))), "after the outcomes");
}

#[test]
fn what_is_accepted_after_a_flush_lingers_and_does_not_delay_it() {
    let mut f = long_linger(1);
    f.append(0, "before");
    let flush = f.producer.flush(f.now);
    f.drain();
    f.append(0, "after");
    f.drain();
    assert_eq!(f.requests.len(), 1);
    f.answer_next(&ok(0, 0));
    assert_eq!(flushed(&f), [flush]);
    assert!(f.requests.is_empty());
}

#[test]
fn flushes_end_in_order_and_an_empty_one_at_once() {
    let mut f = long_linger(2);
    let empty = f.producer.flush(f.now);
    f.drain();
    assert_eq!(flushed(&f), [empty]);
    f.append(0, "a");
    let first = f.producer.flush(f.now);
    f.drain();
    f.append(1, "b");
    let second = f.producer.flush(f.now);
    f.drain();
    let (a, b) = (f.request(), f.request());
    f.answer(&b, &[ok(1, 0)]);
    assert_eq!(flushed(&f), [empty]);
    f.answer(&a, &[ok(0, 0)]);
    assert_eq!(flushed(&f), [empty, first, second]);
}

#[test]
fn a_hurry_ends_lingering_and_nobody_hears_of_its_end() {
    let mut f = long_linger(2);
    f.append(0, "a");
    f.append(1, "b");
    f.drain();
    f.producer.hurry(f.now);
    f.drain();
    let request = f.request();
    assert_eq!(request.batches.len(), 2);
    f.answer(&request, &[ok(0, 0), ok(1, 0)]);
    assert_eq!(flushed(&f), []);
}

#[test]
fn a_flush_ends_when_its_batches_fail_as_well() {
    let mut f = long_linger(1);
    f.append(0, "v");
    let flush = f.producer.flush(f.now);
    f.drain();
    f.wait(Duration::from_secs(120));
    assert_eq!(flushed(&f), [flush]);
}

#[test]
fn abort_ends_everything_and_empties_the_buffers() {
    let mut f = long_linger(2);
    f.push(0, "in flight");
    f.append(0, "buffered");
    f.append(1, "buffered");
    f.drain();
    f.producer.abort(f.now);
    f.drain();
    let aborted = |effect| Err((ProduceErrorKind::Aborted, effect));
    assert_eq!(f.results(), [aborted(Effect::Unknown), aborted(Effect::None), aborted(Effect::None)]);
    assert!(f.buffers.iter().all(|buffer| buffer.is_empty()));
    assert_eq!(f.producer.outstanding(), 0);
    let request = f.request();
    f.answer(&request, &[ok(0, 0)]);
    assert_eq!(f.results(), []);
    f.push(0, "next");
    assert_eq!(f.request().batches[0].epoch, 1, "what was in flight may be written");
}

#[test]
fn close_sends_what_was_accepted_and_then_closes_once() {
    let mut f = long_linger(1);
    f.append(0, "v");
    f.producer.close(f.now);
    f.drain();
    f.append(0, "while closing");
    f.drain();
    assert!(!f.others.contains(&ProducerOutput::Closed));
    f.answer_next(&ok(0, 0));
    f.answer_next(&ok(0, 1));
    f.producer.close(f.now);
    f.drain();
    assert_eq!(f.results(), [Ok(Some(0)), Ok(Some(1))]);
    assert_eq!(f.others.iter().filter(|output| **output == ProducerOutput::Closed).count(), 1);
    assert_eq!(f.producer.poll_timeout(), None);
}

#[test]
fn a_closed_producer_aborts_what_still_comes() {
    let mut f = long_linger(1);
    f.drain();
    f.producer.close(f.now);
    f.drain();
    f.append(0, "late");
    f.drain();
    assert_eq!(f.results(), [Err((ProduceErrorKind::Aborted, Effect::None))]);
    assert!(f.requests.is_empty());
    assert!(f.buffers[0].is_empty());
}

#[test]
fn an_idle_producer_wants_nothing() {
    let mut f = Fixture::simple();
    f.prove(0);
    assert_eq!(f.producer.poll_timeout(), None);
    assert_eq!(f.producer.outstanding(), 0);
}
