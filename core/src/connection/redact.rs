//! Messages without what must not be shown.

use bytes::Bytes;
use klamm_protocol::{
    Str,
    messages::{AnyRequest, AnyResponse},
};

/// What stands for a secret.
const HIDDEN: &str = "(hidden)";

/// A copy without secrets: what authenticates, what passwords are checked by, the keys of delegation tokens, and the
/// values of settings whose name is that of a secret.
pub(super) fn request(request: &AnyRequest) -> AnyRequest {
    let mut copy = request.clone();
    match &mut copy {
        AnyRequest::SaslAuthenticate(request) => hide(&mut request.auth_bytes),
        AnyRequest::AlterUserScramCredentials(request) => {
            for user in &mut request.upsertions {
                hide(&mut user.salt);
                hide(&mut user.salted_password);
            }
        }
        AnyRequest::RenewDelegationToken(request) => hide(&mut request.hmac),
        AnyRequest::ExpireDelegationToken(request) => hide(&mut request.hmac),
        AnyRequest::AlterConfigs(request) => {
            for config in request.resources.iter_mut().flat_map(|resource| &mut resource.configs) {
                hide_value(&config.name, &mut config.value);
            }
        }
        AnyRequest::IncrementalAlterConfigs(request) => {
            for config in request.resources.iter_mut().flat_map(|resource| &mut resource.configs) {
                hide_value(&config.name, &mut config.value);
            }
        }
        AnyRequest::CreateTopics(request) => {
            for config in request.topics.iter_mut().flat_map(|topic| &mut topic.configs) {
                hide_value(&config.name, &mut config.value);
            }
        }
        _ => {}
    }
    copy
}

/// As [`request`], of an answer.
pub(super) fn response(response: &AnyResponse) -> AnyResponse {
    let mut copy = response.clone();
    match &mut copy {
        AnyResponse::SaslAuthenticate(response) => hide(&mut response.auth_bytes),
        AnyResponse::CreateDelegationToken(response) => hide(&mut response.hmac),
        AnyResponse::DescribeDelegationToken(response) => {
            for token in &mut response.tokens {
                hide(&mut token.hmac);
            }
        }
        AnyResponse::DescribeConfigs(response) => {
            for config in response.results.iter_mut().flat_map(|result| &mut result.configs) {
                let secret = config.is_sensitive || is_secret(&config.name);
                for value in config.synonyms.iter_mut().map(|synonym| &mut synonym.value) {
                    value.take_if(|_| secret);
                }
                if secret && config.value.is_some() {
                    config.value = Some(Str::from_static(HIDDEN));
                }
            }
        }
        _ => {}
    }
    copy
}

fn hide(secret: &mut Bytes) {
    if !secret.is_empty() {
        *secret = Bytes::from_static(HIDDEN.as_bytes());
    }
}

fn hide_value(name: &str, value: &mut Option<Str>) {
    if value.is_some() && is_secret(name) {
        *value = Some(Str::from_static(HIDDEN));
    }
}

/// Whether a setting of this name holds a secret.
fn is_secret(name: &str) -> bool {
    ["password", "secret", "jaas", "credential", "keystore.key", "certificate.chain", "token"]
        .iter()
        .any(|part| name.contains(part))
}
