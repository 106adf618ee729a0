//! One connection to a broker: bytes in, events out.
//!
//! The driver owns the transport. It reads into [`Connection::read_buffer`], writes from
//! [`Connection::outbox`], and calls [`Connection::handle_timeout`] when [`Connection::poll_timeout`] says; all
//! else of Kafka's framing is in here: correlation, versions, the order of set-up, deadlines, throttling, and
//! the recognition of what is at the port if it is not Kafka.
//!
//! ```text
//!  Connecting --open--> Versions --ok--> Authenticating --ok--> Ready
//!      |                  | ^ `------(no authentication)-------> |
//!      |                  `-' an older ApiVersions               |
//!      `---------------- lost, timed out, refused -----------> Closed
//! ```
//!
//! The diagram as data is `state::TRANSITIONS`.

mod config;
mod event;
mod versions;

pub use config::ConnectionConfig;
pub use event::{
    CloseReason, ConnectionEvent, NotAuthenticating, Peer, Progress, Refused, RefusedReason, RequestError,
    TransportEnd, Unanswered,
};
pub use versions::ApiVersions;

pub use crate::request::Outgoing;
