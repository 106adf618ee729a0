//! Committing offsets, and looking up what is committed.
//!
//! Commits are sent one at a time and in order: a later one never overtakes an earlier one, and none is cancelled once
//! it was sent. One that fails in a way that passes is repeated in its place until its deadline.

mod lookup;
mod queue;
#[cfg(test)]
mod tests;
mod wire;

pub(super) use self::{
    lookup::{LookupId, LookupOutput, Lookups},
    queue::{Commit, CommitOutput, Commits},
};
