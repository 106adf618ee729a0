//! Transactions: their coordinators, and what partitions make of them.

use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::list_offsets::ListOffsetsPartition;
use klamm_protocol::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use klamm_protocol::records::Stamp;
use klamm_protocol::{ErrorCode, Str};
use klamm_tests::Outcome;

use super::transactor::{Desk, Style};
use crate::case::Case;
use crate::records::batch;
use crate::requests::{fetch_from, list_offset, produce_to};
use crate::talk::{FIRST, Talk};

type Script = fn(&mut Desk<'_>) -> Outcome<()>;

/// What is done in the way of older clients and of those of KIP-890.
const BOTH_STYLES: &[(&str, Script)] = &[
    ("commit", |desk| end(desk, true)),
    ("abort", |desk| end(desk, false)),
    ("two_in_a_row", two_in_a_row),
    ("commit_without_begin", |desk| end_without_begin(desk, true)),
    ("abort_without_begin", |desk| end_without_begin(desk, false)),
    ("commit_twice", |desk| end_twice(desk, true, true)),
    ("abort_twice", |desk| end_twice(desk, false, false)),
    ("abort_after_commit", |desk| end_twice(desk, true, false)),
    ("commit_after_abort", |desk| end_twice(desk, false, true)),
    ("end_again_with_the_epoch_before", end_with_the_epoch_before),
    ("other_end_with_the_epoch_before", other_end_with_the_epoch_before),
    ("abort_with_the_new_epoch_and_nothing_added", abort_of_nothing),
    ("end_with_a_higher_epoch", |desk| end_with_epoch(desk, 5)),
    ("end_with_a_lower_epoch", |desk| end_with_epoch(desk, -1)),
    ("end_of_another_producer", end_of_another),
    ("end_of_an_unknown_id", end_of_unknown),
    ("init_twice", init_twice),
    ("init_while_ongoing", init_while_ongoing),
    ("init_with_the_epoch_while_ongoing", init_with_epoch_while_ongoing),
    ("init_with_the_epoch_after_the_end", init_with_epoch_after_end),
    ("init_again_with_the_epoch_before", init_again),
    ("fenced_adds", fenced_adds),
    ("fenced_produces", fenced_produces),
    ("fenced_ends", fenced_ends),
    ("fenced_commits_offsets", fenced_commits_offsets),
    ("produce_out_of_sequence", out_of_sequence),
    ("produce_again", produce_again),
    ("produce_again_after_the_end", produce_again_after_end),
    ("produce_without_the_flag", produce_without_flag),
    ("produce_with_a_higher_epoch", |desk| produce_with_epoch(desk, 3)),
    ("produce_of_another_producer", produce_of_another),
    ("read_before_and_after_commit", |desk| read_around(desk, true)),
    ("read_before_and_after_abort", |desk| read_around(desk, false)),
    ("lookups_before_and_after", lookups),
    ("interleaved", interleaved),
    ("describe_producers", describe_producers),
    ("describe_through_its_life", describe_through_life),
    ("list_through_its_life", list_through_life),
    ("offsets_committed", |desk| offsets(desk, true)),
    ("offsets_aborted", |desk| offsets(desk, false)),
    ("offsets_and_an_ordinary_commit_later", offsets_and_commit),
    ("offsets_with_a_wrong_generation", wrong_generation),
    ("offsets_for_unknown_topics", unknown_offsets),
    ("offsets_without_adding_them", offsets_without_adding),
    ("operator_aborts", operator_aborts),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (style, name) in [(Style::Old, "old"), (Style::New, "new")] {
        for (what, script) in BOTH_STYLES {
            let script = *script;
            let run = move |talk: &mut Talk| script(&mut Desk::open(talk, style)?);
            cases.push(Case::new(format!("transactions::{name}::{what}"), run));
        }
    }
    cases.extend([
        Case::new("transactions::init_in_every_version", init_versions),
        Case::new("transactions::init_with_strange_timeouts", init_timeouts),
        Case::new("transactions::init_of_half_a_producer", half_a_producer),
        Case::new("transactions::init_of_a_stranger", init_of_stranger),
        Case::new("transactions::wrong_coordinator", wrong_coordinator),
        Case::new("transactions::empty_id", empty_id),
        Case::new("transactions::find_coordinators", find_coordinators),
        Case::new("transactions::add_unknown_partitions", add_unknown),
        Case::new("transactions::add_as_a_broker", add_as_a_broker),
        Case::new("transactions::produce_without_adding", produce_without_adding),
        Case::new("transactions::describe_unknown", describe_unknown),
        Case::new("transactions::list_with_filters", list_filters),
        Case::new("transactions::markers_of_nobody", markers_of_nobody),
        Case::new("transactions::from_old_to_new", from_old_to_new),
        Case::new("transactions::times_out", times_out),
    ]);
    cases
}

fn end(desk: &mut Desk<'_>, commit: bool) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a", "b"])?;
    desk.end("end", commit)?;
    desk.settle()?;
    desk.read("read", 0)
}

fn two_in_a_row(desk: &mut Desk<'_>) -> Outcome<()> {
    for (step, commit) in [("first", true), ("second", false), ("third", true)] {
        desk.begin(&format!("{step} begin"))?;
        desk.produce(&format!("{step} produce"), &[step])?;
        desk.end(&format!("{step} end"), commit)?;
        desk.settle()?;
    }
    desk.read("read", 0)
}

fn end_without_begin(desk: &mut Desk<'_>, commit: bool) -> Outcome<()> {
    desk.end("end", commit)?;
    desk.settle()?;
    desk.describe("describe")
}

fn end_twice(desk: &mut Desk<'_>, first: bool, second: bool) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.end("first", first)?;
    desk.settle()?;
    desk.end("second", second)?;
    desk.settle()?;
    desk.describe("describe")
}

fn end_with_the_epoch_before(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    let before = desk.producer;
    desk.end("first", true)?;
    desk.settle()?;
    let after = std::mem::replace(&mut desk.producer, before);
    desk.end("again", true)?;
    desk.settle()?;
    desk.producer = after;
    desk.describe("describe")
}

fn other_end_with_the_epoch_before(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    let before = desk.producer;
    desk.end("first", true)?;
    desk.settle()?;
    desk.producer = before;
    desk.end("otherwise", false)?;
    desk.settle()?;
    desk.describe("describe")
}

fn abort_of_nothing(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    for step in ["first", "second", "third"] {
        desk.end(step, false)?;
        desk.settle()?;
    }
    desk.describe("describe")
}

fn end_with_epoch(desk: &mut Desk<'_>, by: i16) -> Outcome<()> {
    desk.init("once more")?;
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    let right = desk.producer;
    desk.producer.epoch += by;
    desk.end("end", true)?;
    desk.producer = right;
    desk.describe("describe")?;
    desk.end("right end", true)
}

fn end_of_another(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.producer.id += 1_000_000;
    desk.end("end", true)
}

fn end_of_unknown(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.unknown_id()?;
    desk.end("end", true)?;
    desk.end("abort", false)
}

fn init_twice(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.init("second")?;
    desk.init("third")?;
    desk.describe("describe")
}

fn init_while_ongoing(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.init("init")?;
    desk.settle()?;
    desk.describe("aborted")?;
    desk.init("init again")?;
    desk.read("read", 0)
}

fn init_with_epoch_while_ongoing(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.init_as("init", desk.producer)?;
    desk.settle()?;
    desk.describe("aborted")?;
    desk.init_as("init again", desk.producer)
}

fn init_with_epoch_after_end(desk: &mut Desk<'_>) -> Outcome<()> {
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

fn init_again(desk: &mut Desk<'_>) -> Outcome<()> {
    let first = desk.producer;
    desk.init_as("second", first)?;
    desk.init_as("again", first)?;
    desk.init_as("third", desk.producer)?;
    desk.init_as("first", first)
}

/// Another producer with the same id takes over.
fn fence(desk: &mut Desk<'_>) -> Outcome<()> {
    let before = desk.producer;
    desk.init("fence")?;
    desk.settle()?;
    desk.init("fence again")?;
    desk.producer = before;
    Ok(())
}

fn fenced_adds(desk: &mut Desk<'_>) -> Outcome<()> {
    fence(desk)?;
    for version in [0, 1, 2, 3] {
        desk.add(&format!("add v{version}"), version, &[0])?;
    }
    for version in [0, 1, 2, 4] {
        desk.add_offsets(&format!("offsets v{version}"), version)?;
    }
    Ok(())
}

fn fenced_produces(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    fence(desk)?;
    desk.produce("fenced", &["b"])?;
    desk.read("read", 0)
}

fn fenced_ends(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    fence(desk)?;
    desk.end("commit", true)?;
    desk.end("abort", false)?;
    desk.end_in("old commit", 1, true)
}

fn fenced_commits_offsets(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin_offsets("begin")?;
    desk.commit_offset("commit", 5, -1)?;
    fence(desk)?;
    desk.commit_offset("fenced", 7, -1)?;
    desk.committed("committed", true)
}

fn out_of_sequence(desk: &mut Desk<'_>) -> Outcome<()> {
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

fn produce_again(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.sequence = 0;
    desk.produce("again", &["a"])?;
    desk.read("read", 0)
}

fn produce_again_after_end(desk: &mut Desk<'_>) -> Outcome<()> {
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

fn produce_without_flag(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    let stamp = Stamp::idempotent(desk.producer.id, desk.producer.epoch, desk.sequence);
    let records = batch(desk.talk.epoch_ms, &["b"], &stamp);
    let request = produce_to(&desk.topic, 12, -1, 0, records);
    desk.talk.try_ask("without", 12, &request)?;
    desk.read("read", 0)
}

fn produce_with_epoch(desk: &mut Desk<'_>, by: i16) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.producer.epoch += by;
    desk.sequence = 0;
    desk.produce("other epoch", &["b"])
}

fn produce_of_another(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.producer.id += 1_000_000;
    desk.produce("another", &["a"])
}

fn read_around(desk: &mut Desk<'_>, commit: bool) -> Outcome<()> {
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

fn lookups(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.plain("plain")?;
    desk.begin("begin")?;
    desk.produce("produce", &["a", "b"])?;
    look_up(desk, "open")?;
    desk.end("end", true)?;
    desk.settle()?;
    look_up(desk, "ended")
}

fn look_up(desk: &mut Desk<'_>, step: &str) -> Outcome<()> {
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

fn interleaved(desk: &mut Desk<'_>) -> Outcome<()> {
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

fn describe_producers(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.describe_producers("nobody")?;
    desk.begin("begin")?;
    desk.produce("produce", &["a", "b"])?;
    desk.describe_producers("open")?;
    desk.end("end", true)?;
    desk.settle()?;
    desk.describe_producers("ended")
}

fn describe_through_life(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.describe("new")?;
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.describe("open")?;
    desk.end("end", true)?;
    desk.settle()?;
    desk.describe("committed")?;
    desk.begin("begin")?;
    desk.produce("produce", &["b"])?;
    desk.end("end", false)?;
    desk.settle()?;
    desk.describe("aborted")
}

fn list_through_life(desk: &mut Desk<'_>) -> Outcome<()> {
    let own = |desk: &Desk<'_>| vec![desk.producer.id];
    desk.list("new", &own(desk), &[], 0)?;
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.list("open", &own(desk), &[], 0)?;
    desk.end("end", false)?;
    desk.settle()?;
    desk.list("aborted", &own(desk), &[], 0)
}

fn offsets(desk: &mut Desk<'_>, commit: bool) -> Outcome<()> {
    desk.begin_offsets("begin")?;
    desk.commit_offset("commit", 5, -1)?;
    desk.committed("pending", true)?;
    desk.committed("pending, any", false)?;
    desk.describe("open")?;
    desk.end("end", commit)?;
    desk.settle()?;
    desk.settle_offsets()?;
    desk.committed("ended", true)
}

fn offsets_and_commit(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin_offsets("begin")?;
    desk.commit_offset("commit", 5, -1)?;
    desk.commit_plainly("ordinary", 3)?;
    desk.committed("pending, any", false)?;
    desk.end("end", true)?;
    desk.settle()?;
    desk.settle_offsets()?;
    desk.committed("ended", true)
}

fn wrong_generation(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin_offsets("begin")?;
    desk.commit_offset("no such group", 5, 3)?;
    desk.commit_as("a member of no group", 5, (-1, "stranger"))?;
    desk.commit_offset("no generation", 5, -1)?;
    desk.commit_as("a member of an empty group", 6, (-1, "stranger"))?;
    desk.commit_as("a generation of an empty group", 7, (0, "stranger"))?;
    desk.committed("pending, any", false)
}

fn unknown_offsets(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin_offsets("begin")?;
    desk.topic.name = Str::from(format!("{}-missing", desk.topic.name));
    desk.commit_offset("commit", 5, -1)
}

fn offsets_without_adding(desk: &mut Desk<'_>) -> Outcome<()> {
    for version in [2, 3, 4] {
        desk.commit_in(&format!("v{version}"), version, 5, (-1, ""))?;
    }
    desk.describe("describe")
}

fn operator_aborts(desk: &mut Desk<'_>) -> Outcome<()> {
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

fn write_marker(desk: &mut Desk<'_>, step: &str, coordinator_epoch: i32) -> Outcome<()> {
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

fn init_versions(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    for version in 0..=5 {
        desk.init_in(&format!("v{version}"), version)?;
    }
    desk.describe("describe")
}

fn init_timeouts(talk: &mut Talk) -> Outcome<()> {
    let desk = Desk::open(talk, Style::Old)?;
    for transaction_timeout_ms in [-1, 0, 30_000, 900_000, 900_001, i32::MAX] {
        let request = InitProducerIdRequest { transaction_timeout_ms, ..desk.init_request() };
        desk.talk.on(desk.at, &format!("{transaction_timeout_ms} ms"), 4, &request)?;
    }
    Ok(())
}

fn half_a_producer(talk: &mut Talk) -> Outcome<()> {
    let desk = Desk::open(talk, Style::Old)?;
    for (producer_id, producer_epoch) in [(-1, 0), (0, -1), (5, -1)] {
        let request = InitProducerIdRequest { producer_id, producer_epoch, ..desk.init_request() };
        desk.talk.on(desk.at, &format!("{producer_id}, {producer_epoch}"), 4, &request)?;
    }
    Ok(())
}

fn init_of_stranger(talk: &mut Talk) -> Outcome<()> {
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

fn wrong_coordinator(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    desk.at = desk.talk.another_broker(desk.at);
    desk.init("init")?;
    desk.add("add", 3, &[0])?;
    desk.add_offsets("offsets", 3)?;
    desk.end_in("end", 3, true)?;
    desk.describe("describe")
}

fn empty_id(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    desk.id = Str::default();
    desk.init("init")?;
    desk.add("add", 3, &[0])?;
    desk.add_offsets("offsets", 3)?;
    desk.end_in("end", 3, true)?;
    desk.end_in("end v5", 5, true)?;
    desk.describe("describe")
}

fn find_coordinators(talk: &mut Talk) -> Outcome<()> {
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

fn add_unknown(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    desk.add("one is missing", 3, &[0, 7])?;
    desk.describe("nothing was added")?;
    desk.add("named twice", 3, &[0, 0])?;
    desk.describe("added")
}

fn add_as_a_broker(talk: &mut Talk) -> Outcome<()> {
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

fn produce_without_adding(talk: &mut Talk) -> Outcome<()> {
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

fn describe_unknown(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    desk.unknown_id()?;
    desk.describe("unknown")
}

fn list_filters(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::New)?;
    let own = [desk.producer.id];
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.list("ongoing", &own, &["Ongoing"], 0)?;
    desk.list("others", &own, &["Empty", "CompleteCommit"], 0)?;
    desk.list("no such state", &own, &["Ongoing", "Sleeping", "Dead", "PrepareEpochFence"], 0)?;
    desk.list("another producer", &[own[0] + 1_000_000], &[], 0)?;
    desk.list_longer("longer than an hour", &own, 3_600_000)?;
    desk.list_named("by name", &own, &format!("{}.*", desk.id))?;
    desk.list_named("by part of a name", &own, "transactions")?;
    desk.list_named("by another name", &own, "nobody")?;
    desk.list_named("by an empty name", &own, "")?;
    desk.list_named("by what is no pattern", &own, "(")
}

fn markers_of_nobody(talk: &mut Talk) -> Outcome<()> {
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

fn from_old_to_new(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.style = Style::New;
    desk.end("end the new way", true)?;
    desk.settle()?;
    desk.describe("new")?;
    desk.sequence = 0;
    desk.produce("produce the new way", &["b"])?;
    desk.end_in("end the old way", 4, true)?;
    desk.settle()?;
    desk.describe("old")?;
    desk.read("read", 0)
}

fn times_out(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::New)?;
    let request = InitProducerIdRequest { transaction_timeout_ms: 3_000, ..desk.init_request() };
    let answer = desk.talk.on(desk.at, "init", 4, &request)?;
    if answer.error_code != ErrorCode::NONE {
        return Err("not initialised".into());
    }
    desk.producer.epoch = answer.producer_epoch;
    desk.produce("produce", &["a"])?;
    desk.await_end()?;
    desk.describe("aborted")?;
    desk.end("commit", true)?;
    desk.produce("produce more", &["b"])?;
    desk.end("abort", false)?;
    desk.produce("produce after the abort", &["c"])?;
    desk.end("end", true)?;
    desk.settle()?;
    let request = fetch_from(&desk.topic, 12, 0);
    desk.talk.fetch(FIRST, "read", 12, &request).map(drop)
}
