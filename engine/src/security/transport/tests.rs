use std::sync::Arc;

use bytes::Buf;
use klamm_core::{
    Instant,
    connection::{CloseReason, Connection, ConnectionConfig, ConnectionEvent, TransportEnd},
};

use super::{Security, Transport};
use crate::Proxy;

const NOW: Instant = Instant::from_millis(1_000);

fn proxied() -> (Transport, Connection) {
    let route = Proxy::socks5("proxy:1080").user("franz", "odradek").into_route().unwrap();
    let target = "kafka.inside:9092".parse().unwrap();
    let mut transport = Transport::new(target, Some(Arc::new(route)), Security::Plain);
    let mut connection = Connection::new(Arc::new(ConnectionConfig::default()), NOW);
    transport.handle_open(NOW, &mut connection);
    (transport, connection)
}

fn written(transport: &mut Transport, connection: &mut Connection) -> Vec<u8> {
    let bytes = transport.outgoing(connection).unwrap().to_vec();
    transport.advance(connection, bytes.len());
    assert!(transport.outgoing(connection).is_none_or(<[u8]>::is_empty));
    bytes
}

fn read(transport: &mut Transport, connection: &mut Connection, bytes: &[u8]) {
    assert!(transport.wants_read(connection));
    transport.read_buffer(connection).extend_from_slice(bytes);
    transport.handle_read(NOW, connection);
}

fn closed(connection: &mut Connection) -> CloseReason {
    match std::iter::from_fn(|| connection.poll_event()).last() {
        Some(ConnectionEvent::Closed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// The connection begins when the proxy has let it through, and not before.
#[test]
fn a_connection_begins_behind_the_proxy() {
    let (mut transport, mut connection) = proxied();
    assert_eq!(written(&mut transport, &mut connection), [5, 2, 0, 2]);
    read(&mut transport, &mut connection, &[5, 2]);
    assert_eq!(written(&mut transport, &mut connection), b"\x01\x05franz\x07odradek");
    read(&mut transport, &mut connection, &[1]);
    read(&mut transport, &mut connection, &[0]);
    assert_eq!(written(&mut transport, &mut connection), b"\x05\x01\x00\x03\x0ckafka.inside\x23\x84");
    assert!(!connection.outbox().has_remaining());
    read(&mut transport, &mut connection, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert!(transport.outgoing(&mut connection).is_none(), "what is written is the connection's");
    assert!(connection.outbox().has_remaining(), "it asks for the versions");
}

#[test]
fn an_end_before_the_way_is_open_names_the_proxy() {
    let (mut transport, mut connection) = proxied();
    read(&mut transport, &mut connection, b"HTTP");
    let why = closed(&mut connection).to_string();
    assert_eq!(why, "could not connect: no way through the proxy proxy:1080: it does not speak SOCKS5");
    assert!(!transport.wants_read(&connection));
    assert_eq!(transport.outgoing(&mut connection), Some(&[][..]));

    let (transport, mut connection) = proxied();
    connection.handle_closed(NOW, transport.ended(TransportEnd::PeerClosed));
    let why = closed(&mut connection).to_string();
    assert!(why.contains("the proxy proxy:1080 closed the connection"), "{why}");
}
