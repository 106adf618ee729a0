//! The states of a transactional producer, and what leads from one to another.

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum State {
    /// It has no producer id.
    New,
    /// It asks for the producer id, or for another epoch.
    Starting,
    /// No transaction is open.
    Ready,
    /// A transaction is open.
    Open,
    /// A transaction is open and can only be aborted.
    Failed,
    /// It is to be committed, once all of it is written.
    Flushing,
    /// The coordinator is asked to commit it.
    Committing,
    /// It is to be aborted, once nothing of it is under way any more.
    Draining,
    /// The coordinator is asked to abort it.
    Aborting,
    /// It is not known whether it was committed.
    InDoubt,
    /// Nothing can be done any more.
    Dead,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Input {
    /// A producer id or another epoch is wanted.
    Init,
    /// The coordinator gave it.
    Named,
    /// The coordinator will not give it.
    Refuse,
    /// The application begins a transaction.
    Begin,
    /// Something of the transaction failed.
    Fail,
    /// The application commits.
    Commit,
    /// The application aborts, or the transaction is given up.
    Abort,
    /// Nothing of the transaction is under way any more.
    Drained,
    /// The coordinator ended the transaction.
    Ended,
    /// There is no answer in time to a commit that was sent.
    Doubt,
    /// The application asks what became of the commit.
    Resume,
    /// Nothing can be done any more.
    Fatal,
}

use Input as I;
use State as S;

/// Every transition. What is not here is ignored.
pub(super) const TRANSITIONS: &[(S, I, S)] = &[
    (S::New, I::Init, S::Starting),
    (S::New, I::Fatal, S::Dead),
    (S::Starting, I::Named, S::Ready),
    (S::Starting, I::Refuse, S::New),
    (S::Starting, I::Fatal, S::Dead),
    (S::Ready, I::Init, S::Starting),
    (S::Ready, I::Begin, S::Open),
    (S::Ready, I::Fatal, S::Dead),
    (S::Open, I::Fail, S::Failed),
    (S::Open, I::Commit, S::Flushing),
    (S::Open, I::Abort, S::Draining),
    (S::Open, I::Fatal, S::Dead),
    (S::Failed, I::Commit, S::Draining),
    (S::Failed, I::Abort, S::Draining),
    (S::Failed, I::Fatal, S::Dead),
    (S::Flushing, I::Fail, S::Draining),
    (S::Flushing, I::Abort, S::Draining),
    (S::Flushing, I::Drained, S::Committing),
    (S::Flushing, I::Fatal, S::Dead),
    (S::Committing, I::Fail, S::Draining),
    (S::Committing, I::Ended, S::Ready),
    (S::Committing, I::Doubt, S::InDoubt),
    (S::Committing, I::Fatal, S::Dead),
    (S::Draining, I::Drained, S::Aborting),
    (S::Draining, I::Fatal, S::Dead),
    (S::Aborting, I::Ended, S::Ready),
    (S::Aborting, I::Fatal, S::Dead),
    (S::InDoubt, I::Resume, S::Committing),
    (S::InDoubt, I::Fatal, S::Dead),
];

impl State {
    /// Where `input` leads from here; `None` if it is to be ignored.
    pub(super) fn after(self, input: Input) -> Option<Self> {
        TRANSITIONS.iter().find(|(from, by, _)| *from == self && *by == input).map(|(_, _, to)| *to)
    }

    /// Whether nothing is under way that has to come to an end.
    pub(super) const fn is_at_rest(self) -> bool {
        matches!(self, Self::New | Self::Ready | Self::InDoubt | Self::Dead)
    }
}
