//! What rustls is told, made anew when a file has changed.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use rustls::{ClientConfig, ClientConnection, crypto::CryptoProvider, pki_types::ServerName};

use super::{Identity, Source, Tls, Trust, material, verify::Verifier};
use crate::wait::lock;

/// Where connections get their settings from.
#[derive(Clone)]
pub(crate) struct TlsSource {
    pub(super) tls: Tls,
    pub(super) built: Arc<Mutex<Option<Built>>>,
}

/// Settings, and the files that they were made from.
pub(super) struct Built {
    config: Arc<ClientConfig>,
    stamps: Vec<Stamp>,
}

/// What tells whether a file has changed.
type Stamp = Option<(SystemTime, u64)>;

impl TlsSource {
    /// A session for one connection to `host`.
    pub(crate) fn connect(&self, host: &str) -> Result<ClientConnection, String> {
        let name = self.tls.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| format!("\"{name}\" is no name that a certificate could have"))?;
        ClientConnection::new(self.client_config()?, name).map_err(|error| error.to_string())
    }

    /// The settings as of now. If a file has changed and makes no sense, as it may while it is being exchanged, those of
    /// before hold on.
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, String> {
        let stamps = self.stamps();
        let mut built = lock(&self.built);
        if let Some(built) = built.as_ref().filter(|built| built.stamps == stamps) {
            return Ok(Arc::clone(&built.config));
        }
        match (build(&self.tls), built.as_ref()) {
            (Ok(config), _) => {
                let config = Arc::new(config);
                *built = Some(Built { config: Arc::clone(&config), stamps });
                Ok(config)
            }
            (Err(_), Some(before)) => Ok(Arc::clone(&before.config)),
            (Err(why), None) => Err(why),
        }
    }

    fn stamps(&self) -> Vec<Stamp> {
        let trusted = self.tls.trust.iter().filter_map(|trust| match trust {
            Trust::Pem(source) | Trust::Pkcs12(source, _) => Some(source),
            Trust::Platform | Trust::Webpki => None,
        });
        let own = self.tls.identity.iter().flat_map(|identity| match identity {
            Identity::Pem { certificates, key } => [Some(certificates), Some(key)],
            Identity::Pkcs12(source, _) => [Some(source), None],
        });
        let files = trusted.chain(own.flatten()).filter_map(|source| match source {
            Source::File(path) => Some(path),
            Source::Inline(_) => None,
        });
        files
            .map(|path| {
                let metadata = fs::metadata(path).ok()?;
                Some((metadata.modified().ok()?, metadata.len()))
            })
            .collect()
    }
}

fn provider() -> CryptoProvider {
    #[cfg(feature = "aws-lc-rs")]
    return rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    rustls::crypto::ring::default_provider()
}

fn build(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(provider());
    let roots = material::roots(&tls.trust)?;
    let verifier = Verifier::new(roots, Arc::clone(&provider), tls.checks_host_name)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match &tls.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => {
            let (chain, key) = material::identity(identity, tls.key_password.as_ref())?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the client's certificate and its key do not fit: {error}"))
        }
    }
}
