//! Checking a broker's certificate, in words that say what is wrong with which.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::der::subject_and_issuer;

/// The verifier of webpki, with better errors.
#[derive(Debug)]
pub(super) struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    checks_host_name: bool,
}

/// What is wrong with a certificate.
#[derive(Debug)]
pub(super) struct Untrusted(String);

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Untrusted {}

impl Verifier {
    pub(super) fn new(
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
        checks_host_name: bool,
    ) -> Result<Self, String> {
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { inner, checks_host_name })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.inner.verify_server_cert(certificate, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_host_name => Ok(ServerCertVerified::assertion()),
            Err(Error::InvalidCertificate(error)) => {
                let untrusted = Untrusted(describe(certificate, intermediates, server_name, &error));
                Err(CertificateError::Other(OtherError(Arc::new(untrusted))).into())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn describe(
    certificate: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    server_name: &ServerName<'_>,
    error: &CertificateError,
) -> String {
    let (subject, issuer) = subject_and_issuer(certificate)
        .unwrap_or_else(|| (String::from("an unknown subject"), String::from("an unknown issuer")));
    let of = format!("the broker's certificate ({subject})");
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("{of} or that of an authority above it expired on {}", date(*not_after))
        }
        CertificateError::Expired => format!("{of} or that of an authority above it has expired"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!(
                "{of} or that of an authority above it is valid only from {} on; is the clock right?",
                date(*not_before)
            )
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let has = if presented.is_empty() { String::from("no name") } else { names(presented) };
            format!("{of} is for another host: wanted {}, it has {has}", server_name.to_str())
        }
        CertificateError::UnknownIssuer => {
            let last = intermediates.last().and_then(|last| subject_and_issuer(last));
            let top = last.map_or(issuer, |(_, top)| top);
            if top == subject {
                format!("{of} is self-signed, and is not among the trusted ones")
            } else {
                format!("{of} was issued by {top}, which is not among the trusted authorities")
            }
        }
        CertificateError::BadEncoding => String::from("the broker's certificate makes no sense"),
        CertificateError::Revoked => format!("{of} was revoked"),
        CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => {
            format!("{of} is not meant for servers")
        }
        other => format!("{of} is not valid: {other}"),
    }
}

/// The names of a certificate: at most a few.
fn names(presented: &[String]) -> String {
    let mut text = presented.iter().take(8).map(|name| plain(name)).collect::<Vec<_>>().join(", ");
    if presented.len() > 8 {
        text.push_str(", ..");
    }
    text
}

/// `DnsName("a.example")` without its wrapping.
fn plain(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

/// A day in the Gregorian calendar.
fn date(time: UnixTime) -> String {
    // Counted in eras of 400 years that begin on 1 March, so that leap days come last.
    let days = time.as_secs() / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{:02}", day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{UnixTime, date, plain};

    #[test]
    fn days_have_dates() {
        for (seconds, shown) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (1_735_689_599, "2024-12-31"),
            (4_102_444_800, "2100-01-01"),
        ] {
            assert_eq!(date(UnixTime::since_unix_epoch(Duration::from_secs(seconds))), shown);
        }
    }

    #[test]
    fn names_are_unwrapped() {
        assert_eq!(plain("DnsName(\"a.example\")"), "a.example");
        assert_eq!(plain("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(plain("whatever"), "whatever");
    }
}
