//! Why there is no token.

use std::fmt;

use klamm_engine::Secret;

/// Why there is no token. What was sent is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The endpoint refused: the status, and what it said if that is an error of OAuth (RFC 6749, section 5.2).
    Refused {
        /// The status of HTTP.
        status: u16,
        /// The error's code and its description.
        why: Option<String>,
    },
    /// The endpoint cannot be reached, or its certificate is not trusted: why.
    Unreachable(String),
    /// The endpoint did not answer in time.
    TimedOut,
    /// What the endpoint answered is no token: why not.
    Malformed(&'static str),
    /// The token is expired already; are the clocks right?
    Expired,
    /// The assertion cannot be made: why.
    Assertion(String),
    /// The file with the token, or with the certificate authorities, cannot be used: why.
    File(String),
}

/// The most that is repeated of what an endpoint says.
const MOST: usize = 300;

impl TokenError {
    /// Whether another attempt may end otherwise.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(*status, 408 | 429 | 500 | 502..=504),
            Self::Unreachable(_) => true,
            _ => false,
        }
    }

    pub(super) fn refused(status: u16, body: &Secret) -> Self {
        let body: Option<serde_json::Value> = serde_json::from_slice(body.expose()).ok();
        let member = |name: &str| {
            let text = body.as_ref()?.get(name)?.as_str()?;
            Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect::<String>())
        };
        let why = match (member("error"), member("error_description")) {
            (Some(error), Some(description)) => Some(format!("{error}: {description}")),
            (error, description) => error.or(description),
        };
        Self::Refused { status, why }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, why } => {
                write!(f, "the token endpoint answered {status}")?;
                match (why, status) {
                    (Some(why), _) => write!(f, ", {why}"),
                    (None, 301..=308) => f.write_str(", a redirect, which is not followed"),
                    (None, _) => Ok(()),
                }
            }
            Self::Unreachable(why) => write!(f, "the token endpoint cannot be reached: {why}"),
            Self::TimedOut => f.write_str("the token endpoint did not answer in time"),
            Self::Malformed(why) => write!(f, "the token endpoint answered {why}"),
            Self::Expired => f.write_str("the token is expired already; are the clocks right?"),
            Self::Assertion(why) => write!(f, "the assertion cannot be made: {why}"),
            Self::File(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TokenError {}
