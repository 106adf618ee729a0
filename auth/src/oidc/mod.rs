//! Tokens from the token endpoint of an OAuth or OpenID server, or out of a file: client credentials (KIP-768) with a
//! secret or an assertion (KIP-1258), and jwt-bearer (KIP-1139).

mod assertion;
mod endpoint;
mod error;
mod settings;
#[cfg(test)]
mod tests;
mod token;

use std::{
    fmt, fs, io,
    path::PathBuf,
    thread,
    time::{Duration, Instant, SystemTime},
};

use klamm_engine::{BearerToken, Sasl, Secret, Str};

pub use assertion::{Algorithm, Assertion};
pub use error::TokenError;
pub(crate) use settings::from_settings;

use self::endpoint::{Endpoint, Form};

/// Gets tokens. Made by [`client_credentials`](Self::client_credentials), [`client_assertion`](Self::client_assertion),
/// [`jwt_bearer`](Self::jwt_bearer) or [`file`](Self::file), and handed to a client by [`serve`](Self::serve).
///
/// Errors of an endpoint that may pass (it is unreachable, or answers 408, 429 or 5xx but 501 and 505) are retried while
/// there is time. Redirects are not followed: what is sent is for this endpoint only.
///
/// ```no_run
/// # fn example() -> std::io::Result<()> {
/// use klamm_auth::oidc::Oidc;
///
/// let sasl = Oidc::client_credentials("https://login.example/oauth2/token", "orders", "hunter2").scope("kafka").serve()?;
/// // Kafka::builder(["kafka-1:9093"]).tls(Tls::new()).sasl(sasl) ...
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "call serve()"]
pub struct Oidc {
    source: Source,
    endpoint: Endpoint,
    scope: Option<String>,
    urlencodes_header: bool,
    extensions: Vec<(Str, Str)>,
    timeout: Duration,
    backoff: (Duration, Duration),
}

/// Where tokens come from.
#[derive(Clone)]
enum Source {
    Secret { client_id: String, secret: Secret },
    ClientAssertion { client_id: Option<String>, assertion: Assertion },
    JwtBearer(Assertion),
    File(PathBuf),
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("url", &self.endpoint.url).finish_non_exhaustive()
    }
}

impl Oidc {
    /// Grant `client_credentials`, with a secret (KIP-768).
    pub fn client_credentials(
        url: impl Into<String>,
        client_id: impl Into<String>,
        secret: impl Into<Secret>,
    ) -> Self {
        Self::new(url, Source::Secret { client_id: client_id.into(), secret: secret.into() })
    }

    /// Grant `client_credentials`, with an assertion in place of a secret (KIP-1258, RFC 7523). `client_id` is sent if it
    /// is given: most servers take it from the assertion.
    pub fn client_assertion(url: impl Into<String>, client_id: Option<String>, assertion: Assertion) -> Self {
        Self::new(url, Source::ClientAssertion { client_id, assertion })
    }

    /// Grant `urn:ietf:params:oauth:grant-type:jwt-bearer` (KIP-1139, RFC 7523).
    pub fn jwt_bearer(url: impl Into<String>, assertion: Assertion) -> Self {
        Self::new(url, Source::JwtBearer(assertion))
    }

    /// The token in a file, which is read whenever one is needed: someone else keeps it fresh.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new("", Source::File(path.into()))
    }

    fn new(url: impl Into<String>, source: Source) -> Self {
        Self {
            source,
            endpoint: Endpoint::new(url.into()),
            scope: None,
            urlencodes_header: false,
            extensions: Vec::new(),
            timeout: Duration::from_secs(8),
            backoff: (Duration::from_millis(100), Duration::from_secs(10)),
        }
    }

    /// What the token is to be good for (`sasl.oauthbearer.scope`). Default: what the server says.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Whether id and secret are percent-encoded before they are put into the header, as RFC 6749 demands and many
    /// servers do not expect (`sasl.oauthbearer.header.urlencode`). Default: false.
    pub const fn urlencode_header(mut self, encode: bool) -> Self {
        self.urlencodes_header = encode;
        self
    }

    /// A SASL extension that goes to the brokers with the token (KIP-342). Default: none.
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extensions.push((Str::from(name.into()), Str::from(value.into())));
        self
    }

    /// Trusts the certificate authorities of a PEM file for the endpoint, in place of the system's
    /// (`https.ca.location`).
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.endpoint.ca_file = Some(path.into());
        self
    }

    /// How long connecting to the endpoint may take (`sasl.login.connect.timeout.ms`). Default: 5 s.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.endpoint.connect_timeout = timeout;
        self
    }

    /// How long getting a token may take, with all attempts (`sasl.login.read.timeout.ms`). Default: 8 s, which is less
    /// than a connection to a broker waits for it, so that the error says what happened.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The first and the longest pause before another attempt (`sasl.login.retry.backoff.ms`,
    /// `sasl.login.retry.backoff.max.ms`). Default: 100 ms, 10 s.
    pub const fn retry_backoff(mut self, first: Duration, max: Duration) -> Self {
        self.backoff = (first, max);
        self
    }

    /// OAUTHBEARER with these tokens, fetched on a thread of its own: see [`crate::serve`].
    ///
    /// # Errors
    ///
    /// The system has no thread.
    pub fn serve(self) -> io::Result<Sasl> {
        crate::serve(move || self.fetch())
    }

    /// Gets a token now; blocks for as long as [`timeout`](Self::timeout).
    ///
    /// # Errors
    ///
    /// Why there is none: the last attempt's error.
    pub fn fetch(&self) -> Result<BearerToken, TokenError> {
        let deadline = Instant::now() + self.timeout;
        let (mut pause, max) = self.backoff;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match self.attempt(left) {
                Ok(token) => return Ok(token),
                Err(error) => error,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if !error.is_retriable() || left <= pause {
                return Err(error);
            }
            thread::sleep(pause);
            pause = pause.saturating_mul(2).min(max);
        }
    }

    fn attempt(&self, left: Duration) -> Result<BearerToken, TokenError> {
        let mut form = Form::default();
        let mut login = None;
        match &self.source {
            Source::File(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|error| TokenError::File(format!("{}: {error}", path.display())))?;
                let token = token::of_text(text.trim(), SystemTime::now())?;
                return Ok(BearerToken { extensions: self.extensions.clone(), ..token });
            }
            Source::Secret { client_id, secret } => {
                login = Some((client_id.as_str(), secret));
                form.add("grant_type", "client_credentials");
            }
            Source::ClientAssertion { client_id, assertion } => {
                form.add("grant_type", "client_credentials");
                form.add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                form.add("client_assertion", &assertion.make(SystemTime::now())?);
                if let Some(client_id) = client_id {
                    form.add("client_id", client_id);
                }
            }
            Source::JwtBearer(assertion) => {
                form.add("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.add("assertion", &assertion.make(SystemTime::now())?);
            }
        }
        if let Some(scope) = &self.scope {
            form.add("scope", scope);
        }
        let login = login.map(|(id, secret)| endpoint::basic(id, secret, self.urlencodes_header));
        let body = self.endpoint.post(form, login, left)?;
        let token = token::of_response(&body, SystemTime::now())?;
        Ok(BearerToken { extensions: self.extensions.clone(), ..token })
    }
}
