//! How a world is made.

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use super::{
    Inner, NetworkConfig, Schedule, World,
    clients::Clients,
    clock::Time,
    net::Net,
    schedule::Chooser,
    state::{Nodes, Starvation, State, Timers},
    trace::Trace,
};
use crate::{
    Release, UnknownRelease,
    cluster::{Cluster, ClusterConfig},
    observe::Observe,
};

/// Makes a [`World`].
#[must_use = "call build()"]
pub struct WorldBuilder {
    seed: u64,
    cluster: ClusterConfig,
    network: NetworkConfig,
    schedule: Schedule,
    starvation: Starvation,
    observers: Vec<Box<dyn Observe>>,
    keep_trace: bool,
    shift: Duration,
}

impl fmt::Debug for WorldBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldBuilder").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Default for WorldBuilder {
    fn default() -> Self {
        Self {
            seed: 0,
            cluster: ClusterConfig { brokers: 3, ..ClusterConfig::default() },
            network: NetworkConfig::default(),
            schedule: Schedule::default(),
            starvation: Starvation {
                usual: Duration::from_micros(5),
                one_in: 4096,
                longest: Duration::from_millis(5),
            },
            observers: Vec::new(),
            keep_trace: false,
            shift: Duration::ZERO,
        }
    }
}

impl WorldBuilder {
    /// Determines everything that is left to chance. Default 0.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What the cluster is made with. Default: 3 brokers of the newest release, and the world's seed.
    pub fn cluster(mut self, config: ClusterConfig) -> Self {
        self.cluster = config;
        self
    }

    /// How many brokers. Default 3.
    pub const fn brokers(mut self, brokers: i32) -> Self {
        self.cluster.brokers = brokers;
        self
    }

    /// The Kafka version that the brokers pretend to be, such as `2.8.1`. Default: the newest one known.
    ///
    /// # Errors
    ///
    /// The version is not known.
    pub fn kafka_version(mut self, version: &str) -> Result<Self, UnknownRelease> {
        self.cluster.release = version.parse::<Release>()?;
        Ok(self)
    }

    /// What the network is like. Default: [`NetworkConfig::default`].
    pub fn network(mut self, config: NetworkConfig) -> Self {
        self.network = config;
        self
    }

    /// How the order of what happens at the same time is decided. Default: by the seed.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// How long a task that was woken waits for its turn: up to `usual`, and once in `one_in` times (0: never) up to
    /// `longest`. Default: 5 µs, and once in 4096 times 5 ms.
    pub const fn starvation(mut self, usual: Duration, one_in: u64, longest: Duration) -> Self {
        self.starvation = Starvation { usual, one_in, longest };
        self
    }

    /// Somebody who is told of everything, in the order in which it happens. To look at an observer afterwards, give
    /// an `Rc<RefCell<..>>` of it. Observers must not use the world.
    pub fn observer(mut self, observer: Box<dyn Observe>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Keeps all records of the trace, for [`World::trace`]. Default: false, only their hash.
    pub const fn keep_trace(mut self, keep: bool) -> Self {
        self.keep_trace = keep;
        self
    }

    /// By how much all instants are later. Nothing depends on it, and no trace shows it. Default: nothing.
    pub const fn shift(mut self, shift: Duration) -> Self {
        self.shift = shift;
        self
    }

    /// Makes the world. Nothing happens in it before it is run.
    #[must_use]
    pub fn build(self) -> World {
        let time = Time::new(self.shift);
        let mut config = self.cluster;
        if config.seed == 0 {
            config.seed = self.seed;
        }
        let mut cluster = Cluster::new(config);
        cluster.record_events(!self.observers.is_empty());
        // What it is told to do before the first turn is done when the world begins.
        cluster.handle_timeout(time.now());
        let state = State {
            time: time.clone(),
            seed: self.seed,
            nodes: Nodes::new(self.seed),
            chooser: Chooser::new(self.schedule),
            starvation: self.starvation,
            timers: Timers::default(),
            clients: Clients::new(time.clone(), self.seed),
            net: Net::new(self.network),
            cluster,
            trace: Trace::new(self.keep_trace),
            observers: self.observers,
            next_actor: 0,
            turns_now: 0,
        };
        World { inner: Rc::new(Inner { time, state: RefCell::new(state) }), is_owner: true }
    }
}
