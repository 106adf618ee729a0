//! A connection over TLS, and the server at its other end.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use bytes::{Buf, Bytes};
use klamm_core::{
    Instant,
    cluster::Address,
    connection::{CloseReason, Connection, ConnectionConfig, ConnectionEvent, Progress, TransportEnd},
};
use klamm_protocol::Str;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use super::authority::{Authority, Issued};
use crate::{
    Tls,
    security::{Security, Transport},
};

const NOW: Instant = Instant::from_millis(5);

/// A server with this certificate; it demands one of the client that this authority has issued.
fn server(issued: &Issued, demanded: Option<&Authority>) -> ServerConnection {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match demanded {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    ServerConnection::new(Arc::new(builder.with_single_cert(chain, key).unwrap())).unwrap()
}

/// Both ends.
struct Pair {
    transport: Transport,
    connection: Connection,
    server: ServerConnection,
    /// What the server has decrypted.
    received: Vec<u8>,
}

impl Pair {
    fn new(tls: Tls, host: &str, server: ServerConnection) -> Self {
        let security = Security::Tls(Box::new(tls.into_source().unwrap()));
        let target = Address { host: Str::from(host.to_owned()), port: 9093 };
        let mut transport = Transport::new(target, None, security);
        let mut connection = Connection::new(Arc::new(ConnectionConfig::default()), NOW);
        assert!(!transport.wants_read(&connection));
        transport.handle_open(NOW, &mut connection);
        Self { transport, connection, server, received: Vec::new() }
    }

    /// Takes so much of what is to be written, at most.
    fn sent(&mut self, most: usize) -> Vec<u8> {
        let outgoing = self.transport.outgoing(&mut self.connection).unwrap();
        let sent = outgoing[..outgoing.len().min(most)].to_vec();
        self.transport.advance(&mut self.connection, sent.len());
        sent
    }

    /// Moves what there is to be moved, in pieces of at most `piece` bytes, until nothing is left.
    fn exchange(&mut self, piece: usize) {
        for _ in 0..100_000 {
            let part = self.sent(piece);
            let mut sent = &part[..];
            let quiet = sent.is_empty();
            while !sent.is_empty() {
                let count = self.server.read_tls(&mut &*sent).unwrap();
                sent = &sent[count..];
                let _alert = self.server.process_new_packets();
                let mut plain = [0; 1 << 16];
                while let Ok(count @ 1..) = self.server.reader().read(&mut plain) {
                    self.received.extend_from_slice(&plain[..count]);
                }
            }
            let mut answer = Vec::new();
            while self.server.wants_write() {
                self.server.write_tls(&mut answer).unwrap();
            }
            for part in answer.chunks(piece) {
                self.transport.read_buffer(&mut self.connection).extend_from_slice(part);
                self.transport.handle_read(NOW, &mut self.connection);
            }
            if quiet && answer.is_empty() {
                return;
            }
        }
        panic!("it does not end");
    }

    fn closed(&mut self) -> CloseReason {
        match std::iter::from_fn(|| self.connection.poll_event()).last() {
            Some(ConnectionEvent::Closed { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    /// Why the handshake failed.
    fn failure(mut self) -> String {
        if !self.connection.is_closed() {
            self.exchange(usize::MAX);
        }
        let reason = self.closed();
        assert!(reason.is_misconfiguration(), "{reason}");
        reason.to_string()
    }
}

#[test]
fn bytes_pass_in_both_directions_however_they_are_cut() {
    let authority = Authority::new("the root");
    for piece in [1, 7, 1_000, usize::MAX] {
        let server = server(&authority.issue("broker", &["localhost"]), None);
        let mut pair = Pair::new(Tls::new().ca_pem(authority.pem()), "localhost", server);
        pair.exchange(piece);
        // ApiVersions, with its length in front.
        let length = usize::try_from((&pair.received[..4]).get_u32()).unwrap();
        assert_eq!(pair.received.len(), 4 + length);
        assert_eq!(pair.received[4..6], 18_i16.to_be_bytes());
        // An answer of nonsense, whose correlation id is right.
        let mut answer = vec![0, 0, 0, 20];
        answer.extend_from_slice(&pair.received[8..12]);
        answer.extend_from_slice(&[0xff; 16]);
        pair.server.writer().write_all(&answer).unwrap();
        pair.exchange(piece);
        assert!(matches!(pair.closed(), CloseReason::Misbehaved(_)));
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_with_its_issuer() {
    let (authority, other) = (Authority::new("the root"), Authority::new("another root"));
    let server = server(&other.issue("broker", &["localhost"]), None);
    let tls = Tls::new().ca_pem(authority.pem());
    assert_eq!(
        Pair::new(tls, "localhost", server).failure(),
        "TLS failed: the broker's certificate (CN=broker) was issued by CN=another root, which is not among the \
         trusted authorities"
    );
}

#[test]
fn a_certificate_of_another_host_is_told_with_its_names() {
    let authority = Authority::new("the root");
    let issued = authority.issue("broker", &["kafka.example", "10.0.0.1"]);
    let tls = Tls::new().ca_pem(authority.pem());
    assert_eq!(
        Pair::new(tls.clone(), "localhost", server(&issued, None)).failure(),
        "TLS failed: the broker's certificate (CN=broker) is for another host: wanted localhost, it has \
         kafka.example, 10.0.0.1"
    );
    for (tls, host) in [
        (tls.clone(), "10.0.0.1"),
        (tls.clone().server_name("kafka.example"), "localhost"),
        (tls.clone().skip_host_name_check(), "localhost"),
    ] {
        let mut pair = Pair::new(tls, host, server(&issued, None));
        pair.exchange(usize::MAX);
        assert!(!pair.received.is_empty(), "{host}");
    }
    // Without the check of the name, the rest is checked all the same.
    let other = Authority::new("another root").issue("broker", &["localhost"]);
    let failure = Pair::new(tls.skip_host_name_check(), "localhost", server(&other, None)).failure();
    assert!(failure.contains("another root"), "{failure}");
}

#[test]
fn an_expired_certificate_is_told_with_its_last_day() {
    let authority = Authority::new("the root");
    let issued = authority.issue_until("broker", &["localhost"], 2019);
    let failure = Pair::new(Tls::new().ca_pem(authority.pem()), "localhost", server(&issued, None)).failure();
    assert_eq!(
        failure,
        "TLS failed: the broker's certificate (CN=broker) or that of an authority above it expired on 2019-06-30"
    );
}

#[test]
fn a_client_shows_its_certificate_if_it_has_one() {
    let (authority, other) = (Authority::new("the root"), Authority::new("another root"));
    let issued = authority.issue("broker", &["localhost"]);
    let tls = Tls::new().ca_pem(authority.pem());
    let demanding = || server(&issued, Some(&authority));
    let failure = Pair::new(tls.clone(), "localhost", demanding()).failure();
    assert_eq!(failure, "TLS failed: the broker demands a certificate of the client");

    let alice = authority.issue("alice", &[]);
    let known = tls.clone().client_certificate_pem(&alice.certificate, &alice.key);
    let mut pair = Pair::new(known, "localhost", demanding());
    pair.exchange(usize::MAX);
    assert!(!pair.received.is_empty());

    let mallory = other.issue("mallory", &[]);
    let unknown = tls.client_certificate_pem(&mallory.certificate, &mallory.key);
    let failure = Pair::new(unknown, "localhost", demanding()).failure();
    assert!(failure.contains("the client's certificate"), "{failure}");
}

#[test]
fn a_peer_without_tls_is_told() {
    let authority = Authority::new("the root");
    for text in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\0\0\0\x0a\0\0\0\0\0\0\0\0\0\0"] {
        let server = server(&authority.issue("broker", &["localhost"]), None);
        let mut pair = Pair::new(Tls::new().ca_pem(authority.pem()), "localhost", server);
        pair.transport.read_buffer(&mut pair.connection).extend_from_slice(text);
        pair.transport.handle_read(NOW, &mut pair.connection);
        let reason = pair.closed().to_string();
        assert_eq!(reason, "TLS failed: the peer does not speak TLS; is the port a plain text one?");
    }
    let server = server(&authority.issue("broker", &["localhost"]), None);
    let mut pair = Pair::new(Tls::new().ca_pem(authority.pem()), "localhost", server);
    pair.connection.handle_closed(NOW, TransportEnd::PeerClosed);
    let reason = pair.closed();
    assert_eq!(reason, CloseReason::PeerClosed(Progress::Securing));
    assert!(reason.suggests_no_tls() && reason.to_string().contains("does the port speak TLS?"));
}

#[test]
fn a_host_that_no_certificate_could_name_is_told() {
    let authority = Authority::new("the root");
    let server = server(&authority.issue("broker", &["localhost"]), None);
    let pair = Pair::new(Tls::new().ca_pem(authority.pem()), "not a host", server);
    assert_eq!(pair.failure(), "TLS failed: \"not a host\" is no name that a certificate could have");
}

#[test]
fn what_is_large_passes_in_steps() {
    let authority = Authority::new("the root");
    let server = server(&authority.issue("broker", &["localhost"]), None);
    let mut pair = Pair::new(Tls::new().ca_pem(authority.pem()), "localhost", server);
    pair.exchange(usize::MAX);
    let before = pair.received.len();
    // A frame of 3 MB that never ends is read in place as it comes.
    let claimed = Bytes::from_static(&[0, 0x30, 0, 0]);
    let correlation = Bytes::copy_from_slice(&pair.received[8..12]);
    pair.server.set_buffer_limit(None);
    pair.server.writer().write_all(&claimed).unwrap();
    pair.server.writer().write_all(&correlation).unwrap();
    pair.server.writer().write_all(&vec![7; 2 << 20]).unwrap();
    pair.exchange(50_000);
    assert_eq!(pair.received.len(), before);
    assert!(!pair.connection.is_closed());
    assert!(pair.transport.read_buffer(&mut pair.connection).capacity() < 1 << 20);
}

#[test]
fn a_peer_is_told_of_the_end() {
    let authority = Authority::new("the root");
    let server = server(&authority.issue("broker", &["localhost"]), None);
    let mut pair = Pair::new(Tls::new().ca_pem(authority.pem()), "localhost", server);
    pair.exchange(usize::MAX);
    pair.connection.close();
    assert!(pair.transport.say_goodbye());
    assert!(!pair.transport.say_goodbye(), "it is said once");
    let outgoing = pair.sent(usize::MAX);
    pair.server.read_tls(&mut &*outgoing).unwrap();
    assert!(pair.server.process_new_packets().unwrap().peer_has_closed());
}

#[test]
fn a_peer_is_told_why_its_certificate_does_not_do() {
    let server = server(&Authority::new("another").issue("broker", &["localhost"]), None);
    let mut pair = Pair::new(Tls::new().ca_pem(Authority::new("the root").pem()), "localhost", server);
    for _ in 0..4 {
        let sent = pair.sent(usize::MAX);
        pair.server.read_tls(&mut &*sent).unwrap();
        pair.server.process_new_packets().unwrap();
        let mut answer = Vec::new();
        while pair.server.wants_write() {
            pair.server.write_tls(&mut answer).unwrap();
        }
        pair.transport.read_buffer(&mut pair.connection).extend_from_slice(&answer);
        pair.transport.handle_read(NOW, &mut pair.connection);
        if pair.connection.is_closed() {
            break;
        }
    }
    assert!(pair.connection.is_closed() && pair.transport.say_goodbye());
    let outgoing = pair.sent(usize::MAX);
    pair.server.read_tls(&mut &*outgoing).unwrap();
    let error = pair.server.process_new_packets().unwrap_err();
    assert!(error.to_string().contains("alert: CertificateUnknown"), "{error}");
}
