//! Peers that are hostile before a client has proved who it is: in the handshake of TLS, behind it, and in SASL.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use super::HostileServer;
use super::frames::{self, Asked};
use super::server::{random_bytes, swallow};
use crate::Outcome;
use crate::security::Identity;

/// The one wrong thing that a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambush {
    /// Reads the first message of TLS and says nothing.
    TlsSilence,
    /// Answers in the handshake with one byte a second.
    TlsDrip,
    /// Answers in the handshake with random bytes.
    TlsGarbage(u64),
    /// Sends a record that claims more bytes than one may have, and bytes without end.
    TlsHugeRecord,
    /// Sends one message of the handshake that claims 16 MiB, in records without end.
    TlsEndless,
    /// Says nothing once TLS is open.
    SilenceInTls,
    /// Sends random bytes once TLS is open.
    GarbageInTls(u64),
    /// Claims a frame of 2 GiB once TLS is open.
    HugeFrameInTls,
    /// Answers the handshake of SASL, and then nothing.
    SaslSilence,
    /// Answers the first message of SASL with one byte a second.
    SaslDrip,
    /// Answers it with a frame that claims 2 GiB.
    SaslHugeFrame,
    /// Answers it with a message of 100 KiB.
    SaslHugeMessage,
    /// Answers it with random bytes as a message.
    SaslGarbage(u64),
    /// Demands so many rounds of the hash function that it would take a day.
    SaslIterations,
    /// Accepts the client without having proved anything itself.
    SaslUnproven,
}

impl Ambush {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::TlsSilence,
        Self::TlsDrip,
        Self::TlsGarbage(3),
        Self::TlsHugeRecord,
        Self::TlsEndless,
        Self::SilenceInTls,
        Self::GarbageInTls(4),
        Self::HugeFrameInTls,
        Self::SaslSilence,
        Self::SaslDrip,
        Self::SaslHugeFrame,
        Self::SaslHugeMessage,
        Self::SaslGarbage(5),
        Self::SaslIterations,
        Self::SaslUnproven,
    ];

    /// Whether a client is to use TLS; otherwise it is to use SCRAM.
    #[must_use]
    pub fn is_of_tls(self) -> bool {
        format!("{self:?}").contains("Tls")
    }

    /// One of these words must be in the error.
    #[must_use]
    pub const fn causes(self) -> &'static [&'static str] {
        match self {
            Self::TlsSilence | Self::TlsDrip | Self::SilenceInTls | Self::SaslSilence | Self::SaslDrip => {
                &["time", "did not answer", "no answer"]
            }
            Self::TlsGarbage(_) | Self::TlsHugeRecord | Self::TlsEndless => &["TLS", "message"],
            Self::GarbageInTls(_) => &["TLS", "frame", "bytes", "Kafka"],
            Self::HugeFrameInTls | Self::SaslHugeFrame => &["frame", "length", "bytes"],
            Self::SaslHugeMessage => &["a message of more than 64 KiB"],
            Self::SaslGarbage(_) => &["the broker sent"],
            Self::SaslIterations => &["iterations"],
            Self::SaslUnproven => &["did not prove", "the broker sent"],
        }
    }

    /// Starts a peer that does this, with a certificate for what happens behind TLS.
    ///
    /// # Errors
    /// When there is no port, or the certificate makes no sense.
    pub fn start(self, identity: &Identity) -> Outcome<HostileServer> {
        let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let config = Arc::new(config);
        Ok(HostileServer::serving(true, move |stream, _| self.serve(stream, &config))?)
    }

    fn serve(self, mut stream: &TcpStream, config: &Arc<ServerConfig>) -> io::Result<()> {
        let mut some = [0; 512];
        match self {
            Self::TlsSilence => swallow(stream),
            Self::TlsDrip => {
                let _read: usize = stream.read(&mut some)?;
                // The beginning of a record of the handshake.
                drip(stream, &[22, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3, 1, 2, 3, 4, 5])
            }
            Self::TlsGarbage(seed) => {
                let _read: usize = stream.read(&mut some)?;
                stream.write_all(&random_bytes(seed, 5_000))?;
                swallow(stream)
            }
            Self::TlsHugeRecord => {
                let _read: usize = stream.read(&mut some)?;
                stream.write_all(&[22, 3, 3, 0xff, 0xff])?;
                without_end(stream, &[0; 4096])
            }
            Self::TlsEndless => {
                let _read: usize = stream.read(&mut some)?;
                // A record of 4 KiB: a message of the handshake, ServerHello, that claims 2^24 - 1 bytes.
                let mut record = vec![0; 5 + 4096];
                record[..9].copy_from_slice(&[22, 3, 3, 0x10, 0, 2, 0xff, 0xff, 0xff]);
                stream.write_all(&record)?;
                record[5..9].fill(0);
                without_end(stream, &record)
            }
            Self::SilenceInTls | Self::GarbageInTls(_) | Self::HugeFrameInTls => {
                let mut session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                let mut inner = stream;
                let mut open = Stream::new(&mut session, &mut inner);
                let _read: usize = open.read(&mut some)?;
                match self {
                    Self::GarbageInTls(seed) => open.write_all(&random_bytes(seed, 5_000))?,
                    Self::HugeFrameInTls => open.write_all(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])?,
                    _ => {}
                }
                open.flush()?;
                swallow(stream)
            }
            _ => {
                let mut rest = stream;
                while let Some((asked, body)) = frames::read_whole_request(&mut rest)? {
                    self.answer(stream, asked, &body)?;
                }
                Ok(())
            }
        }
    }

    fn answer(self, mut stream: &TcpStream, asked: Asked, body: &[u8]) -> io::Result<()> {
        let mut reply = |body: &[u8]| stream.write_all(&frames::frame(asked.correlation, body));
        match asked.api_key {
            frames::API_VERSIONS => return reply(&frames::api_versions(asked.version)),
            frames::SASL_HANDSHAKE => return reply(&frames::sasl_handshake()),
            frames::SASL_AUTHENTICATE => {}
            _ => return Ok(()),
        }
        let message = |message: &[u8]| frames::sasl_authenticate(message);
        match self {
            Self::SaslDrip => {
                drip(stream, &frames::frame(asked.correlation, &message(b"r=abc,s=def,i=4096")))
            }
            Self::SaslHugeFrame => {
                stream.write_all(&[0x7f, 0xff, 0xff, 0xff])?;
                without_end(stream, &[0; 4096])
            }
            Self::SaslHugeMessage => reply(&message(&[b'r'; 100 << 10])),
            Self::SaslGarbage(seed) => reply(&message(&random_bytes(seed, 300))),
            Self::SaslIterations => {
                let nonce = body
                    .windows(3)
                    .position(|window| window == b",r=")
                    .map_or(&body[..0], |at| &body[at + 3..]);
                let nonce = String::from_utf8_lossy(nonce);
                reply(&message(format!("r={nonce}more,s=c2FsdA==,i=2147483647").as_bytes()))
            }
            Self::SaslUnproven => reply(&message(b"")),
            _ => Ok(()),
        }
    }
}

/// One byte a second.
fn drip(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// The same bytes until the client is gone.
fn without_end(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(bytes)?;
    }
}
