//! Assertions: JSON web tokens with which a client proves who it is (RFC 7523).

use std::{
    fmt, fs,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use klamm_engine::Secret;
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Map, Value, json};
use ureq::tls::PrivateKey;
use zeroize::Zeroizing;

use super::TokenError;

/// How an assertion is signed (`sasl.oauthbearer.assertion.algorithm`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSA (PKCS #1 v1.5) with SHA-256: the default.
    #[default]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

/// An assertion: out of a file, or made and signed whenever a token is needed. Files are read each time, so that they
/// can be replaced.
#[derive(Clone)]
pub struct Assertion(Kind);

#[derive(Clone)]
enum Kind {
    File(PathBuf),
    Signed(Box<Signed>),
}

#[derive(Clone)]
struct Signed {
    algorithm: Algorithm,
    key: Key,
    passphrase: Option<Secret>,
    /// `iss`, `sub` and `aud`.
    claims: Members,
    valid_for: Duration,
    valid_since: Duration,
    has_id: bool,
    template: Option<PathBuf>,
}

type Members = Map<String, Value>;

#[derive(Clone)]
enum Key {
    File(PathBuf),
    Pem(Secret),
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion").finish_non_exhaustive()
    }
}

impl Assertion {
    /// The assertion in a file, which someone else keeps fresh (`sasl.oauthbearer.assertion.file`).
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// Signs with the private key of a PEM file (PKCS #8), which is read each time
    /// (`sasl.oauthbearer.assertion.private.key.file`).
    pub fn signed(algorithm: Algorithm, key_file: impl Into<PathBuf>) -> Self {
        Self::by(algorithm, Key::File(key_file.into()))
    }

    /// Signs with a private key in PEM (PKCS #8).
    pub fn signed_by_pem(algorithm: Algorithm, key: impl Into<Secret>) -> Self {
        Self::by(algorithm, Key::Pem(key.into()))
    }

    fn by(algorithm: Algorithm, key: Key) -> Self {
        Self(Kind::Signed(Box::new(Signed {
            algorithm,
            key,
            passphrase: None,
            claims: Map::new(),
            valid_for: Duration::from_secs(300),
            valid_since: Duration::from_secs(60),
            has_id: false,
            template: None,
        })))
    }

    fn with(mut self, change: impl FnOnce(&mut Signed)) -> Self {
        if let Kind::Signed(signed) = &mut self.0 {
            change(signed);
        }
        self
    }

    fn claim(self, name: &str, value: String) -> Self {
        self.with(|signed| drop(signed.claims.insert(name.to_owned(), Value::String(value))))
    }

    /// Who says so: the claim `iss`. This and what follows is of no effect on an assertion that comes out of a file.
    #[must_use]
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.claim("iss", issuer.into())
    }

    /// Of whom: the claim `sub`.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// To whom: the claim `aud`.
    #[must_use]
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.claim("aud", audience.into())
    }

    /// For how long from now on (the claim `exp`), and since when it has held (`nbf`), so that clocks may differ.
    /// Default: 5 min and 1 min.
    #[must_use]
    pub fn validity(self, valid_for: Duration, valid_since: Duration) -> Self {
        self.with(|signed| (signed.valid_for, signed.valid_since) = (valid_for, valid_since))
    }

    /// Whether each has an id of its own, the claim `jti`. Default: false.
    #[must_use]
    pub fn with_id(self, has_id: bool) -> Self {
        self.with(|signed| signed.has_id = has_id)
    }

    /// The passphrase of the private key (feature `keystores`).
    #[must_use]
    pub fn passphrase(self, passphrase: impl Into<Secret>) -> Self {
        self.with(|signed| signed.passphrase = Some(passphrase.into()))
    }

    /// A file with JSON, `{"header": {..}, "payload": {..}}`, whose members are in the assertion unless said otherwise.
    #[must_use]
    pub fn template_file(self, path: impl Into<PathBuf>) -> Self {
        self.with(|signed| signed.template = Some(path.into()))
    }

    /// The assertion for now.
    pub(super) fn make(&self, now: SystemTime) -> Result<Zeroizing<String>, TokenError> {
        match &self.0 {
            Kind::File(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|error| TokenError::Assertion(format!("{}: {error}", path.display())))?;
                Ok(Zeroizing::new(text.trim().to_owned()))
            }
            Kind::Signed(signed) => signed.make(now).map_err(TokenError::Assertion),
        }
    }
}

impl Signed {
    fn make(&self, now: SystemTime) -> Result<Zeroizing<String>, String> {
        let (mut header, mut claims) = self.template()?;
        let random = SystemRandom::new();
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let algorithm = match self.algorithm {
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
        };
        header.insert(String::from("alg"), json!(algorithm));
        header.insert(String::from("typ"), json!("JWT"));
        claims.insert(String::from("iat"), json!(seconds));
        claims.insert(String::from("exp"), json!(seconds.saturating_add(self.valid_for.as_secs())));
        claims.insert(String::from("nbf"), json!(seconds.saturating_sub(self.valid_since.as_secs())));
        if self.has_id {
            let mut id = [0; 16];
            random.fill(&mut id).map_err(|_| "the system has no randomness")?;
            claims.insert(String::from("jti"), json!(BASE64_URL_SAFE_NO_PAD.encode(id)));
        }
        claims.extend(self.claims.clone());
        let encode = |map: Members| BASE64_URL_SAFE_NO_PAD.encode(Value::Object(map).to_string());
        let mut token = Zeroizing::new(format!("{}.{}", encode(header), encode(claims)));
        let signature = self.sign(token.as_bytes(), &random)?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// Header and claims of the template.
    fn template(&self) -> Result<(Members, Members), String> {
        let Some(path) = &self.template else { return Ok((Map::new(), Map::new())) };
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut template: Value =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut take = |name: &str| match template.get_mut(name).map(Value::take) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(_) => Err(format!("{}: \"{name}\" is no object", path.display())),
        };
        Ok((take("header")?, take("payload")?))
    }

    fn sign(&self, message: &[u8], random: &SystemRandom) -> Result<Vec<u8>, String> {
        let key = self.key()?;
        let unfit = |why: ring::error::KeyRejected| {
            format!("the private key does not fit {:?}: {why}", self.algorithm)
        };
        let failed = |_| String::from("the private key cannot sign");
        match self.algorithm {
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(key.expose()).map_err(unfit)?;
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.expose(), random)
                    .map_err(unfit)?;
                pair.sign(random, message).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
        }
    }

    /// The private key in PKCS #8.
    fn key(&self) -> Result<Secret, String> {
        let (name, pem) = match &self.key {
            Key::Pem(pem) => (String::from("the private key"), pem.clone()),
            Key::File(path) => {
                let name = path.display().to_string();
                let pem = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
                (name, Secret::new(pem))
            }
        };
        if has(&pem, ENCRYPTED) {
            let Some(passphrase) = &self.passphrase else {
                return Err(format!("{name} is encrypted: its passphrase is needed"));
            };
            return decrypt(&name, &pem, passphrase);
        }
        if !has(&pem, "-----BEGIN PRIVATE KEY-----") && has(&pem, " PRIVATE KEY-----") {
            return Err(format!("{name} is not in PKCS #8: convert it by openssl pkcs8 -topk8 -nocrypt"));
        }
        let key =
            PrivateKey::from_pem(pem.expose()).map_err(|_| format!("{name} has no private key in PEM"))?;
        Ok(Secret::new(key.der().to_vec()))
    }
}

fn has(pem: &Secret, text: &str) -> bool {
    pem.expose().windows(text.len()).any(|window| window == text.as_bytes())
}

const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

#[cfg(feature = "keystores")]
fn decrypt(name: &str, pem: &Secret, passphrase: &Secret) -> Result<Secret, String> {
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
    let text = std::str::from_utf8(pem.expose()).map_err(|_| format!("{name} is no valid PEM"))?;
    let bounds = text.find(ENCRYPTED).zip(text.find(END)).filter(|(start, end)| start < end);
    let (start, end) = bounds.ok_or_else(|| format!("{name} has no end"))?;
    let (_, der) = pkcs8::SecretDocument::from_pem(&text[start..end + END.len()])
        .map_err(|error| format!("{name} is no valid PEM: {error}"))?;
    let encrypted = pkcs8::EncryptedPrivateKeyInfoRef::try_from(der.as_bytes())
        .map_err(|error| format!("{name} makes no sense: {error}"))?;
    let key = encrypted
        .decrypt(passphrase.expose())
        .map_err(|error| format!("{name} cannot be decrypted; is the passphrase right? ({error})"))?;
    Ok(Secret::from(key.as_bytes().to_vec()))
}

#[cfg(not(feature = "keystores"))]
fn decrypt(name: &str, _: &Secret, _: &Secret) -> Result<Secret, String> {
    Err(format!("{name} is encrypted: that needs the feature \"keystores\""))
}
