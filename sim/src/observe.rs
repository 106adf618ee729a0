//! What can be seen of a simulated run: by the applications, on the wires, and in the brokers' logs.
//!
//! A [`World`](crate::world) tells its observers of everything in the order in which it happens. The checkers, the
//! trace and the explanation of a run are observers; none of them can change what happens.
//!
//! # Order
//!
//! Whoever tells keeps to this, and whoever observes may rely on it:
//!
//! - `Made` comes first of each actor. `Offered` comes before `Accepted` or `Refused` of the same record, and
//!   `Accepted` in the very step in which the producer took the record: the order of `Accepted` is the order in which
//!   one actor appended.
//! - `Accepted` comes before the record is `Appended` anywhere, and `Appended` before it is `Written`.
//! - `Appended` comes before the `Committed` that covers it, and that before the `Response` that acknowledges or
//!   carries it. What an election or a crash takes away is `Lost` before the `Elected` that follows from it.
//! - `Positioned`, `Paused`, `Resumed`, `Unassigned` and `Closed` are told in the step in which the call of the
//!   consumer returned, and `Delivered` in the step in which the batch was handed out: all of its records, or those
//!   that the application looks at.
//! - Of one connection: `Connecting`, `Opened`, and for each frame `Sent` before `Request`, `Response` before
//!   `Received`; nothing after `Closed`.

mod applications;
mod cluster;
#[cfg(test)]
mod tests;
mod value;
mod wire;

use std::{cell::RefCell, rc::Rc};

use klamm_core::Instant;
use klamm_protocol::Str;

pub use applications::{
    ConsumerFacts, Consuming, MemberFacts, Membering, ProducerFacts, Producing, Transacting, TransactorFacts,
};
pub use cluster::{ClusterEvent, Refusal, TransactionPhase};
pub use value::ValueId;
pub use wire::{Side, Wire};

use crate::cluster::ConnectionId;

/// Whoever looks at a run.
pub trait Observe {
    /// Something happened at `now`.
    fn observe(&mut self, now: Instant, observation: &Observation<'_>);
}

/// A client process: everything made from one `Kafka` handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// A producer or a consumer of the workload; unique in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub u32);

/// A partition of a topic, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Str,
    /// From 0.
    pub partition: i32,
}

/// One thing that was seen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Observation<'a> {
    /// In an application that produces.
    Producing(ActorId, Producing<'a>),
    /// In an application that consumes.
    Consuming(ActorId, Consuming<'a>),
    /// In an application that consumes in a group.
    Membering(ActorId, Membering<'a>),
    /// In an application that writes in transactions.
    Transacting(ActorId, Transacting<'a>),
    /// At the end: all batches of a partition, up to where they are committed, and up to where they are decided.
    Log(&'a TopicPartition, &'a [u8], (i64, i64)),
    /// On a connection.
    Wire(ConnectionId, Wire<'a>),
    /// In the cluster.
    Cluster(ClusterEvent),
    /// To a client process as a whole.
    Process(ClientId, Process),
    /// A fault began or ended, or the plan did something: in words, as the plan has it.
    Plan(&'a str),
    /// The run goes on to another part.
    Phase(Phase),
}

/// What happens to a client process as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It stands still: no deadline can be kept before it is resumed.
    Paused,
    /// It goes on.
    Resumed,
    /// It is gone, and its handles with it: nothing more is told of its actors.
    Killed,
    /// It is being closed, with everything that was made from it.
    Closing {
        /// When that has to be over.
        deadline: Instant,
    },
    /// It is closed.
    Closed,
}

/// The parts of a run after its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// All faults are over: every broker is up, every link is as fast as it ever is, every partition has a leader.
    /// What is asked from now on has to succeed, once the clients had the time to recover.
    Healed,
    /// From now on nobody does anything but read: applications take what comes at once, and nobody comes or goes whom
    /// it was not told to before.
    Calm,
    /// That time is over, and nothing is produced any more: what is committed has been delivered to every consumer
    /// that still reads, and every accepted record has its outcome. Told before consumers are closed.
    Settled,
}

/// To look at an observer afterwards, keep one handle of it and give the world another one.
impl<T: Observe> Observe for Rc<RefCell<T>> {
    fn observe(&mut self, now: Instant, observation: &Observation<'_>) {
        self.borrow_mut().observe(now, observation);
    }
}
