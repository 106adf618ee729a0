//! Everything in a world but the futures that are being polled: nodes, queue, network, cluster, observers.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};

use klamm_core::Instant;
use klamm_engine::ControlTask;

use super::{
    clients::Clients,
    clock::Time,
    connection::Driven,
    net::Net,
    queue::Queue,
    schedule::Chooser,
    trace::{Trace, TraceKind},
};
use crate::{
    Domain, Draws,
    cluster::Cluster,
    observe::{ClientId, Observation, Observe},
};

/// An application actor's future.
pub(super) type Actor = Pin<Box<dyn Future<Output = ()>>>;

/// What a node is.
pub(super) enum Body {
    /// Nothing: the place is free.
    Free,
    /// An actor; `None` while it is polled.
    Actor(Option<Actor>),
    /// The future of `block_on`, which polls it itself.
    Root,
    /// A client's control task; `None` while it is driven.
    Control(Option<Box<ControlTask>>),
    /// A connection's task; `None` while it is driven.
    Connection(Option<Box<Driven>>),
    /// From a client to a broker; the index of the socket.
    Up(usize),
    /// From a broker to a client.
    Down(usize),
    Cluster,
    Timers,
}

/// See the [module](self).
pub(super) struct Node {
    pub(super) body: Body,
    /// Tells nodes of one place apart.
    generation: u32,
    /// The same in each run, whatever the place.
    pub(super) entity: u64,
    pub(super) name: String,
    pub(super) client: Option<ClientId>,
    draws: Draws,
    wake: Option<(Arc<NodeWaker>, Waker)>,
    /// When it runs because it was woken.
    wake_at: Option<Instant>,
    /// When it runs because of its own timer.
    deadline: Option<Instant>,
    /// When it was run last.
    pub(super) ran_at: Instant,
}

impl Node {
    pub(super) fn is_woken_by(&self, waker: &Waker) -> bool {
        self.wake.as_ref().is_some_and(|(_, own)| own.will_wake(waker))
    }
}

/// Who was woken since the last look.
#[derive(Debug, Default)]
pub(super) struct Woken(Mutex<Vec<(u32, u32)>>);

impl Woken {
    fn list(&self) -> MutexGuard<'_, Vec<(u32, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one node.
#[derive(Debug)]
pub(super) struct NodeWaker {
    woken: Arc<Woken>,
    is_listed: AtomicBool,
    node: u32,
    generation: u32,
}

impl Wake for NodeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_listed.swap(true, Ordering::AcqRel) {
            self.woken.list().push((self.node, self.generation));
        }
    }
}

/// How long nodes that were woken wait for their turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starvation {
    /// Usually up to this.
    pub(super) usual: Duration,
    /// Once in so many times up to the longest; 0: never.
    pub(super) one_in: u64,
    pub(super) longest: Duration,
}

/// See the [module](self).
pub(super) struct State {
    pub(super) time: Time,
    pub(super) seed: u64,
    pub(super) nodes: Nodes,
    pub(super) chooser: Chooser,
    pub(super) starvation: Starvation,
    pub(super) timers: Timers,
    pub(super) clients: Clients,
    pub(super) net: Net,
    pub(super) cluster: Cluster,
    pub(super) trace: Trace,
    pub(super) observers: Vec<Box<dyn Observe>>,
    pub(super) next_actor: u64,
    /// How many turns were taken at the present instant.
    pub(super) turns_now: u64,
}

/// The nodes and when they run.
pub(super) struct Nodes {
    list: Vec<Node>,
    free: Vec<u32>,
    pub(super) queue: Queue,
    woken: Arc<Woken>,
    /// Memory for those that were woken.
    spare: Vec<(u32, u32)>,
    /// How often a task that was driven had a deadline that was over, twice in a row.
    pub(super) overdue: u64,
}

/// Who sleeps until when.
#[derive(Debug, Default)]
pub(super) struct Timers {
    pub(super) sleepers: BTreeMap<(Instant, u64), Waker>,
    pub(super) next: u64,
}

/// The nodes that each world has.
pub(super) const CLUSTER: u32 = 0;
pub(super) const TIMERS: u32 = 1;

/// The kinds of entities: the upper byte of their numbers.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    World = 0,
    Actor = 1,
    Control = 2,
    Connection = 3,
    Up = 4,
    Down = 5,
}

pub(super) const fn entity(kind: Kind, number: u64) -> u64 {
    (kind as u64) << 56 | number
}

impl Nodes {
    pub(super) fn new(seed: u64) -> Self {
        let mut nodes = Self {
            list: Vec::new(),
            free: Vec::new(),
            queue: Queue::default(),
            woken: Arc::new(Woken::default()),
            spare: Vec::new(),
            overdue: 0,
        };
        for (number, body) in [(u64::from(CLUSTER), Body::Cluster), (u64::from(TIMERS), Body::Timers)] {
            nodes.add(seed, entity(Kind::World, number), body, None);
        }
        nodes
    }

    /// A node that nothing has woken yet.
    pub(super) fn add(&mut self, seed: u64, entity: u64, body: Body, client: Option<ClientId>) -> u32 {
        let node = Node {
            body,
            generation: 0,
            entity,
            name: String::new(),
            client,
            draws: Draws::new(seed, Domain::Schedule, entity),
            wake: None,
            wake_at: None,
            deadline: None,
            ran_at: Instant::ZERO,
        };
        if let Some(place) = self.free.pop() {
            let generation = self.list[place as usize].generation.wrapping_add(1);
            self.list[place as usize] = Node { generation, ..node };
            return place;
        }
        self.list.push(node);
        u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes a node out; what it was is for the caller to drop.
    pub(super) fn remove(&mut self, node: u32) -> Body {
        self.queue.clear(node);
        let known = &mut self.list[node as usize];
        let body = std::mem::replace(&mut known.body, Body::Free);
        if !matches!(body, Body::Free) {
            known.wake = None;
            known.name = String::new();
            known.client = None;
            known.generation = known.generation.wrapping_add(1);
            self.free.push(node);
        }
        body
    }

    pub(super) fn get(&mut self, node: u32) -> &mut Node {
        &mut self.list[node as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Node)> {
        (0..).zip(&self.list).filter(|(_, node)| !matches!(node.body, Body::Free))
    }

    pub(super) fn generation(&self, node: u32) -> u32 {
        self.list[node as usize].generation
    }

    /// The waker of a node.
    pub(super) fn waker(&mut self, node: u32) -> Waker {
        let known = &mut self.list[node as usize];
        if let Some((_, waker)) = &known.wake {
            return waker.clone();
        }
        let flag = Arc::new(NodeWaker {
            woken: Arc::clone(&self.woken),
            is_listed: AtomicBool::new(false),
            node,
            generation: known.generation,
        });
        let waker = Waker::from(Arc::clone(&flag));
        known.wake = Some((flag, waker.clone()));
        waker
    }

    /// When the node runs by its own timer.
    pub(super) fn set_deadline(&mut self, node: u32, deadline: Option<Instant>) {
        let known = &mut self.list[node as usize];
        if known.deadline != deadline {
            known.deadline = deadline;
            self.place(node);
        }
    }

    /// The node runs at this instant, unless it does so before.
    pub(super) fn wake_at(&mut self, node: u32, at: Instant) {
        let known = &mut self.list[node as usize];
        if known.wake_at.is_none_or(|before| before > at) {
            known.wake_at = Some(at);
            self.place(node);
        }
    }

    /// The node's turn has come: it is no longer scheduled.
    pub(super) fn begin(&mut self, node: u32, now: Instant) {
        let known = &mut self.list[node as usize];
        known.wake_at = None;
        known.ran_at = now;
        if known.deadline.is_some_and(|at| at <= now) {
            known.deadline = None;
        } else if known.deadline.is_some() {
            self.place(node);
        }
    }

    /// The node's turn is put off; what is due by its own timer is looked after then.
    pub(super) fn postpone(&mut self, node: u32, until: Instant) {
        let known = &mut self.list[node as usize];
        known.deadline = None;
        known.wake_at = Some(until);
        self.place(node);
    }

    fn place(&mut self, node: u32) {
        let known = &self.list[node as usize];
        match (known.wake_at, known.deadline) {
            (None, None) => self.queue.clear(node),
            (Some(at), None) | (None, Some(at)) => self.queue.set(node, at),
            (Some(wake), Some(deadline)) => self.queue.set(node, wake.min(deadline)),
        }
    }
}

impl State {
    pub(super) fn now(&self) -> Instant {
        self.time.now()
    }

    /// Gives a turn to all that were woken, a moment later.
    pub(super) fn schedule_woken(&mut self) {
        let mut woken = std::mem::take(&mut self.nodes.spare);
        std::mem::swap(&mut *self.nodes.woken.list(), &mut woken);
        for (node, generation) in woken.drain(..) {
            let known = &self.nodes.list[node as usize];
            if known.generation != generation {
                continue;
            }
            if let Some((flag, _)) = &known.wake {
                flag.is_listed.store(false, Ordering::Release);
            }
            self.wake(node);
        }
        self.nodes.spare = woken;
    }

    /// Gives a node a turn, a moment later.
    pub(super) fn wake(&mut self, node: u32) {
        let now = self.now();
        let seeded = self.chooser.is_seeded();
        let known = &mut self.nodes.list[node as usize];
        if known.wake_at.is_some() {
            return;
        }
        let delay = if seeded { self.starvation.draw(&mut known.draws) } else { Duration::ZERO };
        self.nodes.wake_at(node, now + delay);
    }

    pub(super) fn record(&mut self, kind: TraceKind, entity: u64, size: usize, checksum: u32) {
        let passed = self.time.since_shift();
        self.trace.record(passed, kind, entity, u64::try_from(size).unwrap_or(u64::MAX), checksum);
    }

    pub(super) fn tell(&mut self, observation: &Observation<'_>) {
        let now = self.now();
        for observer in &mut self.observers {
            observer.observe(now, observation);
        }
    }

    /// Takes out a node of a process that is killed; what it was is for the caller to drop.
    pub(super) fn kill_node(&mut self, node: u32) -> Body {
        let body = self.nodes.remove(node);
        if let Body::Connection(Some(driven)) = &body {
            driven.break_off(self);
        }
        body
    }

    /// Numbers the control tasks of a client.
    pub(super) fn next_control(&mut self, client: ClientId) -> u64 {
        u64::from(client.0) << 32 | self.clients.next_control(client)
    }

    /// The timer of the cluster's node.
    pub(super) fn arm_cluster(&mut self) {
        let now = self.now();
        let next = self.cluster.poll_timeout();
        self.nodes.set_deadline(CLUSTER, next.map(|at| at.max(now)));
    }

    pub(super) fn arm_timers(&mut self) {
        let next = self.timers.sleepers.first_key_value().map(|(key, _)| key.0);
        self.nodes.set_deadline(TIMERS, next);
    }
}

impl Starvation {
    fn draw(&self, draws: &mut Draws) -> Duration {
        // One draw for both: the upper bits say how long, the lower ones whether long.
        let drawn = draws.next_u64();
        let long = self.one_in > 0 && (drawn & 0xFFFF_FFFF).is_multiple_of(self.one_in);
        let most = if long { self.longest } else { self.usual };
        let nanos = (u128::from(drawn >> 32) * most.as_nanos()) >> 32;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
