//! Transactions: their coordinators, and what partitions make of them.

mod fencing;
mod starting;
mod telling;
mod writing;

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_tests::Outcome;

use super::transactor::{Desk, Style};
use crate::case::Case;
use crate::requests::fetch_from;
use crate::talk::{FIRST, Talk};
use fencing::{fenced_adds, fenced_commits_offsets, fenced_ends, fenced_produces};
use starting::{
    empty_id, find_coordinators, half_a_producer, init_again, init_of_stranger, init_timeouts, init_twice,
    init_versions, init_while_ongoing, init_with_epoch_after_end, init_with_epoch_while_ongoing,
    wrong_coordinator,
};
use telling::{
    describe_producers, describe_through_life, describe_unknown, list_filters, list_through_life, offsets,
    offsets_and_commit, offsets_without_adding, unknown_offsets, wrong_generation,
};
use writing::{
    add_as_a_broker, add_unknown, interleaved, lookups, markers_of_nobody, operator_aborts, out_of_sequence,
    produce_again, produce_again_after_end, produce_of_another, produce_with_epoch, produce_without_adding,
    produce_without_flag, read_around,
};

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
