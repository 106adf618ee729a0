//! The consumer in a group that an application holds.

mod builder;
mod commit;
mod event;
mod inbox;
mod listener;
mod records;
mod stream;

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use klamm_core::{
    ConsumerId,
    client::Client,
    consumer::{Explanation, StartAt},
    group::{
        CommitError, CommitErrorKind, CommitOffset, CommittedOffsets, GroupEvent as Told, GroupMetadata,
        TopicPartition,
    },
};
use klamm_protocol::Str;
use regex_lite::Regex;

pub use self::{
    builder::GroupConsumerBuilder,
    commit::PendingCommit,
    event::{AssignmentRequest, GroupBatch, GroupEvent, GroupReadError, Revocation},
    listener::RebalanceListener,
    records::{GroupRecord, GroupRecordEvent, GroupRecords, NotAcknowledged},
    stream::GroupPartitionStream,
};
pub(crate) use commit::committed;
pub(crate) use inbox::GroupInbox;

use crate::{
    Consumer, Event, InvalidConfig, NotAssigned, NotStreamed,
    consumer::offset_of,
    kafka::ClientHandle,
    observe::CommitSpan,
    operation::Operation,
    wait::{Registration, poll_until},
};

/// How long a commit may take (`default.api.timeout.ms`).
pub(crate) const API_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads, as a member of a group, the partitions that the group assigns to it.
///
/// Rebalances arrive between the records, as [`GroupEvent`]s of [`next`](Self::next); [`next_with`](Self::next_with)
/// hands them to a listener. No call is needed to remain a member, but each has to come within
/// [`max_poll_interval`](GroupConsumerBuilder::max_poll_interval) of the one before: otherwise others take over, and the
/// consumer joins again with the next call.
///
/// Several threads may read from one consumer: each batch goes to one of them.
///
/// Dropping it commits what is done with and leaves the group, in the background, within the client's `close_timeout`.
pub struct GroupConsumer {
    id: ConsumerId,
    consumer: Consumer,
    inbox: Arc<GroupInbox>,
    client: Arc<ClientHandle>,
}

impl fmt::Debug for GroupConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupConsumer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl GroupConsumer {
    const fn new(
        id: ConsumerId,
        consumer: Consumer,
        inbox: Arc<GroupInbox>,
        client: Arc<ClientHandle>,
    ) -> Self {
        Self { id, consumer, inbox, client }
    }

    // Reading.

    /// The next records or event, as they come. What was handed out before, and was dropped, counts as done with.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// Reading a partition failed and waiting will not help, the membership failed for good, the cluster refuses something that
    /// it needs, or the consumer is closed. After an error that is not [fatal](GroupReadError::is_fatal) the others go on.
    pub async fn next(&self) -> Result<GroupEvent, GroupReadError> {
        let _polling = Polling::begin(self);
        let mut read = pin!(self.consumer.next());
        let mut told = Registered { of: self, registration: Registration::default() };
        let next = poll_fn(|context| {
            if let Poll::Ready(event) = told.poll(context) {
                return Poll::Ready(Err(event));
            }
            read.as_mut().poll(context).map(Ok)
        });
        match next.await {
            Err(event) => self.tell(event),
            Ok(event) => self.hand_out(event?),
        }
    }

    /// The next records. Events are passed over: partitions that are to be given up are given up at once.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn next_batch(&self) -> Result<GroupBatch, GroupReadError> {
        loop {
            if let GroupEvent::Batch(batch) = self.next().await? {
                return Ok(batch);
            }
        }
    }

    /// The next records or event, if they are there.
    #[must_use]
    pub fn try_next(&self) -> Option<Result<GroupEvent, GroupReadError>> {
        let _polling = Polling::begin(self);
        if let Some(event) = self.inbox.pop(self.client.shared.clock.now()) {
            return Some(self.tell(event));
        }
        let event = self.consumer.try_next()?;
        Some(event.map_err(GroupReadError::from).and_then(|event| self.hand_out(event)))
    }

    /// What the group says, with guards where it waits for an answer.
    fn tell(&self, event: Told) -> Result<GroupEvent, GroupReadError> {
        let client = Arc::clone(&self.client);
        Ok(match event {
            Told::Assigned { partitions } => GroupEvent::Assigned(partitions),
            Told::Revoking { id, partitions, deadline } => {
                GroupEvent::Revoking(Revocation::new(client, self.id, id, partitions, deadline))
            }
            Told::Lost { partitions, why } => GroupEvent::Lost { partitions, why },
            Told::Trouble(error) if error.is_refusal() => return Err(GroupReadError::Refused(error)),
            Told::Trouble(error) => GroupEvent::GroupTrouble(error),
            Told::CommitFailed(error) => GroupEvent::CommitFailed(error),
            Told::AssignmentWanted(task) => {
                GroupEvent::AssignmentWanted(AssignmentRequest::new(client, self.id, task))
            }
            Told::Failed(error) => return Err(GroupReadError::Group(error)),
            // An event that this version does not know: the machines are those of this workspace.
            _ => return Err(GroupReadError::Consume(crate::ConsumeError::Stopped)),
        })
    }

    fn hand_out(&self, event: Event) -> Result<GroupEvent, GroupReadError> {
        let Event::Batch(batch) = event else { return Ok(GroupEvent::Partition(event)) };
        let partition = (batch.topic().clone(), batch.partition());
        let id = self.client.shared.with(|state, now| {
            let group = state.client.group_mut(self.id)?;
            Some(group.hand_out(now, &partition, batch.next_offset(), batch.leader_epoch()))
        });
        match id {
            Some(id) => Ok(GroupEvent::Batch(GroupBatch::new(batch, Some(id)))),
            None => Err(GroupReadError::Consume(crate::ConsumeError::Closed)),
        }
    }

    // Subscribing.

    /// Subscribes to these topics, instead of what was subscribed to before. None: leaves the group.
    pub fn subscribe<T: AsRef<str>>(&self, topics: impl IntoIterator<Item = T>) {
        let topics: Vec<Str> = topics.into_iter().map(|topic| Str::copy_of(topic.as_ref())).collect();
        self.inbox.subscribe_by(None);
        self.client.shared.with(|state, now| {
            if let Some(group) = state.client.group_mut(self.id) {
                group.subscribe(now, topics);
            }
        });
    }

    /// Subscribes to all topics whose names match a regular expression, instead of what was subscribed to before. Topics
    /// that appear later are found when the metadata are refreshed.
    ///
    /// # Errors
    ///
    /// The expression makes no sense.
    pub fn subscribe_pattern(&self, pattern: &str) -> Result<(), InvalidConfig> {
        self.subscribe_by(builder::parse(pattern)?);
        Ok(())
    }

    fn subscribe_by(&self, pattern: Regex) {
        let expression = Str::copy_of(pattern.as_str());
        self.inbox.subscribe_by(Some(pattern));
        self.client.shared.with(|state, now| {
            if let Some(group) = state.client.group_mut(self.id) {
                group.subscribe_pattern(now, expression);
            }
        });
    }

    /// Leaves the group, and reads nothing any more. Nothing is committed by that.
    pub fn unsubscribe(&self) {
        self.subscribe(Vec::<Str>::new());
    }

    /// Asks the group to rebalance, for this reason (KIP-568, KIP-800). Without effect while it does.
    pub fn enforce_rebalance(&self, reason: &str) {
        let reason = Str::copy_of(reason);
        self.client.shared.with(|state, now| {
            if let Some(group) = state.client.group_mut(self.id) {
                group.enforce_rebalance(now, reason);
            }
        });
    }

    /// What a transaction has to know of this member, to commit offsets for it (KIP-447).
    #[must_use]
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        self.client.shared.ask(|state| state.client.group(self.id).map(klamm_core::group::Group::metadata))
    }

    /// Whether offsets are committed by themselves.
    pub(crate) fn commits_by_itself(&self) -> bool {
        self.client
            .shared
            .ask(|state| state.client.group(self.id).is_some_and(klamm_core::group::Group::commits_by_itself))
    }

    // Offsets.

    /// Commits everything that was handed out so far, whether or not it was dropped. It is sent whether or not the
    /// future is awaited.
    pub fn commit(&self) -> PendingCommit {
        let span = CommitSpan::begin(&self.client.shared, self.id);
        let operation = self.operate(|client, now, operation, id| {
            client.group_mut(id).map(|group| group.commit_all(now, operation, now + API_TIMEOUT))
        });
        PendingCommit::new(operation, CommitErrorKind::Closed, span)
    }

    /// Commits these offsets: each is that of the next record to read. It is sent whether or not the future is awaited.
    pub fn commit_offsets<T: AsRef<str>>(
        &self,
        offsets: impl IntoIterator<Item = (T, i32, CommitOffset)>,
    ) -> PendingCommit {
        let key = |(topic, partition, offset): (T, i32, CommitOffset)| {
            ((Str::copy_of(topic.as_ref()), partition), offset)
        };
        let offsets = offsets.into_iter().map(key).collect();
        let span = CommitSpan::begin(&self.client.shared, self.id);
        let operation = self.operate(|client, now, operation, id| {
            client.group_mut(id).map(|group| group.commit(now, operation, offsets, now + API_TIMEOUT))
        });
        PendingCommit::new(operation, CommitErrorKind::Closed, span)
    }

    /// Looks up what the group has committed. What a transaction may yet change is waited for (KIP-447).
    ///
    /// Cancel safety: nothing is lost.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer within 60 s, or refused.
    pub async fn committed<T: AsRef<str>>(
        &self,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<CommittedOffsets, CommitError> {
        let partitions = partitions.into_iter().map(|(topic, at)| (Str::copy_of(topic.as_ref()), at));
        let partitions: Vec<TopicPartition> = partitions.collect();
        let operation = self.operate(|client, now, operation, id| {
            client.group_mut(id).map(|group| group.committed(now, operation, partitions, now + API_TIMEOUT))
        });
        match operation {
            Some(operation) => committed(operation.wait().await),
            None => Err(CommitError::new(CommitErrorKind::Closed, klamm_core::Effect::None)),
        }
    }

    /// Starts an operation of the group, if that is not gone.
    fn operate(
        &self,
        start: impl FnOnce(&mut Client, klamm_core::Instant, klamm_core::OperationId, ConsumerId) -> Option<()>,
    ) -> Option<Arc<Operation>> {
        self.client.shared.try_operate(|client, now, operation| start(client, now, operation, self.id))
    }

    // Partitions.

    /// Reads an assigned partition for itself: from now on nothing of it comes from this consumer's own
    /// [`next`](Self::next), until the stream is dropped. It ends when the group takes the partition away.
    ///
    /// # Errors
    ///
    /// The partition is not assigned, or has a stream already.
    pub fn partition_stream(&self, topic: &str, partition: i32) -> Result<GroupPartitionStream, NotStreamed> {
        let stream = self.consumer.partition_stream(topic, partition)?;
        Ok(GroupPartitionStream::new(stream, Arc::clone(&self.client), self.id))
    }

    /// Moves the position of a partition that is assigned. Nothing that was fetched before is handed out any more. The
    /// next automatic commit is of the new position.
    ///
    /// # Errors
    ///
    /// The partition is not assigned.
    pub fn seek(&self, topic: &str, partition: i32, to: StartAt) -> Result<(), NotAssigned> {
        self.consumer.seek(topic, partition, to)?;
        let partition = (Str::copy_of(topic), partition);
        self.client.shared.with(|state, now| {
            if let Some(group) = state.client.group_mut(self.id) {
                group.sought(now, &partition, offset_of(to));
            }
        });
        Ok(())
    }

    /// Stops handing out records of these partitions, and fetching them. That ends when they are given up.
    pub fn pause<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.consumer.pause(partitions);
    }

    /// Goes on with paused partitions.
    pub fn resume<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.consumer.resume(partitions);
    }

    /// The offset of the next record of a partition that will be handed out; `None` while that is not known.
    #[must_use]
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.consumer.position(topic, partition)
    }

    /// How many offsets lie between the position of a partition and its end; `None` while that is not known.
    #[must_use]
    pub fn lag(&self, topic: &str, partition: i32) -> Option<u64> {
        self.consumer.lag(topic, partition)
    }

    /// Why nothing comes from a partition: what it waits for next.
    #[must_use]
    pub fn explain(&self, topic: &str, partition: i32) -> Explanation {
        self.consumer.explain(topic, partition)
    }

    /// The partitions that are read.
    #[must_use]
    pub fn assignment(&self) -> Vec<(Str, i32)> {
        self.consumer.assignment()
    }

    // The end.

    /// Commits what is done with, leaves the group, and closes the consumer, within this time. A static member does not
    /// leave: it may be back before its session ends.
    ///
    /// Cancel safety: dropped early, closing goes on.
    pub async fn close(&self, timeout: Duration) {
        self.end(timeout, false).await;
    }

    /// As [`close`](Self::close); a static member leaves too (KIP-1092).
    pub async fn close_and_leave(&self, timeout: Duration) {
        self.end(timeout, true).await;
    }

    async fn end(&self, timeout: Duration, leave: bool) {
        let operation = self.client.shared.operate(|client, now, operation| {
            client.close_group(now, self.id, leave, now + timeout, Some(operation));
        });
        let _ended = operation.wait().await;
        self.consumer.close();
    }
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        let timeout = self.client.close_timeout;
        self.client.shared.with(|state, now| {
            state.client.close_group(now, self.id, false, now + timeout, None);
            state.groups.remove(&self.id);
        });
    }
}

/// A call that waits for records. Ends when it is dropped.
struct Polling<'a>(&'a GroupConsumer);

impl<'a> Polling<'a> {
    fn begin(consumer: &'a GroupConsumer) -> Self {
        consumer.client.shared.with(|state, now| {
            if let Some(group) = state.client.group_mut(consumer.id) {
                group.poll_begin(now);
            }
        });
        Self(consumer)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.client.shared.with(|state, now| {
            if let Some(group) = state.client.group_mut(self.0.id) {
                group.poll_end(now);
            }
        });
    }
}

/// A wait for what the group says. Forgets its registration when dropped.
struct Registered<'a> {
    of: &'a GroupConsumer,
    registration: Registration,
}

impl Registered<'_> {
    fn poll(&mut self, context: &Context<'_>) -> Poll<Told> {
        let (inbox, clock) = (&self.of.inbox, &self.of.client.shared.clock);
        poll_until(&inbox.waiters, &mut self.registration, context, || inbox.pop(clock.now()))
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.of.inbox.waiters.forget(&mut self.registration);
    }
}
