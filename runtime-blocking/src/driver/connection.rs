//! One connection: first its name, then its socket, then bytes.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, mpsc},
    task::{Context, Waker},
    thread,
};

use klamm_engine::{
    Clock, ConnectionTask, Instant, SystemClock,
    dial::{ATTEMPT_DELAY, SocketOptions, interleave},
};
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
    /// It is being connected, or is about to be.
    Connecting(Dialling),
    Open(Socket),
}

/// Connecting to the first address that takes it: see [`klamm_engine::dial`].
struct Dialling {
    /// Being connected.
    sockets: Vec<(SocketAddr, Socket)>,
    /// To be tried, the next one last.
    left: Vec<SocketAddr>,
    /// When the next one is tried, if those before it have come to nothing.
    next_at: Instant,
    /// How the last one failed.
    failure: String,
}

impl Dialling {
    fn new(addresses: Vec<SocketAddr>, failure: String) -> Self {
        let mut left = interleave(addresses);
        left.reverse();
        Self { sockets: Vec::new(), left, next_at: Instant::ZERO, failure }
    }

    /// Goes on at `now`: the socket that is connected, or why there is none. `None` while that is open.
    fn drive(
        &mut self,
        now: Instant,
        options: SocketOptions,
        (poller, key): (&Arc<Poller>, usize),
    ) -> Option<Result<Socket, String>> {
        loop {
            let mut at = 0;
            while let Some((address, socket)) = self.sockets.get(at) {
                let waiting = match socket.connected() {
                    Ok(true) => return Some(Ok(self.sockets.swap_remove(at).1)),
                    Ok(false) => socket.interest(false, true),
                    Err(error) => Err(error),
                };
                match waiting {
                    Ok(()) => at += 1,
                    Err(error) => {
                        self.failure = format!("{error} ({address})");
                        drop(self.sockets.remove(at));
                    }
                }
            }
            if !self.sockets.is_empty() && (self.left.is_empty() || self.next_at > now) {
                return None;
            }
            let Some(address) = self.left.pop() else { return Some(Err(std::mem::take(&mut self.failure))) };
            self.next_at = now + ATTEMPT_DELAY;
            match Socket::connect(address, options, Arc::clone(poller), key) {
                Ok(socket) => self.sockets.push((address, socket)),
                Err(error) => self.failure = format!("{error} ({address})"),
            }
        }
    }
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
        let phase = resolve(&task, key, waker.clone(), names);
        Self { task, key, poller, waker, phase }
    }

    pub(super) fn resolved(&mut self, resolved: Resolved) {
        let host = &self.task.address().host;
        self.phase = match resolved.result {
            Ok(addresses) => Phase::Connecting(Dialling::new(addresses, format!("{host} has no address"))),
            Err(error) => Phase::Unresolved(error.to_string()),
        };
    }

    /// Does what can be done now. Returns whether there is more to do at once.
    pub(super) fn drive(&mut self, clock: SystemClock) -> bool {
        match &self.phase {
            Phase::Connecting(_) => self.drive_connecting(clock),
            Phase::Unresolved(why) => self.task.handle_unresolved(clock.now(), why.as_str()),
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
        let next = match &self.phase {
            Phase::Connecting(dialling) if !dialling.left.is_empty() => Some(dialling.next_at),
            _ => None,
        };
        next.into_iter().chain(self.task.poll_timeout()).min()
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    fn drive_connecting(&mut self, clock: SystemClock) {
        let Phase::Connecting(dialling) = &mut self.phase else { return };
        match dialling.drive(clock.now(), self.task.socket_options(), (&self.poller, self.key)) {
            None => {}
            Some(Ok(socket)) => {
                self.phase = Phase::Open(socket);
                self.task.handle_open(clock.now());
            }
            Some(Err(why)) => self.task.handle_connect_failed(clock.now(), why),
        }
    }
}

/// Finds the addresses of a connection: at once if it names one, otherwise on a thread that ends with the look-up,
/// because the system's resolver blocks.
fn resolve(task: &ConnectionTask, key: usize, waker: Waker, names: mpsc::Sender<Resolved>) -> Phase {
    let (host, port) = (task.address().host.clone(), task.address().port);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Phase::Connecting(Dialling::new(vec![SocketAddr::new(address, port)], String::new()));
    }
    let look_up = move || {
        let result = (&*host, port).to_socket_addrs().map(Iterator::collect);
        // Nobody listens any more if the driver has ended.
        drop(names.send(Resolved { key, result }));
        waker.wake();
    };
    match thread::Builder::new().name(String::from("klamm-resolve")).spawn(look_up) {
        Ok(_) => Phase::Resolving,
        Err(error) => {
            Phase::Connecting(Dialling::new(Vec::new(), format!("no thread to resolve names: {error}")))
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
