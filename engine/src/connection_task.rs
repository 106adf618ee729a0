//! The task that owns one connection's machine.

use std::{
    fmt,
    io::{self, IoSlice, Read, Write},
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    task::{Context, Poll},
    thread,
};

use bytes::{Buf, BytesMut};
use klamm_core::{
    ConnectionId, Instant, ProducerHandle,
    cluster::Address,
    connection::{Connection, ConnectionEvent, Outbox, TransportEnd, WireMessage},
    planted, probe,
    producer::{Seal, SealedPartition},
};
use klamm_protocol::{
    Str,
    compression::{Compression, Compressor},
};

use crate::{
    Connector,
    dial::SocketOptions,
    mailbox::{Item, Mailbox},
    producer::Pool,
    security::Transport,
    shared::{Opening, Shared},
};

/// The most that one read asks for.
const READ_BYTES: usize = 64 * 1024;
/// The most pieces that one write gathers.
const WRITE_PIECES: usize = 64;

/// One connection, to be driven by an adapter: bytes, a timer and a wake-up.
///
/// ```text
/// connect to task.address(), by task.poll_timeout() at the latest
/// task.handle_open(now), or task.handle_connect_failed(now, why) and done
/// loop {
///     task.drive(now);
///     if task.is_finished() { close the socket and return }
///     write task.outbox() while the socket takes it
///     read into task.read_buffer() if task.wants_read(), then task.handle_read(now)
///     wait for the socket, for task.poll_wake, or until task.poll_timeout
/// }
/// ```
///
/// Dropping it ends the connection as if the peer had been lost.
pub struct ConnectionTask {
    id: ConnectionId,
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    address: Address,
    connection: Connection,
    transport: Transport,
    items: Vec<Item>,
    /// The codec that was used last, and its level.
    compressor: Option<(Compression, Option<i32>, Compressor)>,
    finished: bool,
    /// Since when the peer is being told that it is over: for one turn.
    parting: Option<Instant>,
}

/// What one turn has for the control plane.
#[derive(Default)]
struct Work {
    sealed: Vec<(ProducerHandle, Seal, Vec<SealedPartition>)>,
    refused: Vec<Item>,
    events: Vec<ConnectionEvent>,
    messages: Vec<WireMessage>,
    /// Producers signalled.
    signals: bool,
}

impl Work {
    const fn is_empty(&self) -> bool {
        self.sealed.is_empty()
            && self.refused.is_empty()
            && self.events.is_empty()
            && self.messages.is_empty()
            && !self.signals
    }
}

impl fmt::Debug for ConnectionTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionTask")
            .field("id", &self.id)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl ConnectionTask {
    pub(crate) fn new(shared: Arc<Shared>, opening: Opening, now: Instant) -> Self {
        Self {
            id: opening.connection,
            mailbox: opening.mailbox,
            transport: Transport::new(
                opening.address.clone(),
                shared.dialling.route.clone(),
                opening.security,
            ),
            shared,
            address: opening.address,
            connection: Connection::new(opening.config, now),
            items: Vec::new(),
            compressor: None,
            finished: false,
            parting: None,
        }
    }

    /// Where to connect to: to the broker, or to the proxy that leads there.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.shared.dialling.route.as_ref().map_or(&self.address, |route| &route.address)
    }

    /// How its socket is to be set up.
    #[must_use]
    pub fn socket_options(&self) -> SocketOptions {
        self.shared.dialling.sockets
    }

    /// What makes the stream of bytes, if it is not to be a socket that the adapter connects.
    #[must_use]
    pub fn connector(&self) -> Option<&dyn Connector> {
        self.shared.dialling.connector.as_deref()
    }

    /// The socket is connected.
    pub fn handle_open(&mut self, now: Instant) {
        self.transport.handle_open(now, &mut self.connection);
    }

    /// The socket could not be connected: why, in words that name what was tried.
    pub fn handle_connect_failed(&mut self, now: Instant, why: impl Into<String>) {
        let mut why = why.into();
        if let Some(route) = &self.shared.dialling.route {
            why = route.unreachable(&why);
        }
        self.connection.handle_closed(now, TransportEnd::ConnectFailed(Str::from(why)));
        self.drive(now);
    }

    /// The name of the host does not resolve: why.
    pub fn handle_unresolved(&mut self, now: Instant, why: impl Into<String>) {
        let why = why.into();
        let end = match &self.shared.dialling.route {
            Some(route) => TransportEnd::ConnectFailed(Str::from(route.unreachable(&why))),
            None => TransportEnd::Unresolved(Str::from(why)),
        };
        self.connection.handle_closed(now, end);
        self.drive(now);
    }

    /// The peer will send no more.
    pub fn handle_end(&mut self, now: Instant) {
        self.connection.handle_closed(now, self.transport.ended(TransportEnd::PeerClosed));
    }

    /// The socket failed.
    pub fn handle_error(&mut self, now: Instant, error: &io::Error) {
        let mut why = error.to_string();
        if planted!(SecretInError) {
            let unsent: Vec<u8> = self.connection.outbox().segments().flatten().copied().collect();
            why.push_str(&String::from_utf8_lossy(&unsent));
        }
        self.connection.handle_closed(now, self.transport.ended(TransportEnd::Broken(Str::from(why))));
    }

    /// Where to append what was read, before [`handle_read`](Self::handle_read).
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        self.transport.read_buffer(&mut self.connection)
    }

    /// Bytes were appended to the read buffer.
    pub fn handle_read(&mut self, now: Instant) {
        self.transport.handle_read(now, &mut self.connection);
    }

    /// Reads once from a socket that does not block. Returns whether bytes came or the connection ended.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] alone: all other errors are the connection's end, and dealt with.
    pub fn read_from(&mut self, now: Instant, socket: &mut impl Read) -> io::Result<()> {
        let buffer = self.transport.read_buffer(&mut self.connection);
        let filled = buffer.len();
        let room = (buffer.capacity() - filled).clamp(1, READ_BYTES);
        buffer.resize(filled + room, 0);
        let result = socket.read(&mut buffer[filled..]);
        buffer.truncate(filled + result.as_ref().copied().unwrap_or(0));
        match result {
            Ok(0) => self.handle_end(now),
            Ok(_) => self.handle_read(now),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.handle_error(now, &error),
        }
        Ok(())
    }

    /// Writes once to a socket that does not block.
    ///
    /// # Errors
    ///
    /// As of [`read_from`](Self::read_from).
    pub fn write_to(&mut self, now: Instant, socket: &mut impl Write) -> io::Result<()> {
        match self.gather(|pieces| socket.write_vectored(pieces)) {
            Ok(0) => self.handle_end(now),
            Ok(count) => self.advance(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.handle_error(now, &error),
        }
        Ok(())
    }

    /// Lends out the front of what is to be written as pieces for one vectored write. Tell by
    /// [`advance`](Self::advance) what was written.
    pub fn gather<R>(&mut self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        if let Some(bytes) = self.transport.outgoing(&mut self.connection) {
            return write(&[IoSlice::new(bytes)]);
        }
        let mut pieces = [IoSlice::new(&[]); WRITE_PIECES];
        let mut count = 0;
        for (place, segment) in pieces.iter_mut().zip(self.connection.outbox().segments()) {
            *place = IoSlice::new(segment);
            count += 1;
        }
        write(&pieces[..count])
    }

    /// So many bytes of what is to be written were written.
    pub fn advance(&mut self, count: usize) {
        self.transport.advance(&mut self.connection, count);
    }

    /// What a connection without TLS and without a proxy has to write: take from its front what the socket takes.
    pub const fn outbox(&mut self) -> &mut Outbox {
        self.connection.outbox()
    }

    /// Whether something is to be written.
    pub fn wants_write(&mut self) -> bool {
        match self.transport.outgoing(&mut self.connection) {
            Some(bytes) => !bytes.is_empty(),
            None => self.connection.outbox().has_remaining(),
        }
    }

    /// Whether to read.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.transport.wants_read(&self.connection)
    }

    /// Does what is due at `now`: takes what others want of this connection, and passes on what happened on it.
    pub fn drive(&mut self, now: Instant) {
        self.transport.check(now, &mut self.connection);
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        loop {
            let mut work = Work::default();
            let mut items = std::mem::take(&mut self.items);
            self.mailbox.drain(&mut items);
            for item in items.drain(..) {
                self.take_item(now, item, &mut work);
            }
            self.items = items;
            work.events.extend(std::iter::from_fn(|| self.connection.poll_event()));
            work.messages = self.connection.take_messages();
            if work.is_empty() {
                break;
            }
            self.pass_on(now, work);
        }
        if self.finished {
            self.parting = None;
        } else if self.connection.is_closed() {
            self.finish(now);
            self.parting = self.transport.say_goodbye().then_some(now);
        }
    }

    /// When [`drive`](Self::drive) has something to do, even if nothing happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.parting.or_else(|| self.connection.poll_timeout())
    }

    /// Ready if [`drive`](Self::drive) has something to do; otherwise the waker is called when it has.
    pub fn poll_wake(&mut self, context: &Context<'_>) -> Poll<()> {
        self.mailbox.poll(context)
    }

    /// Whether the connection is over: close the socket. One of TLS that ends has one more turn in which its last words
    /// are written if the socket takes them.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.finished && self.parting.is_none()
    }

    fn take_item(&mut self, now: Instant, item: Item, work: &mut Work) {
        match item {
            Item::Send(outgoing) => {
                if let Err(back) = self.connection.submit(now, outgoing) {
                    work.refused.push(Item::Send(back.outgoing));
                }
            }
            Item::Seal { producer, pool, seal } => {
                let batches = self.seal(&pool, &seal);
                work.sealed.push((producer, seal, batches));
            }
            Item::Signals => work.signals = true,
            Item::Credentials(result) => self.connection.handle_credentials(now, result),
            Item::Answer(result) => self.connection.handle_answer(now, result),
            Item::Close => self.connection.close(),
        }
    }

    /// Takes batches out of their buffers and seals them, without any lock but each partition's own for a moment.
    fn seal(&mut self, pool: &Pool, seal: &Seal) -> Vec<SealedPartition> {
        let (codec, level) = (seal.compression, pool.level(seal.compression));
        let (_, _, compressor) = match &mut self.compressor {
            Some(same) if (same.0, same.1) == (codec, level) => same,
            other => other.insert((codec, level, pool.compressor(codec))),
        };
        pool.seal(seal, compressor, &self.mailbox)
    }

    /// Tells the control plane, which looks after signals of producers whenever it is told anything.
    fn pass_on(&mut self, now: Instant, work: Work) {
        let Self { id, connection, .. } = self;
        let id = *id;
        self.shared.with_at(now, |state, now| {
            for message in work.messages {
                state.watch.message(&state.client, id, message);
            }
            for exchange in connection.exchanges() {
                state.client.handle_exchange(id, &exchange);
                state.watch.exchanged(&state.client, id, &exchange);
            }
            for (producer, seal, batches) in work.sealed {
                state.client.handle_sealed(now, producer, seal.broker, batches);
            }
            for event in work.events {
                state.watch.connection(&state.client, id, &event);
                state.client.handle_connection(now, id, event);
            }
            for item in work.refused {
                state.refused(now, id, item);
            }
        });
    }

    /// The connection is over and everybody knows; what still comes for it comes too late.
    fn finish(&mut self, now: Instant) {
        self.finished = true;
        let late = self.mailbox.close();
        let id = self.id;
        self.shared.with_at(now, |state, now| {
            state.forget_mailbox(id);
            for item in late {
                state.refused(now, id, item);
            }
        });
    }
}

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        if !self.finished {
            probe!(DriverDropped);
            let now = self.shared.clock.now();
            // A machine that panicked may do so again, and a panic that leaves a destructor ends the process. What is
            // not settled here ends by its deadline.
            let settled = panic::catch_unwind(AssertUnwindSafe(|| {
                self.connection.handle_closed(now, TransportEnd::Broken(Str::from("the driver dropped it")));
                self.drive(now);
            }));
            match settled {
                Err(payload) if !thread::panicking() => panic::resume_unwind(payload),
                _ => {}
            }
        }
    }
}
