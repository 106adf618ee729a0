//! The command line of `klamm sim`.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use klamm_sim::check::Invariant;
use klamm_sim::plan::Profile;

#[derive(Debug, Subcommand)]
pub(crate) enum Sim {
    /// Run the plans of many seeds and check each; exit 1 if anything did not hold
    #[command(after_long_help = PROFILES)]
    Run(Run),
    /// Run one plan and say what did not hold
    Replay(Replay),
    /// Make a failing plan as small as possible
    Minimise(Minimise),
    /// Tell what happened in a run, line by line: around the failure, or what the options ask for
    Explain(Explain),
    /// Print the plan that a seed stands for
    Plan(Print),
}

const PROFILES: &str = "\
Profiles:
  smoke        ordinary clients and brokers, one fault each
  swarm        a random part of all features, settings and faults in each run
  storm        faults nearly all the time
  soak         four simulated months, idle and in bursts
  version-mix  brokers of all releases from 0.10 on, upgraded and downgraded in use
  rebalance    groups whose members come, go, stand still and die
  txn          applications that write in transactions, fail, and are replaced
  exhaustive   tiny worlds, each in all orders of its first events

A failing run prints one line with all that is needed to replay it, and its plan is written to --failures.";

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// What kinds of plans, one after the other
    #[arg(short, long, value_name = "NAME,..", default_value = "swarm", value_delimiter = ',')]
    #[arg(value_parser = profile)]
    pub(crate) profile: Vec<Profile>,

    /// Seeds from A up to, but without, B; or one seed
    #[arg(short, long, value_name = "A..B", default_value = "0..100", value_parser = seeds)]
    pub(crate) seeds: Range<u64>,

    /// Runs at a time (default: as many as there are processors)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,

    /// Directory for the plans of failing runs; it is made when it is needed
    #[arg(long, value_name = "DIR", default_value = "sim-failures")]
    pub(crate) failures: PathBuf,

    /// Stop after so many failing runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_failures: u64,

    /// Show which rare situations of the client were reached, and how often
    #[arg(long)]
    pub(crate) probes: bool,

    /// Exit 1 if any of these situations was reached by none of the runs
    #[arg(long)]
    pub(crate) all_probes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// File with a plan ('-': standard input), or a seed
    #[arg(value_name = "PLAN|SEED")]
    pub(crate) plan: String,

    /// With a seed: what kind of plan it stands for
    #[arg(short, long, value_name = "NAME", default_value = "swarm", value_parser = profile)]
    pub(crate) profile: Profile,
}

#[derive(Debug, Args)]
pub(crate) struct Print {
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Minimise {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Where to write the plan (default: standard output)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// The invariant that is to stay violated, by name or number (default: the first that does not hold)
    #[arg(short, long, value_name = "NAME", value_parser = invariant)]
    pub(crate) invariant: Option<Invariant>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) target: Target,

    /// So many of the last lines (default: 60 lines before the failure, or the whole run if all is well)
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) last: Option<usize>,

    /// Only what concerns these: p0 a producer, r0 a consumer, c0 a client, b1 a broker, t0 a topic, t0/1 a partition
    #[arg(short, long, value_name = "NAME,..", value_delimiter = ',')]
    pub(crate) entity: Vec<String>,

    /// The whole run, not only what is around the failure
    #[arg(short, long)]
    pub(crate) all: bool,
}

fn profile(text: &str) -> Result<Profile, String> {
    text.parse()
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| {
        text.parse::<u64>().map_err(|_| format!("{text:?} is no seed: a whole number from 0 on, or A..B"))
    };
    let Some((from, to)) = text.split_once("..") else {
        let seed = number(text)?;
        return Ok(seed..seed.saturating_add(1));
    };
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(format!("there are no seeds from {from} up to {to}")) } else { Ok(range) }
}

fn invariant(text: &str) -> Result<Invariant, String> {
    let by_number = text.parse::<u8>().ok();
    let known = Invariant::ALL.iter().copied();
    let found = known.clone().find(|known| known.name() == text || by_number == Some(known.number()));
    found.ok_or_else(|| {
        let names: Vec<&str> = known.map(Invariant::name).collect();
        format!("{text:?} is no invariant: a number from 1 to 50, or one of {}", names.join(", "))
    })
}
