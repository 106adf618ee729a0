//! What the cluster machine asks for and reports.

use core::fmt;

use klamm_protocol::{ErrorCode, Str};

use crate::Request;

/// An output of [`Cluster`](super::Cluster).
#[derive(Clone, Debug, PartialEq)]
pub enum ClusterOutput {
    /// Send this, and give the answer to [`Cluster::handle_response`](super::Cluster::handle_response), or the
    /// lack of one to [`Cluster::handle_lost`](super::Cluster::handle_lost).
    Request(Request),
    /// Something that the queries tell has changed.
    Changed,
    /// A wanted topic cannot be had. It stays wanted, and [`Changed`](Self::Changed) will tell if it appears.
    TopicFailed {
        /// Its name.
        topic: Str,
        /// Why.
        error: TopicError,
    },
    /// The brokers that were known are forgotten: close the connections to them and begin again at the
    /// bootstrap addresses, resolving their names anew (KIP-899).
    Rebootstrap,
}

/// Why a topic cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicError {
    /// What the brokers say.
    pub code: ErrorCode,
    /// The topic was there and is gone: it was deleted.
    pub deleted: bool,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            _ if self.deleted => f.write_str("the topic was deleted"),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => {
                write!(f, "the cluster has no such topic ({})", self.code)
            }
            ErrorCode::INVALID_TOPIC_EXCEPTION => {
                f.write_str("the topic name is invalid (1 to 249 of the characters a-z A-Z 0-9 . _ -)")
            }
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                write!(f, "{}; the user lacks the permission (ACL) to use the topic", self.code)
            }
            code => code.fmt(f),
        }
    }
}

/// What is known of a wanted topic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TopicState<'a> {
    /// Nobody wants it: see [`Cluster::want_topic`](super::Cluster::want_topic).
    NotWanted,
    /// The cluster has not said yet, or its last word may be due to a delay: what that was.
    Pending(ErrorCode),
    /// Here it is.
    Known(&'a super::Topic),
    /// It cannot be had.
    Failed(TopicError),
}
