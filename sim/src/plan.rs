//! Plans: what a simulated run consists of, as plain data.
//!
//! A seed and a [`Profile`] expand into a [`Plan`] ([`Plan::generate`]); a plan is run,
//! minimised and explained. As a text a plan has one item a line, so that taking out a line is taking out an item, and
//! everything else happens as before, as far as it can: each decision of a world depends on the plan's seed and on
//! whose decision it is, not on what else there is.
//!
//! ```
//! use klamm_sim::plan::Plan;
//!
//! let plan: Plan = "\
//! klamm plan 1
//! seed 7
//! cluster brokers=3
//! topic t0 partitions=2 replication=3
//! client c0
//! producer p0 client=c0 linger=20ms
//! consumer r0 client=c0 assign=t0/0@earliest,t0/1@earliest
//! at 0s p0 send topic=t0 records=100 every=1ms   # a tenth of a second
//! at 30ms crash broker=1 keep-unflushed=no for=2s
//! heal at 5s
//! "
//! .parse()?;
//! assert_eq!(plan.steps.len(), 2);
//! assert_eq!(plan.to_string().parse::<Plan>()?, plan);
//!
//! let error = "klamm plan 1\nat 1s crahs broker=1\n".parse::<Plan>().unwrap_err();
//! assert_eq!(error.to_string(), "line 2, column 7: \"crahs\" is no fault (did you mean crash?)");
//! # Ok::<(), klamm_sim::plan::PlanError>(())
//! ```

pub mod action;
mod error;
pub mod fault;
mod generate;
mod line;
mod parts;
pub mod setup;
#[cfg(test)]
mod tests;
mod text;
pub mod values;

use std::time::Duration;

pub use error::PlanError;
pub use values::Profile;

pub use action::{ConsumeAction, MemberAction, ProduceAction};
pub use fault::Fault;
use setup::{Client, ClusterLine, Consumer, Member, NetworkLine, Producer, Topic, Transactor};
use values::{ConsumerName, MemberName, ProducerName};

use crate::cluster;

/// What a simulated run consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Determines everything that is not said here.
    pub seed: u64,
    /// How it was made, if it was made.
    pub profile: Option<Profile>,
    /// The brokers.
    pub cluster: ClusterLine,
    /// The network.
    pub network: NetworkLine,
    /// The topics.
    pub topics: Vec<Topic>,
    /// The client processes.
    pub clients: Vec<Client>,
    /// The producers.
    pub producers: Vec<Producer>,
    /// The consumers.
    pub consumers: Vec<Consumer>,
    /// The members of groups.
    pub members: Vec<Member>,
    /// The applications with transactions.
    pub transactors: Vec<Transactor>,
    /// What happens, in the order of time.
    pub steps: Vec<Step>,
    /// When all faults end.
    pub heal_at: Duration,
}

/// Something that happens at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, from the beginning of the run.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A producer does something.
    Produce(ProducerName, ProduceAction),
    /// A consumer does something.
    Consume(ConsumerName, ConsumeAction),
    /// A member of a group does something.
    Member(MemberName, MemberAction),
    /// Something goes wrong.
    Fault(Fault),
    /// Something goes wrong in the brokers; as text it is as [`cluster::FAULTS`] has it.
    Order(cluster::Fault),
}

impl Plan {
    /// A plan in which nothing happens, healed after a second.
    #[must_use]
    pub fn empty(seed: u64) -> Self {
        Self {
            seed,
            profile: None,
            cluster: ClusterLine::plain(),
            network: NetworkLine::plain(),
            topics: Vec::new(),
            clients: Vec::new(),
            producers: Vec::new(),
            consumers: Vec::new(),
            members: Vec::new(),
            transactors: Vec::new(),
            steps: Vec::new(),
            heal_at: Duration::from_secs(1),
        }
    }

    /// How many lines it has that can be taken out.
    #[must_use]
    pub fn items(&self) -> usize {
        self.topics.len()
            + self.clients.len()
            + self.producers.len()
            + self.consumers.len()
            + self.members.len()
            + self.transactors.len()
            + self.steps.len()
    }
}
