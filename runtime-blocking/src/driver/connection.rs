//! One connection: first its name, then its socket, then bytes.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, mpsc},
    task::{Context, Poll, Waker},
    thread,
};

use klamm_engine::{Clock, Connecting, ConnectionTask, Instant, SystemClock, dial::interleave};
use polling::Poller;

use super::socket::Socket;

/// How many reads or writes one turn makes before other connections have theirs.
const TURN: usize = 32;

/// What a name resolved to.
pub(super) struct Resolved {
    pub(super) key: usize,
    result: io::Result<Vec<SocketAddr>>,
}

enum Phase {
    /// Its name is being resolved.
    Resolving,
    /// Its name does not resolve: why.
    Unresolved(String),
    /// The client's own connector makes its stream.
    Connector(Connecting),
    /// It is being connected, or is about to be: the socket, the addresses left, and how the last one failed.
    Connecting(Option<Socket>, Vec<SocketAddr>, String),
    Open(Socket),
}

pub(super) struct Connection {
    task: ConnectionTask,
    key: usize,
    poller: Arc<Poller>,
    waker: Waker,
    phase: Phase,
}

impl Connection {
    pub(super) fn new(
        task: ConnectionTask,
        key: usize,
        poller: Arc<Poller>,
        waker: Waker,
        names: mpsc::Sender<Resolved>,
    ) -> Self {
        let phase = match task.connector() {
            Some(connector) => Phase::Connector(connector.connect(task.address())),
            None => resolve(&task, key, waker.clone(), names),
        };
        Self { task, key, poller, waker, phase }
    }

    pub(super) fn resolved(&mut self, resolved: Resolved) {
        let host = &self.task.address().host;
        self.phase = match resolved.result {
            Ok(addresses) => Phase::Connecting(
                None,
                interleave(addresses).into_iter().rev().collect(),
                format!("{host} has no address"),
            ),
            Err(error) => Phase::Unresolved(error.to_string()),
        };
    }

    /// Does what can be done now. Returns whether there is more to do at once.
    pub(super) fn drive(&mut self, clock: SystemClock) -> bool {
        match &mut self.phase {
            Phase::Connector(_) => self.drive_connector(clock),
            Phase::Connecting(..) => self.drive_connecting(clock),
            Phase::Unresolved(why) => self.task.handle_unresolved(clock.now(), why.clone()),
            Phase::Resolving | Phase::Open(_) => {}
        }
        self.task.drive(clock.now());
        let mut more = false;
        if let Phase::Open(socket) = &mut self.phase {
            more = write(&mut self.task, socket, clock);
            more |= read(&mut self.task, socket, clock);
            self.task.drive(clock.now());
            if self.task.wants_write() {
                // What was read gave something to write. A request without an answer is over once it is written.
                more |= write(&mut self.task, socket, clock);
                self.task.drive(clock.now());
            }
            if !more && !self.task.is_finished() {
                let interest = socket.interest(self.task.wants_read(), self.task.wants_write());
                if let Err(error) = interest {
                    self.task.handle_error(clock.now(), &error);
                    more = true;
                }
            }
        }
        more || self.task.poll_wake(&Context::from_waker(&self.waker)).is_ready()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.task.poll_timeout()
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    fn drive_connector(&mut self, clock: SystemClock) {
        let Phase::Connector(connecting) = &mut self.phase else { return };
        let connected = match connecting.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => return,
            Poll::Ready(connected) => connected,
        };
        let own = |stream| Socket::own(stream, Arc::clone(&self.poller), self.key, self.waker.clone());
        match connected.and_then(own) {
            Ok(socket) => {
                self.phase = Phase::Open(socket);
                self.task.handle_open(clock.now());
            }
            Err(error) => {
                // A future that is over is not polled again.
                self.phase = Phase::Resolving;
                self.task.handle_connect_failed(clock.now(), error.to_string());
            }
        }
    }

    fn drive_connecting(&mut self, clock: SystemClock) {
        let options = self.task.socket_options();
        let Phase::Connecting(socket, addresses, failure) = &mut self.phase else { return };
        loop {
            let connected = match socket.as_ref() {
                Some(socket) => socket.connected(),
                None => {
                    let Some(address) = addresses.pop() else { break };
                    let next = Socket::connect(address, options, Arc::clone(&self.poller), self.key);
                    next.and_then(|next| {
                        let connected = next.connected();
                        *socket = Some(next);
                        connected
                    })
                }
            };
            match connected {
                Ok(true) => break,
                Ok(false) => {
                    let waiting = socket.as_ref().map_or(Ok(()), |socket| socket.interest(false, true));
                    match waiting {
                        Ok(()) => return,
                        Err(error) => *failure = error.to_string(),
                    }
                }
                Err(error) => *failure = error.to_string(),
            }
            *socket = None;
        }
        match socket.take() {
            Some(socket) => {
                self.phase = Phase::Open(socket);
                self.task.handle_open(clock.now());
            }
            None => {
                let why = std::mem::take(failure);
                self.task.handle_connect_failed(clock.now(), why);
            }
        }
    }
}

/// Finds the addresses of a connection: at once if it names one, otherwise on a thread that ends with the look-up,
/// because the system's resolver blocks.
fn resolve(task: &ConnectionTask, key: usize, waker: Waker, names: mpsc::Sender<Resolved>) -> Phase {
    let (host, port) = (task.address().host.clone(), task.address().port);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Phase::Connecting(None, vec![SocketAddr::new(address, port)], String::new());
    }
    let look_up = move || {
        let result = (&*host, port).to_socket_addrs().map(Iterator::collect);
        // Nobody listens any more if the driver has ended.
        drop(names.send(Resolved { key, result }));
        waker.wake();
    };
    match thread::Builder::new().name(String::from("klamm-resolve")).spawn(look_up) {
        Ok(_) => Phase::Resolving,
        Err(error) => Phase::Connecting(None, Vec::new(), format!("no thread to resolve names: {error}")),
    }
}

/// Writes while the socket takes it. Returns whether a turn was used up.
fn write(task: &mut ConnectionTask, socket: &mut Socket, clock: SystemClock) -> bool {
    for _ in 0..TURN {
        if !task.wants_write() || task.write_to(clock.now(), socket).is_err() {
            return false;
        }
    }
    true
}

/// Reads while the socket has bytes. Returns whether a turn was used up.
fn read(task: &mut ConnectionTask, socket: &mut Socket, clock: SystemClock) -> bool {
    for _ in 0..TURN {
        if !task.wants_read() || task.read_from(clock.now(), socket).is_err() {
            return false;
        }
    }
    true
}
