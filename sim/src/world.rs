//! A world in simulated time: clients, network and cluster, driven by one queue of events.
//!
//! A [`World`] has brokers (one [`Cluster`] machine), a network, and actors: futures of applications that use the real
//! client, with the real bytes on simulated connections. One seed gives one run.
//!
//! ```
//! use std::time::Duration;
//! use klamm_engine::{Record, StartAt};
//! use klamm_sim::World;
//!
//! let world = World::builder().seed(7).build();
//! let kafka = world.kafka("shop");
//! let offset = world.block_on(async move {
//!     let kafka = kafka.connect().await?;
//!     let producer = kafka.producer().build()?;
//!     producer.send(Record::to("orders").value("3 apples")).await?;
//!     let consumer = kafka.consumer().assign([("orders", 0, StartAt::Earliest)]).build()?;
//!     let batch = consumer.next_batch().await?;
//!     let first = batch.records().next().map(|record| (record.offset, record.value.map(<[u8]>::to_vec)));
//!     Ok::<_, Box<dyn std::error::Error>>(first)
//! }, Duration::from_secs(10))??;
//! assert_eq!(offset, Some((0, Some(b"3 apples".to_vec()))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Time
//!
//! Time is simulated and jumps to the next event, so a day of waiting takes no longer than what happens in it. Actors
//! wait with [`World::sleep`] and [`World::timeout`]; a runtime's own timers do not work here. The world goes on only
//! while [`World::block_on`], [`World::run_for`] and the like are called.
//!
//! ```
//! use std::time::Duration;
//! use klamm_sim::World;
//!
//! let world = World::builder().build();
//! let began = world.now();
//! world.block_on(world.sleep(Duration::from_secs(24 * 3600)), Duration::MAX)?;
//! assert!(world.now() - began >= Duration::from_secs(24 * 3600));
//! # Ok::<(), Box<klamm_sim::world::Stuck>>(())
//! ```
//!
//! # Actors and clients
//!
//! [`World::spawn`] starts an actor. [`World::kafka`] configures a client; everything that is connected under one name
//! is one client process, which can be [killed](World::kill_client) or [paused](World::pause_client) as a whole,
//! together with the actors that were [spawned in it](World::spawn_in). Code that connects by itself does so with
//! [`Kafka::builder`](klamm_engine::Kafka::builder) of this module's [`Kafka`], to `broker-1:9092` and so on.
//!
//! # Faults
//!
//! [`World::network`] has those of the network, [`World::cluster`] lends out the [`Cluster`] for those of brokers, by
//! name as well:
//!
//! ```
//! use std::time::Duration;
//! use klamm_engine::Record;
//! use klamm_sim::{World, world::{Endpoint, Host}};
//!
//! let world = World::builder().seed(1).build();
//! // The next two produce requests are refused, and broker 2 dies after a second.
//! world.cluster(|cluster, now| {
//!     cluster.inject(now, &"error code=NOT_LEADER_OR_FOLLOWER api=Produce times=2".parse()?);
//!     Ok::<_, klamm_sim::cluster::FaultError>(())
//! })?;
//! let clock = world.clone();
//! drop(world.spawn("fault", async move {
//!     clock.sleep(Duration::from_secs(1)).await;
//!     clock.cluster(|cluster, now| cluster.kill(now, 2));
//! }));
//! // The first address of broker 1 leads nowhere; what broker 3 sends to anybody gets lost on the way.
//! world.network().resolve_to("broker-1", [Endpoint::Refusing, Endpoint::Broker(1)]);
//! world.network().partition_one_way(Host::Broker(3), Host::EveryClient);
//! let heal = world.clone();
//! drop(world.spawn("heal", async move {
//!     heal.sleep(Duration::from_secs(20)).await;
//!     heal.network().heal();
//! }));
//! let app = world.kafka("app");
//! let written = world.block_on(async move {
//!     let producer = app.connect().await?.producer().build()?;
//!     Ok::<_, Box<dyn std::error::Error>>(producer.send(Record::to("t").value("v")).await?)
//! }, Duration::from_secs(300))??;
//! assert_eq!(written.offset, Some(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Chance
//!
//! How long bytes are under way, in which pieces they arrive, and how long a task that was woken waits for its turn is
//! drawn from the seed, separately for each connection and task. Tasks of one client (its control task, one for each
//! connection, the actors that use it) take their turns one by one, so what happens between them differs from seed to
//! seed as it does with threads. [`run_twice`] tells whether an application is determined by its world, and
//! [`interleavings`] walks through all orders of a small one.
//!
//! # What counts as an event
//!
//! [`World::events`] counts turns of nodes, each of which is one entry taken out of the queue: an actor is polled, a
//! control task or a connection's task is driven, a piece of bytes arrives, the cluster or sleepers do what is due.
//! Timers that are set anew count when they go off, and only if something is due then.

mod actor;
mod builder;
mod clients;
mod clock;
mod conditions;
mod connection;
mod current;
mod divergence;
mod net;
mod network;
mod queue;
mod resolver;
mod schedule;
mod state;
mod stuck;
mod trace;
mod turn;
mod wire;

use std::{
    cell::{RefCell, RefMut},
    fmt,
    pin::pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use klamm_core::Instant;
use klamm_engine::ControlTask;

pub use actor::{Aborted, Elapsed, Sleep, Task};
pub use builder::WorldBuilder;
pub use clock::SimulatedClock;
pub use conditions::{Chunking, Host, Latency, NetworkConfig};
pub use current::Simulated;
pub use divergence::{Divergence, run_twice};
pub use network::Network;
pub use resolver::{Endpoint, Resolution};
pub use schedule::{Schedule, interleavings};
pub use stuck::{Stuck, StuckReason, WaitingActor, WaitingClient};
pub use trace::{TraceKind, TraceRecord};

use state::{Body, Kind, State, entity};
use turn::Step;

use crate::{
    cluster::Cluster,
    observe::{ClientId, Observation},
};

/// A client of a simulated world.
pub type Kafka = klamm_engine::Kafka<Simulated>;

/// Makes a [`Kafka`] client.
pub type KafkaBuilder = klamm_engine::KafkaBuilder<Simulated>;

/// See the [module](self).
///
/// The handle that [`WorldBuilder::build`] returns owns the world: when it is dropped everything in it is. Clones are
/// for actors, observers of the time, and whoever else does something in the world while it runs.
pub struct World {
    inner: Rc<Inner>,
    is_owner: bool,
}

pub(crate) struct Inner {
    time: clock::Time,
    state: RefCell<State>,
}

impl Clone for World {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner), is_owner: false }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.is_owner {
            self.end();
        }
    }
}

impl World {
    /// Begins to make a world.
    pub fn builder() -> WorldBuilder {
        WorldBuilder::default()
    }

    fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.inner, &other.inner)
    }

    fn state(&self) -> RefMut<'_, State> {
        self.inner.state.borrow_mut()
    }

    /// The time in the world.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.inner.time.now()
    }

    /// Lets everything happen until an instant, and the time be that instant. Within an actor of the world nothing
    /// happens: actors [`sleep`](Self::sleep).
    pub fn run_until(&self, at: Instant) {
        if current::is_in(self) {
            return;
        }
        while matches!(self.step(at), Step::Ran) {}
        if self.now() < at {
            self.inner.time.set(at);
        }
    }

    /// Lets everything happen for a while.
    pub fn run_for(&self, duration: Duration) {
        self.run_until(self.now() + duration);
    }

    /// Runs until nothing is left to happen, but no longer than `limit`. Returns whether nothing is left.
    ///
    /// A client that lives always has something to do: it refreshes what it knows of the cluster.
    pub fn run_until_idle(&self, limit: Duration) -> bool {
        if current::is_in(self) {
            return false;
        }
        let until = self.now() + limit;
        loop {
            match self.step(until) {
                Step::Ran => {}
                Step::Idle => return true,
                Step::Later | Step::Root | Step::Spinning => {
                    self.inner.time.set(until);
                    return false;
                }
            }
        }
    }

    /// Runs a future in the world until it is ready: it is an actor that may borrow.
    ///
    /// # Errors
    ///
    /// It was not ready within `limit`, or nothing is left to happen that could make it so: who waits for what.
    /// It is also an error to call this within an actor of the same world, which should simply await the future.
    pub fn block_on<F: Future>(&self, future: F, limit: Duration) -> Result<F::Output, Box<Stuck>> {
        if current::is_in(self) {
            return Err(Box::new(self.stuck(StuckReason::Nested)));
        }
        let until = self.now() + limit;
        let mut future = pin!(future);
        let (node, waker) = {
            let mut state = self.state();
            let (entity, seed) = (state.next_actor_entity(), state.seed);
            let node = state.nodes.add(seed, entity, Body::Root, None);
            "block_on".clone_into(&mut state.nodes.get(node).name);
            state.wake(node);
            (node, state.nodes.waker(node))
        };
        let result = loop {
            match self.step(until) {
                Step::Ran => {}
                Step::Root => {
                    let poll =
                        current::with(self, None, || future.as_mut().poll(&mut Context::from_waker(&waker)));
                    if let Poll::Ready(output) = poll {
                        break Ok(output);
                    }
                }
                Step::Later => {
                    self.inner.time.set(until);
                    break Err(Box::new(self.stuck(StuckReason::TimeOver)));
                }
                Step::Idle => break Err(Box::new(self.stuck(StuckReason::Deadlock))),
                Step::Spinning => break Err(Box::new(self.stuck(StuckReason::Spinning))),
            }
        };
        let body = self.state().nodes.remove(node);
        drop(body);
        result
    }

    /// Begins to configure a client that finds the cluster at all its brokers. Everything that is connected under one
    /// name is one client process; the name is its `client.id` as well. The name of a process that was killed is that
    /// of a new one.
    pub fn kafka(&self, name: &str) -> KafkaBuilder {
        let mut state = self.state();
        let id = state.clients.named(name);
        let addresses: Vec<String> = state.cluster.addresses().map(|(_, address)| address).collect();
        let builder = Kafka::builder(addresses).client_id(name).seed(state.clients.seed(id));
        match state.clients.get(id) {
            Some(client) => builder.clock(client.clock.clone()),
            None => builder,
        }
    }

    /// The id of the client process of this name, which begins if there is none.
    #[must_use]
    pub fn client(&self, name: &str) -> ClientId {
        self.state().clients.named(name)
    }

    /// The cluster, for commands. Must not use the world.
    pub fn cluster<R>(&self, command: impl FnOnce(&mut Cluster, Instant) -> R) -> R {
        let (now, mut state) = (self.now(), self.state());
        state.record(TraceKind::Command, 1, 0, 0);
        let wall_time = state.time.wall_time();
        state.cluster.set_wall_time(wall_time);
        let result = command(&mut state.cluster, now);
        state.pump();
        result
    }

    /// The network, for faults.
    #[must_use]
    pub const fn network(&self) -> Network<'_> {
        Network::new(self)
    }

    /// Tells the observers.
    pub fn tell(&self, observation: &Observation<'_>) {
        self.state().tell(observation);
    }

    /// A client's wall clock jumps ahead, or back, by so many milliseconds: record timestamps show it, nothing else.
    pub fn jump_wall_clock(&self, client: ClientId, by_ms: i64) {
        if let Some(client) = self.state().clients.get(client) {
            client.clock.jump(by_ms);
        }
    }

    /// A client's wall clock is too fast from now on, by so many millionths; or too slow.
    pub fn drift_wall_clock(&self, client: ClientId, millionths: i64) {
        if let Some(client) = self.state().clients.get(client) {
            client.clock.drift(millionths);
        }
    }

    /// Kills a client process: its actors and tasks are gone without a goodbye, and its machine breaks off its
    /// connections. Handles of it that others hold say that it is gone.
    pub fn kill_client(&self, client: ClientId) {
        let bodies: Vec<Body> = {
            let mut state = self.state();
            state.record(TraceKind::Command, 2, client.0 as usize, 0);
            state.clients.bury(client);
            let doomed = |node: &state::Node| node.client == Some(client);
            let nodes: Vec<u32> =
                state.nodes.iter().filter(|(_, node)| doomed(node)).map(|(index, _)| index).collect();
            nodes.into_iter().map(|node| state.kill_node(node)).collect()
        };
        drop(bodies);
    }

    /// Pauses a client process, as a debugger or a long collection of garbage does: nothing of it runs, while its
    /// machine still takes what arrives. A pause that begins during another one makes that longer, never shorter.
    pub fn pause_client(&self, client: ClientId, duration: Duration) {
        let (now, mut state) = (self.now(), self.state());
        state.record(TraceKind::Command, 3, client.0 as usize, 0);
        if let Some(client) = state.clients.get_mut(client) {
            let until = now + duration;
            client.paused_until = Some(client.paused_until.map_or(until, |known| known.max(until)));
        }
    }

    /// Whether a client process stands still.
    pub(crate) fn is_paused(&self, client: ClientId) -> bool {
        let (now, state) = (self.now(), self.state());
        state.clients.get(client).and_then(|client| client.paused_until).is_some_and(|until| until > now)
    }

    /// A hash of everything that has happened: equal for runs that are equal.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.state().trace.hash()
    }

    /// How often the task of a connection asked to be driven again at once, twice in a row. A client that does so
    /// spins.
    #[must_use]
    pub fn overdue(&self) -> u64 {
        self.state().nodes.overdue
    }

    /// How many events there were: turns of nodes, each taken out of the queue.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.state().trace.events()
    }

    /// The records of the trace, if [`WorldBuilder::keep_trace`] asked for them.
    #[must_use]
    pub fn trace(&self) -> Vec<TraceRecord> {
        self.state().trace.kept().to_vec()
    }

    /// From now on the order of what happens at the same time is decided in this way. A walk through
    /// [`interleavings`] need not spend its depth on what comes before that: connecting, for instance.
    pub fn set_schedule(&self, schedule: Schedule) {
        self.state().chooser = schedule::Chooser::new(schedule);
    }

    /// For [`Schedule::Path`]: how many alternatives each choice had.
    #[must_use]
    pub fn choices(&self) -> Vec<usize> {
        self.state().chooser.alternatives().to_vec()
    }

    /// The clock of a client that is connected by an actor of this process.
    fn clock_of(&self, client: Option<ClientId>) -> SimulatedClock {
        let mut state = self.state();
        let id = client.unwrap_or_else(|| state.clients.unnamed());
        let time = state.time.clone();
        state.clients.get(id).map_or_else(|| SimulatedClock::new(id, time), |client| client.clock.clone())
    }

    fn seed_of(&self, client: ClientId) -> u64 {
        self.state().clients.seed(client)
    }

    fn add_control(&self, control: ControlTask, clock: &SimulatedClock) -> Result<(), String> {
        let mut state = self.state();
        if !clock.is_of(&state.time) {
            return Err(String::from("the client belongs to another simulated world"));
        }
        let client = clock.client();
        if state.clients.get(client).is_none_or(|client| client.is_dead) {
            return Err(String::from("the client's process was killed"));
        }
        let (seed, entity) = (state.seed, entity(Kind::Control, state.next_control(client)));
        let node = state.nodes.add(seed, entity, Body::Control(Some(Box::new(control))), Some(client));
        state.wake(node);
        Ok(())
    }

    /// Drops everything that is in the world.
    fn end(&self) {
        let Ok(mut state) = self.inner.state.try_borrow_mut() else { return };
        let nodes: Vec<u32> = state.nodes.iter().map(|(node, _)| node).collect();
        let bodies: Vec<Body> = nodes.into_iter().map(|node| state.nodes.remove(node)).collect();
        drop(state);
        drop(bodies);
    }
}
