//! What a transactional producer can be told.

use core::time::Duration;

use klamm_protocol::Str;

use crate::Backoff;

/// How transactions are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionConfig {
    /// The name under which the coordinator knows the producer over restarts (`transactional.id`). A producer that
    /// takes it over ends what the one before left open, and fences that one.
    pub transactional_id: Str,
    /// After how long the coordinator aborts a transaction that was not ended (`transaction.timeout.ms`, default 60 s).
    /// The brokers allow 15 min if nothing else was configured (`transaction.max.timeout.ms`).
    pub timeout: Duration,
    /// How long a broker may take to answer (`request.timeout.ms`, default 30 s).
    pub request_timeout: Duration,
    /// The pauses before asking again (`retry.backoff.ms`, `retry.backoff.max.ms`, default 100 ms to 1 s).
    pub backoff: Backoff,
    /// The pauses while the coordinator still completes the transaction before (default 5 ms to 100 ms): that takes
    /// no longer than writing one marker a partition.
    pub completing_backoff: Backoff,
    /// How long after the coordinator agreed to an end the next transaction begins at the earliest (default 1 ms): its
    /// markers are written meanwhile as a rule. A broker that finds them missing when the first batch comes (KIP-890) looks
    /// again only 20 ms later (`add.partitions.to.txn.retry.backoff.ms`).
    pub completing_pause: Duration,
}

impl TransactionConfig {
    /// The defaults, for this id.
    #[must_use]
    pub const fn new(transactional_id: Str) -> Self {
        Self {
            transactional_id,
            timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(30),
            backoff: Backoff::RETRY,
            completing_backoff: Backoff {
                initial: Duration::from_millis(5),
                max: Duration::from_millis(100),
            },
            completing_pause: Duration::from_millis(1),
        }
    }
}
