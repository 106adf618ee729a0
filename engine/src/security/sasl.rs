//! How a client authenticates itself.

use std::{fmt, sync::Arc};

use klamm_core::sasl::{BearerToken, CredentialSource, Credentials, Mechanism, Password, SaslConfig, Secret};
use klamm_protocol::Str;

use super::{Challenges, CredentialRequests, Desk, Queued};

/// How a client authenticates itself by SASL: for [`KafkaBuilder::sasl`](crate::KafkaBuilder::sasl).
///
/// Passwords and tokens are overwritten in memory when they are no longer needed, and appear in no error, log or
/// `Debug` text. PLAIN and OAUTHBEARER show them to whoever listens on the way: use them with TLS.
#[derive(Clone)]
pub struct Sasl {
    config: SaslConfig,
    desk: Option<Arc<Desk>>,
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl").field("mechanism", &self.config.mechanism).finish_non_exhaustive()
    }
}

impl Sasl {
    /// PLAIN: user name and password as they are.
    pub fn plain(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::password(Mechanism::Plain, username, password)
    }

    /// SCRAM-SHA-256: the password does not leave the client.
    pub fn scram_sha_256(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::password(Mechanism::ScramSha256, username, password)
    }

    /// SCRAM-SHA-512: the password does not leave the client.
    pub fn scram_sha_512(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::password(Mechanism::ScramSha512, username, password)
    }

    /// A delegation token (KIP-48): its id, and its HMAC in base64. It is used by SCRAM-SHA-256 or -512.
    pub fn delegation_token(mechanism: Mechanism, id: impl Into<String>, hmac: impl Into<Secret>) -> Self {
        let username = Str::from(id.into());
        Self::fixed(mechanism, Password { username, password: hmac.into(), is_token: true })
    }

    /// OAUTHBEARER with a token that does not change. For one that expires, see [`asking`](Self::asking).
    pub fn oauth_bearer(token: impl Into<Secret>) -> Self {
        let token = BearerToken { token: token.into(), lifetime: None, extensions: Vec::new() };
        Self::fixed(Mechanism::OAuthBearer, token)
    }

    /// Any mechanism, with credentials that do not change.
    pub fn fixed(mechanism: Mechanism, credentials: impl Into<Credentials>) -> Self {
        let credentials = CredentialSource::Fixed(credentials.into());
        Self { config: SaslConfig { mechanism, credentials }, desk: None }
    }

    /// Any mechanism, with credentials that are asked for when they are needed: serve the requests for as long as the
    /// client lives. What is answered is used for all connections until four fifths of its lifetime are over.
    ///
    /// ```no_run
    /// # use klamm_engine::{BearerToken, Mechanism, Sasl};
    /// # async fn fetch_token() -> Result<BearerToken, String> { Err(String::new()) }
    /// # async fn example() {
    /// let (sasl, mut requests) = Sasl::asking(Mechanism::OAuthBearer);
    /// // In a task of its own:
    /// while let Some(request) = requests.next().await {
    ///     request.answer(fetch_token().await);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn asking(mechanism: Mechanism) -> (Self, CredentialRequests) {
        let (desk, requests) = Queued::new();
        let config = SaslConfig { mechanism, credentials: CredentialSource::Asked };
        (Self { config, desk: Some(Arc::new(Desk::Credentials(desk))) }, CredentialRequests::new(requests))
    }

    /// A mechanism whose messages are made outside of this crate, GSSAPI above all: answer the challenges for as long as
    /// the client lives. The crate `klamm-auth` does that with the system's Kerberos.
    #[must_use]
    pub fn answering(mechanism: Mechanism) -> (Self, Challenges) {
        let (desk, challenges) = Queued::new();
        let config = SaslConfig { mechanism, credentials: CredentialSource::Elsewhere };
        (Self { config, desk: Some(Arc::new(Desk::Challenges(desk))) }, Challenges::new(challenges))
    }

    /// What settings say that want a provider, until there is one.
    pub(crate) const fn unprovided() -> Self {
        let config = SaslConfig { mechanism: Mechanism::OAuthBearer, credentials: CredentialSource::Asked };
        Self { config, desk: None }
    }

    /// Nobody would answer what it asks for.
    pub(crate) const fn is_unprovided(&self) -> bool {
        !matches!(self.config.credentials, CredentialSource::Fixed(_)) && self.desk.is_none()
    }

    fn password(mechanism: Mechanism, username: impl Into<String>, password: impl Into<Secret>) -> Self {
        let username = Str::from(username.into());
        Self::fixed(mechanism, Password { username, password: password.into(), is_token: false })
    }

    /// The mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.config.mechanism
    }

    pub(crate) fn into_parts(self) -> (SaslConfig, Option<Arc<Desk>>) {
        (self.config, self.desk)
    }
}
