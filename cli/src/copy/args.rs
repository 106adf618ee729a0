//! What `klamm copy` is told.

use clap::Args;

use crate::args::{Cluster, Codec};

/// Copies the records of a topic to another one, in transactions that also commit how far it got.
///
/// Stopped in any way, also by kill -9, the same command goes on where it was, and readers of committed records
/// find each record once. Of the source, records of committed transactions are copied.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// Topic to copy
    pub(crate) from: String,

    /// Topic to copy to, which exists
    pub(crate) to: String,

    /// Copy each record exactly once, over restarts and failures (the only way there is)
    #[arg(long, required = true)]
    pub(crate) exactly_once: bool,

    /// Who copies, over restarts: another process with the same id takes over from the one before, which then ends
    #[arg(long, value_name = "ID")]
    pub(crate) transactional_id: String,

    /// The group that keeps how far it got (default: klamm-copy-ID)
    #[arg(short, long, value_name = "GROUP")]
    pub(crate) group: Option<String>,

    /// Choose partitions anew, by key, instead of keeping each record's
    #[arg(long)]
    pub(crate) repartition: bool,

    /// Stop where the source ended when the command started
    #[arg(short = 'e', long)]
    pub(crate) exit_at_end: bool,

    /// Commit after this many records at the latest
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) transaction_records: u64,

    /// Compression of the batches
    #[arg(short = 'z', long, value_enum, default_value_t = Codec::None)]
    pub(crate) compression: Codec,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}
