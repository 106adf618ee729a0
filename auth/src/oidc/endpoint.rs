//! One request to a token endpoint.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use klamm_engine::Secret;
use ureq::{
    Agent,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};
use zeroize::Zeroizing;

use super::TokenError;
use crate::encode::{UNRESERVED, percent};

/// The longest answer that is looked at.
const LONGEST: u64 = 1 << 20;

/// Where to ask.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) connect_timeout: Duration,
}

/// A form as it is sent (`application/x-www-form-urlencoded`).
#[derive(Default)]
pub(super) struct Form(Zeroizing<String>);

impl Form {
    pub(super) fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        percent(name, b"-._", &mut self.0);
        self.0.push('=');
        percent(value, b"-._", &mut self.0);
    }
}

/// The header that says who asks (RFC 6749, section 2.3.1).
pub(super) fn basic(client_id: &str, secret: &Secret, urlencode: bool) -> Zeroizing<String> {
    let secret = Zeroizing::new(String::from_utf8_lossy(secret.expose()).into_owned());
    let mut pair = Zeroizing::new(String::new());
    if urlencode {
        percent(client_id, UNRESERVED, &mut pair);
        pair.push(':');
        percent(&secret, UNRESERVED, &mut pair);
    } else {
        pair.push_str(client_id);
        pair.push(':');
        pair.push_str(&secret);
    }
    Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())))
}

impl Endpoint {
    pub(super) const fn new(url: String) -> Self {
        Self { url, ca_file: None, connect_timeout: Duration::from_secs(5) }
    }

    /// The body of the answer to a form, if its status is one of success.
    pub(super) fn post(
        &self,
        form: Form,
        login: Option<Zeroizing<String>>,
        left: Duration,
    ) -> Result<Secret, TokenError> {
        let agent = self.agent(left)?;
        let mut request = agent
            .post(&self.url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json");
        if let Some(login) = &login {
            request = request.header("Authorization", login.as_str());
        }
        let mut response = request.send(form.0.as_bytes()).map_err(failure)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(failure)?;
        let body = Secret::new(body);
        if (200..300).contains(&status) { Ok(body) } else { Err(TokenError::refused(status, &body)) }
    }

    /// A client of HTTP for one request: tokens are rare, and a connection that was kept would mostly be stale.
    fn agent(&self, left: Duration) -> Result<Agent, TokenError> {
        // A timeout of zero would be none.
        let left = left.max(Duration::from_millis(1));
        let mut config = Agent::config_builder()
            .timeout_global(Some(left))
            .timeout_connect(Some(self.connect_timeout.min(left)))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent("klamm");
        if self.url.starts_with("https:") {
            let roots = RootCerts::Specific(Arc::new(self.roots()?));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(config.build().new_agent())
    }

    fn roots(&self) -> Result<Vec<Certificate<'static>>, TokenError> {
        let Some(path) = &self.ca_file else {
            let found = rustls_native_certs::load_native_certs();
            return Ok(found.certs.iter().map(|one| Certificate::from_der(one).to_owned()).collect());
        };
        let invalid = |why: &dyn std::fmt::Display| TokenError::File(format!("{}: {why}", path.display()));
        let pem = fs::read(path).map_err(|error| invalid(&error))?;
        let mut roots = Vec::new();
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(one) = item.map_err(|error| invalid(&error))? {
                roots.push(one);
            }
        }
        if roots.is_empty() { Err(invalid(&"there is no certificate in it")) } else { Ok(roots) }
    }
}

fn failure(error: ureq::Error) -> TokenError {
    match error {
        ureq::Error::Timeout(_) => TokenError::TimedOut,
        ureq::Error::BodyExceedsLimit(_) => TokenError::Malformed("more than 1 MiB"),
        ureq::Error::Protocol(_) => TokenError::Malformed("something that is not HTTP"),
        ureq::Error::BadUri(why) => TokenError::File(format!("the URL of the token endpoint: {why}")),
        ureq::Error::Http(why) => TokenError::File(format!("the URL of the token endpoint: {why}")),
        other => TokenError::Unreachable(other.to_string()),
    }
}
