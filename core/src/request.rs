//! What a machine wants sent, and what a connection is given to send.

use alloc::boxed::Box;
use core::time::Duration;

use klamm_protocol::messages::AnyRequest;

use crate::{BrokerId, ConsumerId, Instant, Token};

/// The broker that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Whichever broker is least loaded; a bootstrap address will do.
    Any,
    /// The controller as the last metadata named it.
    Controller,
    /// This one.
    Broker(BrokerId),
}

/// The connection of a broker that a request travels on.
///
/// Kafka answers the requests of one connection in order, so what waits long has a connection of its own: a
/// long poll or a slow join never delays a produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Metadata, administration, look-ups: all that is answered promptly.
    General,
    /// Produce requests.
    Produce,
    /// The fetches of one consumer, which wait for data: those of another would wait for them.
    Fetch(ConsumerId),
    /// What the group and transaction coordinators answer promptly.
    Coordinator,
    /// The joins of one member of a group: the coordinator holds them back until the other members have joined too.
    Group(ConsumerId),
}

/// A request as a machine wants it: `Client` picks the connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The broker that it is for.
    pub to: Target,
    /// The connection of that broker that it travels on.
    pub purpose: Purpose,
    /// Handed back with the answer.
    pub token: Token,
    /// The message.
    pub request: Box<AnyRequest>,
    /// The highest version that will do; `i16::MAX` if any will.
    pub max_version: i16,
    /// How long the broker may take to answer, counted from when the request is handed to its connection, or from when
    /// that is ready if it is being set up (`request.timeout.ms`). It is no deadline of the application: running out of it
    /// costs the connection.
    pub timeout: Duration,
    /// The broker will not answer (a produce request with `acks=0`).
    pub no_response: bool,
}

impl Request {
    /// A request with the defaults: any version, an answer is due.
    #[must_use]
    pub fn new(
        to: Target,
        purpose: Purpose,
        token: Token,
        request: impl Into<AnyRequest>,
        timeout: Duration,
    ) -> Self {
        let request = Box::new(request.into());
        Self { to, purpose, token, request, max_version: i16::MAX, timeout, no_response: false }
    }

    /// The request as it is given to a connection at `now`.
    #[must_use]
    pub fn into_outgoing(self, now: Instant) -> Outgoing {
        Outgoing {
            token: self.token,
            request: self.request,
            max_version: self.max_version,
            deadline: now + self.timeout,
            no_response: self.no_response,
        }
    }
}

/// A request as it is given to a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Handed back with the answer.
    pub token: Token,
    /// The message, encoded by the connection at the highest version that both sides know.
    pub request: Box<AnyRequest>,
    /// The highest version that will do; `i16::MAX` if any will.
    pub max_version: i16,
    /// When the broker should have answered. A request that was not sent by then fails alone; one that was
    /// sent costs the connection, because the answers behind it cannot come first. Once a connection that is being set up
    /// is ready, the deadlines of what waited for that move by as long as it waited.
    pub deadline: Instant,
    /// The broker will not answer: the request is done once it is written.
    pub no_response: bool,
}
