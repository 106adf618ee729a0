//! The thread that serves all brokers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use klamm_core::Instant;
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use super::ServeError;
use super::clock::Clock;
use super::socket::{Read1, Socket};
use super::stream::{ServerTls, Stream};
use crate::cluster::{Cluster, ClusterConfig, ConnectionId, Output};

const WAKER: Token = Token(0);
/// Tokens below are listeners, by broker.
const FIRST_CONNECTION: usize = 1000;
/// Frames that a connection may have served before it is another one's turn.
const TURN_FRAMES: usize = 16;
/// When to try again to accept connections, after the operating system had no room for one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

type Command = Box<dyn FnOnce(&mut Server) + Send>;

/// Commands for the thread.
#[derive(Default)]
pub(crate) struct Mailbox {
    state: Mutex<MailboxState>,
    waker: OnceLock<Waker>,
}

#[derive(Default)]
struct MailboxState {
    commands: VecDeque<Command>,
    is_stopped: bool,
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, MailboxState> {
        // A panic cannot leave a queue half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a command, unless the thread has stopped.
    pub(crate) fn post(&self, command: Command) {
        let mut state = self.state();
        if !state.is_stopped {
            state.commands.push_back(command);
        }
        drop(state);
        self.wake();
    }

    /// Ends the thread, which forgets the commands that it has not begun.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.is_stopped = true;
        let forgotten = std::mem::take(&mut state.commands);
        drop(state);
        drop(forgotten);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            // It fails only when the thread's poller is gone, and then so is the thread.
            drop(waker.wake());
        }
    }

    /// The next command; `Err` when the thread shall end.
    fn take(&self) -> Result<Option<Command>, ()> {
        let mut state = self.state();
        if state.is_stopped { Err(()) } else { Ok(state.commands.pop_front()) }
    }
}

/// A broker's port.
enum Port {
    Listening(TcpListener),
    /// The broker is dead. The port is kept for it, and refuses connections.
    Reserved(RawSocket),
    /// The broker is dead, and the port could not be kept.
    Lost,
}

/// Everything that the thread owns.
pub(crate) struct Server {
    poll: Poll,
    clock: Clock,
    cluster: Cluster,
    addresses: Vec<SocketAddr>,
    tls: Option<ServerTls>,
    ports: Vec<Port>,
    sockets: BTreeMap<ConnectionId, Socket>,
    /// Connections with something to do.
    ready: VecDeque<ConnectionId>,
    next_connection: u64,
    /// Brokers that could not accept a connection.
    accept_again: Vec<usize>,
    /// Brokers that stand still, by index.
    paused: BTreeSet<usize>,
    mailbox: Arc<Mailbox>,
}

impl Server {
    /// Brokers that listen, and where.
    pub(crate) fn bind(
        config: ClusterConfig,
        listen: SocketAddr,
        host: &str,
        tls: Option<ServerTls>,
        mailbox: &Arc<Mailbox>,
    ) -> Result<(Self, Vec<SocketAddr>), ServeError> {
        let brokers = config.brokers;
        let poll = Poll::new()?;
        let mut cluster = Cluster::new(config);
        let (mut addresses, mut ports) = (Vec::new(), Vec::new());
        for broker in 1..=brokers {
            let address = address_of(broker, brokers, listen)?;
            let failed = |source| ServeError::Listen { broker, address, source };
            let mut listener = reserve(address).and_then(activate).map_err(failed)?;
            let address = listener.local_addr()?;
            poll.registry().register(&mut listener, token_of(ports.len()), Interest::READABLE)?;
            cluster.set_address(broker, host, address.port());
            addresses.push(address);
            ports.push(Port::Listening(listener));
        }
        // A mailbox has one server.
        drop(mailbox.waker.set(Waker::new(poll.registry(), WAKER)?));
        let server = Self {
            poll,
            clock: Clock::new(),
            cluster,
            addresses: addresses.clone(),
            tls,
            ports,
            sockets: BTreeMap::new(),
            ready: VecDeque::new(),
            next_connection: FIRST_CONNECTION as u64,
            accept_again: Vec::new(),
            paused: BTreeSet::new(),
            mailbox: Arc::clone(mailbox),
        };
        Ok((server, addresses))
    }

    /// Serves until the mailbox says stop, or the operating system refuses to poll.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(256);
        let mailbox = Arc::clone(&self.mailbox);
        loop {
            loop {
                match mailbox.take() {
                    Ok(Some(command)) => command(&mut self),
                    Ok(None) => break,
                    Err(()) => return,
                }
            }
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return mailbox.stop(),
                _ => {}
            }
            self.cluster.set_wall_time(Clock::wall_time());
            for event in &events {
                self.handle_event(event);
            }
            for broker in std::mem::take(&mut self.accept_again) {
                self.accept(broker);
            }
            let now = self.clock.now();
            if self.cluster.poll_timeout().is_some_and(|deadline| deadline <= now) {
                self.cluster.handle_timeout(now);
                self.route();
            }
            for _ in 0..self.ready.len() {
                let Some(connection) = self.ready.pop_front() else { break };
                self.turn(connection);
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let again = (!self.accept_again.is_empty()).then_some(ACCEPT_AGAIN);
        let deadline = self.cluster.poll_timeout().map(|deadline| deadline.since(self.clock.now()));
        // The poller rounds down to milliseconds on some systems, which must not become a busy loop.
        let deadline = deadline.map(|wait| wait + Duration::from_millis(1));
        again.into_iter().chain(deadline).min()
    }

    fn handle_event(&mut self, event: &Event) {
        let Token(token) = event.token();
        if token == WAKER.0 {
            return;
        }
        if token < FIRST_CONNECTION {
            return self.accept(token - 1);
        }
        let connection = ConnectionId(token as u64);
        let Some(socket) = self.sockets.get_mut(&connection) else { return };
        socket.may_read |= event.is_readable() || event.is_read_closed();
        // While a request waits nothing is read: this is how it is noticed that nobody waits for the answer.
        let has_gone = event.is_read_closed() && self.cluster.is_busy(connection);
        if has_gone || event.is_error() {
            return self.forget(connection);
        }
        self.ready.push_back(connection);
    }

    fn accept(&mut self, broker: usize) {
        if self.paused.contains(&broker) {
            return;
        }
        loop {
            let Some(Port::Listening(listener)) = self.ports.get(broker) else { return };
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                // Most likely there are too many open files.
                Err(_) => return self.accept_again.push(broker),
            };
            let connection = ConnectionId(self.next_connection);
            self.next_connection += 1;
            let Ok(token) = usize::try_from(connection.0).map(Token) else { return };
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, token, interest).is_err() {
                continue;
            }
            // Without it small responses would be slower, nothing else.
            drop(stream.set_nodelay(true));
            let Ok(stream) = Stream::new(stream, self.tls.as_ref()) else { continue };
            self.sockets.insert(connection, Socket::new(broker, stream));
            let id = i32::try_from(broker).map_or(-1, |index| index + 1);
            self.cluster.handle_opened(connection, id);
            self.route();
            self.ready.push_back(connection);
        }
    }

    /// Sends what a connection has to send, and serves what it has read.
    fn turn(&mut self, connection: ConnectionId) {
        for _ in 0..TURN_FRAMES {
            let Some(socket) = self.sockets.get_mut(&connection) else { return };
            if self.paused.contains(&socket.broker) {
                return;
            }
            if socket.write().is_err() {
                return self.forget(connection);
            }
            if socket.has_output() {
                return;
            }
            if socket.is_closing {
                return self.forget(connection);
            }
            if self.cluster.is_busy(connection) {
                return;
            }
            match socket.read() {
                Read1::Frame(frame) => {
                    self.cluster.handle_request(self.clock.now(), connection, frame);
                    self.route();
                }
                Read1::Blocked => return,
                Read1::Closed => return self.forget(connection),
            }
        }
        self.ready.push_back(connection);
    }

    /// Brings the cluster's outputs to the sockets.
    fn route(&mut self) {
        while let Some(output) = self.cluster.poll_output() {
            let (Output::Response { connection, .. } | Output::Close { connection }) = &output;
            let connection = *connection;
            let Some(socket) = self.sockets.get_mut(&connection) else { continue };
            match output {
                Output::Response { segments, .. } => socket.push(segments),
                Output::Close { .. } => socket.is_closing = true,
            }
            self.ready.push_back(connection);
        }
    }

    /// Closes a connection and frees all that belongs to it.
    fn forget(&mut self, connection: ConnectionId) {
        if let Some(mut socket) = self.sockets.remove(&connection) {
            // Closing the socket would do the same.
            drop(self.poll.registry().deregister(socket.stream_mut()));
        }
        self.cluster.handle_closed(connection);
    }

    pub(crate) fn with_cluster<R>(&mut self, action: impl FnOnce(&mut Cluster, Instant) -> R) -> R {
        self.cluster.set_wall_time(Clock::wall_time());
        let result = action(&mut self.cluster, self.clock.now());
        self.route();
        result
    }

    pub(crate) fn kill(&mut self, broker: i32) -> Result<(), ServeError> {
        let now = self.clock.now();
        if !self.cluster.kill(now, broker) {
            return Err(ServeError::Broker(broker));
        }
        let index = index_of(broker);
        self.paused.remove(&index);
        if let (Some(port), Some(address)) = (self.ports.get_mut(index), self.addresses.get(index)) {
            *port = Port::Lost;
            // While the port is bound nobody else gets it.
            *port = reserve(*address).map_or(Port::Lost, Port::Reserved);
        }
        self.abort_closing();
        Ok(())
    }

    /// A killed broker's connections do not end politely.
    fn abort_closing(&mut self) {
        while let Some(output) = self.cluster.poll_output() {
            match output {
                Output::Close { connection } => self.forget(connection),
                Output::Response { connection, segments } => {
                    if let Some(socket) = self.sockets.get_mut(&connection) {
                        socket.push(segments);
                        self.ready.push_back(connection);
                    }
                }
            }
        }
    }

    pub(crate) fn restart(&mut self, broker: i32) -> Result<(), ServeError> {
        let index = index_of(broker);
        let (Some(port), Some(address)) = (self.ports.get_mut(index), self.addresses.get(index)) else {
            return Err(ServeError::Broker(broker));
        };
        let address = *address;
        let reserved = match std::mem::replace(port, Port::Lost) {
            Port::Listening(listener) => {
                *port = Port::Listening(listener);
                return Err(ServeError::Broker(broker));
            }
            Port::Reserved(reserved) => Ok(reserved),
            Port::Lost => reserve(address),
        };
        let failed = |source| ServeError::Listen { broker, address, source };
        let mut listener = reserved.and_then(activate).map_err(failed)?;
        self.poll.registry().register(&mut listener, token_of(index), Interest::READABLE)?;
        *port = Port::Listening(listener);
        self.cluster.restart(broker);
        Ok(())
    }

    pub(crate) fn pause(&mut self, broker: i32) -> Result<(), ServeError> {
        let index = index_of(broker);
        match self.ports.get(index) {
            Some(Port::Listening(_)) => self.paused.insert(index),
            _ => return Err(ServeError::Broker(broker)),
        };
        Ok(())
    }

    pub(crate) fn resume(&mut self, broker: i32) -> Result<(), ServeError> {
        let index = index_of(broker);
        if !self.paused.remove(&index) {
            return Err(ServeError::Broker(broker));
        }
        let waiting = self.sockets.iter().filter(|(_, socket)| socket.broker == index);
        self.ready.extend(waiting.map(|(connection, _)| *connection));
        self.accept(index);
        Ok(())
    }
}

/// Where a broker's port is among the ports.
fn index_of(broker: i32) -> usize {
    usize::try_from(broker - 1).unwrap_or(usize::MAX)
}

fn token_of(index: usize) -> Token {
    Token(index + 1)
}

fn address_of(broker: i32, brokers: i32, listen: SocketAddr) -> Result<SocketAddr, ServeError> {
    let mut address = listen;
    if listen.port() != 0 {
        let port = u16::try_from(broker - 1).ok().and_then(|index| listen.port().checked_add(index));
        address.set_port(port.ok_or(ServeError::Ports { brokers, address: listen })?);
    }
    Ok(address)
}

/// A socket that is bound, but does not listen yet.
fn reserve(address: SocketAddr) -> io::Result<RawSocket> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows this would allow two listeners on one port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn activate(socket: RawSocket) -> io::Result<TcpListener> {
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}
