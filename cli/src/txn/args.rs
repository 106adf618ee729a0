//! What `klamm txn` is told.

use clap::{Args, Subcommand};

use crate::args::Cluster;

#[derive(Debug, Subcommand)]
pub(crate) enum Txn {
    /// List the transactional ids and their states
    List(TxnList),
    /// Show transactions: state, producer, partitions, since when
    Describe(TxnDescribe),
    /// Find transactions that hold up the readers of a topic, and that no coordinator knows of any more
    FindHanging(TxnFindHanging),
    /// Abort what hangs in a partition, as find-hanging shows it
    Abort(TxnAbort),
}

#[derive(Debug, Args)]
pub(crate) struct TxnList {
    /// Only those of these producer ids
    #[arg(long = "producer-id", value_name = "ID")]
    pub(crate) producer_ids: Vec<i64>,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct TxnDescribe {
    /// The transactional ids
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct TxnFindHanging {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,

    /// Look only at what has been open for so many minutes (the brokers' transaction.max.timeout.ms is 15)
    #[arg(long, value_name = "MINUTES", default_value_t = 15)]
    pub(crate) open_for: u64,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct TxnAbort {
    /// The topic
    pub(crate) topic: String,

    /// The partition
    #[arg(short, long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: i32,

    /// Where the transaction begins
    #[arg(long, value_name = "OFFSET")]
    pub(crate) start_offset: i64,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}
