//! Client processes: their clocks, and whether they live.

use std::collections::BTreeMap;

use klamm_core::Instant;

use super::clock::{SimulatedClock, Time};
use crate::{Domain, Draws, cluster::ConnectionId, observe::ClientId};

/// How many connections a client may open, as a power of two: their ids begin with the client's.
const CONNECTIONS: u32 = 32;

/// A client process.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) clock: SimulatedClock,
    pub(super) is_dead: bool,
    /// Until when its nodes do not run.
    pub(super) paused_until: Option<Instant>,
    connections: u64,
    controls: u64,
}

/// All clients that there ever were.
#[derive(Debug)]
pub(super) struct Clients {
    list: Vec<Client>,
    /// Those that live.
    by_name: BTreeMap<String, ClientId>,
    time: Time,
    seed: u64,
}

impl Clients {
    pub(super) const fn new(time: Time, seed: u64) -> Self {
        Self { list: Vec::new(), by_name: BTreeMap::new(), time, seed }
    }

    /// The living client of this name.
    pub(super) fn named(&mut self, name: &str) -> ClientId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = self.add(name.to_owned());
        self.by_name.insert(name.to_owned(), id);
        id
    }

    /// A client that has no name of its own.
    pub(super) fn unnamed(&mut self) -> ClientId {
        let name = format!("client-{}", self.list.len());
        self.add(name)
    }

    fn add(&mut self, name: String) -> ClientId {
        let id = ClientId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        let clock = SimulatedClock::new(id, self.time.clone());
        self.list.push(Client {
            name,
            clock,
            is_dead: false,
            paused_until: None,
            connections: 0,
            controls: 0,
        });
        id
    }

    pub(super) fn get(&self, id: ClientId) -> Option<&Client> {
        self.list.get(id.0 as usize)
    }

    pub(super) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.list.get_mut(id.0 as usize)
    }

    /// It is dead from now on; its name is free.
    pub(super) fn bury(&mut self, id: ClientId) {
        if let Some(client) = self.list.get_mut(id.0 as usize) {
            client.is_dead = true;
            if self.by_name.get(&client.name) == Some(&id) {
                self.by_name.remove(&client.name);
            }
        }
    }

    /// The seed of a client's own randomness.
    pub(super) const fn seed(&self, id: ClientId) -> u64 {
        Draws::new(self.seed, Domain::Clients, id.0 as u64).at(0)
    }

    pub(super) fn next_control(&mut self, id: ClientId) -> u64 {
        self.get_mut(id).map_or(0, |client| {
            client.controls += 1;
            client.controls
        })
    }

    /// The id of the client's next connection: the same in each run, whatever other clients do.
    pub(super) fn next_connection(&mut self, id: ClientId) -> ConnectionId {
        let number = self.get_mut(id).map_or(0, |client| {
            client.connections += 1;
            client.connections
        });
        ConnectionId(u64::from(id.0) << CONNECTIONS | number)
    }
}
