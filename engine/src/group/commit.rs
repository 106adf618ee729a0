//! Committing, and looking up what is committed.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use klamm_core::{
    Effect,
    client::Done,
    group::{CommitError, CommitErrorKind, CommitResult, CommittedOffsets},
};

use crate::{
    observe::CommitSpan,
    operation::{Operation, Stopped},
};

/// A commit that is under way: a future of its outcome. It goes on whether or not anybody waits for it.
///
/// Commits of one consumer are carried out in their order.
#[must_use = "a commit may fail; drop it on purpose if that does not matter"]
pub struct PendingCommit {
    wait: Pin<Box<dyn Future<Output = Result<Done, Stopped>> + Send>>,
    span: CommitSpan,
}

impl std::fmt::Debug for PendingCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingCommit").finish_non_exhaustive()
    }
}

impl PendingCommit {
    /// The commit of an operation; `otherwise` if there was nothing that it could be an operation of.
    pub(crate) fn new(
        operation: Option<Arc<Operation>>,
        otherwise: CommitErrorKind,
        span: CommitSpan,
    ) -> Self {
        match operation {
            Some(operation) => Self { wait: Box::pin(operation.wait()), span },
            None => {
                let refused = Err(CommitError::new(otherwise, Effect::None));
                Self { wait: Box::pin(std::future::ready(Ok(Done::Committed(refused)))), span }
            }
        }
    }
}

impl Future for PendingCommit {
    type Output = CommitResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<CommitResult> {
        self.wait.as_mut().poll(context).map(|done| {
            let result = match done {
                Ok(Done::Committed(result)) => result,
                Ok(_) | Err(Stopped) => Err(CommitError::new(CommitErrorKind::Closed, Effect::Unknown)),
            };
            self.span.end(&result);
            result
        })
    }
}

/// What came of a look-up.
pub(crate) fn committed(done: Result<Done, Stopped>) -> Result<CommittedOffsets, CommitError> {
    match done {
        Ok(Done::CommittedOffsets(result)) => result,
        Ok(_) | Err(Stopped) => Err(CommitError::new(CommitErrorKind::Closed, Effect::None)),
    }
}
