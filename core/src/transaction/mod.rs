//! Transactions: what a transactional producer says to its coordinator (KIP-98, KIP-360, KIP-447, KIP-890).
//!
//! ```text
//!        Init            Begin           Commit              Drained              Ended
//!   New -----> Starting -----> Ready -----> Open -----> Flushing -----> Committing -----> Ready
//!                  ^             |           | Fail         | Fail         | Fail  | Doubt
//!                  '---- Init ---'           v              v              |       v
//!                  (another epoch)        Failed -Abort-> Draining <-------'    InDoubt -Resume-> Committing
//!                                                           | Drained
//!                                                           v        Ended
//!                                                        Aborting ---------> Ready
//!   any --Fatal--> Dead
//! ```
//!
//! The table is `table::TRANSITIONS`; what error codes mean is `verdict`.
//!
//! # With the producer
//!
//! [`Transaction`] owns the producer id and its epoch; the [`Producer`](crate::producer::Producer) owns the batches.
//! They tell each other, by way of whoever drives both:
//!
//! | from the transaction | from the producer |
//! |---|---|
//! | a transaction begins, under this id and epoch | a partition has something for it |
//! | the partition is in it: its batches may be sent | a batch failed: it can only be aborted |
//! | send all, or drop what was not sent, and say when all is settled | all is settled |
//!
//! # Two protocols
//!
//! *Version 1* (KIP-98): partitions and groups are added to the transaction before anything is written to them. The
//! epoch changes only when something went wrong, by InitProducerId (KIP-360).
//!
//! *Version 2* (KIP-890, the finalized feature `transaction.version` from 2 on): what is written adds its partition, and
//! every end of a transaction brings the next epoch. Which one is used is decided anew at every begin.
//!
//! # What is certain
//!
//! - A transaction whose end was never sent is aborted when its commit fails: the cluster did not change.
//! - Once the end was sent, only an answer tells what became of it. Without one the outcome is unknown
//!   ([`TransactionErrorKind::InDoubt`]): neither a commit nor an abort is taken for granted, and nothing new is begun
//!   until [`TransactionCommand::Resume`] found out. Asking again is safe, because the coordinator recognises it.
//! - A coordinator that was asked to add partitions and did not answer may have added them. So such a transaction is
//!   ended, though perhaps there is nothing to end.

mod answers;
mod ask;
mod commands;
mod config;
mod dialogue;
mod ends;
mod error;
mod machine;
mod output;
mod scope;
mod table;
mod verdict;

#[cfg(test)]
mod tests;

pub use config::TransactionConfig;
pub use error::{TransactionError, TransactionErrorKind, TransactionStep};
pub use machine::{Offered, Transaction};
pub use output::{BatchFailure, TransactionCommand, TransactionOutput};
