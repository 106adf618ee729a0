//! Tokens out of answers, and how long they last.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use klamm_engine::{BearerToken, Secret};
use serde_json::Value;

use super::TokenError;

/// The token of an endpoint's answer (RFC 6749, section 5.1): its `access_token`, otherwise its `id_token`.
pub(super) fn of_response(body: &Secret, now: SystemTime) -> Result<BearerToken, TokenError> {
    let answer: Value = serde_json::from_slice(body.expose())
        .map_err(|_| TokenError::Malformed("something that is no JSON"))?;
    let text = ["access_token", "id_token"].iter().find_map(|name| answer.get(name)?.as_str());
    let text = text.ok_or(TokenError::Malformed("JSON with neither access_token nor id_token"))?;
    let token = of_text(text, now)?;
    let expires_in = answer.get("expires_in").and_then(seconds).map(Duration::from_secs);
    if expires_in.is_some_and(|left| left.is_zero()) {
        return Err(TokenError::Expired);
    }
    let lifetime = match (token.lifetime, expires_in) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    Ok(BearerToken { lifetime, ..token })
}

/// A token, and how long it lasts if it is a JSON web token that says so.
pub(super) fn of_text(text: &str, now: SystemTime) -> Result<BearerToken, TokenError> {
    if text.is_empty() {
        return Err(TokenError::Malformed("an empty token"));
    }
    let lifetime = match expiry(text) {
        None => None,
        Some(expiry) => {
            let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            let left = Duration::from_secs(expiry).checked_sub(now).filter(|left| !left.is_zero());
            Some(left.ok_or(TokenError::Expired)?)
        }
    };
    Ok(BearerToken { token: Secret::from(text), lifetime, extensions: Vec::new() })
}

/// The claim `exp` of a JSON web token, in seconds since 1970.
fn expiry(token: &str) -> Option<u64> {
    let claims = token.split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    seconds(claims.get("exp")?)
}

/// Seconds as servers write them: a whole number, one with a point, or either as a text.
fn seconds(value: &Value) -> Option<u64> {
    let text;
    let value = match value {
        Value::String(inner) => {
            text = serde_json::from_str::<Value>(inner).ok()?;
            &text
        }
        other => other,
    };
    if let Some(whole) = value.as_u64() {
        return Some(whole);
    }
    // Below zero it is long over.
    Duration::try_from_secs_f64(value.as_f64()?.max(0.0)).ok().map(|duration| duration.as_secs())
}
