//! Administration, as an application sees it.

mod groups;
mod transactions;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use klamm_core::{
    Effect,
    admin::{
        AdminCommand, AdminError, AdminErrorKind, AdminReply, ClusterDescription, CreatedTopic, ListedOffset,
        NewTopic, OffsetSpec, TopicDescription, TopicListing,
    },
    client::Done,
};
use klamm_protocol::Str;

pub use groups::GroupListings;
pub use transactions::TransactionListings;

use crate::kafka::ClientHandle;

/// What came of each item.
pub type PerItem<K, T> = BTreeMap<K, Result<T, AdminError>>;

/// Administration of a cluster.
///
/// Each operation ends by its [`timeout`](Self::timeout). The outer error says that nothing could be asked; the
/// result of each item says what the brokers answered. Cancel safety, for all: dropped early, an operation goes on
/// unheard, so it may still be done.
#[derive(Clone, Debug)]
pub struct Admin {
    client: Arc<ClientHandle>,
    timeout: Duration,
    validate_only: bool,
}

impl Admin {
    pub(crate) const fn new(client: Arc<ClientHandle>) -> Self {
        Self { client, timeout: Duration::from_secs(60), validate_only: false }
    }

    /// How long an operation may take (`default.api.timeout.ms`). Default: 60 s.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether to check only if topics could be created. Default: false.
    #[must_use]
    pub const fn validate_only(mut self, validate_only: bool) -> Self {
        self.validate_only = validate_only;
        self
    }

    /// Creates topics (KIP-4).
    ///
    /// # Errors
    ///
    /// Nothing could be asked. If the [`effect`](AdminError::effect) is unknown, topics may have been created.
    pub async fn create_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic> + Send,
    ) -> Result<PerItem<Str, CreatedTopic>, AdminError> {
        let topics = topics.into_iter().collect();
        let command = AdminCommand::CreateTopics { topics, validate_only: self.validate_only };
        match self.run(command).await? {
            AdminReply::CreateTopics(topics) => Ok(topics),
            _ => Err(unanswered()),
        }
    }

    /// Deletes topics (KIP-4).
    ///
    /// # Errors
    ///
    /// Nothing could be asked. If the [`effect`](AdminError::effect) is unknown, topics may have been deleted.
    pub async fn delete_topics<T: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, ()>, AdminError> {
        let names = strings(names);
        match self.run(AdminCommand::DeleteTopics { names }).await? {
            AdminReply::DeleteTopics(topics) => Ok(topics),
            _ => Err(unanswered()),
        }
    }

    /// Lists the topics that the client may see.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub async fn list_topics(&self) -> Result<BTreeMap<Str, TopicListing>, AdminError> {
        match self.run(AdminCommand::ListTopics).await? {
            AdminReply::ListTopics(topics) => Ok(topics),
            _ => Err(unanswered()),
        }
    }

    /// Describes topics: where their partitions are.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub async fn describe_topics<T: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, TopicDescription>, AdminError> {
        let names = strings(names);
        match self.run(AdminCommand::DescribeTopics { names }).await? {
            AdminReply::DescribeTopics(topics) => Ok(topics),
            _ => Err(unanswered()),
        }
    }

    /// Asks where in the log of each partition something is. The end is the high watermark.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub async fn list_offsets<T: AsRef<str>>(
        &self,
        of: impl IntoIterator<Item = (T, i32, OffsetSpec)> + Send,
    ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError> {
        self.list_offsets_isolated(of, false).await
    }

    /// As [`list_offsets`](Self::list_offsets); with `read_committed` the end is the last stable offset.
    pub(crate) async fn list_offsets_isolated<T: AsRef<str>>(
        &self,
        of: impl IntoIterator<Item = (T, i32, OffsetSpec)> + Send,
        read_committed: bool,
    ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError> {
        let of =
            of.into_iter().map(|(topic, partition, spec)| (Str::copy_of(topic.as_ref()), partition, spec));
        let command = AdminCommand::ListOffsets { of: of.collect(), read_committed };
        match self.run(command).await? {
            AdminReply::ListOffsets(offsets) => Ok(offsets),
            _ => Err(unanswered()),
        }
    }

    /// Asks for the brokers and the controller.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, AdminError> {
        match self.run(AdminCommand::DescribeCluster).await? {
            AdminReply::DescribeCluster(cluster) => Ok(cluster),
            _ => Err(unanswered()),
        }
    }

    fn run(
        &self,
        command: AdminCommand,
    ) -> impl Future<Output = Result<AdminReply, AdminError>> + Send + use<> {
        let timeout = self.timeout;
        let done =
            self.client.shared.operate(|client, now, id| client.administer(now, id, command, now + timeout));
        async move {
            match done.wait().await {
                Ok(Done::Admin(result)) => result,
                Ok(_) => Err(unanswered()),
                Err(crate::operation::Stopped) => {
                    Err(AdminError::new(AdminErrorKind::Closed, Effect::Unknown))
                }
            }
        }
    }
}

fn strings<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Vec<Str> {
    texts.into_iter().map(|text| Str::copy_of(text.as_ref())).collect()
}

/// An answer of another kind than was asked for.
const fn unanswered() -> AdminError {
    AdminError::new(AdminErrorKind::NoAnswer, Effect::Unknown)
}
