//! A seed becomes a plan.

mod applications;
mod dice;
mod faults;
mod profiles;
mod rare;
mod rebalance;
mod settings;
mod txn;

use std::time::Duration;

use super::setup::{ClientLine, TopicLine};
use super::values::{ClientName, ConsumerName, ProducerName, TopicName};
use super::{Plan, Profile, Step, What};
use dice::Dice;
use faults::Kind;

/// Whose decisions they are: each part of a plan has its own, so that a change of one part leaves the others.
mod entity {
    pub(super) const WORLD: u64 = 1;
    pub(super) const CLUSTER: u64 = 2;
    pub(super) const NETWORK: u64 = 3;
    pub(super) const TOPICS: u64 = 1 << 32;
    pub(super) const CLIENTS: u64 = 2 << 32;
    pub(super) const PRODUCERS: u64 = 3 << 32;
    pub(super) const CONSUMERS: u64 = 4 << 32;
    pub(super) const FAULTS: u64 = 5 << 32;
    pub(super) const MEMBERS: u64 = 6 << 32;
}

impl Plan {
    /// The plan of a seed. The same profile and seed give the same plan in every build of one version of this crate;
    /// another version may make others: what is to be kept is stored as text.
    #[must_use]
    pub fn generate(profile: Profile, seed: u64) -> Self {
        match profile {
            Profile::Smoke => profiles::smoke(seed),
            Profile::Swarm => Recipe::swarm(seed).plan(profile),
            Profile::Storm => Recipe::storm(seed).plan(profile),
            Profile::Soak => profiles::soak(seed),
            Profile::VersionMix => Recipe::version_mix(seed).plan(profile),
            Profile::Rebalance => rebalance::plan(seed),
            Profile::Txn => txn::plan(seed),
            Profile::Exhaustive => profiles::exhaustive(seed),
        }
    }
}

/// How large and how wild a plan is to be.
#[derive(Clone, Debug)]
struct Recipe {
    seed: u64,
    brokers: i32,
    topics: u32,
    clients: u32,
    producers: u32,
    consumers: u32,
    /// Until all faults are over.
    length: Duration,
    faults: u64,
    /// The kinds of fault that there are.
    kinds: Vec<Kind>,
    /// Whether brokers are of all releases.
    mixed: bool,
}

/// What is there already, for what refers to it.
#[derive(Clone, Debug)]
struct Scope {
    brokers: i32,
    /// Topics and how many partitions each has.
    topics: Vec<(TopicName, i32)>,
    clients: u32,
    length: Duration,
    mixed: bool,
    /// Whether some broker is too old for producer ids.
    ancient: bool,
    /// How short a request's timeout may be.
    least_timeout: Duration,
}

impl Recipe {
    fn swarm(seed: u64) -> Self {
        let mut dice = Dice::new(seed, entity::WORLD);
        let length = dice.log_duration(Duration::from_millis(200), Duration::from_secs(60));
        let most = dice.pick(&[0, 1, 2, 4, 8, 12, 16]);
        Self {
            seed,
            brokers: dice.pick(&[1, 1, 2, 2, 3, 3, 3, 3, 4, 5]),
            topics: dice.pick(&[1, 1, 1, 2, 2, 3]),
            clients: dice.pick(&[1, 1, 2, 2, 3, 4]),
            producers: dice.pick(&[1, 1, 1, 2, 2, 3]),
            consumers: dice.pick(&[0, 1, 1, 1, 2, 2, 3]),
            length,
            faults: dice.between(0, most),
            // Each run has a part of the kinds only, so that runs differ in kind and not only in detail.
            kinds: Kind::ALL.iter().copied().filter(|_| dice.one_in(4)).collect(),
            mixed: false,
        }
    }

    fn storm(seed: u64) -> Self {
        let mut dice = Dice::new(seed, entity::WORLD);
        let length = dice.log_duration(Duration::from_secs(5), Duration::from_secs(60));
        let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|_| dice.one_in(2)).collect();
        Self { length, faults: dice.between(20, 60), kinds, ..Self::swarm(seed) }
    }

    fn version_mix(seed: u64) -> Self {
        let mut dice = Dice::new(seed, entity::WORLD);
        let mut recipe = Self::swarm(seed);
        recipe.kinds.retain(|kind| kind.fits_old_brokers());
        recipe.kinds.extend([Kind::Upgrade, Kind::Upgrade, Kind::Crash]);
        Self { faults: dice.between(1, 8), mixed: true, ..recipe }
    }

    fn plan(self, profile: Profile) -> Plan {
        let mut plan = Plan::empty(self.seed);
        plan.profile = Some(profile);
        plan.heal_at = self.length;
        plan.cluster =
            settings::cluster(&mut Dice::new(self.seed, entity::CLUSTER), self.brokers, self.mixed);
        plan.network = settings::network(&mut Dice::new(self.seed, entity::NETWORK));
        let least_timeout = settings::least_timeout(&plan.network);
        for number in 0..self.topics {
            let mut dice = Dice::new(self.seed, entity::TOPICS + u64::from(number));
            plan.topics.push((TopicName(number), self.topic(&mut dice)));
        }
        for number in 0..self.clients {
            let mut dice = Dice::new(self.seed, entity::CLIENTS + u64::from(number));
            plan.clients.push((ClientName(number), settings::client(&mut dice, least_timeout)));
        }
        let scope = Scope {
            brokers: self.brokers,
            topics: plan.topics.iter().map(|(name, line)| (*name, line.partitions)).collect(),
            clients: self.clients,
            length: self.length,
            mixed: self.mixed,
            least_timeout,
            ancient: self.mixed || plan.cluster.version.to_string().starts_with("0.10"),
        };
        for number in 0..self.producers {
            let mut dice = Dice::new(self.seed, entity::PRODUCERS + u64::from(number));
            let line = settings::producer(&mut dice, &scope);
            let name = ProducerName(number);
            let budget = 1600 / u64::from(self.producers);
            plan.steps.extend(applications::producing(&mut dice, &scope, name, &line, budget));
            plan.producers.push((name, line));
        }
        for number in 0..self.consumers {
            let mut dice = Dice::new(self.seed, entity::CONSUMERS + u64::from(number));
            let line = settings::consumer(&mut dice, &scope);
            let name = ConsumerName(number);
            plan.steps.extend(applications::consuming(&mut dice, &scope, name));
            plan.consumers.push((name, line));
        }
        if !self.kinds.is_empty() {
            for number in 0..self.faults {
                let mut dice = Dice::new(self.seed, entity::FAULTS + number);
                let kind = dice.pick(&self.kinds);
                let at = dice.duration(Duration::ZERO, self.length);
                plan.steps.extend(kind.steps(&mut dice, &scope, at));
            }
        }
        rare::add(&mut plan, &scope);
        plan.steps.sort_by_key(|step| step.at);
        plan
    }

    fn topic(&self, dice: &mut Dice) -> TopicLine {
        let most = i16::try_from(self.brokers.min(3)).unwrap_or(1);
        TopicLine {
            partitions: dice.pick(&[1, 1, 2, 3, 4, 6]),
            replication: if dice.one_in(4) { 1 } else { most },
        }
    }
}

impl Step {
    fn new(at: Duration, what: What) -> Self {
        Self { at, what }
    }
}

/// The lines that a world needs at least: a client.
fn plain_client() -> (ClientName, ClientLine) {
    (ClientName(0), ClientLine::plain())
}
