//! TLS, as a pipe of bytes between a socket and a connection: the same for all adapters.

mod config;
mod der;
mod failure;
mod material;
mod pipe;
mod verify;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use klamm_core::sasl::Secret;

pub(crate) use self::{config::TlsSource, pipe::TlsPipe};

/// Which certificates a client trusts.
#[derive(Clone)]
enum Trust {
    Platform,
    Webpki,
    Pem(Source),
    Pkcs12(Source, Secret),
}

/// Who a client is.
#[derive(Clone)]
enum Identity {
    Pem { certificates: Source, key: Source },
    Pkcs12(Source, Secret),
}

/// Where something is to be had.
#[derive(Clone)]
enum Source {
    File(PathBuf),
    Inline(Secret),
}

/// How connections are encrypted, and whom they trust: for [`KafkaBuilder::tls`](crate::KafkaBuilder::tls).
///
/// TLS 1.2 and 1.3. Files are looked at again for each new connection, and read again if they have changed, so that
/// certificates can be exchanged while a client runs. Errors say what is wrong with which certificate.
///
/// ```no_run
/// use klamm_engine::Tls;
///
/// let tls = Tls::new().ca_file("/etc/kafka/ca.pem").client_certificate("client.pem", "client.key");
/// ```
#[derive(Clone)]
#[must_use = "hand it to KafkaBuilder::tls()"]
pub struct Tls {
    trust: Vec<Trust>,
    identity: Option<Identity>,
    key_password: Option<Secret>,
    server_name: Option<String>,
    checks_host_name: bool,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .field("checks_host_name", &self.checks_host_name)
            .finish_non_exhaustive()
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

impl Tls {
    /// TLS that trusts the platform's certificate authorities, checks the host's name, and names no client.
    pub const fn new() -> Self {
        Self {
            trust: Vec::new(),
            identity: None,
            key_password: None,
            server_name: None,
            checks_host_name: true,
        }
    }

    /// Trusts the certificate authorities of this PEM file (`ssl.truststore.location` with `ssl.truststore.type=PEM`,
    /// librdkafka's `ssl.ca.location`). May be called more than once. Default: the platform's.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.trust.push(Trust::Pem(Source::File(path.into())));
        self
    }

    /// Trusts the certificate authorities in this PEM text (`ssl.truststore.certificates`, `ssl.ca.pem`).
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.trust.push(Trust::Pem(Source::inline(pem)));
        self
    }

    /// Trusts the certificates of this PKCS #12 file, as Java's keytool makes it (`ssl.truststore.location` and
    /// `ssl.truststore.password`). Needs the feature `keystores`.
    pub fn truststore(mut self, path: impl Into<PathBuf>, password: impl Into<Secret>) -> Self {
        self.trust.push(Trust::Pkcs12(Source::File(path.into()), password.into()));
        self
    }

    /// Trusts the platform's certificate authorities, besides those that are named.
    pub fn platform_roots(mut self) -> Self {
        self.trust.push(Trust::Platform);
        self
    }

    /// Trusts the certificate authorities that Mozilla's browsers trust, as they were when this crate was built.
    pub fn webpki_roots(mut self) -> Self {
        self.trust.push(Trust::Webpki);
        self
    }

    /// Shows brokers this certificate, with those of the authorities between it and the root, and proves the possession
    /// of its key: two PEM files, which may be the same (`ssl.keystore.location` with `ssl.keystore.type=PEM`, librdkafka's
    /// `ssl.certificate.location` and `ssl.key.location`).
    pub fn client_certificate(mut self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let (certificates, key) = (Source::File(certificates.into()), Source::File(key.into()));
        self.identity = Some(Identity::Pem { certificates, key });
        self
    }

    /// As [`client_certificate`](Self::client_certificate), of two PEM texts (`ssl.keystore.certificate.chain` and
    /// `ssl.keystore.key`).
    pub fn client_certificate_pem(mut self, certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let (certificates, key) = (Source::inline(certificates), Source::inline(key));
        self.identity = Some(Identity::Pem { certificates, key });
        self
    }

    /// The password of an encrypted private key in PEM (`ssl.key.password`): PKCS #8 with PBES2, as OpenSSL makes it. Needs
    /// the feature `keystores`.
    pub fn key_password(mut self, password: impl Into<Secret>) -> Self {
        self.key_password = Some(password.into());
        self
    }

    /// As [`client_certificate`](Self::client_certificate), of a PKCS #12 file with one key (`ssl.keystore.location` and
    /// `ssl.keystore.password`). Needs the feature `keystores`.
    pub fn keystore(mut self, path: impl Into<PathBuf>, password: impl Into<Secret>) -> Self {
        self.identity = Some(Identity::Pkcs12(Source::File(path.into()), password.into()));
        self
    }

    /// The name that brokers' certificates have to have, and that they are asked for by (SNI), instead of the host that was
    /// connected to.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Accepts a broker's certificate whatever its name is (`ssl.endpoint.identification.algorithm=`): whoever has any
    /// certificate of a trusted authority can then pretend to be the broker. The rest of the certificate is checked as
    /// always.
    pub const fn skip_host_name_check(mut self) -> Self {
        self.checks_host_name = false;
        self
    }

    pub(crate) fn into_source(self) -> Result<TlsSource, String> {
        TlsSource::new(self)
    }
}

impl Source {
    fn inline(pem: impl AsRef<[u8]>) -> Self {
        Self::Inline(Secret::from(pem.as_ref().to_vec()))
    }
}

impl TlsSource {
    fn new(tls: Tls) -> Result<Self, String> {
        let source = Self { tls, built: Arc::new(Mutex::new(None)) };
        source.client_config()?;
        Ok(source)
    }
}
