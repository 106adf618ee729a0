//! The clusters that scenarios run against, embedded or real, and how they are shared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::Outcome;
use crate::embedded::Embedded;
use crate::real::{self, RealKafka, RealKafkaOptions};

/// Which kind of brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The simulated cluster on TCP, in this process.
    Embedded,
    /// Apache Kafka.
    Real,
}

/// A cluster as a scenario asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterSpec {
    /// Which kind.
    pub kind: Kind,
    /// Kafka's version; the embedded broker behaves as that version does.
    pub version: &'static str,
    /// How many brokers: 1 or 3.
    pub brokers: u32,
    /// Whether each run has the cluster for itself, because it breaks it.
    pub exclusive: bool,
    /// The most members that a classic group may have, if there is to be a bound.
    pub max_group_size: Option<u32>,
}

impl ClusterSpec {
    /// An embedded broker of the newest release.
    pub const EMBEDDED: Self = Self::new(Kind::Embedded, "4.2.0");
    /// A real broker of the newest release.
    pub const REAL: Self = Self::new(Kind::Real, "4.2.0");
    /// Three embedded brokers that may be broken.
    pub const EMBEDDED_TRIO: Self = Self::EMBEDDED.trio();
    /// Three real brokers that may be broken.
    pub const REAL_TRIO: Self = Self::REAL.trio();

    /// One broker of this kind and version, shared by the scenarios of this process.
    #[must_use]
    pub const fn new(kind: Kind, version: &'static str) -> Self {
        Self { kind, version, brokers: 1, exclusive: false, max_group_size: None }
    }

    /// Three such brokers, for one run at a time.
    #[must_use]
    pub const fn trio(self) -> Self {
        Self { brokers: 3, exclusive: true, ..self }
    }

    /// For one run at a time, which may break it.
    #[must_use]
    pub const fn alone(self) -> Self {
        Self { exclusive: true, ..self }
    }

    /// The part of a test's name that tells the cluster.
    #[must_use]
    pub fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Embedded => "embedded",
            Kind::Real => "real",
        };
        let which = match (self.brokers, self.exclusive) {
            (1, false) => String::new(),
            (1, true) => "-alone".into(),
            (brokers, _) => format!("-x{brokers}"),
        };
        format!("{kind}-{}{which}", self.version)
    }

    /// Why there can be no such cluster on this machine.
    #[must_use]
    pub fn why_unavailable(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Embedded => None,
            Kind::Real => real::why_unavailable(),
        }
    }
}

#[derive(Debug)]
enum Brokers {
    Embedded(Embedded),
    Real(RealKafka),
}

/// A running cluster, shared or lent for one run.
#[derive(Clone, Debug)]
pub struct Cluster {
    spec: ClusterSpec,
    brokers: Arc<Brokers>,
    _turn: Option<Arc<Turn>>,
}

impl Cluster {
    /// Starts a cluster, or joins those who share one. An exclusive real cluster is waited for.
    ///
    /// # Errors
    /// When its brokers cannot be started.
    pub fn start(spec: ClusterSpec) -> Outcome<Self> {
        if spec.exclusive {
            let turn = (spec.kind == Kind::Real).then(|| Arc::new(Turn::take()));
            return Ok(Self { spec, brokers: Arc::new(open(spec)?), _turn: turn });
        }
        Ok(Self { spec, brokers: shared(spec)?, _turn: None })
    }

    /// What it was started as.
    #[must_use]
    pub fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    /// The addresses of its brokers.
    #[must_use]
    pub fn bootstrap(&self) -> Vec<String> {
        match &*self.brokers {
            Brokers::Embedded(embedded) => embedded.bootstrap(),
            Brokers::Real(kafka) => kafka.bootstrap(),
        }
    }

    /// The real brokers, if they are.
    #[must_use]
    pub fn real(&self) -> Option<&RealKafka> {
        match &*self.brokers {
            Brokers::Real(kafka) => Some(kafka),
            Brokers::Embedded(_) => None,
        }
    }

    /// Creates a topic with one replica without the client under test.
    ///
    /// # Errors
    /// When that fails.
    pub fn create_topic(&self, topic: &str, partitions: u16) -> Outcome<()> {
        match &*self.brokers {
            Brokers::Embedded(embedded) => embedded.create_topic(topic, partitions),
            Brokers::Real(kafka) => {
                let count = partitions.to_string();
                let arguments =
                    ["--create", "--topic", topic, "--partitions", &count, "--replication-factor", "1"];
                kafka.tool("topics", &arguments, b"").map(drop)
            }
        }
    }

    /// Ends a broker (1 to 3) at once, as by a loss of power.
    ///
    /// # Errors
    /// When that fails.
    pub fn kill(&self, broker: u32) -> Outcome<()> {
        match &*self.brokers {
            Brokers::Embedded(embedded) => embedded.kill(broker),
            Brokers::Real(kafka) => kafka.kill(broker),
        }
    }

    /// Starts a killed broker again, and waits until it is in sync.
    ///
    /// # Errors
    /// When that fails.
    pub fn restart(&self, broker: u32) -> Outcome<()> {
        match &*self.brokers {
            Brokers::Embedded(embedded) => embedded.restart(broker),
            Brokers::Real(kafka) => kafka.restart(broker),
        }
    }

    /// Stops a broker in its tracks: its connections stay open and nothing answers.
    ///
    /// # Errors
    /// When that fails.
    pub fn pause(&self, broker: u32) -> Outcome<()> {
        match &*self.brokers {
            Brokers::Embedded(embedded) => embedded.pause(broker),
            Brokers::Real(kafka) => kafka.pause(broker),
        }
    }

    /// Lets a paused broker go on.
    ///
    /// # Errors
    /// When that fails.
    pub fn resume(&self, broker: u32) -> Outcome<()> {
        match &*self.brokers {
            Brokers::Embedded(embedded) => embedded.resume(broker),
            Brokers::Real(kafka) => kafka.resume(broker),
        }
    }
}

/// Where members are killed, those by KIP-848 are missed as soon as classic ones that ask for it: after how long of silence,
/// and how often they are to be heard from.
const SHORT_SESSION: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(1));

fn open(spec: ClusterSpec) -> Outcome<Brokers> {
    let session = spec.exclusive.then_some(SHORT_SESSION);
    match spec.kind {
        Kind::Embedded => Embedded::start(&spec, session).map(Brokers::Embedded),
        Kind::Real => {
            let settings = |(timeout, heartbeat): (Duration, Duration)| {
                [("session.timeout", timeout), ("heartbeat.interval", heartbeat)]
                    .map(|(what, time)| format!("group.consumer.{what}.ms={}", time.as_millis()))
            };
            let options = RealKafkaOptions {
                version: spec.version.into(),
                brokers: spec.brokers,
                settings: session
                    .into_iter()
                    .flat_map(settings)
                    .chain(spec.max_group_size.map(|members| format!("group.max.size={members}")))
                    .collect(),
                ..RealKafkaOptions::default()
            };
            RealKafka::start(&spec.name(), options).map(Brokers::Real)
        }
    }
}

/// The shared cluster of this spec. Clusters of different specs start side by side; of the same, the first who asks
/// starts it and the others wait.
fn shared(spec: ClusterSpec) -> Outcome<Arc<Brokers>> {
    type Slot = Arc<Mutex<Option<Arc<Brokers>>>>;
    static SHARED: OnceLock<Mutex<BTreeMap<ClusterSpec, Slot>>> = OnceLock::new();
    let slot = {
        let mut all = SHARED.get_or_init(Mutex::default).lock().map_err(|error| error.to_string())?;
        Arc::clone(all.entry(spec).or_default())
    };
    let mut slot = slot.lock().map_err(|error| error.to_string())?;
    if let Some(brokers) = &*slot {
        return Ok(Arc::clone(brokers));
    }
    let brokers = Arc::new(open(spec)?);
    *slot = Some(Arc::clone(&brokers));
    Ok(brokers)
}

/// The right to break the real trio: one at a time, as there is one such cluster.
#[derive(Debug)]
struct Turn;

static TAKEN: Mutex<bool> = Mutex::new(false);
static FREED: std::sync::Condvar = std::sync::Condvar::new();

impl Turn {
    fn take() -> Self {
        let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while *taken {
            taken = FREED.wait(taken).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *taken = true;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = false;
        FREED.notify_one();
    }
}
