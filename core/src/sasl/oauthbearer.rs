//! OAUTHBEARER (RFC 7628), as Kafka has it (KIP-255, KIP-342).

use alloc::vec::Vec;

use super::{AuthenticationError, BearerToken, Secret, Step, error::quote, json::member, secret::join};

/// What a client says to an answer that is not empty, so that the broker ends the dialogue in the regular way.
const ACKNOWLEDGEMENT: &[u8] = b"\x01";

/// A token was sent.
#[derive(Clone, Debug)]
pub(super) struct OAuthBearer {
    /// Why the broker does not accept it.
    rejected: Option<AuthenticationError>,
}

impl OAuthBearer {
    pub(super) fn start(token: &BearerToken) -> Result<(Self, Secret), AuthenticationError> {
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        let bytes = token.token.expose();
        if bytes.is_empty() || !bytes.iter().all(is_token) {
            return Err(AuthenticationError::Unusable(
                "the token is empty or has a character that no bearer token has (a line end, perhaps)",
            ));
        }
        let mut parts: Vec<&[u8]> = alloc::vec![b"n,,\x01auth=Bearer ", bytes, b"\x01"];
        for (name, value) in &token.extensions {
            let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
            if !named || name == "auth" {
                return Err(AuthenticationError::Unusable(
                    "the name of an extension is not made of letters, or it is \"auth\"",
                ));
            }
            if !value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')) {
                return Err(AuthenticationError::Unusable(
                    "the value of an extension is not of printable ASCII",
                ));
            }
            parts.extend([name.as_bytes(), b"=", value.as_bytes(), b"\x01"]);
        }
        parts.push(b"\x01");
        Ok((Self { rejected: None }, join(&parts)))
    }

    /// An empty message means yes; any other one says why not.
    pub(super) fn handle(&mut self, message: &[u8]) -> Result<Step, AuthenticationError> {
        if let Some(rejected) = self.rejected.take() {
            return Err(rejected);
        }
        if message.is_empty() {
            return Ok(Step::Done);
        }
        let text = core::str::from_utf8(message).unwrap_or_default();
        self.rejected = Some(AuthenticationError::TokenRejected {
            status: member(text, "status").map_or_else(|| quote(text), |status| quote(&status)),
            scope: member(text, "scope").map(|scope| quote(&scope)),
            configuration: member(text, "openid-configuration").map(|at| quote(&at)),
        });
        Ok(Step::Send(Secret::from(ACKNOWLEDGEMENT.to_vec())))
    }

    /// The broker's own words at the end of the dialogue say less than what it said before.
    pub(super) fn explain(&self, error: AuthenticationError) -> AuthenticationError {
        self.rejected.clone().unwrap_or(error)
    }
}
