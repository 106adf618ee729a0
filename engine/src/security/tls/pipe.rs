//! Bytes of a socket on one side, those of a connection on the other.

use std::io::{BufRead, IoSlice, Write};

use bytes::{Buf, BufMut, BytesMut};
use klamm_core::{
    Instant,
    connection::{Connection, TransportEnd},
};
use klamm_protocol::Str;
use rustls::ClientConnection;

use super::{TlsSource, failure::describe};

/// So much is encrypted ahead of what the socket takes.
const AHEAD: usize = 64 * 1024;
/// The room for reading: a few records.
const ROOM: usize = 64 * 1024;
/// The most pieces that are encrypted at once.
const PIECES: usize = 64;

/// TLS on one connection.
pub(crate) struct TlsPipe {
    session: Box<ClientConnection>,
    /// Read from the socket, not decrypted yet.
    incoming: BytesMut,
    /// Encrypted, not written to the socket yet.
    outgoing: BytesMut,
    /// The handshake is over.
    is_open: bool,
    /// Why nothing can be encrypted any more.
    failure: Option<String>,
    /// The peer broke the rules of TLS: it is told by an alert, which is all that it is told.
    is_broken: bool,
    /// The last words were said.
    is_parting: bool,
}

impl TlsPipe {
    /// TCP is up: the handshake begins.
    pub(crate) fn start(source: &TlsSource, host: &str) -> Result<Self, String> {
        let session = Box::new(source.connect(host)?);
        Ok(Self {
            session,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            is_open: false,
            failure: None,
            is_broken: false,
            is_parting: false,
        })
    }

    /// Where to append what was read from the socket.
    pub(crate) fn read_buffer(&mut self) -> &mut BytesMut {
        if self.incoming.capacity() - self.incoming.len() < ROOM / 4 {
            self.incoming.reserve(ROOM);
        }
        &mut self.incoming
    }

    /// Whether to read from the socket.
    pub(crate) fn wants_read(&self, connection: &Connection) -> bool {
        if self.is_open { connection.wants_read() } else { !connection.is_closed() }
    }

    /// What is to be written to the socket; encrypts what the connection has.
    pub(crate) fn outgoing(&mut self, connection: &mut Connection) -> &mut BytesMut {
        if self.failure.is_none() && !self.is_parting {
            self.failure = self.encrypt(connection).err();
        }
        &mut self.outgoing
    }

    fn encrypt(&mut self, connection: &mut Connection) -> Result<(), String> {
        loop {
            while self.session.wants_write() {
                let mut sink = (&mut self.outgoing).writer();
                self.session.write_tls(&mut sink).map_err(|error| error.to_string())?;
            }
            let outbox = connection.outbox();
            if !self.is_open || self.outgoing.len() >= AHEAD || !outbox.has_remaining() {
                return Ok(());
            }
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            for (place, segment) in pieces.iter_mut().zip(outbox.segments()) {
                *place = IoSlice::new(segment);
                count += 1;
            }
            let taken = self.session.writer().write_vectored(&pieces[..count]);
            match taken.map_err(|error| error.to_string())? {
                0 => return Ok(()),
                taken => outbox.advance(taken),
            }
        }
    }

    /// The connection is over: tells the peer, so that it can tell this end from one that somebody else made of it.
    /// Returns whether there is something to be written for that.
    pub(crate) fn say_goodbye(&mut self) -> bool {
        if std::mem::replace(&mut self.is_parting, true) || self.failure.is_some() {
            return false;
        }
        if self.is_open && !self.is_broken {
            self.session.send_close_notify();
        }
        let mut said = false;
        while self.session.wants_write() {
            let mut sink = (&mut self.outgoing).writer();
            // It writes to memory, and cannot fail.
            said |= self.session.write_tls(&mut sink).is_ok();
        }
        said
    }

    pub(crate) fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// Bytes were appended to the read buffer.
    pub(crate) fn handle_read(&mut self, now: Instant, connection: &mut Connection) {
        while !self.incoming.is_empty() && !connection.is_closed() {
            let mut source = &*self.incoming;
            let taken = self.session.read_tls(&mut source).unwrap_or(0);
            self.incoming.advance(taken);
            let closed = match self.session.process_new_packets() {
                Ok(state) => state.peer_has_closed(),
                Err(error) => {
                    self.is_broken = true;
                    let why = Str::from(describe(&error, self.is_open));
                    return connection.handle_closed(now, TransportEnd::Insecure(why));
                }
            };
            if !self.is_open && !self.session.is_handshaking() {
                self.is_open = true;
                connection.handle_open(now);
            }
            let handed_on = self.hand_on(now, connection);
            if closed {
                return connection.handle_closed(now, TransportEnd::PeerClosed);
            }
            if taken == 0 && handed_on == 0 {
                // rustls takes what it can use at once; if it takes nothing and has nothing, it never will.
                let why = Str::from_static("the TLS session takes no more bytes");
                return connection.handle_closed(now, TransportEnd::Insecure(why));
            }
        }
    }

    /// Hands what was decrypted to the connection. Returns how much that was.
    fn hand_on(&mut self, now: Instant, connection: &mut Connection) -> usize {
        let mut total = 0;
        let mut reader = self.session.reader();
        loop {
            let count = match reader.fill_buf() {
                Ok([]) | Err(_) => return total,
                Ok(plain) => {
                    let buffer = connection.read_buffer();
                    let room = (buffer.capacity() - buffer.len()).clamp(1, plain.len());
                    buffer.extend_from_slice(&plain[..room]);
                    room
                }
            };
            reader.consume(count);
            connection.handle_read(now);
            total += count;
        }
    }
}
