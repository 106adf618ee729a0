//! The network: sockets, what is under way, and what lets it pass.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use klamm_core::Instant;

use super::{
    conditions::{Block, Chunking, Host, NetworkConfig, Rules},
    resolver::Resolver,
    state::{Body, Kind, State, entity},
    trace::{TraceKind, checksum},
    wire::{End, FarEnd, Link, NearEnd, Payload, Socket},
};
use crate::{
    Domain, Draws,
    cluster::{ConnectionId, Output},
    observe::{ClientId, Observation, Side, Wire},
};

/// The network of a world.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) config: NetworkConfig,
    pub(super) rules: Rules,
    pub(super) resolver: Resolver,
    sockets: Vec<Option<Box<Socket>>>,
    free: Vec<usize>,
    by_id: BTreeMap<ConnectionId, usize>,
}

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the broker.
    Up,
    /// To the client.
    Down,
}

impl Net {
    pub(super) fn new(config: NetworkConfig) -> Self {
        Self {
            config,
            rules: Rules::default(),
            resolver: Resolver::default(),
            sockets: Vec::new(),
            free: Vec::new(),
            by_id: BTreeMap::new(),
        }
    }

    pub(super) fn socket(&mut self, index: usize) -> Option<&mut Socket> {
        self.sockets.get_mut(index)?.as_deref_mut()
    }

    pub(super) fn index(&self, id: ConnectionId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The open sockets, in the order of their ids.
    pub(super) fn indexes(&self) -> Vec<usize> {
        self.by_id.values().copied().collect()
    }

    fn insert(&mut self, socket: Box<Socket>) -> usize {
        let index = self.free.pop().unwrap_or_else(|| {
            self.sockets.push(None);
            self.sockets.len() - 1
        });
        self.by_id.insert(socket.id, index);
        self.sockets[index] = Some(socket);
        index
    }

    fn remove(&mut self, index: usize) -> Option<Box<Socket>> {
        let socket = self.sockets.get_mut(index)?.take()?;
        self.by_id.remove(&socket.id);
        self.free.push(index);
        Some(socket)
    }
}

impl Socket {
    pub(super) const fn link(&mut self, way: Way) -> &mut Link {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    /// From where to where.
    pub(super) const fn route(&self, way: Way) -> (Host, Host) {
        let (client, broker) = (Host::Client(self.client), Host::Broker(self.broker));
        match way {
            Way::Up => (client, broker),
            Way::Down => (broker, client),
        }
    }
}

impl State {
    /// A connection is established.
    pub(super) fn open_socket(
        &mut self,
        id: ConnectionId,
        client: ClientId,
        broker: i32,
        owner: u32,
    ) -> usize {
        let (seed, index) = (self.seed, self.net.free.last().copied().unwrap_or(self.net.sockets.len()));
        let up = self.nodes.add(seed, entity(Kind::Up, id.0), Body::Up(index), None);
        let down = self.nodes.add(seed, entity(Kind::Down, id.0), Body::Down(index), None);
        let draws = |way: u64| Draws::new(seed, Domain::Network, id.0 << 1 | way);
        let socket = Socket {
            id,
            client,
            broker,
            owner,
            up: Link::new(up, draws(0)),
            down: Link::new(down, draws(1)),
            near: NearEnd::default(),
            far: FarEnd::default(),
            closed_by: None,
        };
        let index = self.net.insert(Box::new(socket));
        self.record(TraceKind::Opened, id.0, usize::try_from(broker).unwrap_or(0), 0);
        self.tell(&Observation::Wire(id, Wire::Opened(client, broker)));
        self.cluster.handle_opened(id, broker);
        self.pump();
        index
    }

    /// Hands something to the network.
    pub(super) fn send(&mut self, index: usize, way: Way, payload: Payload) {
        let now = self.now();
        let Net { config, rules, sockets, .. } = &mut self.net;
        let Some(Some(socket)) = sockets.get_mut(index) else { return };
        let (from, to) = socket.route(way);
        let rule = rules.rule(from, to);
        let link = socket.link(way);
        if link.black_hole {
            return;
        }
        let latency = rule.latency.unwrap_or(config.latency);
        let latency = latency.draw(&mut link.draws);
        let Payload::Data(bytes) = payload else {
            link.push(now + latency, payload);
            return self.arm_link(index, way);
        };
        let chunking = rule.chunking.unwrap_or(config.chunking);
        let bandwidth = rule.bandwidth.or(config.bandwidth);
        push_pieces(link, now + latency, bytes, chunking, bandwidth);
        self.arm_link(index, way);
    }

    /// Sets the timer of a link: when its first segment arrives, if anything may pass.
    pub(super) fn arm_link(&mut self, index: usize, way: Way) {
        let now = self.now();
        let Net { config, rules, sockets, .. } = &mut self.net;
        let Some(Some(socket)) = sockets.get_mut(index) else { return };
        let (from, to) = socket.route(way);
        let is_full = way == Way::Down && socket.near.bytes() >= config.receive_buffer;
        let block = rules.block(from, to);
        let link = socket.link(way);
        let node = link.node;
        let next = link.next_at();
        let deadline = match block {
            // Zero window: the sender is told to wait, and gives up on nothing.
            _ if is_full && link.begins_with_data() => None,
            None => {
                link.stuck_since = None;
                next.map(|at| at.max(now))
            }
            Some(Block::Clog) => None,
            Some(Block::Partition) => next.map(|_| {
                let since = *link.stuck_since.get_or_insert(now);
                since + config.retransmission_timeout
            }),
        };
        self.nodes.set_deadline(node, deadline);
    }

    /// What has arrived is taken out; or its sender gives up.
    pub(super) fn run_link(&mut self, index: usize, way: Way) {
        let now = self.now();
        let Some(socket) = self.net.socket(index) else { return };
        let (from, to) = socket.route(way);
        if let Some(since) = socket.link(way).stuck_since {
            if self.net.rules.block(from, to) == Some(Block::Partition)
                && now >= since + self.net.config.retransmission_timeout
            {
                return self.give_up(index, way);
            }
        }
        let Some(socket) = self.net.socket(index) else { return };
        match socket.link(way).pop(now) {
            Some(Payload::Data(bytes)) => {
                if way == Way::Up && std::mem::take(&mut socket.near.wants_room) && !socket.near.is_closed {
                    let owner = socket.owner;
                    self.wake(owner);
                }
                self.arrive(index, way, bytes);
            }
            Some(Payload::End) => self.arrive_end(index, way, End::Closed),
            Some(Payload::Reset) => self.arrive_end(index, way, End::Reset),
            None => {}
        }
        self.arm_link(index, way);
    }

    fn arrive(&mut self, index: usize, way: Way, mut bytes: Bytes) {
        let Some(socket) = self.net.socket(index) else { return };
        let link = socket.link(way);
        bytes = link.flip(bytes);
        let mut is_cut = false;
        if let Some(left) = &mut link.reset_after {
            let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            is_cut = *left <= len;
            bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left = left.saturating_sub(len);
        }
        let (id, sum) = (socket.id.0, checksum(std::slice::from_ref(&bytes)));
        match way {
            Way::Up => {
                self.record(TraceKind::Upstream, id, bytes.len(), sum);
                self.reach_broker(index, bytes);
            }
            Way::Down => {
                self.record(TraceKind::Downstream, id, bytes.len(), sum);
                self.reach_client(index, bytes);
            }
        }
        if is_cut {
            self.break_socket(index);
        }
    }

    fn reach_broker(&mut self, index: usize, bytes: Bytes) {
        let Some(socket) = self.net.socket(index) else { return };
        if socket.far.is_closed {
            // As of a host that knows no such connection.
            return self.send(index, Way::Down, Payload::Reset);
        }
        socket.far.frames.push(bytes);
        let id = socket.id;
        let mut is_any = false;
        while let Some(frame) = self.net.socket(index).and_then(|socket| socket.far.frames.next()) {
            if !is_any {
                is_any = true;
                self.cluster.set_wall_time(self.time.wall_time());
            }
            self.tell(&Observation::Wire(id, Wire::Request(&frame)));
            self.cluster.handle_request(self.now(), id, frame);
        }
        if is_any {
            self.pump();
        }
    }

    fn reach_client(&mut self, index: usize, bytes: Bytes) {
        let Some(socket) = self.net.socket(index) else { return };
        if socket.near.is_closed || socket.near.end.is_some() {
            return;
        }
        socket.near.push(bytes);
        let owner = socket.owner;
        self.wake(owner);
    }

    fn arrive_end(&mut self, index: usize, way: Way, end: End) {
        let Some(socket) = self.net.socket(index) else { return };
        match way {
            Way::Up => self.close_far(index, Side::Client),
            Way::Down => {
                if socket.near.is_closed || socket.near.end.is_some() {
                    return;
                }
                match end {
                    End::Closed => socket.near.end = Some(end),
                    End::Reset | End::TimedOut => socket.near.break_off(end),
                }
                let owner = socket.owner;
                self.wake(owner);
            }
        }
    }

    /// The broker's end is over.
    fn close_far(&mut self, index: usize, by: Side) {
        let Some(socket) = self.net.socket(index) else { return };
        if std::mem::replace(&mut socket.far.is_closed, true) {
            return;
        }
        socket.closed_by.get_or_insert(by);
        let id = socket.id;
        self.record(TraceKind::Ended, id.0, 2, 0);
        self.cluster.handle_closed(id);
        self.pump();
        self.forget_socket(index);
    }

    /// The client's end is over. `payload`: what the broker's end is told.
    pub(super) fn close_near(&mut self, index: usize, payload: Payload) {
        let Some(socket) = self.net.socket(index) else { return };
        if std::mem::replace(&mut socket.near.is_closed, true) {
            return;
        }
        socket.closed_by.get_or_insert(Side::Client);
        let id = socket.id;
        self.record(TraceKind::Ended, id.0, 1, 0);
        self.send(index, Way::Up, payload);
        self.forget_socket(index);
    }

    /// Both ends are told at once that the connection is broken.
    pub(super) fn break_socket(&mut self, index: usize) {
        let Some(socket) = self.net.socket(index) else { return };
        socket.up.clear();
        socket.down.clear();
        socket.closed_by.get_or_insert(Side::Network);
        if !socket.near.is_closed {
            socket.near.break_off(End::Reset);
            let owner = socket.owner;
            self.wake(owner);
        }
        self.close_far(index, Side::Network);
    }

    /// The sender of this direction got no answer for too long.
    fn give_up(&mut self, index: usize, way: Way) {
        let Some(socket) = self.net.socket(index) else { return };
        socket.link(way).clear();
        socket.link(way).stuck_since = None;
        socket.closed_by.get_or_insert(Side::Network);
        match way {
            Way::Up => {
                if !socket.near.is_closed && socket.near.end.is_none() {
                    socket.near.break_off(End::TimedOut);
                    let owner = socket.owner;
                    self.wake(owner);
                }
            }
            Way::Down => self.close_far(index, Side::Network),
        }
    }

    /// Forgets a connection both ends of which are over.
    fn forget_socket(&mut self, index: usize) {
        let is_over =
            self.net.socket(index).is_some_and(|socket| socket.near.is_closed && socket.far.is_closed);
        if is_over && let Some(socket) = self.net.remove(index) {
            // The bodies of links have nothing that a drop would do.
            drop(self.nodes.remove(socket.up.node));
            drop(self.nodes.remove(socket.down.node));
            let by = socket.closed_by.unwrap_or(Side::Network);
            self.tell(&Observation::Wire(socket.id, Wire::Closed { by }));
        }
    }

    /// Hands what brokers do to the network.
    pub(super) fn pump(&mut self) {
        while let Some(event) = self.cluster.poll_event() {
            self.tell(&Observation::Cluster(event));
        }
        while let Some(output) = self.cluster.poll_output() {
            match output {
                Output::Response { connection, segments } => self.answer(connection, &segments),
                Output::Close { connection } => {
                    let Some(index) = self.net.index(connection) else { continue };
                    self.send(index, Way::Down, Payload::End);
                    self.close_far(index, Side::Broker);
                }
            }
        }
        self.arm_cluster();
    }

    fn answer(&mut self, connection: ConnectionId, segments: &[Bytes]) {
        let Some(index) = self.net.index(connection) else { return };
        let whole = match segments {
            [one] => one.clone(),
            pieces => Bytes::from(pieces.concat()),
        };
        self.record(TraceKind::Answered, connection.0, whole.len(), 0);
        if !self.observers.is_empty() {
            let frame = whole.slice(4.min(whole.len())..);
            self.tell(&Observation::Wire(connection, Wire::Response(&[frame])));
        }
        self.send(index, Way::Down, Payload::Data(whole));
    }
}

/// Puts bytes on a link, in pieces.
fn push_pieces(
    link: &mut Link,
    arrives: Instant,
    mut bytes: Bytes,
    chunking: Chunking,
    bandwidth: Option<u64>,
) {
    let is_split = link.draws.one_in(chunking.split_one_in);
    let mut cut = 0;
    let mut at = arrives.max(link.free_at());
    while !bytes.is_empty() {
        let len = if is_split { chunking.piece(bytes.len(), cut, &mut link.draws) } else { bytes.len() };
        let piece = bytes.split_to(len);
        if let Some(bandwidth) = bandwidth {
            at = at + time_for(piece.len(), bandwidth);
        } else if cut > 0 {
            // Pieces are events of their own, between which others happen.
            at = at + Duration::from_nanos(1 + link.draws.below(2000));
        }
        link.push(at, Payload::Data(piece));
        cut += 1;
    }
}

/// How long so many bytes take.
pub(super) fn time_for(bytes: usize, bandwidth: u64) -> Duration {
    let nanos = (u128::try_from(bytes).unwrap_or(0) * 1_000_000_000).checked_div(u128::from(bandwidth));
    Duration::from_nanos(nanos.and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(u64::MAX))
}
