//! Batches, records and partitions as iterators that wait.

use klamm_engine::{
    CommitError, CommitOffset, ConsumeError, ConsumedRecord, Event, Explanation, FetchedBatch, GroupBatch,
    GroupEvent, NotAssigned, PendingCommit, Source, StartAt, Str, StreamEnd, block_on,
};

/// Batch after batch, of a consumer or of one partition. Ends when no more will come.
#[derive(Debug)]
pub struct Batches<S: Source> {
    pub(crate) inner: klamm_engine::Batches<S>,
}

impl<S: Source> Iterator for Batches<S> {
    type Item = Result<FetchedBatch, ConsumeError>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.inner.next())
    }
}

/// Record after record, of a consumer or of one partition. Ends when no more will come.
#[derive(Debug)]
pub struct Records<S: Source> {
    pub(crate) inner: klamm_engine::Records<S>,
}

impl<S: Source> Iterator for Records<S> {
    type Item = Result<ConsumedRecord, ConsumeError>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.inner.next())
    }
}

/// What all streams of one partition have.
macro_rules! partition_stream {
    ($stream:ident of $handle:ty: $event:ident, $batch:ty) => {
        impl $stream {
            forward! { $handle:
                /// The topic.
                get topic() -> &Str;
                /// The partition.
                get partition() -> i32;
                /// The next records or event of the partition.
                wait next_event = next() -> Result<$event, ConsumeError>;
                /// As [`next_event`](Self::next_event), but gives up after `timeout` with `None`.
                within next_event_timeout = next() -> Result<Option<$event>, ConsumeError>;
                /// The next records or event, if they are there.
                get try_next() -> Option<Result<$event, ConsumeError>>;
                /// Why it gives nothing more; `None` as long as it may.
                get ended() -> Option<StreamEnd>;
                /// Moves the position. Nothing that was fetched before is handed out any more.
                now seek(to: StartAt) -> Result<(), NotAssigned>;
                /// Stops fetching the partition until it is [resumed](Self::resume). The position stays.
                now pause();
                /// Goes on after [`pause`](Self::pause).
                now resume();
                /// The offset of the next record that will be handed out; `None` while that is not known, and after the end.
                get position() -> Option<i64>;
                /// How many offsets lie between the position and the end of the partition; `None` while that is not known,
                /// and after the end.
                get lag() -> Option<u64>;
                /// Why nothing comes: what the partition waits for next.
                get explain() -> Explanation;
            }
        }

        impl Iterator for $stream {
            type Item = Result<$batch, ConsumeError>;

            fn next(&mut self) -> Option<Self::Item> {
                loop {
                    match self.next_event() {
                        Ok($event::Batch(batch)) => return Some(Ok(batch)),
                        Ok(_) => {}
                        Err(error) if error.is_fatal() => return None,
                        Err(error) => return Some(Err(error)),
                    }
                }
            }
        }
    };
}

/// What comes of one partition of a [`Consumer`](crate::Consumer), and of no other. See
/// [`klamm_engine::PartitionStream`].
///
/// As an iterator it gives the records and leaves out the events; it is over after the end.
#[derive(Debug)]
pub struct PartitionStream {
    pub(crate) inner: klamm_engine::PartitionStream,
}

partition_stream!(PartitionStream of klamm_engine::PartitionStream: Event, FetchedBatch);

impl PartitionStream {
    /// Record after record, each with bytes of its own.
    #[must_use]
    pub fn into_records(self) -> Records<klamm_engine::PartitionStream> {
        Records { inner: self.inner.into_records() }
    }
}

/// What comes of one partition of a [`GroupConsumer`](crate::GroupConsumer), and of no other. See
/// [`klamm_engine::GroupPartitionStream`].
///
/// As an iterator it gives the records and leaves out the events; it is over after the end.
#[derive(Debug)]
pub struct GroupPartitionStream {
    pub(crate) inner: klamm_engine::GroupPartitionStream,
}

partition_stream!(GroupPartitionStream of klamm_engine::GroupPartitionStream: GroupEvent, GroupBatch);

impl GroupPartitionStream {
    forward! { klamm_engine::GroupPartitionStream:
        /// Commits everything that this stream has handed out, whether or not it was dropped.
        wait commit() -> Result<(), CommitError>;
        /// As [`commit`](Self::commit), without waiting.
        now commit_later = commit() -> PendingCommit;
        /// Commits an offset: that of the next record to read.
        wait commit_offset(offset: CommitOffset) -> Result<(), CommitError>;
    }
}
