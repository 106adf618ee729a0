//! Producing: batches in, acknowledgements out.
//!
//! # Two planes
//!
//! *Data.* One [`PartitionBuffer`] a partition, behind that partition's lock and never behind the client's.
//! [`PartitionBuffer::append`] encodes a record straight into the open batch and says, at most twice a batch, that
//! the control plane should hear of it ([`Signal`]).
//!
//! *Control.* One [`Producer`] sees batches, never records. It decides when which batch is sealed, gives it its
//! producer id, epoch and sequence, puts it into a request, and turns every answer, timeout and lost connection
//! into exactly one [`Outcome`] a batch.
//!
//! ```text
//!            append                    Output::Seal                 seal, off every lock
//!  records ---------> PartitionBuffer --------------> take() -----------------------------+
//!                          | Signal                                                       |
//!                          v                                                              v
//!                 Producer::handle_signal                                     Producer::handle_sealed
//!                                                                                         |
//!   Output::Outcome <-- handle_response / handle_lost / handle_timeout <-- Output::Request +
//! ```
//!
//! # Names of batches
//!
//! A [`BatchId`] counts the batches of one partition's buffer from 0, without gaps. The pair of partition and batch
//! id is unique within a producer. Signals may overtake each other on their way to the control plane: a signal for
//! batch *n* implies that every earlier batch of the partition was opened and closed.
//!
//! # Buffers in flight
//!
//! A request holds the sealed payload as `Bytes`, and so does the batch while it may be sent again. Nothing writes
//! to a sealed payload, and its memory returns only when the last holder drops it: an outcome that is reported
//! while a request is still being written (a delivery timeout, an abort) never lets that memory be used again
//! before the socket is done with it.
//!
//! # What keeps records in order and unique
//!
//! - A batch gets its producer id, epoch and sequence when it is sent first, and keeps them over every resend.
//! - While a batch waits to be sent again, no other one of its partition is sent.
//! - A partition has one request in flight until its leader has acknowledged something, because a broker that does
//!   not know the producer takes any first sequence.
//! - A partition is sent to a new leader once the old one has answered or is lost.
//! - A batch that may be in the log is never taken for refused, whatever a later answer says that knows nothing of
//!   its sequence.
//! - A batch that was ever sent and is given up ends its partition's epoch: see the rule at `Producer::fail`.
//!
//! # Transactions
//!
//! With a transactional id, the [`Transaction`](crate::transaction::Transaction) gives the id and epoch, and says which
//! partitions may be written to. A batch that fails ends the transaction, and is not followed by others of it: see
//! `transactional`.
//!
//! The error table is `verdict`; what a partition can do next is `partition::Partition::step`.

mod answer;
mod batch;
mod broker;
mod buffer;
mod config;
mod drive;
mod end;
mod error;
mod identity;
mod ids;
mod machine;
mod outcome;
mod output;
mod partition;
pub mod partitioner;
mod progress;
mod request;
mod schedule;
mod sequences;
mod signal;
mod topics;
mod transactional;
mod unsealed;
mod verdict;

pub use buffer::{PartitionBuffer, TakenBatch};
pub use config::{Acks, Codecs, ConfigError, ProducerConfig};
pub use error::{AppendError, ProduceError, ProduceErrorKind};
pub use machine::Producer;
pub use outcome::{Acknowledged, FlushId, Outcome, Portion};
pub use output::{LeaderHint, Lost, ProducerOutput, Seal, SealResult, SealedPartition};
pub use sequences::ProducerId;
pub use signal::{Appended, BatchId, Signal};

#[cfg(test)]
mod tests;
