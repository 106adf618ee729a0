//! The background thread of a client: sockets by readiness, timers by the poll's timeout, wake-ups by its notification.

mod connection;
mod dial;
mod socket;
mod wakes;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, mpsc},
    task::{Context, Waker},
    thread,
    time::Duration,
};

use klamm_engine::{Clock, ControlTask, Instant, Runtime, SystemClock};
use polling::{Events, Poller};

use self::{
    connection::{Connection, Resolved},
    wakes::Wakes,
};

/// The runtime of this adapter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocking;

/// The key by which the control task is woken; connections have other ones.
const CONTROL: usize = 0;

impl Runtime for Blocking {
    type Clock = SystemClock;

    fn clock() -> Result<SystemClock, String> {
        Ok(SystemClock::new())
    }

    fn spawn(control: ControlTask, clock: SystemClock) -> Result<(), String> {
        let poller = Poller::new().map_err(|error| format!("no readiness polling: {error}"))?;
        let thread = thread::Builder::new().name(String::from("klamm"));
        let run = move || Driver::new(control, clock, poller).run();
        thread.spawn(run).map(drop).map_err(|error| format!("no thread: {error}"))
    }
}

struct Driver {
    control: ControlTask,
    clock: SystemClock,
    poller: Arc<Poller>,
    wakes: Arc<Wakes>,
    waker: Waker,
    connections: BTreeMap<usize, Connection>,
    next_key: usize,
    names: (mpsc::Sender<Resolved>, mpsc::Receiver<Resolved>),
}

impl Driver {
    fn new(control: ControlTask, clock: SystemClock, poller: Poller) -> Self {
        let poller = Arc::new(poller);
        let wakes = Arc::new(Wakes::new(Arc::clone(&poller)));
        let waker = Wakes::waker(&wakes, CONTROL);
        let names = mpsc::channel();
        Self {
            control,
            clock,
            poller,
            wakes,
            waker,
            connections: BTreeMap::new(),
            next_key: CONTROL + 1,
            names,
        }
    }

    fn run(mut self) {
        self.wakes.begin();
        let mut events = Events::new();
        let mut busy: Vec<usize> = vec![CONTROL];
        loop {
            for key in std::mem::take(&mut busy) {
                let more = if key == CONTROL { self.drive_control() } else { self.drive_connection(key) };
                if more {
                    busy.push(key);
                }
            }
            if self.control.is_finished() && self.connections.is_empty() {
                return;
            }
            let idle = busy.is_empty() && self.wakes.is_empty();
            let timeout = if idle { self.timeout() } else { Some(Duration::ZERO) };
            if self.wait(&mut events, timeout).is_err() {
                // Without polling nothing can go on; dropping the tasks tells everybody.
                return;
            }
            self.collect(&events, &mut busy);
        }
    }

    /// Drives the control task. Returns whether it has more to do at once.
    fn drive_control(&mut self) -> bool {
        let now = self.clock.now();
        self.control.drive(now);
        while let Some(task) = self.control.poll_open(now) {
            let key = self.next_key;
            self.next_key += 1;
            let waker = Wakes::waker(&self.wakes, key);
            let names = self.names.0.clone();
            let connection = Connection::new(task, key, Arc::clone(&self.poller), waker, self.clock, names);
            self.connections.insert(key, connection);
            self.wakes.wake(key);
        }
        !self.control.is_finished() && self.control.poll_wake(&Context::from_waker(&self.waker)).is_ready()
    }

    /// Drives a connection. Returns whether it has more to do at once.
    fn drive_connection(&mut self, key: usize) -> bool {
        let Some(connection) = self.connections.get_mut(&key) else { return false };
        let more = connection.drive(self.clock);
        if connection.is_finished() {
            self.connections.remove(&key);
            return false;
        }
        more
    }

    fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        match self.poller.wait(events, timeout) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Puts together who has something to do.
    fn collect(&mut self, events: &Events, busy: &mut Vec<usize>) {
        busy.extend(events.iter().map(|event| event.key));
        self.wakes.take(busy);
        while let Ok(resolved) = self.names.1.try_recv() {
            if let Some(connection) = self.connections.get_mut(&resolved.key) {
                busy.push(resolved.key);
                connection.resolved(self.clock, resolved);
            }
        }
        let now = self.clock.now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.control.poll_timeout()) {
            busy.push(CONTROL);
        }
        busy.extend(
            self.connections
                .iter()
                .filter(|(_, connection)| is_due(connection.poll_timeout()))
                .map(|(key, _)| *key),
        );
        busy.sort_unstable();
        busy.dedup();
    }

    /// How long nothing is due.
    fn timeout(&self) -> Option<Duration> {
        let timeouts = self.connections.values().filter_map(Connection::poll_timeout);
        let next = timeouts.chain(self.control.poll_timeout()).min()?;
        let left = next.since(self.clock.now());
        // Polling counts in milliseconds on some systems: waking early would only mean another turn.
        Some(left.max(Duration::from_micros(1)))
    }
}
