//! SCRAM (RFC 5802, RFC 7677), as Kafka has it (KIP-84): without channel binding, and without SASLprep.
//!
//! The client proves that it knows the password without telling it, and demands the same of the broker.

use alloc::{format, string::String, vec::Vec};

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

use super::{
    AuthenticationError, Password, Secret, Step,
    error::quote,
    secret::{is_same, join},
};
use crate::Entropy;

/// Fewer iterations make a stolen password file too cheap to search; Kafka takes no fewer.
pub const MIN_ITERATIONS: u32 = 4_096;
/// More iterations would let a broker waste the client's time; four times what Kafka takes.
pub const MAX_ITERATIONS: u32 = 65_536;

/// The hash function that a mechanism is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Of 32 bytes.
    Sha256,
    /// Of 64 bytes.
    Sha512,
}

impl Hash {
    /// The hash of a message.
    #[must_use]
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    /// The keyed hash of a message.
    #[must_use]
    pub fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        fn keyed<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
            // A key may be of any length.
            <M as KeyInit>::new_from_slice(key).map_or_else(
                |_| Vec::new(),
                |mut mac| {
                    mac.update(message);
                    mac.finalize().into_bytes().to_vec()
                },
            )
        }
        match self {
            Self::Sha256 => keyed::<Hmac<Sha256>>(key, message),
            Self::Sha512 => keyed::<Hmac<Sha512>>(key, message),
        }
    }

    /// The password after `iterations` of the hash function: RFC 5802's `Hi`.
    #[must_use]
    pub fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Secret {
        match self {
            Self::Sha256 => {
                Secret::new(pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations).to_vec())
            }
            Self::Sha512 => {
                Secret::new(pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password, salt, iterations).to_vec())
            }
        }
    }
}

/// The text that both sides sign.
#[must_use]
pub fn auth_message(
    client_first_bare: &str,
    server_first: &str,
    client_final_without_proof: &str,
) -> Vec<u8> {
    format!("{client_first_bare},{server_first},{client_final_without_proof}").into_bytes()
}

/// `c=` of a client that binds to no channel: the header `n,,` in base64.
const NO_BINDING: &str = "c=biws";

#[derive(Clone, Debug)]
pub(super) struct Scram {
    hash: Hash,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// client-first was sent.
    First {
        password: Secret,
        nonce: String,
        client_first_bare: String,
    },
    /// client-final was sent: the broker has to answer with this.
    Final {
        server_signature: Secret,
    },
    Over,
}

impl Scram {
    pub(super) fn start(
        hash: Hash,
        password: &Password,
        entropy: &mut Entropy,
    ) -> Result<(Self, Secret), AuthenticationError> {
        if password.username.is_empty() || password.password.is_empty() {
            return Err(AuthenticationError::Unusable("SCRAM needs a user name and a password"));
        }
        Ok(Self::start_with(hash, password, nonce(entropy)))
    }

    pub(super) fn start_with(hash: Hash, password: &Password, nonce: String) -> (Self, Secret) {
        let username = password.username.replace('=', "=3D").replace(',', "=2C");
        let extension = if password.is_token { ",tokenauth=true" } else { "" };
        let client_first_bare = format!("n={username},r={nonce}{extension}");
        let first = join(&[b"n,,", client_first_bare.as_bytes()]);
        let stage = Stage::First { password: password.password.clone(), nonce, client_first_bare };
        (Self { hash, stage }, first)
    }

    pub(super) fn handle(&mut self, message: &[u8]) -> Result<Step, AuthenticationError> {
        let Ok(text) = core::str::from_utf8(message) else {
            return Err(AuthenticationError::Nonsense("a SCRAM message that is no text"));
        };
        if let Some(error) = text.strip_prefix("e=") {
            return Err(AuthenticationError::Rejected(Some(quote(error))));
        }
        match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::First { password, nonce, client_first_bare } => {
                let server = ServerFirst::parse(text, &nonce)?;
                let (proof, server_signature) =
                    prove(self.hash, &password, &client_first_bare, text, &server);
                self.stage = Stage::Final { server_signature };
                Ok(Step::Send(proof))
            }
            Stage::Final { server_signature } => {
                let signature = text.strip_prefix("v=").map(|rest| rest.split(',').next().unwrap_or(rest));
                let signature = signature.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
                match signature {
                    Some(signature) if is_same(&signature, server_signature.expose()) => Ok(Step::Done),
                    _ => Err(AuthenticationError::Unproven),
                }
            }
            Stage::Over => Err(AuthenticationError::Nonsense("a message after the end of the dialogue")),
        }
    }
}

/// client-final, and the signature that the broker has to answer with.
fn prove(
    hash: Hash,
    password: &Secret,
    client_first_bare: &str,
    server_first: &str,
    server: &ServerFirst<'_>,
) -> (Secret, Secret) {
    let salted = hash.salted_password(password.expose(), &server.salt, server.iterations);
    let client_key = Secret::new(hash.hmac(salted.expose(), b"Client Key"));
    let stored_key = Secret::new(hash.digest(client_key.expose()));
    let server_key = Secret::new(hash.hmac(salted.expose(), b"Server Key"));
    let without_proof = format!("{NO_BINDING},r={}", server.nonce);
    let signed = auth_message(client_first_bare, server_first, &without_proof);
    let signature = hash.hmac(stored_key.expose(), &signed);
    let proof = client_key.expose().iter().zip(&signature).map(|(key, sign)| key ^ sign);
    let proof = BASE64_STANDARD.encode(Secret::new(proof.collect()).expose());
    let last = join(&[without_proof.as_bytes(), b",p=", proof.as_bytes()]);
    (last, Secret::new(hash.hmac(server_key.expose(), &signed)))
}

/// What the broker's first message says.
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}

impl<'a> ServerFirst<'a> {
    /// Extensions that need not be understood may follow.
    fn parse(text: &'a str, client_nonce: &str) -> Result<Self, AuthenticationError> {
        let nonsense = AuthenticationError::Nonsense;
        let mut fields = text.split(',');
        let mut field = |name: &str| fields.next().and_then(|field| field.strip_prefix(name));
        if text.starts_with("m=") {
            return Err(nonsense("an extension of SCRAM that would have to be understood"));
        }
        let nonce = field("r=").ok_or_else(|| nonsense("a SCRAM message without a nonce"))?;
        if nonce.len() <= client_nonce.len() || !nonce.starts_with(client_nonce) {
            return Err(nonsense("a nonce that does not extend the client's"));
        }
        let salt = field("s=").and_then(|salt| BASE64_STANDARD.decode(salt).ok());
        let salt =
            salt.filter(|salt| !salt.is_empty()).ok_or_else(|| nonsense("a SCRAM message without a salt"))?;
        let count = field("i=").and_then(|count| count.parse::<u64>().ok());
        let count = count.ok_or_else(|| nonsense("a SCRAM message without a number of iterations"))?;
        let iterations = u32::try_from(count).ok().filter(|n| (MIN_ITERATIONS..=MAX_ITERATIONS).contains(n));
        let iterations = iterations.ok_or(AuthenticationError::Iterations(count))?;
        Ok(Self { nonce, salt, iterations })
    }
}

/// 144 bits in base64. The generator is no secret, and a nonce need not be one either; but the hash keeps the next
/// nonces from being told from this one.
fn nonce(entropy: &mut Entropy) -> String {
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        part.copy_from_slice(&entropy.next_u64().to_be_bytes());
    }
    BASE64_STANDARD.encode(&Sha256::digest(seed)[..18])
}
