//! Where something is in the logs of partitions, whether or not they are assigned.

use std::sync::Arc;

use klamm_core::{
    admin::{AdminError, ListedOffset, OffsetSpec},
    consumer::Isolation,
};
use klamm_protocol::Str;

use super::Consumer;
use crate::admin::{Admin, PerItem};

impl Consumer {
    /// Asks for the first record of each partition whose timestamp (milliseconds since 1970) is not before the one
    /// given; its offset is `None` if there is no such record. The partitions need not be assigned, and no position
    /// moves.
    ///
    /// As [`Admin::list_offsets`], for which other places can be asked.
    ///
    /// # Errors
    ///
    /// No broker answered within 60 s.
    pub async fn offsets_for_times<T: AsRef<str>>(
        &self,
        of: impl IntoIterator<Item = (T, i32, i64)> + Send,
    ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError> {
        let timestamp = |(topic, partition, timestamp)| (topic, partition, OffsetSpec::Timestamp(timestamp));
        self.list_offsets(of.into_iter().map(timestamp).collect()).await
    }

    /// Asks for the oldest offset that each partition still has.
    ///
    /// # Errors
    ///
    /// As [`offsets_for_times`](Self::offsets_for_times).
    pub async fn beginning_offsets<T: AsRef<str>>(
        &self,
        of: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError> {
        let earliest = |(topic, partition)| (topic, partition, OffsetSpec::Earliest);
        self.list_offsets(of.into_iter().map(earliest).collect()).await
    }

    /// Asks for the end of each partition, as far as this consumer may see: the high watermark, or the last stable
    /// offset with [`Isolation::ReadCommitted`]. What the last fetch told of it is
    /// [`end_offset`](Self::end_offset), which asks nobody.
    ///
    /// # Errors
    ///
    /// As [`offsets_for_times`](Self::offsets_for_times).
    pub async fn end_offsets<T: AsRef<str>>(
        &self,
        of: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError> {
        let latest = |(topic, partition)| (topic, partition, OffsetSpec::Latest);
        self.list_offsets(of.into_iter().map(latest).collect()).await
    }

    /// Does not borrow the names while it waits.
    fn list_offsets<T: AsRef<str>>(
        &self,
        of: Vec<(T, i32, OffsetSpec)>,
    ) -> impl Future<Output = Result<PerItem<(Str, i32), ListedOffset>, AdminError>> + Send + use<T> {
        let isolation =
            |state: &crate::shared::State| Some(state.client.consumer(self.inner.id)?.isolation());
        let read_committed = self.inner.client.shared.ask(isolation) == Some(Isolation::ReadCommitted);
        let of: Vec<_> = of
            .into_iter()
            .map(|(topic, partition, spec)| (Str::copy_of(topic.as_ref()), partition, spec))
            .collect();
        let admin = Admin::new(Arc::clone(&self.inner.client));
        async move { admin.list_offsets_isolated(of, read_committed).await }
    }
}
