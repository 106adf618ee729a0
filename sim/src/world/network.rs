//! Faults of the network, by name.

use std::time::Duration;

use super::{
    Chunking, Endpoint, Host, Latency, Resolution, World,
    conditions::{Block, Door},
    net::{Way, time_for},
    state::State,
    trace::TraceKind,
    wire::Payload,
};
use crate::{cluster::ConnectionId, observe::Side};

/// The network of a world: what can go wrong in it. Made by [`World::network`].
///
/// A fault lasts until it is taken back; [`heal`](Self::heal) takes back all. Connections that exist are subject to
/// faults as well as new ones.
#[derive(Debug)]
pub struct Network<'a> {
    world: &'a World,
}

impl<'a> Network<'a> {
    pub(super) const fn new(world: &'a World) -> Self {
        Self { world }
    }

    fn order(&self, name: &str, work: impl FnOnce(&mut State)) {
        let mut state = self.world.state();
        state.record(TraceKind::Command, 0, 0, crc32c::crc32c(name.as_bytes()));
        work(&mut state);
    }

    /// Nothing passes from `from` to `to`: bytes wait until [`heal`](Self::heal), and a sender that waits longer than
    /// the network's `retransmission_timeout` gives its connection up. Connecting hangs. The other direction works.
    pub fn partition_one_way(&self, from: Host, to: Host) {
        self.order("partition one way", |state| state.block(from, to, Some(Block::Partition)));
    }

    /// As [`partition_one_way`](Self::partition_one_way), in both directions.
    pub fn partition(&self, one: Host, other: Host) {
        self.order("partition", |state| {
            state.block(one, other, Some(Block::Partition));
            state.block(other, one, Some(Block::Partition));
        });
    }

    /// Nothing passes from `from` to `to` until [`unclog`](Self::unclog) or [`heal`](Self::heal), and nobody gives up.
    pub fn clog(&self, from: Host, to: Host) {
        self.order("clog", |state| state.block(from, to, Some(Block::Clog)));
    }

    /// Ends a [`clog`](Self::clog), or a partition of this direction: what waited arrives.
    pub fn unclog(&self, from: Host, to: Host) {
        self.order("unclog", |state| state.block(from, to, None));
    }

    /// Ends what keeps two hosts apart, in both directions: what waited arrives.
    pub fn reconnect(&self, one: Host, other: Host) {
        self.order("reconnect", |state| {
            state.block(one, other, None);
            state.block(other, one, None);
        });
    }

    /// Takes back all faults but black holes of connections, which are beyond repair.
    pub fn heal(&self) {
        self.order("heal", |state| {
            state.net.rules.clear();
            state.net.resolver.clear();
            state.arm_links();
        });
    }

    /// The connections that exist from `from` to `to` are half open from now on: nothing arrives, and nobody is told.
    pub fn black_hole_one_way(&self, from: Host, to: Host) {
        self.order("black hole one way", |state| {
            for index in state.sockets_between(from, to) {
                for way in [Way::Up, Way::Down] {
                    state.swallow(index, way, from, to);
                }
            }
        });
    }

    /// As [`black_hole_one_way`](Self::black_hole_one_way), in both directions: as when a machine is switched off, or
    /// a router on the way forgets its connections.
    pub fn black_hole(&self, one: Host, other: Host) {
        self.black_hole_one_way(one, other);
        self.black_hole_one_way(other, one);
    }

    /// Breaks a connection at once: both ends are told. Returns whether there was one that the broker knew.
    pub fn reset(&self, connection: ConnectionId) -> bool {
        let mut found = false;
        self.order("reset", |state| {
            let Some(index) = state.net.index(connection) else { return };
            found = state.net.socket(index).is_some_and(|socket| !socket.far.is_closed);
            state.break_socket(index);
        });
        found
    }

    /// Breaks a connection when so many more bytes have arrived at the broker, or at the client: in the midst of a
    /// frame if that is where it is. Returns whether there is such a connection.
    pub fn reset_after(&self, connection: ConnectionId, at: Side, bytes: u64) -> bool {
        let mut found = false;
        self.order("reset after", |state| {
            let index = state.net.index(connection);
            if let Some(socket) = index.and_then(|index| state.net.socket(index)) {
                found = true;
                socket.link(way_to(at)).reset_after = Some(bytes);
            }
        });
        found
    }

    /// One bit of what arrives at one end is flipped, after so many bytes that are as they were sent. Returns whether
    /// there is such a connection.
    pub fn flip_bit(&self, connection: ConnectionId, at: Side, after: u64) -> bool {
        let mut found = false;
        self.order("flip bit", |state| {
            let index = state.net.index(connection);
            if let Some(socket) = index.and_then(|index| state.net.socket(index)) {
                found = true;
                socket.link(way_to(at)).flip_after = Some(after);
            }
        });
        found
    }

    /// One end of a connection, `at`, is told that it is broken, and the other end is told nothing. Returns whether there is such a connection.
    pub fn reset_one_side(&self, connection: ConnectionId, at: Side) -> bool {
        let mut found = false;
        self.order("reset one side", |state| {
            if let Some(index) = state.net.index(connection) {
                found = true;
                state.send(index, way_to(at), Payload::Reset);
            }
        });
        found
    }

    /// Connects to a broker are refused, although it lives. Connections that exist go on.
    pub fn refuse_connects(&self, broker: i32) {
        self.order("refuse connects", |state| state.net.rules.set_door(broker, Some(Door::Refuses)));
    }

    /// Connects to a broker get no answer. Connections that exist go on.
    pub fn hang_connects(&self, broker: i32) {
        self.order("hang connects", |state| state.net.rules.set_door(broker, Some(Door::Hangs)));
    }

    /// Connects to a broker work again.
    pub fn accept_connects(&self, broker: i32) {
        self.order("accept connects", |state| state.net.rules.set_door(broker, None));
    }

    /// How long bytes are under way from `from` to `to`; `None`: as configured.
    pub fn latency(&self, from: Host, to: Host, latency: Option<Latency>) {
        self.order("latency", |state| state.net.rules.entry(from, to).latency = latency);
    }

    /// In which pieces bytes arrive from `from` at `to`; `None`: as configured.
    pub fn chunking(&self, from: Host, to: Host, chunking: Option<Chunking>) {
        self.order("chunking", |state| state.net.rules.entry(from, to).chunking = chunking);
    }

    /// How many bytes a second pass from `from` to `to` on each connection, 0: none; `None`: as configured. What is
    /// under way and would take longer than with the new bandwidth arrives at once.
    pub fn bandwidth(&self, from: Host, to: Host, bytes_per_second: Option<u64>) {
        self.order("bandwidth", |state| {
            state.net.rules.entry(from, to).bandwidth = bytes_per_second;
            for index in state.sockets_between(from, to) {
                for way in [Way::Up, Way::Down] {
                    state.hasten(index, way);
                }
            }
        });
    }

    /// What a name resolves to from now on; `None`: to the broker that has it.
    pub fn resolve(&self, host: &str, resolution: Option<Resolution>) {
        self.order("resolve", |state| state.net.resolver.set(host, resolution));
    }

    /// Name resolution of this host fails, with these words.
    pub fn fail_resolution(&self, host: &str, why: &str) {
        self.resolve(host, Some(Resolution::Fails(why.to_owned())));
    }

    /// A name has several addresses, which are tried one after the other; or none.
    pub fn resolve_to(&self, host: &str, endpoints: impl IntoIterator<Item = Endpoint>) {
        self.resolve(host, Some(Resolution::To(endpoints.into_iter().collect())));
    }

    /// The connections that exist between two hosts, in the order of their ids.
    #[must_use]
    pub fn connections(&self, one: Host, other: Host) -> Vec<ConnectionId> {
        let mut state = self.world.state();
        let indexes = state.sockets_between(one, other);
        indexes.into_iter().filter_map(|index| state.net.socket(index).map(|socket| socket.id)).collect()
    }
}

/// The direction that ends at one end.
const fn way_to(at: Side) -> Way {
    match at {
        Side::Broker => Way::Up,
        Side::Client | Side::Network => Way::Down,
    }
}

impl State {
    /// What is under way in a direction takes no longer than it has to.
    fn hasten(&mut self, index: usize, way: Way) {
        let now = self.now();
        let Some(socket) = self.net.socket(index) else { return };
        let (from, to) = socket.route(way);
        let (rule, config) = (self.net.rules.rule(from, to), &self.net.config);
        let latency = rule.latency.unwrap_or(config.latency).base;
        let bandwidth = rule.bandwidth.or(config.bandwidth);
        if let Some(socket) = self.net.socket(index) {
            let link = socket.link(way);
            let needed = bandwidth.map_or(Duration::ZERO, |bandwidth| time_for(link.bytes(), bandwidth));
            link.hasten(now + latency + needed);
        }
        self.arm_link(index, way);
    }

    fn block(&mut self, from: Host, to: Host, block: Option<Block>) {
        self.net.rules.entry(from, to).block = block;
        self.arm_links();
    }

    /// Nothing of this direction ever arrives, if it is from `from` to `to`.
    fn swallow(&mut self, index: usize, way: Way, from: Host, to: Host) {
        let Some(socket) = self.net.socket(index) else { return };
        let route = socket.route(way);
        if from.includes(route.0) && to.includes(route.1) {
            let link = socket.link(way);
            link.black_hole = true;
            link.clear();
            self.arm_link(index, way);
        }
    }

    /// Looks anew at what may pass.
    fn arm_links(&mut self) {
        for index in self.net.indexes() {
            self.arm_link(index, Way::Up);
            self.arm_link(index, Way::Down);
        }
    }

    fn sockets_between(&mut self, one: Host, other: Host) -> Vec<usize> {
        let mut indexes = self.net.indexes();
        indexes.retain(|index| {
            let Some((near, far)) = self.net.socket(*index).map(|socket| socket.route(Way::Up)) else {
                return false;
            };
            (one.includes(near) && other.includes(far)) || (one.includes(far) && other.includes(near))
        });
        indexes
    }
}
