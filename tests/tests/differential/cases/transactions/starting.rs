//! Who a producer of transactions is.

use klamm_protocol::Str;
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_tests::Outcome;

use super::super::transactor::{Desk, Style};
use crate::talk::Talk;

pub(super) fn init_twice(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.init("second")?;
    desk.init("third")?;
    desk.describe("describe")
}

pub(super) fn init_while_ongoing(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.init("init")?;
    desk.settle()?;
    desk.describe("aborted")?;
    desk.init("init again")?;
    desk.read("read", 0)
}

pub(super) fn init_with_epoch_while_ongoing(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.init_as("init", desk.producer)?;
    desk.settle()?;
    desk.describe("aborted")?;
    desk.init_as("init again", desk.producer)
}

pub(super) fn init_with_epoch_after_end(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.end("end", false)?;
    desk.settle()?;
    desk.init_as("init", desk.producer)?;
    desk.begin("begin again")?;
    desk.produce("produce again", &["b"])?;
    desk.end("end again", true)?;
    desk.settle()?;
    desk.read("read", 0)
}

pub(super) fn init_again(desk: &mut Desk<'_>) -> Outcome<()> {
    let first = desk.producer;
    desk.init_as("second", first)?;
    desk.init_as("again", first)?;
    desk.init_as("third", desk.producer)?;
    desk.init_as("first", first)
}

pub(super) fn init_versions(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    for version in 0..=5 {
        desk.init_in(&format!("v{version}"), version)?;
    }
    desk.describe("describe")
}

pub(super) fn init_timeouts(talk: &mut Talk) -> Outcome<()> {
    let desk = Desk::open(talk, Style::Old)?;
    for transaction_timeout_ms in [-1, 0, 30_000, 900_000, 900_001, i32::MAX] {
        let request = InitProducerIdRequest { transaction_timeout_ms, ..desk.init_request() };
        desk.talk.on(desk.at, &format!("{transaction_timeout_ms} ms"), 4, &request)?;
    }
    Ok(())
}

pub(super) fn half_a_producer(talk: &mut Talk) -> Outcome<()> {
    let desk = Desk::open(talk, Style::Old)?;
    for (producer_id, producer_epoch) in [(-1, 0), (0, -1), (5, -1)] {
        let request = InitProducerIdRequest { producer_id, producer_epoch, ..desk.init_request() };
        desk.talk.on(desk.at, &format!("{producer_id}, {producer_epoch}"), 4, &request)?;
    }
    Ok(())
}

pub(super) fn init_of_stranger(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    let right = desk.producer;
    desk.producer.id += 1_000_000;
    let strange = desk.producer;
    desk.producer = right;
    for version in [3, 4] {
        let request = InitProducerIdRequest {
            producer_id: strange.id,
            producer_epoch: strange.epoch,
            ..desk.init_request()
        };
        desk.talk.on(desk.at, &format!("another id, v{version}"), version, &request)?;
        let request =
            InitProducerIdRequest { producer_id: right.id, producer_epoch: 7, ..desk.init_request() };
        desk.talk.on(desk.at, &format!("another epoch, v{version}"), version, &request)?;
    }
    desk.unknown_id()?;
    let request = InitProducerIdRequest { producer_id: right.id, producer_epoch: 7, ..desk.init_request() };
    desk.talk.on(desk.at, "a new id", 4, &request)?;
    Ok(())
}

pub(super) fn wrong_coordinator(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    desk.at = desk.talk.another_broker(desk.at);
    desk.init("init")?;
    desk.add("add", 3, &[0])?;
    desk.add_offsets("offsets", 3)?;
    desk.end_in("end", 3, true)?;
    desk.describe("describe")
}

pub(super) fn empty_id(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    desk.id = Str::default();
    desk.init("init")?;
    desk.add("add", 3, &[0])?;
    desk.add_offsets("offsets", 3)?;
    desk.end_in("end", 3, true)?;
    desk.end_in("end v5", 5, true)?;
    desk.describe("describe")
}

pub(super) fn find_coordinators(talk: &mut Talk) -> Outcome<()> {
    use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
    let desk = Desk::open(talk, Style::Old)?;
    for version in [1, 2, 3] {
        let request =
            FindCoordinatorRequest { key: desk.id.clone(), key_type: 1, ..FindCoordinatorRequest::default() };
        desk.talk.ask(&format!("v{version}"), version, &request)?;
    }
    let request = FindCoordinatorRequest {
        key_type: 1,
        coordinator_keys: vec![desk.id.clone()],
        ..FindCoordinatorRequest::default()
    };
    desk.talk.ask("v6", 6, &request)?;
    Ok(())
}
