//! Why an operation of administration failed.

use alloc::string::String;
use core::fmt;

use klamm_protocol::{ErrorCode, Str};

use crate::Effect;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdminErrorKind {
    /// The deadline passed.
    TimedOut,
    /// The broker refused.
    Refused,
    /// The brokers are too old for it.
    Unsupported,
    /// The broker answered without saying what was asked.
    NoAnswer,
    /// The client was closed.
    Closed,
}

/// Why an operation of administration, or one item of it, failed, and what is known about the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminError {
    /// What kind of failure it was.
    pub kind: AdminErrorKind,
    /// Whether the cluster changed.
    pub effect: Effect,
    /// The last error code from a broker, `NONE` if there was none.
    pub code: ErrorCode,
    /// What the broker said.
    pub message: Option<Str>,
    /// What else is known, for instance why no broker could be reached.
    pub context: Option<String>,
}

impl AdminError {
    /// An error of which nothing else is known.
    #[must_use]
    pub const fn new(kind: AdminErrorKind, effect: Effect) -> Self {
        Self { kind, effect, code: ErrorCode::NONE, message: None, context: None }
    }

    pub(crate) const fn refused(code: ErrorCode, message: Option<Str>) -> Self {
        Self { kind: AdminErrorKind::Refused, effect: Effect::None, code, message, context: None }
    }

    /// Whether the same operation may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self.kind {
            AdminErrorKind::TimedOut => true,
            AdminErrorKind::Refused => self.code.is_retriable(),
            AdminErrorKind::Unsupported | AdminErrorKind::NoAnswer | AdminErrorKind::Closed => false,
        }
    }

    /// What is known about the cluster.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// The broker's error code, if a broker answered.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        (!self.code.is_ok()).then_some(self.code)
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub const fn cure(&self) -> Option<&'static str> {
        match self.code {
            ErrorCode::INVALID_TOPIC_EXCEPTION => {
                Some("a name has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'")
            }
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                Some("the cluster has no such topic: check its name, or create it")
            }
            ErrorCode::INVALID_PARTITIONS => {
                Some("brokers before Kafka 2.4 have no defaults: say how many partitions and replicas")
            }
            ErrorCode::INVALID_REPLICATION_FACTOR => Some(
                "the cluster may have fewer brokers, or be older than Kafka 2.4 and have no default: say how many",
            ),
            ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::CLUSTER_AUTHORIZATION_FAILED => {
                Some("the user lacks a permission (ACL) for this operation")
            }
            ErrorCode::GROUP_ID_NOT_FOUND => Some("the cluster has no such group: check its name"),
            ErrorCode::NON_EMPTY_GROUP | ErrorCode::UNKNOWN_MEMBER_ID => {
                Some("the group has members: stop its consumers first")
            }
            ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC => {
                Some("members of the group subscribe to the topic: stop them first")
            }
            ErrorCode::GROUP_AUTHORIZATION_FAILED => Some("the user lacks a permission (ACL) for this group"),
            ErrorCode::TOPIC_DELETION_DISABLED => Some("the brokers have delete.topic.enable=false"),
            _ => None,
        }
    }
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            AdminErrorKind::TimedOut => f.write_str("no answer in time")?,
            AdminErrorKind::Refused => write!(f, "{}", self.code)?,
            AdminErrorKind::Unsupported => f.write_str("the brokers are too old for this")?,
            AdminErrorKind::NoAnswer => f.write_str("the broker's answer does not speak of it")?,
            AdminErrorKind::Closed => f.write_str("the client was closed")?,
        }
        if self.kind != AdminErrorKind::Refused && !self.code.is_ok() {
            write!(f, ", last error {}", self.code)?;
        }
        if let Some(message) = self.message.as_ref().filter(|message| !message.is_empty()) {
            write!(f, ": {message}")?;
        }
        if let Some(context) = &self.context {
            write!(f, ": {context}")?;
        }
        if let Some(cure) = self.cure() {
            write!(f, " ({cure})")?;
        }
        if self.effect == Effect::Unknown {
            f.write_str(" (it may have been done)")?;
        }
        Ok(())
    }
}

impl core::error::Error for AdminError {}
