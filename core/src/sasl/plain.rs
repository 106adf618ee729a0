//! PLAIN (RFC 4616).

use super::{AuthenticationError, Password, Secret, secret::join};

/// The only message: no other identity to act for, the user name, the password.
pub(super) fn message(password: &Password) -> Result<Secret, AuthenticationError> {
    let (username, secret) = (password.username.as_bytes(), password.password.expose());
    if password.is_token {
        return Err(AuthenticationError::Unusable("delegation tokens are for SCRAM, not for PLAIN"));
    }
    if username.is_empty() || secret.is_empty() {
        return Err(AuthenticationError::Unusable("PLAIN needs a user name and a password"));
    }
    if username.contains(&0) || secret.contains(&0) {
        return Err(AuthenticationError::Unusable(
            "PLAIN takes no user name or password with a NUL character",
        ));
    }
    Ok(join(&[b"\0", username, b"\0", secret]))
}
