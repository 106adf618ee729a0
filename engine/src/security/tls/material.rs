//! Certificates and keys out of files.

use std::{borrow::Cow, fs};

use klamm_core::sasl::Secret;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{Identity, Source, Trust};

impl Source {
    /// What to call it in errors.
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Inline(_) => String::from("the PEM text given"),
        }
    }

    fn read(&self) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::File(path) => fs::read(path)
                .map(Cow::Owned)
                .map_err(|error| format!("{} cannot be read: {error}", path.display())),
            Self::Inline(text) => Ok(Cow::Borrowed(text.expose())),
        }
    }
}

/// The certificate authorities to trust.
pub(super) fn roots(trust: &[Trust]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let default = [Trust::Platform];
    for trust in if trust.is_empty() { &default } else { trust } {
        match trust {
            Trust::Webpki => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Trust::Platform => {
                let found = rustls_native_certs::load_native_certs();
                let (added, _) = roots.add_parsable_certificates(found.certs);
                if added == 0 {
                    let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
                    return Err(format!("this system has no certificate authorities{why}; name a CA file"));
                }
            }
            Trust::Pem(source) => add(&mut roots, source, certificates(source)?)?,
            Trust::Pkcs12(source, password) => {
                let trusted = keystore::certificates(&source.name(), &source.read()?, password)?;
                add(&mut roots, source, trusted)?;
            }
        }
    }
    Ok(roots)
}

fn add(
    roots: &mut RootCertStore,
    source: &Source,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<(), String> {
    for (at, certificate) in certificates.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| {
            format!("certificate {} of {} makes no sense: {error}", at + 1, source.name())
        })?;
    }
    Ok(())
}

/// The certificates of a PEM file: at least one.
fn certificates(source: &Source) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = source.read()?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let all = all.map_err(|error| format!("{} is no valid PEM: {error}", source.name()))?;
    if all.is_empty() {
        return Err(format!("{} has no certificate{}", source.name(), hint(&bytes)));
    }
    Ok(all)
}

/// What a file is that is no PEM.
fn hint(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] => {
            "; it is a Java key store (JKS): convert it by keytool -importkeystore -deststoretype pkcs12"
        }
        [0x30, ..] => "; it is binary (DER): a PKCS #12 file, perhaps?",
        _ => " in PEM (-----BEGIN CERTIFICATE-----)",
    }
}

/// The client's chain of certificates, and the key of the first.
pub(super) fn identity(
    identity: &Identity,
    password: Option<&Secret>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    match identity {
        Identity::Pem { certificates: chain, key } => Ok((certificates(chain)?, private_key(key, password)?)),
        Identity::Pkcs12(source, password) => keystore::identity(&source.name(), &source.read()?, password),
    }
}

fn private_key(source: &Source, password: Option<&Secret>) -> Result<PrivateKeyDer<'static>, String> {
    const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    let bytes = source.read()?;
    if let Ok(text) = std::str::from_utf8(&bytes)
        && let Some(at) = text.find(ENCRYPTED)
    {
        let Some(password) = password else {
            return Err(format!("the private key of {} is encrypted: its password is needed", source.name()));
        };
        return keystore::decrypt(&source.name(), &text[at..], password);
    }
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => {
            let hint = if bytes.windows(10).any(|window| window == b"Proc-Type:") {
                "; one encrypted in the old way of OpenSSL has to be converted by openssl pkcs8 -topk8"
            } else {
                hint(&bytes)
            };
            Err(format!("{} has no private key{hint}", source.name()))
        }
        Err(error) => Err(format!("{} is no valid PEM: {error}", source.name())),
    }
}

#[cfg(feature = "keystores")]
mod keystore {
    use klamm_core::sasl::Secret;
    use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
    use pkcs8::EncryptedPrivateKeyInfoRef;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

    fn open(name: &str, bytes: &[u8], password: &Secret) -> Result<KeyStore, String> {
        let password = std::str::from_utf8(password.expose())
            .map_err(|_| format!("the password of {name} is not UTF-8"))?;
        if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
            return Err(format!("{name} is no PKCS #12 file{}", super::hint(bytes)));
        }
        KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Relaxed)
            .map_err(|error| format!("{name} is no PKCS #12 file, or its password is wrong: {error}"))
    }

    pub(super) fn certificates(
        name: &str,
        bytes: &[u8],
        password: &Secret,
    ) -> Result<Vec<CertificateDer<'static>>, String> {
        let store = open(name, bytes, password)?;
        let mut all = Vec::new();
        for (_, entry) in store.entries() {
            match entry {
                KeyStoreEntry::Certificate(certificate) => {
                    all.push(CertificateDer::from(certificate.as_der().to_vec()));
                }
                KeyStoreEntry::PrivateKeyChain(chain) => {
                    all.extend(chain.certs().iter().map(|one| CertificateDer::from(one.as_der().to_vec())));
                }
                KeyStoreEntry::Secret(_) => {}
            }
        }
        if all.is_empty() { Err(format!("{name} has no certificate")) } else { Ok(all) }
    }

    pub(super) fn identity(
        name: &str,
        bytes: &[u8],
        password: &Secret,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let store = open(name, bytes, password)?;
        let Some((_, chain)) = store.private_key_chain() else {
            return Err(format!("{name} has no private key"));
        };
        let certificates = chain.certs().iter().map(|one| CertificateDer::from(one.as_der().to_vec()));
        let key = PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec());
        Ok((certificates.collect(), PrivateKeyDer::Pkcs8(key)))
    }

    /// Decrypts the key that `text` begins with.
    pub(super) fn decrypt(
        name: &str,
        text: &str,
        password: &Secret,
    ) -> Result<PrivateKeyDer<'static>, String> {
        const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
        let end = text.find(END).ok_or_else(|| format!("the private key of {name} has no end"))?;
        let (_, der) = pkcs8::SecretDocument::from_pem(&text[..end + END.len()])
            .map_err(|error| format!("the private key of {name} is no valid PEM: {error}"))?;
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(der.as_bytes())
            .map_err(|error| format!("the private key of {name} makes no sense: {error}"))?;
        let key = encrypted.decrypt(password.expose()).map_err(|error| {
            format!("the private key of {name} cannot be decrypted; is the password right? ({error})")
        })?;
        Ok(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec())))
    }
}

#[cfg(not(feature = "keystores"))]
mod keystore {
    use klamm_core::sasl::Secret;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    fn missing<T>(name: &str, what: &str) -> Result<T, String> {
        Err(format!("{name}: {what} need the feature \"keystores\" of this crate"))
    }

    pub(super) fn certificates(
        name: &str,
        _: &[u8],
        _: &Secret,
    ) -> Result<Vec<CertificateDer<'static>>, String> {
        missing(name, "PKCS #12 files")
    }

    pub(super) fn identity(
        name: &str,
        _: &[u8],
        _: &Secret,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        missing(name, "PKCS #12 files")
    }

    pub(super) fn decrypt(name: &str, _: &str, _: &Secret) -> Result<PrivateKeyDer<'static>, String> {
        missing(name, "encrypted private keys")
    }
}
