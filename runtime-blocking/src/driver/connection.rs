//! One connection: first its name, then its socket, then bytes.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, mpsc},
    task::{Context, Poll, Waker},
    thread,
};

use klamm_engine::{Clock, Connecting, ConnectionTask, Instant, SystemClock};
use polling::Poller;

use super::{dial::Dial, socket::Socket};

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
    Dialling(Dial),
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
        clock: SystemClock,
        names: mpsc::Sender<Resolved>,
    ) -> Self {
        let phase = match task.connector() {
            Some(connector) => Phase::Connector(connector.connect(task.address())),
            None => Phase::Resolving,
        };
        let mut connection = Self { task, key, poller, waker, phase };
        if matches!(connection.phase, Phase::Resolving) {
            connection.resolve(clock, names);
        }
        connection
    }

    /// Finds the addresses: at once if the host is one, otherwise on a thread that ends with the look-up, because the
    /// system's resolver blocks.
    fn resolve(&mut self, clock: SystemClock, names: mpsc::Sender<Resolved>) {
        let (key, waker) = (self.key, self.waker.clone());
        let (host, port) = (self.task.address().host.clone(), self.task.address().port);
        if let Ok(address) = host.parse::<IpAddr>() {
            let result = Ok(vec![SocketAddr::new(address, port)]);
            return self.resolved(clock, Resolved { key, result });
        }
        let look_up = move || {
            let result = (&*host, port).to_socket_addrs().map(Iterator::collect);
            // Nobody listens any more if the driver has ended.
            drop(names.send(Resolved { key, result }));
            waker.wake();
        };
        if let Err(error) = thread::Builder::new().name(String::from("klamm-resolve")).spawn(look_up) {
            self.phase = Phase::Unresolved(format!("no thread to resolve names: {error}"));
        }
    }

    pub(super) fn resolved(&mut self, clock: SystemClock, resolved: Resolved) {
        self.phase = match resolved.result {
            Ok(addresses) => {
                let (options, poller) = (self.task.socket_options(), Arc::clone(&self.poller));
                Phase::Dialling(Dial::new(addresses, options, poller, self.key, clock))
            }
            Err(error) => Phase::Unresolved(error.to_string()),
        };
    }

    /// Does what can be done now. Returns whether there is more to do at once.
    pub(super) fn drive(&mut self, clock: SystemClock) -> bool {
        match &mut self.phase {
            Phase::Connector(_) => self.drive_connector(clock),
            Phase::Dialling(_) => self.drive_dial(clock),
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
        let dial = if let Phase::Dialling(dial) = &self.phase { dial.poll_timeout() } else { None };
        [self.task.poll_timeout(), dial].into_iter().flatten().min()
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

    fn drive_dial(&mut self, clock: SystemClock) {
        let Phase::Dialling(dial) = &mut self.phase else { return };
        let Poll::Ready(outcome) = dial.poll() else { return };
        match outcome {
            Ok(socket) => {
                self.phase = Phase::Open(socket);
                self.task.handle_open(clock.now());
            }
            Err(why) => {
                // What is over is not polled again.
                self.phase = Phase::Resolving;
                self.task.handle_connect_failed(clock.now(), why);
            }
        }
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
