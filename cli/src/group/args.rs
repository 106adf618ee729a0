//! The arguments of `klamm group`.

use clap::{ArgGroup, Args, Subcommand};

use crate::args::{Cluster, Output, seconds};

#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// List the groups and their states
    List(GroupList),
    /// Show groups: state, coordinator, protocol, members and what they are assigned
    Describe(GroupDescribe),
    /// Show how far a group is behind the ends of the partitions
    Lag(GroupLag),
    /// Show, and with --execute set, where a group without members goes on
    ResetOffsets(GroupReset),
    /// Delete groups without members, with their committed offsets
    Delete(GroupDelete),
}

#[derive(Debug, Args)]
pub(crate) struct GroupList {
    /// Only groups in these states, for instance stable,empty
    #[arg(long, value_name = "STATE,..", value_delimiter = ',')]
    pub(crate) state: Vec<String>,

    /// Only groups of these types: classic, consumer, share, streams
    #[arg(long = "type", value_name = "TYPE,..", value_delimiter = ',')]
    pub(crate) types: Vec<String>,

    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct GroupDescribe {
    /// Names of the groups
    #[arg(required = true, value_name = "GROUP")]
    pub(crate) groups: Vec<String>,

    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct GroupLag {
    /// Name of the group
    pub(crate) group: String,

    /// Show it again and again, until interrupted
    #[arg(short, long)]
    pub(crate) watch: bool,

    /// How long to wait before showing it again
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds, requires = "watch")]
    pub(crate) interval: f64,

    /// Stop after showing it this many times
    #[arg(short = 'n', long, value_name = "N", requires = "watch")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["topics", "all_topics"])))]
pub(crate) struct GroupReset {
    /// Name of the group
    pub(crate) group: String,

    /// A topic, or some of its partitions (may be repeated)
    #[arg(short, long = "topic", value_name = "TOPIC[:N,..]")]
    pub(crate) topics: Vec<String>,

    /// All partitions for which the group has committed
    #[arg(long)]
    pub(crate) all_topics: bool,

    #[command(flatten)]
    pub(crate) to: ResetTo,

    /// Do it; without this the new offsets are only shown
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) execute: bool,

    /// Only show the new offsets (the default)
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// Where a group shall go on: exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ResetTo {
    /// To the oldest records that there are
    #[arg(long)]
    pub(crate) to_earliest: bool,

    /// To the ends of the partitions
    #[arg(long)]
    pub(crate) to_latest: bool,

    /// To this offset, or the nearest that there is
    #[arg(long, value_name = "OFFSET")]
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) to_offset: Option<i64>,

    /// To the first records since then: 2026-01-31, 2026-01-31T12:00:00 (both UTC), 2026-01-31T12:00:00+01:00, or
    /// @MILLISECONDS since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) to_datetime: Option<String>,

    /// To the first records of the last so long: 90s, 15m, 2h, 7d, or PT2H30M
    #[arg(long, value_name = "DURATION")]
    pub(crate) by_duration: Option<String>,

    /// By so many records forwards, or backwards if negative
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) shift_by: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct GroupDelete {
    /// Names of the groups
    #[arg(required = true, value_name = "GROUP")]
    pub(crate) groups: Vec<String>,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}
