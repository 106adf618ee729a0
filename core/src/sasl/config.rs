//! Who a client is, and how it proves that.

use alloc::vec::Vec;
use core::{fmt, str::FromStr, time::Duration};

use klamm_protocol::Str;

use super::Secret;

/// How a client authenticates itself (`sasl.mechanism`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// User name and password as they are (RFC 4616): for use over TLS only.
    Plain,
    /// A proof of knowing the password, and the broker's proof of knowing it too (RFC 5802, RFC 7677).
    ScramSha256,
    /// As [`ScramSha256`](Self::ScramSha256), with SHA-512.
    ScramSha512,
    /// A token that someone else issued (RFC 7628, KIP-255): for use over TLS only.
    OAuthBearer,
    /// Kerberos (RFC 4752): its messages are made outside of this crate.
    Gssapi,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Plain, Self::ScramSha256, Self::ScramSha512, Self::OAuthBearer, Self::Gssapi];

    /// Those whose messages are made here, out of credentials.
    pub const BUILT_IN: [Self; 4] = [Self::Plain, Self::ScramSha256, Self::ScramSha512, Self::OAuthBearer];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::Gssapi => "GSSAPI",
        }
    }

    /// Whether what it sends would serve whoever reads it to authenticate himself.
    #[must_use]
    pub const fn reveals_secret(self) -> bool {
        matches!(self, Self::Plain | Self::OAuthBearer)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a [`Mechanism`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMechanism;

impl fmt::Display for UnknownMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no known mechanism (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, GSSAPI)")
    }
}

impl core::error::Error for UnknownMechanism {}

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Self, UnknownMechanism> {
        let found = Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name));
        found.ok_or(UnknownMechanism)
    }
}

/// How connections authenticate themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaslConfig {
    /// By which mechanism.
    pub mechanism: Mechanism,
    /// Where the credentials come from.
    pub credentials: CredentialSource,
}

/// Where credentials come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// They never change.
    Fixed(Credentials),
    /// Each connection asks for them when it authenticates itself, and again before its session ends.
    Asked,
    /// There are none here: each connection asks for every message of the mechanism.
    Elsewhere,
}

/// What a client proves who it is with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// For PLAIN and SCRAM.
    Password(Password),
    /// For OAUTHBEARER.
    Bearer(BearerToken),
}

/// A user name and what only that user knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    /// The user's name, or the id of a delegation token.
    pub username: Str,
    /// The user's password, or the delegation token's HMAC in base64.
    pub password: Secret,
    /// It is a delegation token (KIP-48); SCRAM only. Default: false.
    pub is_token: bool,
}

/// A token that someone else issued, for OAUTHBEARER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerToken {
    /// The token, usually a JSON web token in its compact form.
    pub token: Secret,
    /// How long it will be accepted from now on; `None` if that is not known. A client asks for another one when four
    /// fifths of that are over, or with each connection if it is not known.
    pub lifetime: Option<Duration>,
    /// SASL extensions (KIP-342): names of letters, and values.
    pub extensions: Vec<(Str, Str)>,
}

/// A message of a mechanism that is made elsewhere ([`CredentialSource::Elsewhere`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What to send to the broker; it may be empty.
    pub message: Secret,
    /// The mechanism sends nothing after it: what is left is that the broker accepts the client.
    pub is_last: bool,
}

impl From<Password> for Credentials {
    fn from(password: Password) -> Self {
        Self::Password(password)
    }
}

impl From<BearerToken> for Credentials {
    fn from(token: BearerToken) -> Self {
        Self::Bearer(token)
    }
}

impl Credentials {
    /// How long they will be accepted from now on, if that is known.
    #[must_use]
    pub const fn lifetime(&self) -> Option<Duration> {
        match self {
            Self::Password(_) => None,
            Self::Bearer(token) => token.lifetime,
        }
    }
}
