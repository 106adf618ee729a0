//! One text of a scenario becomes one test for each adapter and each kind of cluster.

use std::sync::mpsc;
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};

use crate::Outcome;
use crate::adapters::{Adapter, Way};
use crate::client::Client;
use crate::cluster::{Cluster, ClusterSpec};
use crate::librdkafka;
use crate::real;
use crate::security::Credentials;

/// A scenario: its text, and what it runs on.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name, the first part of the names of its tests.
    pub name: &'static str,
    /// The clusters that it runs against.
    pub clusters: &'static [ClusterSpec],
    /// The adapters that it runs over.
    pub adapters: &'static [Adapter],
    /// Whether Apache's own tools take part, so that Java is needed whatever the cluster.
    pub needs_java: bool,
    /// Whether librdkafka takes part.
    pub needs_librdkafka: bool,
    /// When it is given up: it has failed if it is not over by then.
    pub limit: Duration,
    /// The text.
    pub run: fn(&Stage) -> Outcome<()>,
}

impl Scenario {
    /// A scenario over every adapter, with two minutes for each run.
    #[must_use]
    pub const fn new(
        name: &'static str,
        clusters: &'static [ClusterSpec],
        run: fn(&Stage) -> Outcome<()>,
    ) -> Self {
        let limit = Duration::from_secs(120);
        let (needs_java, needs_librdkafka) = (false, false);
        Self { name, clusters, adapters: &Adapter::ALL, needs_java, needs_librdkafka, limit, run }
    }

    /// Only over these adapters.
    #[must_use]
    pub const fn over(self, adapters: &'static [Adapter]) -> Self {
        Self { adapters, ..self }
    }

    /// Only with Java at hand, for Apache's own tools.
    #[must_use]
    pub const fn with_java(self) -> Self {
        Self { needs_java: true, ..self }
    }

    /// Only where librdkafka can be had.
    #[must_use]
    pub const fn with_librdkafka(self) -> Self {
        Self { needs_librdkafka: true, ..self }
    }

    /// With this much time for each run, in seconds.
    #[must_use]
    pub const fn within_s(self, seconds: u64) -> Self {
        Self { limit: Duration::from_secs(seconds), ..self }
    }

    /// Its tests.
    pub fn trials(self) -> impl Iterator<Item = Trial> {
        self.clusters.iter().flat_map(move |&spec| {
            self.adapters.iter().map(move |&adapter| {
                let name = format!("{}::{}::{}", self.name, spec.name(), adapter.name());
                Trial::ignorable_test(name, move || self.act(adapter, spec))
            })
        })
    }

    fn act(self, adapter: Adapter, spec: ClusterSpec) -> Result<Completion, Failed> {
        let no_java = self.needs_java.then(real::why_unavailable).flatten();
        let no_librdkafka = || self.needs_librdkafka.then(librdkafka::why_unavailable).flatten();
        if let Some(reason) = spec.why_unavailable().or(no_java).or_else(no_librdkafka) {
            return Ok(Completion::ignored_with(reason));
        }
        let cluster = Cluster::start(spec).map_err(|error| error.to_string())?;
        let prefix = format!("{}-{}", self.name.replace('_', "-"), adapter.name());
        let stage = Stage { adapter, cluster, prefix };
        within(self.limit, move || (self.run)(&stage))?;
        Ok(Completion::Completed)
    }
}

/// Runs `act` on a thread of its own and gives up after `limit`: a client that hangs fails its test and no other.
///
/// # Errors
/// The error of `act`, or that it was not over in time, or that it panicked.
pub fn within(limit: Duration, act: impl FnOnce() -> Outcome<()> + Send + 'static) -> Result<(), Failed> {
    let (done, wait) = mpsc::channel();
    let actor = std::thread::spawn(move || {
        let outcome = act();
        // The one who waits may have given up.
        drop(done.send(outcome.map_err(|error| error.to_string())));
    });
    match wait.recv_timeout(limit) {
        Ok(outcome) => outcome.map_err(Failed::from),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(format!("not over after {} s", limit.as_secs()).into()),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = actor.join().err();
            let text = panic.as_ref().and_then(|panic| {
                panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied())
            });
            Err(format!("panicked: {}", text.unwrap_or("see above")).into())
        }
    }
}

/// What a run of a scenario acts on.
#[derive(Debug)]
pub struct Stage {
    adapter: Adapter,
    cluster: Cluster,
    prefix: String,
}

impl Stage {
    /// A new client of the adapter under test, connected to the cluster.
    ///
    /// # Errors
    /// When it cannot connect.
    pub fn connect(&self) -> Outcome<Box<dyn Client>> {
        // A machine that compiles or starts brokers meanwhile takes its time.
        self.connect_through(&self.cluster.bootstrap(), Credentials::default())
    }

    /// A new client of the adapter under test, connected to these addresses with these credentials.
    ///
    /// # Errors
    /// When it cannot connect.
    pub fn connect_through(
        &self,
        bootstrap: &[String],
        credentials: Credentials,
    ) -> Outcome<Box<dyn Client>> {
        self.adapter.connect_within(bootstrap, credentials, Duration::from_secs(60))
    }

    /// A new client of the adapter under test, connected to these addresses on this way.
    ///
    /// # Errors
    /// When it cannot connect.
    pub fn connect_by(&self, bootstrap: &[String], way: Way) -> Outcome<Box<dyn Client>> {
        self.adapter.connect_by(bootstrap, way, Duration::from_secs(60))
    }

    /// The same, of a client that does not try for long.
    ///
    /// # Errors
    /// When it cannot connect.
    pub fn connect_briefly(&self, bootstrap: &[String], way: Way) -> Outcome<Box<dyn Client>> {
        self.adapter.connect_by(bootstrap, way, Duration::from_secs(8))
    }

    /// A topic name that no other run uses.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// As many replicas as brokers.
    #[must_use]
    pub fn replication(&self) -> i16 {
        i16::try_from(self.cluster.spec().brokers).unwrap_or(i16::MAX)
    }
}
