//! What the settings say.

use std::time::Duration;

use klamm_engine::{InvalidSetting, Secret, Settings};

use super::{Algorithm, Assertion, Oidc};

const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const CLIENT_ID: &str = "sasl.oauthbearer.client.credentials.client.id";
const CLIENT_SECRET: &str = "sasl.oauthbearer.client.credentials.client.secret";

/// A text that was given and is not empty.
fn text(settings: &Settings, name: &str) -> Option<String> {
    settings.get(name).filter(|text| !text.is_empty())
}

fn of_assertion(settings: &Settings, name: &str) -> Option<String> {
    text(settings, &format!("sasl.oauthbearer.assertion.{name}"))
}

fn number(settings: &Settings, name: &str, default: u64) -> u64 {
    text(settings, name).and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn millis(settings: &Settings, name: &str, default: u64) -> Duration {
    Duration::from_millis(number(settings, name, default))
}

fn missing(name: &str, what: &str) -> InvalidSetting {
    InvalidSetting::new(name, format!("{name} is missing: {what}"))
}

/// Gets tokens as the settings say, which have the endpoint's URL.
pub(crate) fn from_settings(settings: &Settings) -> Result<Oidc, InvalidSetting> {
    let url = text(settings, URL).ok_or_else(|| missing(URL, "where to get tokens"))?;
    let mut oidc = grant(settings, url)?
        .urlencode_header(settings.get("sasl.oauthbearer.header.urlencode").as_deref() == Some("true"))
        .connect_timeout(millis(settings, "sasl.login.connect.timeout.ms", 5_000))
        .timeout(millis(settings, "sasl.login.read.timeout.ms", 8_000))
        .retry_backoff(
            millis(settings, "sasl.login.retry.backoff.ms", 100),
            millis(settings, "sasl.login.retry.backoff.max.ms", 10_000),
        );
    if let Some(scope) = text(settings, "sasl.oauthbearer.scope") {
        oidc = oidc.scope(scope);
    }
    if let Some(path) = text(settings, "https.ca.location") {
        oidc = oidc.ca_file(path);
    }
    for pair in text(settings, "sasl.oauthbearer.extensions").iter().flat_map(|text| text.split(',')) {
        let Some((name, value)) = pair.split_once('=') else {
            let name = "sasl.oauthbearer.extensions";
            return Err(InvalidSetting::new(
                name,
                format!("{name}: it takes name=value, with commas between"),
            ));
        };
        oidc = oidc.extension(name.trim(), value.trim());
    }
    Ok(oidc)
}

fn grant(settings: &Settings, url: String) -> Result<Oidc, InvalidSetting> {
    if let Some(path) = url.strip_prefix("file:") {
        // file:///path and file:/path.
        return Ok(Oidc::file(path.strip_prefix("//").unwrap_or(path)));
    }
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(InvalidSetting::new(
            URL,
            format!("{URL}=\"{url}\": it begins with https:, http: or file:"),
        ));
    }
    let class = text(settings, "sasl.oauthbearer.jwt.retriever.class").unwrap_or_default();
    if class.ends_with("FileJwtRetriever") {
        return Err(InvalidSetting::new(URL, format!("{URL}=\"{url}\": FileJwtRetriever takes file:")));
    }
    let by_grant =
        text(settings, "sasl.oauthbearer.grant.type").is_some_and(|name| name.ends_with(":jwt-bearer"));
    let assertion = assertion(settings)?;
    if by_grant || class.ends_with("JwtBearerJwtRetriever") {
        let name = "sasl.oauthbearer.assertion.private.key.file";
        let assertion = assertion.ok_or_else(|| missing(name, "or sasl.oauthbearer.assertion.file"))?;
        return Ok(Oidc::jwt_bearer(url, assertion));
    }
    let client_id = text(settings, CLIENT_ID);
    if let Some(assertion) = assertion {
        return Ok(Oidc::client_assertion(url, client_id, assertion));
    }
    let client_id = client_id.ok_or_else(|| missing(CLIENT_ID, "who asks for tokens"))?;
    let secret: Secret = settings.secret(CLIENT_SECRET).cloned().ok_or_else(|| {
        missing(CLIENT_SECRET, "or an assertion (sasl.oauthbearer.assertion.private.key.file)")
    })?;
    Ok(Oidc::client_credentials(url, client_id, secret))
}

/// The assertion, if there is one: a file takes precedence over a key to sign with.
fn assertion(settings: &Settings) -> Result<Option<Assertion>, InvalidSetting> {
    if let Some(path) = of_assertion(settings, "file") {
        return Ok(Some(Assertion::file(path)));
    }
    let algorithm = match of_assertion(settings, "algorithm").as_deref() {
        Some("ES256") => Algorithm::Es256,
        _ => Algorithm::Rs256,
    };
    let pem = settings.secret("sasl.oauthbearer.assertion.private.key.pem");
    let mut assertion = match (of_assertion(settings, "private.key.file"), pem) {
        (None, None) => return Ok(None),
        (Some(path), None) => Assertion::signed(algorithm, path),
        (None, Some(pem)) => Assertion::signed_by_pem(algorithm, pem.clone()),
        (Some(_), Some(_)) => {
            let name = "sasl.oauthbearer.assertion.private.key.pem";
            return Err(InvalidSetting::new(name, format!("{name} and ...key.file exclude each other")));
        }
    };
    if let Some(issuer) = of_assertion(settings, "claim.iss") {
        assertion = assertion.issuer(issuer);
    }
    if let Some(subject) = of_assertion(settings, "claim.sub") {
        assertion = assertion.subject(subject);
    }
    if let Some(audience) = of_assertion(settings, "claim.aud") {
        assertion = assertion.audience(audience);
    }
    if let Some(path) = of_assertion(settings, "template.file") {
        assertion = assertion.template_file(path);
    }
    if let Some(passphrase) = settings.secret("sasl.oauthbearer.assertion.private.key.passphrase") {
        assertion = assertion.passphrase(passphrase.clone());
    }
    let seconds = |name: &str, default| Duration::from_secs(number(settings, name, default));
    let assertion = assertion
        .validity(
            seconds("sasl.oauthbearer.assertion.claim.exp.seconds", 300),
            seconds("sasl.oauthbearer.assertion.claim.nbf.seconds", 60),
        )
        .with_id(of_assertion(settings, "claim.jti.include").as_deref() == Some("true"));
    Ok(Some(assertion))
}
