//! Why there is no client.

use std::fmt;

use klamm_core::client::AddressFailure;

/// An option that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    option: &'static str,
    problem: String,
}

impl InvalidConfig {
    pub(crate) fn new(option: &'static str, problem: impl fmt::Display) -> Self {
        Self { option, problem: problem.to_string() }
    }

    /// The method of the builder that sets the option.
    #[must_use]
    pub const fn option(&self) -> &'static str {
        self.option
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.problem)
    }
}

impl std::error::Error for InvalidConfig {}

/// Why there is no client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// An option makes no sense.
    Config(InvalidConfig),
    /// The runtime cannot drive a client here: why.
    Runtime(String),
    /// No cluster was found: what was seen at each address.
    NotFound(klamm_core::client::ConnectError),
    /// The runtime that drove the client is gone.
    Stopped,
}

impl ConnectError {
    /// What was seen at each address.
    #[must_use]
    pub fn failures(&self) -> &[AddressFailure] {
        match self {
            Self::NotFound(error) => &error.failures,
            Self::Config(_) | Self::Runtime(_) | Self::Stopped => &[],
        }
    }

    /// Whether another attempt may succeed without a change of configuration.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::NotFound(error) if error.is_retriable())
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Runtime(why) => f.write_str(why),
            Self::NotFound(error) => error.fmt(f),
            Self::Stopped => f.write_str("the runtime that drove the client is gone"),
        }
    }
}

impl std::error::Error for ConnectError {}
