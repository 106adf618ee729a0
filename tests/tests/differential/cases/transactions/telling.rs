//! What is told of transactions, and of the offsets that they commit.

use klamm_protocol::Str;
use klamm_tests::Outcome;

use super::super::transactor::{Desk, Style};
use crate::talk::Talk;

pub(super) fn describe_producers(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.describe_producers("nobody")?;
    desk.begin("begin")?;
    desk.produce("produce", &["a", "b"])?;
    desk.describe_producers("open")?;
    desk.end("end", true)?;
    desk.settle()?;
    desk.describe_producers("ended")
}

pub(super) fn describe_through_life(desk: &mut Desk<'_>) -> Outcome<()> {
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

pub(super) fn list_through_life(desk: &mut Desk<'_>) -> Outcome<()> {
    let own = |desk: &Desk<'_>| vec![desk.producer.id];
    desk.list("new", &own(desk), &[], 0)?;
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    desk.list("open", &own(desk), &[], 0)?;
    desk.end("end", false)?;
    desk.settle()?;
    desk.list("aborted", &own(desk), &[], 0)
}

pub(super) fn offsets(desk: &mut Desk<'_>, commit: bool) -> Outcome<()> {
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

pub(super) fn offsets_and_commit(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin_offsets("begin")?;
    desk.commit_offset("commit", 5, -1)?;
    desk.commit_plainly("ordinary", 3)?;
    desk.committed("pending, any", false)?;
    desk.end("end", true)?;
    desk.settle()?;
    desk.settle_offsets()?;
    desk.committed("ended", true)
}

pub(super) fn wrong_generation(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin_offsets("begin")?;
    desk.commit_offset("no such group", 5, 3)?;
    desk.commit_as("a member of no group", 5, (-1, "stranger"))?;
    desk.commit_offset("no generation", 5, -1)?;
    desk.commit_as("a member of an empty group", 6, (-1, "stranger"))?;
    desk.commit_as("a generation of an empty group", 7, (0, "stranger"))?;
    desk.committed("pending, any", false)
}

pub(super) fn unknown_offsets(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin_offsets("begin")?;
    desk.topic.name = Str::from(format!("{}-missing", desk.topic.name));
    desk.commit_offset("commit", 5, -1)
}

pub(super) fn offsets_without_adding(desk: &mut Desk<'_>) -> Outcome<()> {
    for version in [2, 3, 4] {
        desk.commit_in(&format!("v{version}"), version, 5, (-1, ""))?;
    }
    desk.describe("describe")
}

pub(super) fn describe_unknown(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, Style::Old)?;
    desk.unknown_id()?;
    desk.describe("unknown")
}

pub(super) fn list_filters(talk: &mut Talk) -> Outcome<()> {
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
