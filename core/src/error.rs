//! What every failed operation says.

use core::fmt;

use klamm_protocol::ErrorCode;

/// What is known about the cluster after an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The cluster did not change.
    None,
    /// The cluster may have changed: the request may have reached a broker.
    Unknown,
    /// The cluster changed.
    Done,
}

/// Whether it takes somebody to change the cluster or the program, and not only time, until a broker says something else.
pub(crate) const fn is_refusal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED
            | ErrorCode::GROUP_AUTHORIZATION_FAILED
            | ErrorCode::INVALID_TOPIC_EXCEPTION
            | ErrorCode::INVALID_GROUP_ID
    )
}

/// Nonsense from a broker. It costs the connection on which it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaved {
    /// A frame claimed a negative length, or more than the configured limit.
    FrameLength {
        /// The length as read from the wire.
        length: i32,
        /// The first bytes received, as they tell what is at the port if it is not Kafka.
        first: [u8; 4],
    },
    /// A response carried another correlation id than the oldest request in flight.
    Correlation {
        /// The id of the oldest request in flight, if there is one.
        expected: Option<i32>,
        /// The id that was received.
        received: i32,
    },
    /// A response did not decode.
    Malformed(klamm_protocol::wire::DecodeError),
    /// A response made no sense: what, in words.
    Nonsense(&'static str),
}

impl fmt::Display for Misbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameLength { length, .. } => write!(f, "a frame of {length} bytes"),
            Self::Correlation { expected: Some(expected), received } => {
                write!(f, "correlation id {received} where {expected} was due")
            }
            Self::Correlation { expected: None, received } => {
                write!(f, "a response (correlation id {received}) to no request")
            }
            Self::Malformed(error) => write!(f, "a malformed response: {error}"),
            Self::Nonsense(what) => f.write_str(what),
        }
    }
}
