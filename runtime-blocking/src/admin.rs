//! Administration.

mod groups;
mod transactions;

use std::{collections::BTreeMap, time::Duration};

use klamm_engine::{
    AdminError, ClusterDescription, CreatedTopic, ListedOffset, NewTopic, OffsetSpec, PerItem, Str,
    TopicDescription, TopicListing, block_on,
};

/// Administration of a cluster. See [`klamm_engine::Admin`].
#[derive(Clone, Debug)]
pub struct Admin {
    inner: klamm_engine::Admin,
}

impl Admin {
    pub(crate) const fn new(inner: klamm_engine::Admin) -> Self {
        Self { inner }
    }

    /// How long an operation may take (`default.api.timeout.ms`). Default: 60 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inner: self.inner.timeout(timeout) }
    }

    /// Whether to check only if topics could be created. Default: false.
    #[must_use]
    pub fn validate_only(self, validate_only: bool) -> Self {
        Self { inner: self.inner.validate_only(validate_only) }
    }

    /// Creates topics.
    ///
    /// # Errors
    ///
    /// Nothing could be asked. If the [`effect`](AdminError::effect) is unknown, topics may have been created.
    pub fn create_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic> + Send,
    ) -> Result<PerItem<Str, CreatedTopic>, AdminError> {
        block_on(self.inner.create_topics(topics))
    }

    /// Deletes topics.
    ///
    /// # Errors
    ///
    /// Nothing could be asked. If the [`effect`](AdminError::effect) is unknown, topics may have been deleted.
    pub fn delete_topics<T: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, ()>, AdminError> {
        block_on(self.inner.delete_topics(names))
    }

    /// Lists the topics that the client may see.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub fn list_topics(&self) -> Result<BTreeMap<Str, TopicListing>, AdminError> {
        block_on(self.inner.list_topics())
    }

    /// Describes topics: where their partitions are.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub fn describe_topics<T: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, TopicDescription>, AdminError> {
        block_on(self.inner.describe_topics(names))
    }

    /// Asks where in the log of each partition something is. The end is the high watermark.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub fn list_offsets<T: AsRef<str>>(
        &self,
        of: impl IntoIterator<Item = (T, i32, OffsetSpec)> + Send,
    ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError> {
        block_on(self.inner.list_offsets(of))
    }

    /// Asks for the brokers and the controller.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub fn describe_cluster(&self) -> Result<ClusterDescription, AdminError> {
        block_on(self.inner.describe_cluster())
    }
}
