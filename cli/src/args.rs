//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::{
    cluster::{Cluster, Protocol, Trace},
    produce::ProduceTuning,
};

mod cluster;
mod produce;

/// Produce, consume and administer Apache Kafka; run an embedded Kafka broker.
#[derive(Debug, Parser)]
#[command(name = "klamm", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole thing at work: start three embedded brokers, produce, consume, verify, measure
    Demo(Demo),
    /// Run an embedded Kafka cluster on TCP until interrupted
    Broker(Broker),
    /// Create, list, describe or delete topics
    #[command(subcommand)]
    Topic(Topic),
    /// List, describe or delete groups, show how far they are behind, reset their offsets
    #[command(subcommand)]
    Group(crate::group::args::Group),
    /// Produce lines of files or of standard input as records
    Produce(Produce),
    /// Print the records of a topic
    Consume(Consume),
    /// Copy a topic to another one, each record exactly once
    Copy(crate::copy::args::Copy),
    /// List and describe transactions; find and abort those that hang
    #[command(subcommand)]
    Txn(crate::txn::args::Txn),
    /// Show which settings hold, or which there are
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Test the client in simulated worlds: run seeds, replay, minimise and explain failures
    #[command(subcommand)]
    Sim(crate::sim::args::Sim),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the settings that hold for the commands, without secrets
    Show(Box<ConfigShow>),
    /// List all settings by their names in the Java client and librdkafka, as a table in Markdown
    Settings,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigShow {
    /// Also those that were not given
    #[arg(short, long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Produce the lines of this file instead of generated records
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,

    /// Number of generated records
    #[arg(long, value_name = "N", default_value_t = 1_000_000, conflicts_with = "file")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) records: u64,

    /// Bytes in the value of a generated record
    #[arg(long, value_name = "BYTES", default_value_t = 100, conflicts_with = "file")]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=900_000))]
    pub(crate) size: u32,

    /// Partitions of the demo's topic
    #[arg(long, value_name = "N", default_value_t = 6)]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub(crate) partitions: i32,

    /// Compression of the batches
    #[arg(short = 'z', long, value_enum, default_value_t = Codec::None)]
    pub(crate) compression: Codec,

    /// Give up when the demo makes no progress for this long
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Broker {
    /// Address of the first broker; the others take the ports that follow (port 0: free ports)
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9092")]
    pub(crate) listen: String,

    /// Number of brokers
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=16))]
    pub(crate) brokers: u16,

    /// Kafka release whose API versions the brokers offer
    #[arg(long, value_name = "VERSION", default_value = "4.2")]
    pub(crate) kafka_version: String,

    /// Partitions of topics that are created by being used
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub(crate) default_partitions: i32,

    /// Speak TLS, with this certificate in PEM
    #[arg(long, value_name = "PATH", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The certificate's private key in PEM
    #[arg(long, value_name = "PATH", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Demand certificates of clients that this authority issued, in PEM
    #[arg(long, value_name = "PATH", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// Demand SASL of clients, as this user (for tests: the password is seen by all on this machine); may be repeated
    #[arg(long = "user", value_name = "NAME=PASSWORD", value_parser = key_value)]
    pub(crate) users: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Topic {
    /// Create topics
    Create(TopicCreate),
    /// List the topics and how many partitions each has
    List(TopicList),
    /// Show the partitions of topics: leader, replicas, in-sync replicas, offsets
    Describe(TopicDescribe),
    /// Delete topics
    Delete(TopicDelete),
}

#[derive(Debug, Args)]
pub(crate) struct TopicCreate {
    /// Names of the topics
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,

    /// Number of partitions (default: the broker's num.partitions)
    #[arg(short, long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) partitions: Option<i32>,

    /// Replicas of each partition (default: the broker's default.replication.factor)
    #[arg(short, long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(i16).range(1..))]
    pub(crate) replication: Option<i16>,

    /// Configuration of the topic, for instance retention.ms=3600000
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) configs: Vec<(String, String)>,

    /// Check with the broker, create nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct TopicList {
    /// Include internal topics
    #[arg(long)]
    pub(crate) internal: bool,

    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct TopicDescribe {
    /// Names of the topics
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,

    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct TopicDelete {
    /// Names of the topics
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct Produce {
    /// Topic to produce to
    pub(crate) topic: String,

    /// Files whose lines become records; '-' or none: standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Split each line into key and value at the first occurrence of this text (\t and \xHH are understood)
    #[arg(short = 'K', long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) key_separator: Option<String>,

    /// Key of every record
    #[arg(short, long, conflicts_with = "key_separator")]
    pub(crate) key: Option<String>,

    /// Header of every record (may be repeated; a name without '=' has a null value)
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    pub(crate) headers: Vec<String>,

    /// Partition of every record (default: by key, or spread)
    #[arg(short, long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: Option<i32>,

    /// Treat an empty value as null (a tombstone), and an empty key as no key
    #[arg(short = 'Z', long)]
    pub(crate) null_empty: bool,

    /// What ends a record (\n, \0 and \xHH are understood)
    #[arg(short = 'D', long, value_name = "TEXT", default_value = "\\n", allow_hyphen_values = true)]
    pub(crate) delimiter: String,

    #[command(flatten)]
    pub(crate) cluster: Cluster,

    // With a heading of its own, which holds for all that follow.
    #[command(flatten)]
    pub(crate) tuning: ProduceTuning,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("start").args(["from_beginning", "offset"])))]
pub(crate) struct Consume {
    /// Topic to consume
    pub(crate) topic: String,

    /// Take the topic as a regular expression, and consume all topics whose whole name matches, also those that come
    #[arg(long, conflicts_with_all = ["partitions", "exit_at_end", "explain"])]
    pub(crate) regex: bool,

    /// Start at the first record that there is (default: only what arrives from now on)
    #[arg(long)]
    pub(crate) from_beginning: bool,

    /// Where to start: an offset, earliest, latest, -N (N before the end), -90m or -2h (that long ago; also s and d),
    /// or @MILLISECONDS since 1970
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true)]
    pub(crate) offset: Option<String>,

    /// Only these partitions
    #[arg(short, long, value_name = "N,..", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partitions: Vec<i32>,

    /// Stop after this many records
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,

    /// Stop where the partitions ended when the command started
    #[arg(short = 'e', long)]
    pub(crate) exit_at_end: bool,

    /// How to print a record: text with %t topic, %p partition, %o offset, %k key, %v value, .. (see --help)
    #[arg(short, long, value_name = "FORMAT", conflicts_with = "output", long_help = FORMAT_HELP)]
    pub(crate) format: Option<String>,

    /// How to print records: each value on a line, or each record as a line of JSON
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    /// Which records of transactions to show
    #[arg(long, value_enum, default_value_t = Isolation::ReadUncommitted)]
    pub(crate) isolation: Isolation,

    /// Where this client is, to read from replicas in the same rack
    #[arg(long, value_name = "RACK", default_value = "", hide_default_value = true)]
    pub(crate) rack: String,

    /// Say on standard error what each partition waits for, while no records come
    #[arg(long)]
    pub(crate) explain: bool,

    /// Consume as a member of this group: on from what it committed, which is committed again at the end
    #[arg(short, long, value_name = "GROUP", conflicts_with_all = ["offset", "partitions", "exit_at_end", "explain"])]
    pub(crate) group: Option<String>,

    /// Who assigns the partitions of the group
    #[arg(long, value_enum, default_value_t = GroupProtocol::Classic, requires = "group")]
    pub(crate) group_protocol: GroupProtocol,

    /// The member's own name in the group, by which it has its partitions again after a restart
    #[arg(long, value_name = "NAME", requires = "group")]
    pub(crate) instance_id: Option<String>,

    /// After how long without a sign of life the group takes the member for dead (default: 45; not with the
    /// protocol `consumer`, where the coordinator decides)
    #[arg(long, value_name = "SECONDS", requires = "group", value_parser = seconds)]
    pub(crate) session_timeout: Option<f64>,

    /// Say on standard error which partitions the group assigns and takes away
    #[arg(short, long, requires = "group")]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

const FORMAT_HELP: &str = "\
How to print a record: text in which these stand for parts of the record

  %t topic        %p partition     %o offset
  %k key          %v value (also %s)
  %K key's length, -1 if null      %V value's length, -1 if null (also %S)
  %h headers as NAME=VALUE,..      %H number of headers
  %T timestamp in milliseconds     %i number of the record in the output, from 0
  %% a percent sign

and \\n \\r \\t \\0 \\\\ \\xHH stand for single bytes. Nothing is added: end the format with \\n.";

/// Who assigns the partitions of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupProtocol {
    /// The members, by range
    Classic,
    /// The coordinator (KIP-848)
    Consumer,
}

/// A compression codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// Which replicas acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Acks {
    /// All in-sync replicas
    All,
    /// The leader only
    #[value(name = "1")]
    One,
    /// Nobody: records may be lost unnoticed
    #[value(name = "0")]
    Zero,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

/// Which records of transactions are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Isolation {
    /// Also those of open and aborted transactions
    #[value(alias = "read_uncommitted")]
    ReadUncommitted,
    /// Only those of committed transactions
    #[value(alias = "read_committed")]
    ReadCommitted,
}

pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(seconds),
        Ok(_) => Err("must be between 0.1 and 86400 seconds".to_owned()),
        Err(_) => Err("must be a number of seconds, for instance 30 or 2.5".to_owned()),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be KEY=VALUE, for instance cleanup.policy=compact".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn no_option_is_there_twice() {
        Cli::command().debug_assert();
    }
}
