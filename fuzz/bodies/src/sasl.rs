//! The dialogues of SASL: whatever a broker says, no mechanism panics, none goes on after its end, and no error shows the
//! secret.
//!
//! Input: the mechanism (1 byte), then the broker's messages, each with its length (1 byte) in front of it. A `$` in a
//! message stands for the client's nonce.

use klamm_core::Entropy;
use klamm_core::sasl::{BearerToken, Credentials, Exchange, Mechanism, Password, Secret, Step};
use klamm_protocol::Str;

const SECRET: &str = "hunter2";

/// Answers a client that authenticates itself.
///
/// # Panics
/// When a law is broken.
pub fn run(input: &[u8]) {
    let Some((&which, mut rest)) = input.split_first() else { return };
    let mechanism = Mechanism::BUILT_IN[usize::from(which) % Mechanism::BUILT_IN.len()];
    let credentials = match mechanism {
        Mechanism::OAuthBearer => {
            let token = Secret::from(SECRET);
            Credentials::Bearer(BearerToken { token, lifetime: None, extensions: Vec::new() })
        }
        _ => {
            let (username, password) = (Str::from_static("alice"), Secret::from(SECRET));
            Credentials::Password(Password { username, password, is_token: false })
        }
    };
    let Ok((mut exchange, first)) = Exchange::start(mechanism, &credentials, &mut Entropy::new(1)) else {
        panic!("the credentials fit");
    };
    let first = String::from_utf8_lossy(first.expose()).into_owned();
    let nonce = first.split_once(",r=").map_or("", |(_, nonce)| nonce);
    let mut is_over = false;
    while let Some((&length, more)) = rest.split_first() {
        let (message, more) = more.split_at(usize::from(length).min(more.len()));
        rest = more;
        let parts: Vec<&[u8]> = message.split(|byte| *byte == b'$').collect();
        let message = parts.join(nonce.as_bytes());
        let step = exchange.handle(&message);
        assert!(!is_over || step.is_err(), "the dialogue goes on after its end");
        // Without the password no server can prove that it knows it.
        let proves = matches!(mechanism, Mechanism::ScramSha256 | Mechanism::ScramSha512);
        assert!(!proves || step != Ok(Step::Done), "an impostor was believed");
        match step {
            Ok(Step::Send(_) | Step::Ask(_)) => {}
            Ok(Step::Done) => is_over = true,
            Err(error) => {
                is_over = true;
                let is_repeated = message.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
                assert!(is_repeated || !error.to_string().contains(SECRET), "{error} shows the secret");
            }
        }
    }
}
