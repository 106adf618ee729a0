//! What partitions make of records of transactions.

use klamm_protocol::Str;
use klamm_protocol::messages::list_offsets::ListOffsetsPartition;
use klamm_protocol::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use klamm_protocol::records::Stamp;
use klamm_tests::Outcome;

use super::super::transactor::{Desk, Style};
use crate::records::batch;
use crate::requests::{list_offset, produce_to};
use crate::talk::Talk;

pub(super) fn out_of_sequence(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.sequence = 5;
    desk.produce("too far", &["b"])?;
    desk.sequence = 1;
    desk.produce("next", &["c"])?;
    desk.end("end", true)?;
    desk.settle()?;
    desk.read("read", 0)
}

pub(super) fn produce_again(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.sequence = 0;
    desk.produce("again", &["a"])?;
    desk.read("read", 0)
}

pub(super) fn produce_again_after_end(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    let before = desk.producer;
    desk.end("end", true)?;
    desk.settle()?;
    (desk.producer, desk.sequence) = (before, 0);
    desk.produce("again", &["a"])?;
    desk.sequence = 1;
    desk.produce("more", &["b"])?;
    desk.read("read", 0)
}

pub(super) fn produce_without_flag(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    let stamp = Stamp::idempotent(desk.producer.id, desk.producer.epoch, desk.sequence);
    let records = batch(desk.talk.epoch_ms, &["b"], &stamp);
    let request = produce_to(&desk.topic, 12, -1, 0, records);
    desk.talk.try_ask("without", 12, &request)?;
    desk.read("read", 0)
}

pub(super) fn produce_with_epoch(desk: &mut Desk<'_>, by: i16) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.producer.epoch += by;
    desk.sequence = 0;
    desk.produce("other epoch", &["b"])
}

pub(super) fn produce_of_another(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.producer.id += 1_000_000;
    desk.produce("another", &["a"])
}

pub(super) fn read_around(desk: &mut Desk<'_>, commit: bool) -> Outcome<()> {
    desk.plain("plain before")?;
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.plain("plain behind")?;
    desk.read("open", 0)?;
    desk.end("end", commit)?;
    desk.settle()?;
    desk.read("ended", 0)?;
    desk.read("from the middle", 2)?;
    desk.read("from the end", 4)
}

pub(super) fn lookups(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.plain("plain")?;
    desk.begin("begin")?;
    desk.produce("produce", &["a", "b"])?;
    look_up(desk, "open")?;
    desk.end("end", true)?;
    desk.settle()?;
    look_up(desk, "ended")
}

pub(super) fn look_up(desk: &mut Desk<'_>, step: &str) -> Outcome<()> {
    for isolation_level in [0, 1] {
        for timestamp in [-1, -2, -3, desk.talk.epoch_ms, desk.talk.epoch_ms + 1] {
            let partition = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
            let mut request = list_offset(&desk.topic.name, partition);
            request.isolation_level = isolation_level;
            let which = if timestamp < 0 { timestamp } else { timestamp - desk.talk.epoch_ms };
            desk.talk.ask(&format!("{step}, level {isolation_level}, {which}"), 7, &request)?;
        }
    }
    Ok(())
}

pub(super) fn interleaved(desk: &mut Desk<'_>) -> Outcome<()> {
    let topic = desk.topic.clone();
    let mut lines = Vec::new();
    for name in ["one", "two"] {
        let mut other = Desk::with(desk.talk, desk.style, name, topic.clone())?;
        other.begin(&format!("{name} begin"))?;
        other.produce(&format!("{name} produce"), &[name])?;
        lines.push(other.pack());
    }
    let [first, second] = lines.try_into().map_err(|_| "not two")?;
    desk.read("both open", 0)?;
    let mut other = Desk::unpack(desk.talk, second);
    other.end("two aborts", false)?;
    other.settle()?;
    desk.read("one is open", 0)?;
    let mut other = Desk::unpack(desk.talk, first);
    other.end("one commits", true)?;
    other.settle()?;
    desk.read("none is open", 0)
}

pub(super) fn operator_aborts(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    write_marker(desk, "abort", 0)?;
    desk.read("aborted", 0)?;
    desk.describe_producers("aborted")?;
    desk.produce("more", &["b"])?;
    desk.end("end", true)?;
    desk.settle()?;
    desk.read("ended", 0)
}

pub(super) fn write_marker(desk: &mut Desk<'_>, step: &str, coordinator_epoch: i32) -> Outcome<()> {
    let topic = WritableTxnMarkerTopic {
        name: desk.topic.name.clone(),
        partition_indexes: [0].as_slice().into(),
        ..WritableTxnMarkerTopic::default()
    };
    let marker = WritableTxnMarker {
        producer_id: desk.producer.id,
        producer_epoch: desk.producer.epoch,
        transaction_result: false,
        topics: vec![topic],
        coordinator_epoch,
        ..WritableTxnMarker::default()
    };
    let request = WriteTxnMarkersRequest { markers: vec![marker], ..WriteTxnMarkersRequest::default() };
    desk.talk.try_ask(step, 1, &request).map(drop)
}

pub(super) fn add_unknown(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    desk.add("one is missing", 3, &[0, 7])?;
    desk.describe("nothing was added")?;
    desk.add("named twice", 3, &[0, 0])?;
    desk.describe("added")
}

pub(super) fn add_as_a_broker(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::New)?;
    desk.add_as_broker("verify", 4, true)?;
    desk.add_as_broker("add", 4, false)?;
    desk.add_as_broker("verify v5", 5, true)?;
    desk.producer.epoch += 1;
    desk.add_as_broker("another epoch", 5, false)?;
    desk.add_as_broker("verify another epoch", 5, true)?;
    desk.unknown_id()?;
    desk.add_as_broker("unknown id", 5, false)
}

pub(super) fn produce_without_adding(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    for version in [9, 10, 11] {
        desk.produce_in(&format!("v{version}"), version, &["a"])?;
    }
    desk.unknown_id()?;
    for version in [10, 11, 12] {
        desk.produce_in(&format!("unknown id, v{version}"), version, &["a"])?;
    }
    desk.read("read", 0)
}

pub(super) fn markers_of_nobody(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    write_marker(&mut desk, "nobody's", 0)?;
    desk.init("init")?;
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.producer.epoch -= 1;
    write_marker(&mut desk, "a lower epoch", 0)?;
    desk.producer.epoch += 2;
    write_marker(&mut desk, "a higher epoch", 5)?;
    write_marker(&mut desk, "an older coordinator", 3)?;
    desk.describe_producers("marked")?;
    desk.topic.name = Str::from(format!("{}-missing", desk.topic.name));
    write_marker(&mut desk, "a missing topic", 0)?;
    desk.topic.name = Str::from(desk.topic.name.trim_end_matches("-missing").to_owned());
    desk.read("read", 0)
}
