//! Certificates and keys out of files.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use super::authority::Authority;
use crate::Tls;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("klamm-tls-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn problem(tls: Tls) -> String {
    match tls.into_source() {
        Ok(_) => panic!("it makes sense"),
        Err(why) => why,
    }
}

#[test]
fn files_that_make_no_sense_are_named() {
    let folder = Folder::new();
    let authority = Authority::new("the root");
    let alice = authority.issue("alice", &[]);
    let ca = folder.put("ca.pem", authority.pem());
    let certificate = folder.put("alice.pem", &alice.certificate);
    let key = folder.put("alice.key", &alice.key);
    for (path, told) in [
        (folder.0.join("nowhere.pem"), "cannot be read"),
        (folder.put("empty.pem", ""), "has no certificate in PEM"),
        (folder.put("jks", [0xfe, 0xed, 0xfe, 0xed, 0, 0]), "Java key store"),
        (folder.put("der", [0x30, 0x82, 0, 0]), "binary (DER)"),
        (
            folder.put("broken.pem", "-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n"),
            "no valid PEM",
        ),
        (
            folder.put("odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "makes no sense",
        ),
    ] {
        let why = problem(Tls::new().ca_file(&path));
        assert!(why.contains(told) && why.contains(path.to_str().unwrap()), "{why}");
    }
    let tls = Tls::new().ca_file(&ca);
    let why = problem(tls.clone().client_certificate(&certificate, &certificate));
    assert!(why.contains("alice.pem has no private key"), "{why}");
    let other = folder.put("other.key", authority.issue("other", &[]).key);
    let why = problem(tls.clone().client_certificate(&certificate, other));
    assert!(why.contains("do not fit"), "{why}");
    assert!(tls.client_certificate(certificate, key).into_source().is_ok());
}

#[test]
fn files_that_change_are_read_again_and_hold_on_while_they_make_no_sense() {
    let folder = Folder::new();
    let ca = folder.put("ca.pem", Authority::new("first").pem());
    let source = Tls::new().ca_file(&ca).into_source().unwrap();
    let first = source.client_config().unwrap();
    assert!(Arc::ptr_eq(&first, &source.client_config().unwrap()));
    folder.put("ca.pem", "half a fi");
    assert!(Arc::ptr_eq(&first, &source.client_config().unwrap()));
    folder.put("ca.pem", Authority::new("the second, whose name is longer").pem());
    let second = source.client_config().unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(Arc::ptr_eq(&second, &source.client_config().unwrap()));
}

#[cfg(feature = "keystores")]
mod keystores {
    use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

    use super::{Authority, Folder, Tls, problem};

    fn der(pem: &str) -> Vec<u8> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
    }

    #[test]
    fn stores_of_java_are_read() {
        let folder = Folder::new();
        let authority = Authority::new("the root");
        let alice = authority.issue("alice", &[]);
        let mut trust = KeyStore::new();
        let root = Certificate::from_der(&der(&authority.pem())).unwrap();
        trust.add_entry("root", KeyStoreEntry::Certificate(root));
        let trust = folder.put("trust.p12", trust.writer("changeit").write().unwrap());
        let mut keys = KeyStore::new();
        let key = PrivateKeyDer::from_pem_slice(alice.key.as_bytes()).unwrap();
        let key = PrivateKey::from_der(key.secret_der()).unwrap();
        let chain = [Certificate::from_der(&der(&alice.certificate)).unwrap()];
        let chain = PrivateKeyChain::new("1", key, chain);
        keys.add_entry("alice", KeyStoreEntry::PrivateKeyChain(chain));
        let keys = folder.put("alice.p12", keys.writer("changeit").write().unwrap());

        let tls = Tls::new().truststore(&trust, "changeit");
        assert!(tls.clone().keystore(&keys, "changeit").into_source().is_ok());
        let why = problem(tls.clone().keystore(&keys, "wrong"));
        assert!(why.contains("alice.p12") && why.contains("password"), "{why}");
        let why = problem(tls.keystore(&trust, "changeit"));
        assert!(why.contains("trust.p12 has no private key"), "{why}");
    }

    #[test]
    fn encrypted_keys_are_decrypted() {
        let authority = Authority::new("the root");
        let certificate = authority.issue("alice", &[]).certificate;
        // Made by: openssl genpkey -algorithm ed25519 | openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:secret
        let key = include_str!("encrypted.key");
        let tls = Tls::new().ca_pem(authority.pem()).client_certificate_pem(certificate, key);
        assert!(problem(tls.clone()).contains("its password is needed"));
        assert!(problem(tls.clone().key_password("wrong")).contains("is the password right?"));
        // It is the key of another certificate.
        assert!(problem(tls.key_password("secret")).contains("do not fit"));
    }
}
