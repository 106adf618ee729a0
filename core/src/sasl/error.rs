//! Why authentication failed.

use alloc::{string::String, vec::Vec};
use core::fmt;

use klamm_protocol::{ErrorCode, Str};

use super::Mechanism;

/// Why authentication failed. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// The broker, or this listener of it, knows no SASL.
    NotOffered,
    /// The broker does not take this mechanism on this listener.
    MechanismDisabled {
        /// The mechanism that was asked for.
        mechanism: Mechanism,
        /// Those that it takes.
        enabled: Vec<Str>,
    },
    /// The broker does not accept the credentials: what it says about that, if anything.
    Rejected(Option<Str>),
    /// The broker does not accept the token (RFC 7628, section 3.2.2).
    TokenRejected {
        /// Why, in a word, for instance `invalid_token`.
        status: Str,
        /// The scope that a token would need.
        scope: Option<Str>,
        /// Where the metadata of the issuer are that the broker expects.
        configuration: Option<Str>,
    },
    /// The broker answered with another error.
    Refused(ErrorCode),
    /// The broker did not prove that it knows the password: it may be someone else who pretends to be the broker.
    Unproven,
    /// The broker asks for so few or so many iterations of the hash function that it would weaken the password or waste
    /// time.
    Iterations(u64),
    /// What the broker said makes no sense: what, in words.
    Nonsense(&'static str),
    /// The credentials cannot be used with the mechanism: why.
    Unusable(&'static str),
    /// There are no credentials: what their source said.
    NoCredentials(Str),
    /// What makes the mechanism's messages has none: why, in its words.
    Failed(Str),
}

impl AuthenticationError {
    /// Whether another attempt is bound to end in the same way until someone changes a configuration.
    #[must_use]
    pub const fn is_misconfiguration(&self) -> bool {
        !matches!(self, Self::NoCredentials(_) | Self::Refused(_) | Self::Failed(_))
    }
}

/// The most that is repeated of what a broker says.
const MOST: usize = 500;

/// What a broker says, without control characters and not too long.
pub(super) fn quote(text: &str) -> Str {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    Str::from(shown.take(MOST).collect::<String>())
}

impl fmt::Display for AuthenticationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => f.write_str("this port of the broker knows no SASL"),
            Self::MechanismDisabled { mechanism, enabled } if enabled.is_empty() => {
                write!(f, "the broker does not take {mechanism}")
            }
            Self::MechanismDisabled { mechanism, enabled } => {
                write!(f, "the broker does not take {mechanism}, but ")?;
                for (at, name) in enabled.iter().take(10).enumerate() {
                    write!(f, "{}{}", if at == 0 { "" } else { ", " }, quote(name))?;
                }
                Ok(())
            }
            Self::Rejected(None) => f.write_str("the broker does not accept the credentials"),
            Self::Rejected(Some(why)) => {
                write!(f, "the broker does not accept the credentials: {}", quote(why))
            }
            Self::TokenRejected { status, scope, configuration } => {
                write!(f, "the broker does not accept the token: {}", quote(status))?;
                if let Some(scope) = scope {
                    write!(f, "; it wants the scope {}", quote(scope))?;
                }
                match configuration {
                    Some(at) => write!(f, "; it trusts the issuer of {}", quote(at)),
                    None => Ok(()),
                }
            }
            Self::Refused(code) => write!(f, "the broker refused: {code}"),
            Self::Unproven => {
                f.write_str("the broker did not prove that it knows the password; it may be an impostor")
            }
            Self::Iterations(count) => write!(
                f,
                "the broker asks for {count} iterations, which is not between {} and {}",
                super::scram::MIN_ITERATIONS,
                super::scram::MAX_ITERATIONS
            ),
            Self::Nonsense(what) => write!(f, "the broker sent {what}"),
            Self::Unusable(why) => f.write_str(why),
            Self::Failed(why) => f.write_str(why),
            Self::NoCredentials(why) => write!(f, "there are no credentials: {why}"),
        }
    }
}

impl core::error::Error for AuthenticationError {}
