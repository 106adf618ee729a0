//! Faults to order.

mod brokers;
mod damage;
mod errors;
mod producers;
mod throttling;

use std::time::Duration;

use klamm_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use klamm_protocol::messages::produce::ProduceResponse;
use klamm_protocol::{ApiKey, ErrorCode};
use klamm_sim::cluster::Fault;

use crate::wire::{Got, Wire, plain};

#[test]
fn an_error_changes_nothing() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.inject("error code=REQUEST_TIMED_OUT api=Produce times=2");
    for expected in [ErrorCode::REQUEST_TIMED_OUT, ErrorCode::REQUEST_TIMED_OUT, ErrorCode::NONE] {
        assert_eq!(wire.produce(9, plain(&["a"])).error_code, expected);
    }
    assert_eq!(wire.values(), ["a"]);
}

#[test]
fn a_connection_drops_before_or_after_the_request_took_effect() {
    for (fault, expected) in [(Fault::drop_before(), vec![]), (Fault::drop_after(), vec!["a"])] {
        let mut wire = Wire::with_topic(1, "4.2");
        wire.cluster.inject(wire.now, &fault.api(ApiKey::PRODUCE).broker(1));
        let connection = wire.connect(1);
        let request = wire.produce_request(9, -1, plain(&["a"]));
        assert_eq!(wire.try_call(connection, 9, &request), Got::Closed);
        assert_eq!(wire.values(), expected);
    }
}

#[test]
fn a_delayed_response_comes_late_and_the_request_took_effect_at_once() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.inject(wire.now, &Fault::delay(Duration::from_secs(2)).api(ApiKey::PRODUCE));
    let connection = wire.connect(1);
    let request = wire.produce_request(9, -1, plain(&["a"]));
    assert_eq!(wire.try_call(connection, 9, &request), Got::Nothing);
    assert_eq!(wire.values(), ["a"]);
    wire.advance(Duration::from_millis(1999));
    assert_eq!(wire.next::<ProduceResponse>().1, Got::Nothing);
    wire.advance(Duration::from_millis(1));
    assert!(matches!(wire.next::<ProduceResponse>().1, Got::Response(_)));
}

#[test]
fn a_fault_hits_its_api_and_its_broker_only() {
    let mut wire = Wire::with_topic(2, "4.2");
    wire.inject("drop-before api=Metadata broker=2");
    let first = wire.connect(1);
    assert!(matches!(wire.try_call(first, 9, &MetadataRequest::default()), Got::Response(_)));
    assert_eq!(wire.produce(9, plain(&["a"])).error_code, ErrorCode::NONE);
    let second = wire.connect(2);
    assert_eq!(wire.try_call(second, 9, &MetadataRequest::default()), Got::Closed);
    wire.inject("drop-before api=Metadata times=5");
    wire.cluster.clear_faults();
    assert!(matches!(
        wire.try_call(first, 9, &MetadataRequest::default()),
        Got::Response(MetadataResponse { .. })
    ));
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let run = || {
        let mut wire = Wire::with_topic(3, "4.2");
        let mut trace = Vec::new();
        for round in 0..20 {
            trace.push(format!("{:?}", wire.produce(9, plain(&["a"]))));
            trace.push(format!("{:?}", wire.ask(1, 12, &wire.fetch_request(12, 0))));
            trace.push(format!("{:?}", wire.ask(2 + round % 2, 12, &MetadataRequest::default())));
        }
        wire.cluster.kill(wire.now, 1);
        trace.push(format!("{:?}", wire.fetch(12, 3)));
        trace
    };
    assert_eq!(run(), run());
}
