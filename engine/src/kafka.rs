//! The client that an application holds, and how it comes to be.

mod builder;
mod error;

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    marker::PhantomData,
    sync::Arc,
    time::Duration,
};

pub use builder::KafkaBuilder;
pub use error::{ConnectError, InvalidConfig};

use klamm_core::metrics::Metrics;

#[cfg(doc)]
use crate::ExactlyOnce;
use crate::{
    Admin, Clock, ConsumerBuilder, ControlTask, EventOptions, Events, ExactlyOnceBuilder, GroupConsumer,
    GroupConsumerBuilder, ProducerBuilder, TransactionalBuilder, shared::Shared, wait::until,
};

/// How an adapter drives a client.
///
/// An adapter names its runtime by a type of its own, and the client's types by that:
/// `pub type Kafka = klamm_engine::Kafka<MyRuntime>`.
pub trait Runtime: Send + Sync + 'static {
    /// What tells a client the time: [`SystemClock`](crate::SystemClock), or the clock of a simulation.
    type Clock: Clock + Clone;

    /// The clock of a client that is connected here and now.
    ///
    /// # Errors
    ///
    /// Why there is none, in words.
    fn clock() -> Result<Self::Clock, String>;

    /// The seed of the randomness of a client that was given none. By default the system draws it.
    fn seed(clock: &Self::Clock) -> u64 {
        let _ = clock;
        RandomState::new().build_hasher().finish()
    }

    /// Begins to drive a client in the background. `clock` tells the time that the tasks are driven with.
    ///
    /// # Errors
    ///
    /// Why that is impossible here, in words.
    fn spawn(control: ControlTask, clock: Self::Clock) -> Result<(), String>;
}

/// What all handles of one client share. The last one that goes begins to close the client.
pub(crate) struct ClientHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) close_timeout: Duration,
    pub(crate) max_block: Duration,
    pub(crate) seed: u64,
}

impl fmt::Debug for ClientHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandle").finish_non_exhaustive()
    }
}

impl Drop for ClientHandle {
    fn drop(&mut self) {
        self.shared.close(self.close_timeout);
    }
}

/// A client of one Kafka cluster.
///
/// Cheap to clone. Producers, consumers and administration made from it share its connections and its knowledge of
/// the cluster. It ends when the last clone and all that was made from it are dropped: what was sent is still
/// delivered, within the client's `close_timeout`, and nothing blocks.
pub struct Kafka<R> {
    client: Arc<ClientHandle>,
    runtime: PhantomData<fn() -> R>,
}

impl<R> Clone for Kafka<R> {
    fn clone(&self) -> Self {
        Self { client: Arc::clone(&self.client), runtime: PhantomData }
    }
}

impl<R> fmt::Debug for Kafka<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").finish_non_exhaustive()
    }
}

impl<R: Runtime> Kafka<R> {
    /// Begins to configure a client that finds its cluster at these addresses (`host:port`; the port is 9092 if none
    /// is named). One that works is enough; more than one survive the loss of a broker.
    pub fn builder<A: AsRef<str>>(bootstrap: impl IntoIterator<Item = A>) -> KafkaBuilder<R> {
        KafkaBuilder::new(bootstrap.into_iter().map(|address| address.as_ref().to_owned()).collect())
    }
}

impl<R> Kafka<R> {
    pub(crate) const fn new(client: Arc<ClientHandle>) -> Self {
        Self { client, runtime: PhantomData }
    }

    /// Begins to configure a producer.
    pub fn producer(&self) -> ProducerBuilder {
        ProducerBuilder::new(Arc::clone(&self.client))
    }

    /// Begins to configure a producer of transactions with this id (`transactional.id`).
    pub fn transactional(&self, transactional_id: impl AsRef<str>) -> TransactionalBuilder {
        TransactionalBuilder::new(Arc::clone(&self.client), transactional_id.as_ref())
    }

    /// Reads as a member of a group and writes what comes of it, exactly once: see [`ExactlyOnce`].
    pub fn exactly_once(
        &self,
        transactional_id: impl AsRef<str>,
        consumer: GroupConsumer,
    ) -> ExactlyOnceBuilder {
        ExactlyOnceBuilder::new(self.transactional(transactional_id), consumer)
    }

    /// Begins to configure a consumer.
    pub fn consumer(&self) -> ConsumerBuilder {
        ConsumerBuilder::new(Arc::clone(&self.client))
    }

    /// Begins to configure a consumer that is a member of a group (`group.id`).
    pub fn group(&self, group_id: impl AsRef<str>) -> GroupConsumerBuilder {
        GroupConsumerBuilder::new(Arc::clone(&self.client), group_id.as_ref())
    }

    /// Administration.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::new(Arc::clone(&self.client))
    }

    /// The cluster's id, if the brokers tell it (from Kafka 0.10.1 on).
    #[must_use]
    pub fn cluster_id(&self) -> Option<String> {
        self.client.shared.ask(|state| state.client.cluster().cluster_id().map(|id| String::from(&**id)))
    }

    /// Why brokers cannot be reached at present, in words; `None` if all is well.
    #[must_use]
    pub fn diagnosis(&self) -> Option<String> {
        self.client.shared.ask(|state| state.client.diagnosis())
    }

    /// A copy of all that the client has counted: connections, requests, batches, lag, rebalances.
    ///
    /// Takes the client's lock for a moment, longer with more partitions: once a second costs nothing, once a record
    /// would.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let shared = &self.client.shared;
        let now = shared.clock.now();
        shared.ask(|state| state.metrics(now))
    }

    /// What happens in the client from now on, as values: connections, pauses, batches, rebalances. What happens before
    /// [`KafkaBuilder::connect`] has come to its end is told by [`KafkaBuilder::events`].
    #[must_use]
    pub fn events(&self, options: EventOptions) -> Events {
        let (queue, events) = Events::new(options);
        self.client.shared.change(|state| state.watch.add(queue));
        events
    }

    /// Closes the client for all who hold a part of it, and waits for that: producers deliver what they have, within
    /// the client's `close_timeout`; consumers and administration end.
    ///
    /// Cancel safety: dropped early, closing goes on.
    pub async fn close(&self) {
        let (shared, timeout) = (&self.client.shared, self.client.close_timeout);
        shared.close(timeout);
        until(&shared.ended, || shared.ask(|state| state.stopped.then_some(()))).await;
    }
}
