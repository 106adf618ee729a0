//! Authentication of clients: who there is, and what each connection has proved (KIP-43, KIP-152, KIP-368).

mod dialogue;
mod requests;

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_core::sasl::{Mechanism, Secret};
use klamm_core::{Entropy, Instant};

use dialogue::Dialogue;

/// Whom the brokers let in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SaslUsers {
    /// `sasl.enabled.mechanisms`. Default: all but GSSAPI, which it cannot do.
    pub mechanisms: Vec<Mechanism>,
    /// Passwords by user, for PLAIN and SCRAM. OAUTHBEARER takes any unsecured token, as a real broker does that is not
    /// told otherwise.
    pub passwords: BTreeMap<String, Secret>,
    /// `connections.max.reauth.ms`: how long an authentication holds. Default: for ever, or as long as the token.
    pub max_reauth: Option<Duration>,
}

impl Default for SaslUsers {
    fn default() -> Self {
        Self { mechanisms: Mechanism::BUILT_IN.to_vec(), passwords: BTreeMap::new(), max_reauth: None }
    }
}

/// What the brokers need for it.
#[derive(Debug)]
pub(super) struct Sasl {
    users: SaslUsers,
    entropy: Entropy,
}

impl Sasl {
    pub(super) const fn new(users: SaslUsers, entropy: Entropy) -> Self {
        Self { users, entropy }
    }
}

/// What a connection has proved.
#[derive(Debug, Default)]
pub(crate) enum Session {
    /// It need not prove anything.
    #[default]
    Open,
    /// Nothing yet.
    Unknown,
    /// A dialogue is under way; without headers if the handshake was of version 0.
    Dialogue { dialogue: Box<Dialogue>, is_bare: bool, before: Option<Proved> },
    /// Who it is.
    Authenticated(Proved),
}

impl Session {
    /// Who it is, if it had to say.
    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Self::Authenticated(proved) | Self::Dialogue { before: Some(proved), .. } => Some(&proved.user),
            Self::Open | Self::Unknown | Self::Dialogue { before: None, .. } => None,
        }
    }
}

/// Who a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proved {
    user: String,
    mechanism: Mechanism,
    until: Option<Instant>,
}
