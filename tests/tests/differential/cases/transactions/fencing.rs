//! Producers whose transactional id another one has taken over.

use klamm_tests::Outcome;

use super::super::transactor::Desk;

/// Another producer with the same id takes over.
pub(super) fn fence(desk: &mut Desk<'_>) -> Outcome<()> {
    let before = desk.producer;
    desk.init("fence")?;
    desk.settle()?;
    desk.init("fence again")?;
    desk.producer = before;
    Ok(())
}

pub(super) fn fenced_adds(desk: &mut Desk<'_>) -> Outcome<()> {
    fence(desk)?;
    for version in [0, 1, 2, 3] {
        desk.add(&format!("add v{version}"), version, &[0])?;
    }
    for version in [0, 1, 2, 4] {
        desk.add_offsets(&format!("offsets v{version}"), version)?;
    }
    Ok(())
}

pub(super) fn fenced_produces(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    fence(desk)?;
    desk.produce("fenced", &["b"])?;
    desk.read("read", 0)
}

pub(super) fn fenced_ends(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin("begin")?;
    desk.produce("produce", &["a"])?;
    fence(desk)?;
    desk.end("commit", true)?;
    desk.end("abort", false)?;
    desk.end_in("old commit", 1, true)
}

pub(super) fn fenced_commits_offsets(desk: &mut Desk<'_>) -> Outcome<()> {
    desk.begin_offsets("begin")?;
    desk.commit_offset("commit", 5, -1)?;
    fence(desk)?;
    desk.commit_offset("fenced", 7, -1)?;
    desk.committed("committed", true)
}
