//! What rustls says, in the words of this client.

use rustls::{AlertDescription, CertificateError, Error};

/// Why TLS failed. `is_open`: the handshake was over.
pub(super) fn describe(error: &Error, is_open: bool) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::Other(why)) => why.0.to_string(),
        Error::InvalidMessage(_) if !is_open => {
            String::from("the peer does not speak TLS; is the port a plain text one?")
        }
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
                String::from("the broker demands a certificate of the client")
            }
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate => String::from(
                "the broker does not accept the client's certificate, or demands one that was not given",
            ),
            AlertDescription::UnknownCA => {
                String::from("the broker does not trust the authority that issued the client's certificate")
            }
            AlertDescription::CertificateExpired => {
                String::from("the broker says that the client's certificate has expired")
            }
            AlertDescription::CertificateRevoked => {
                String::from("the broker says that the client's certificate was revoked")
            }
            AlertDescription::ProtocolVersion => {
                String::from("the broker speaks neither TLS 1.2 nor TLS 1.3")
            }
            AlertDescription::UnrecognisedName => {
                String::from("the broker does not know the host's name (SNI)")
            }
            AlertDescription::HandshakeFailure => String::from(
                "the broker refused the handshake: no common cipher, or it demands a certificate of the client",
            ),
            other => format!("the broker ended TLS with the alert {other:?}"),
        },
        Error::PeerIncompatible(why) => format!("the broker's TLS is incompatible: {why:?}"),
        other => other.to_string(),
    }
}
