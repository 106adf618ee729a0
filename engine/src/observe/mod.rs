//! What can be seen of a client from outside: counts ([`Metrics`](klamm_core::metrics::Metrics)), and events as values.
//!
//! Where nobody looks, nothing is made: each place that could tell something asks a flag first.

mod event;
#[cfg(feature = "metrics")]
mod facade;
mod spans;
mod stream;
#[cfg(feature = "tracing")]
mod traced;

use std::{sync::Arc, task::Waker};

use klamm_core::{
    ConnectionId, ConsumerId, PartitionIndex,
    client::{Action, Client},
    cluster::Node,
    connection::{ConnectionEvent, WireMessage},
    consumer::{ConsumerEvent, PartitionError},
    metrics::Exchange,
};

#[cfg(feature = "metrics")]
pub use self::facade::MetricsPublisher;
#[cfg(all(test, feature = "metrics"))]
pub(crate) use self::facade::added;
pub use self::{
    event::{ClientEvent, GroupChange, Peer},
    stream::{EventOptions, Events},
};
pub(crate) use self::{
    spans::{CommitSpan, SendSpan, polling},
    stream::Queue,
};

/// Those who look on, and what is to be told to them.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    queues: Vec<Arc<Queue>>,
    /// To be woken when no lock is held.
    wakers: Vec<Waker>,
    /// For the log, when no lock is held.
    #[cfg(feature = "tracing")]
    traced: Vec<ClientEvent>,
}

impl Watch {
    pub(crate) fn new(queues: Vec<Arc<Queue>>) -> Self {
        Self { queues, ..Self::default() }
    }

    pub(crate) fn add(&mut self, queue: Arc<Queue>) {
        self.queues.push(queue);
    }

    /// Whether anything is to be told.
    const fn is_on(&self) -> bool {
        cfg!(feature = "tracing") || !self.queues.is_empty()
    }

    /// Tells all who look on, and forgets those who went away.
    fn tell(&mut self, event: ClientEvent) {
        let wakers = &mut self.wakers;
        self.queues.retain(|queue| queue.push(&event, wakers));
        #[cfg(feature = "tracing")]
        if traced::wants(&event) {
            self.traced.push(event);
        }
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self) {
        for queue in self.queues.drain(..) {
            queue.end(&mut self.wakers);
        }
    }

    /// What is to be done when no lock is held.
    pub(crate) fn take(&mut self) -> Unlocked {
        Unlocked {
            wakers: std::mem::take(&mut self.wakers),
            #[cfg(feature = "tracing")]
            traced: std::mem::take(&mut self.traced),
        }
    }

    /// A request and its answer.
    pub(crate) fn exchanged(&mut self, client: &Client, connection: ConnectionId, exchange: &Exchange) {
        if !self.is_on() {
            return;
        }
        let Some(peer) = peer(client, connection) else { return };
        if exchange.throttle_ms > 0 {
            let pause = std::time::Duration::from_millis(exchange.throttle_ms.into());
            self.tell(ClientEvent::Throttled { peer: peer.clone(), api: exchange.api, pause });
        }
        self.tell(ClientEvent::Exchanged { peer, exchange: *exchange });
    }

    /// A request or an answer, with what it says.
    pub(crate) fn message(&mut self, client: &Client, connection: ConnectionId, message: WireMessage) {
        if self.is_on()
            && let Some(peer) = peer(client, connection)
        {
            self.tell(ClientEvent::Message { peer, message: Arc::new(message) });
        }
    }

    /// What happened to a connection. To be called before the client hears of it.
    pub(crate) fn connection(&mut self, client: &Client, connection: ConnectionId, event: &ConnectionEvent) {
        if !self.is_on() {
            return;
        }
        let Some(peer) = peer(client, connection) else { return };
        match event {
            ConnectionEvent::Ready(_) => self.tell(ClientEvent::Connected { peer }),
            ConnectionEvent::Closed { reason, unanswered } => {
                let (reason, lost) = (reason.clone(), unanswered.len());
                self.tell(ClientEvent::Disconnected { peer, reason, lost });
            }
            ConnectionEvent::Failed { error, .. } => {
                self.tell(ClientEvent::RequestFailed { peer, error: error.clone() });
            }
            _ => {}
        }
    }

    /// What the client wants done, as far as that is news.
    pub(crate) fn action(&mut self, client: &Client, action: &Action) {
        if !self.is_on() {
            return;
        }
        match action {
            Action::Outcome { outcome, .. } => {
                let Some((topic, partition)) = name(client, outcome.partition) else { return };
                self.tell(match outcome.result {
                    Ok(written) => {
                        let base_offset = written.base_offset;
                        ClientEvent::BatchWritten { topic, partition, base_offset }
                    }
                    Err(error) => ClientEvent::BatchFailed { topic, partition, error },
                });
            }
            Action::Deliver { consumer, chunk } => {
                let Some((topic, partition)) = name(client, chunk.ticket.partition) else { return };
                self.tell(ClientEvent::BatchRead {
                    consumer: *consumer,
                    topic,
                    partition,
                    offsets: chunk.from_offset..chunk.next_offset,
                    bytes: chunk.data.len(),
                });
            }
            Action::ConsumerEvent { consumer, event, .. } => self.consumer(client, *consumer, event),
            Action::GroupEvent { consumer, event } => {
                let Some(group) = client.group(*consumer) else { return };
                if let Some(change) = GroupChange::of(event) {
                    let group = group.metadata().group_id;
                    self.tell(ClientEvent::Group { consumer: *consumer, group, change });
                }
            }
            _ => {}
        }
    }

    fn consumer(&mut self, client: &Client, consumer: ConsumerId, event: &ConsumerEvent) {
        let Some((topic, partition)) = name(client, event.partition()) else { return };
        self.tell(match *event {
            ConsumerEvent::Reset { from, to, why, .. } => {
                ClientEvent::Reset { consumer, topic, partition, from, to, why }
            }
            ConsumerEvent::Truncated { position, diverged_at, .. } => {
                ClientEvent::Truncated { consumer, topic, partition, position, diverged_at }
            }
            ConsumerEvent::PartitionError(PartitionError { kind, retrying, .. }) => {
                ClientEvent::PartitionFailed { consumer, topic, partition, kind, retrying }
            }
            _ => return,
        });
    }
}

/// What is done when no lock is held.
#[derive(Default)]
pub(crate) struct Unlocked {
    wakers: Vec<Waker>,
    #[cfg(feature = "tracing")]
    traced: Vec<ClientEvent>,
}

impl Unlocked {
    pub(crate) fn run(self) {
        for waker in self.wakers {
            waker.wake();
        }
        #[cfg(feature = "tracing")]
        for event in &self.traced {
            traced::emit(event);
        }
    }
}

fn peer(client: &Client, connection: ConnectionId) -> Option<Peer> {
    let (node, address) = client.peer(connection)?;
    let broker = match node {
        Node::Broker(id) => Some(id),
        Node::Bootstrap(_) => None,
    };
    Some(Peer { connection, broker, address: address.clone() })
}

fn name(client: &Client, partition: PartitionIndex) -> Option<(klamm_protocol::Str, i32)> {
    client.cluster().partitions().name(partition).map(|(topic, partition)| (topic.clone(), partition))
}
