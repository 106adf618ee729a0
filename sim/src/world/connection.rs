//! The node of a connection's task: what an adapter does, on a simulated socket.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    task::Context,
    time::Duration,
};

use bytes::{Buf, Bytes};
use klamm_core::Instant;
use klamm_engine::ConnectionTask;

use super::{
    conditions::{Door, Host},
    net::Way,
    resolver::{Endpoint, Resolution},
    state::{Body, Kind, State, entity},
    trace::TraceKind,
    wire::{End, Payload},
};
use crate::{
    Domain, Draws,
    cluster::ConnectionId,
    observe::{ClientId, Observation, Side, Wire},
};

/// How many reads and writes one turn makes before other nodes have theirs.
const TURN: usize = 32;
/// The most that one read or write takes.
const PIECE: usize = 64 * 1024;
/// How many times a connect is tried that gets no answer, each after twice the time of the one before.
const CONNECT_TRIES: u32 = 7;
/// A machine that names a deadline in the past would otherwise stop the time.
const LATE: Duration = Duration::from_millis(1);

/// A connection's task, and how far its socket is.
pub(super) struct Driven {
    task: ConnectionTask,
    client: ClientId,
    id: ConnectionId,
    draws: Draws,
    stage: Stage,
    /// Whether observers know of it.
    is_told: bool,
    /// Whether the last turn left a deadline that was over: what is written at last may make it so, and the next turn
    /// deals with it.
    was_overdue: bool,
}

enum Stage {
    New,
    Resolving { until: Instant },
    Connecting { targets: VecDeque<Endpoint>, until: Instant, tries: u32 },
    Open { index: usize },
}

/// What an attempt to connect led to.
enum Attempt {
    Open(i32),
    NoAnswer,
    Refused,
}

impl State {
    /// A client asked for a connection.
    pub(super) fn add_connection(&mut self, task: ConnectionTask, client: ClientId) {
        let id = self.clients.next_connection(client);
        let entity = entity(Kind::Connection, id.0);
        let draws = Draws::new(self.seed, Domain::Network, entity);
        let driven =
            Driven { task, client, id, draws, stage: Stage::New, is_told: false, was_overdue: false };
        let node = self.nodes.add(self.seed, entity, Body::Connection(Some(Box::new(driven))), Some(client));
        self.wake(node);
    }

    pub(super) fn run_connection(&mut self, node: u32, mut driven: Box<Driven>) {
        self.record(TraceKind::Connection, driven.id.0, 0, 0);
        let waker = self.nodes.waker(node);
        if !driven.run(self, node) {
            driven.hang_up(self);
            drop(self.nodes.remove(node));
            return;
        }
        let now = self.now();
        if driven.task.poll_wake(&Context::from_waker(&waker)).is_ready() {
            self.wake(node);
        }
        let deadline = driven.task.poll_timeout();
        let is_overdue = deadline.is_some_and(|at| at <= now);
        self.nodes.overdue += u64::from(is_overdue && driven.was_overdue);
        driven.was_overdue = is_overdue;
        let deadline = deadline.map(|at| if at > now { at } else { now + LATE });
        let deadline = [deadline, driven.stage_until()].into_iter().flatten().min();
        self.nodes.set_deadline(node, deadline);
        self.nodes.get(node).body = Body::Connection(Some(driven));
    }
}

impl Driven {
    /// One turn. Returns whether the task goes on.
    fn run(&mut self, state: &mut State, node: u32) -> bool {
        let now = state.now();
        for turn in 0.. {
            self.task.drive(now);
            if self.task.is_finished() {
                return false;
            }
            if turn == TURN {
                state.wake(node);
                break;
            }
            let progress = match self.stage {
                Stage::Open { index } => self.exchange(state, index),
                _ => self.connect(state, node),
            };
            if !progress {
                break;
            }
        }
        true
    }

    /// The other end of what the task leaves behind.
    fn hang_up(&self, state: &mut State) {
        self.end(state, Payload::End);
    }

    /// The client's process is gone, and its machine says so.
    pub(super) fn break_off(&self, state: &mut State) {
        self.end(state, Payload::Reset);
    }

    fn end(&self, state: &mut State, payload: Payload) {
        match self.stage {
            Stage::Open { index } => state.close_near(index, payload),
            // The last attempt failed, or the client gave it up.
            Stage::Connecting { ref targets, .. } if self.is_told => {
                let by = if targets.is_empty() { Side::Network } else { Side::Client };
                state.tell(&Observation::Wire(self.id, Wire::Closed { by }));
            }
            _ => {}
        }
    }

    const fn stage_until(&self) -> Option<Instant> {
        match self.stage {
            Stage::Resolving { until } | Stage::Connecting { until, .. } => Some(until),
            Stage::New | Stage::Open { .. } => None,
        }
    }

    /// Writes and reads. Returns whether anything happened.
    fn exchange(&mut self, state: &mut State, index: usize) -> bool {
        let now = state.now();
        let wrote = self.write(state, index);
        let Some(socket) = state.net.socket(index) else { return wrote };
        if !self.task.wants_read() || !socket.near.is_readable() {
            return wrote;
        }
        let was_full = socket.near.bytes();
        let buffer = self.task.read_buffer();
        let room = (buffer.capacity() - buffer.len()).clamp(1, PIECE);
        match socket.near.take(room) {
            Some(bytes) => {
                buffer.extend_from_slice(&bytes);
                self.task.handle_read(now);
                if !state.observers.is_empty() {
                    self.tell_received(state, index, bytes);
                }
            }
            None => match socket.near.end {
                Some(End::Reset) => {
                    let error = io::Error::new(ErrorKind::ConnectionReset, "connection reset by peer");
                    self.task.handle_error(now, &error);
                }
                Some(End::TimedOut) => {
                    let error = io::Error::new(ErrorKind::TimedOut, "connection timed out");
                    self.task.handle_error(now, &error);
                }
                _ => self.task.handle_end(now),
            },
        }
        if was_full >= state.net.config.receive_buffer {
            state.arm_link(index, Way::Down);
        }
        true
    }

    fn write(&mut self, state: &mut State, index: usize) -> bool {
        let mut wrote = false;
        let send_buffer = state.net.config.send_buffer;
        while self.task.wants_write() {
            let Some(socket) = state.net.socket(index) else { break };
            let room = send_buffer.saturating_sub(socket.up.bytes());
            socket.near.wants_room = room == 0;
            if room == 0 {
                break;
            }
            let outbox = self.task.outbox();
            let bytes = outbox.copy_to_bytes(outbox.remaining().min(room).min(PIECE));
            state.record(TraceKind::Written, self.id.0, bytes.len(), 0);
            if !state.observers.is_empty() {
                self.tell_sent(state, index, bytes.clone());
            }
            state.send(index, Way::Up, Payload::Data(bytes));
            wrote = true;
        }
        wrote
    }

    fn tell_sent(&self, state: &mut State, index: usize, bytes: Bytes) {
        let Some(socket) = state.net.socket(index) else { return };
        let had_part = socket.near.sent.has_part();
        socket.near.sent.push(bytes);
        while let Some(frame) = state.net.socket(index).and_then(|socket| socket.near.sent.next()) {
            state.tell(&Observation::Wire(self.id, Wire::Sent(&frame)));
        }
        if !had_part && state.net.socket(index).is_some_and(|socket| socket.near.sent.has_part()) {
            state.tell(&Observation::Wire(self.id, Wire::Sending));
        }
    }

    fn tell_received(&self, state: &mut State, index: usize, bytes: Bytes) {
        let Some(socket) = state.net.socket(index) else { return };
        socket.near.frames.push(bytes);
        while let Some(frame) = state.net.socket(index).and_then(|socket| socket.near.frames.next()) {
            state.tell(&Observation::Wire(self.id, Wire::Received(&frame)));
        }
    }

    /// Goes on with finding and connecting. Returns whether the task has something to do.
    fn connect(&mut self, state: &mut State, node: u32) -> bool {
        let now = state.now();
        if self.stage_until().is_some_and(|until| until > now) {
            return false;
        }
        match &mut self.stage {
            Stage::New => {
                let latency = state.net.config.resolving.draw(&mut self.draws);
                self.stage = Stage::Resolving { until: now + latency };
                false
            }
            Stage::Resolving { .. } => self.resolved(state),
            Stage::Connecting { targets, tries, .. } => {
                let Some(target) = targets.front().copied() else { return false };
                match attempt(state, self.client, target) {
                    Attempt::Open(broker) => {
                        let index = state.open_socket(self.id, self.client, broker, node);
                        self.stage = Stage::Open { index };
                        self.task.handle_open(now);
                        true
                    }
                    Attempt::NoAnswer if *tries < CONNECT_TRIES => {
                        let pause = Duration::from_secs(1 << *tries);
                        let (targets, tries) = (std::mem::take(targets), *tries + 1);
                        self.stage = Stage::Connecting { targets, until: now + pause, tries };
                        false
                    }
                    Attempt::NoAnswer => self.failed(state, "connection timed out"),
                    Attempt::Refused => self.failed(state, "connection refused"),
                }
            }
            Stage::Open { .. } => false,
        }
    }

    fn resolved(&mut self, state: &mut State) -> bool {
        let now = state.now();
        let address = self.task.address();
        let targets = match state.resolve(&address.host, address.port) {
            Ok(targets) => targets,
            // Until the client gives up.
            Err(None) => {
                self.stage = Stage::Resolving { until: Instant::MAX };
                return false;
            }
            Err(Some(why)) => {
                self.task.handle_unresolved(now, why);
                return true;
            }
        };
        if targets.is_empty() {
            let why = format!("{} has no address", address.host);
            self.task.handle_connect_failed(now, why);
            return true;
        }
        self.go_to(state, targets.into());
        false
    }

    /// Begins to connect to the first of these.
    fn go_to(&mut self, state: &mut State, targets: VecDeque<Endpoint>) {
        let peer = match targets.front() {
            Some(Endpoint::Broker(broker)) => Host::Broker(*broker),
            _ => Host::Broker(-1),
        };
        if let Host::Broker(broker) = peer
            && !std::mem::replace(&mut self.is_told, true)
        {
            state.tell(&Observation::Wire(self.id, Wire::Connecting(self.client, broker)));
        }
        let rule = state.net.rules.rule(Host::Client(self.client), peer);
        let latency = rule.latency.unwrap_or(state.net.config.latency);
        let until = state.now() + latency.draw(&mut self.draws) + latency.draw(&mut self.draws);
        self.stage = Stage::Connecting { targets, until, tries: 0 };
    }

    /// The first target is out of reach. Returns whether all are.
    fn failed(&mut self, state: &mut State, why: &str) -> bool {
        let Stage::Connecting { targets, .. } = &mut self.stage else { return false };
        targets.pop_front();
        let rest = std::mem::take(targets);
        if rest.is_empty() {
            let why = format!("{why} ({})", self.task.address());
            self.task.handle_connect_failed(state.now(), why);
            return true;
        }
        self.go_to(state, rest);
        false
    }
}

/// What comes of trying to connect now.
fn attempt(state: &State, client: ClientId, target: Endpoint) -> Attempt {
    let broker = match target {
        Endpoint::Broker(broker) => broker,
        Endpoint::Refusing => return Attempt::Refused,
        Endpoint::Nowhere => return Attempt::NoAnswer,
    };
    let (near, far) = (Host::Client(client), Host::Broker(broker));
    let rules = &state.net.rules;
    if rules.block(near, far).is_some() || rules.block(far, near).is_some() {
        return Attempt::NoAnswer;
    }
    match rules.door(broker) {
        Some(Door::Hangs) => Attempt::NoAnswer,
        Some(Door::Refuses) => Attempt::Refused,
        None if state.cluster.is_up(broker) => Attempt::Open(broker),
        None => Attempt::Refused,
    }
}

impl State {
    /// What is at an address.
    fn resolve(&self, host: &str, port: u16) -> Result<Vec<Endpoint>, Option<String>> {
        match self.net.resolver.get(host) {
            Some(Resolution::To(endpoints)) => Ok(endpoints.clone()),
            Some(Resolution::Fails(why)) => Err(Some(why.clone())),
            Some(Resolution::Hangs) => Err(None),
            None => match self.cluster.broker_at(host, port) {
                Some(broker) => Ok(vec![Endpoint::Broker(broker)]),
                None if self.cluster.has_host(host) => Ok(vec![Endpoint::Refusing]),
                None => Err(Some(format!("no address is known for {host}"))),
            },
        }
    }
}
