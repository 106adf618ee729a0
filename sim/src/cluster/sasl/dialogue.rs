//! The brokers' side of the mechanisms.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use klamm_core::sasl::scram::{Hash, MIN_ITERATIONS, auth_message};
use klamm_core::sasl::{Mechanism, Secret};
use klamm_core::{Entropy, WallTime};

use super::SaslUsers;

/// One dialogue.
#[derive(Debug)]
pub(crate) struct Dialogue {
    pub(super) mechanism: Mechanism,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    First,
    /// The client has to prove that it knows the password.
    Proof {
        user: String,
        client_first: String,
        server_first: String,
        nonce: String,
    },
    /// The token was refused, which the client has to acknowledge.
    Refused,
    Over,
}

/// What follows from a message of a client.
pub(super) enum Step {
    /// Another message is due.
    Challenge(Vec<u8>),
    /// The client is who it says; the last message, and until when that holds.
    Done { message: Vec<u8>, user: String, expires: Option<WallTime> },
    /// It is not: why.
    Failed(String),
}

impl Dialogue {
    pub(super) const fn new(mechanism: Mechanism) -> Self {
        Self { mechanism, stage: Stage::First }
    }

    pub(super) fn handle(
        &mut self,
        message: &[u8],
        users: &SaslUsers,
        entropy: &mut Entropy,
        now: WallTime,
    ) -> Step {
        match (std::mem::replace(&mut self.stage, Stage::Over), self.mechanism) {
            (Stage::First, Mechanism::Plain) => plain(message, users),
            (Stage::First, Mechanism::OAuthBearer) => self.bearer(message, now),
            (Stage::First, _) => self.client_first(message, users, entropy),
            (Stage::Proof { user, client_first, server_first, nonce }, _) => {
                self.client_final(message, users, &user, &[&client_first, &server_first, &nonce])
            }
            (Stage::Refused, _) => Step::Failed(String::from("{\"status\":\"invalid_token\"}")),
            (Stage::Over, _) => Step::Failed(String::from("the dialogue is over")),
        }
    }

    const fn hash(&self) -> Hash {
        match self.mechanism {
            Mechanism::ScramSha512 => Hash::Sha512,
            _ => Hash::Sha256,
        }
    }

    fn client_first(&mut self, message: &[u8], users: &SaslUsers, entropy: &mut Entropy) -> Step {
        let failed = || Step::Failed(String::from("Invalid SCRAM client first message"));
        let Some(bare) = std::str::from_utf8(message).ok().and_then(|text| text.strip_prefix("n,,")) else {
            return failed();
        };
        let mut fields = bare.split(',');
        let user = fields.next().and_then(|field| field.strip_prefix("n="));
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        let (Some(user), Some(nonce)) = (user, nonce.filter(|nonce| !nonce.is_empty())) else {
            return failed();
        };
        let user = user.replace("=2C", ",").replace("=3D", "=");
        if !users.passwords.contains_key(&user) {
            return Step::Failed(self.invalid_credentials());
        }
        let nonce = format!("{nonce}{:016x}{:016x}", entropy.next_u64(), entropy.next_u64());
        let salt = BASE64_STANDARD.encode(salt(&user));
        let server_first = format!("r={nonce},s={salt},i={MIN_ITERATIONS}");
        let challenge = server_first.clone().into_bytes();
        self.stage = Stage::Proof { user, client_first: bare.to_owned(), server_first, nonce };
        Step::Challenge(challenge)
    }

    fn client_final(
        &self,
        message: &[u8],
        users: &SaslUsers,
        user: &str,
        [client_first, server_first, nonce]: &[&str; 3],
    ) -> Step {
        let failed = || Step::Failed(self.invalid_credentials());
        let Ok(text) = std::str::from_utf8(message) else { return failed() };
        let Some((without_proof, proof)) = text.rsplit_once(",p=") else { return failed() };
        if without_proof != format!("c=biws,r={nonce}") {
            return failed();
        }
        let (Ok(proof), Some(password)) = (BASE64_STANDARD.decode(proof), users.passwords.get(user)) else {
            return failed();
        };
        let hash = self.hash();
        let salted = hash.salted_password(password.expose(), &salt(user), MIN_ITERATIONS);
        let client_key = hash.hmac(salted.expose(), b"Client Key");
        let signed = auth_message(client_first, server_first, without_proof);
        let signature = hash.hmac(&hash.digest(&client_key), &signed);
        let expected: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        if proof != expected {
            return failed();
        }
        let server_key = hash.hmac(salted.expose(), b"Server Key");
        let message = format!("v={}", BASE64_STANDARD.encode(hash.hmac(&server_key, &signed))).into_bytes();
        Step::Done { message, user: user.to_owned(), expires: None }
    }

    /// As Kafka's validator of unsecured tokens, which is there for development.
    fn bearer(&mut self, message: &[u8], now: WallTime) -> Step {
        let token = std::str::from_utf8(message).ok().and_then(|text| {
            let rest = text.strip_prefix("n,,\u{1}auth=Bearer ")?;
            rest.split('\u{1}').next()
        });
        let claims = token.and_then(|token| {
            let payload = token.split('.').nth(1)?;
            String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
        });
        let user = claims
            .as_deref()
            .and_then(|claims| claim(claims, "sub"))
            .map(|sub| sub.trim_matches('"').to_owned());
        let expires = claims.as_deref().and_then(|claims| claim(claims, "exp")?.parse::<i64>().ok());
        match (user, expires) {
            (Some(user), Some(expires)) if expires.saturating_mul(1_000) > now.0 => {
                let expires = Some(WallTime(expires.saturating_mul(1_000)));
                Step::Done { message: Vec::new(), user, expires }
            }
            _ => {
                self.stage = Stage::Refused;
                Step::Challenge(b"{\"status\":\"invalid_token\"}".to_vec())
            }
        }
    }

    fn invalid_credentials(&self) -> String {
        let name = self.mechanism;
        format!(
            "Authentication failed during authentication due to invalid credentials with SASL mechanism {name}"
        )
    }
}

fn plain(message: &[u8], users: &SaslUsers) -> Step {
    let fields: Vec<&[u8]> = message.split(|byte| *byte == 0).collect();
    let [_, user, password] = fields[..] else {
        return Step::Failed(String::from("Invalid SASL/PLAIN response: expected 3 tokens"));
    };
    let user = String::from_utf8_lossy(user).into_owned();
    let given = Secret::new(password.to_vec());
    if users.passwords.get(&user).is_some_and(|known| *known == given) {
        Step::Done { message: Vec::new(), user, expires: None }
    } else {
        Step::Failed(String::from("Authentication failed: Invalid username or password"))
    }
}

/// Each user has a salt of his own, always the same one.
fn salt(user: &str) -> Vec<u8> {
    Hash::Sha256.digest(user.as_bytes()).into_iter().take(16).collect()
}

/// The value of a claim, as it is written.
fn claim<'a>(claims: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = claims.split_once(&format!("\"{name}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    Some(rest[..end].trim_end())
}
