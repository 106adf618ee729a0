//! How `klamm produce` sends: the options of the producer.

use clap::{
    Args, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use klamm_blocking::Partitioner;

use super::{Acks, Codec, seconds};

#[derive(Debug, Args)]
#[command(next_help_heading = "How to send")]
pub(crate) struct ProduceTuning {
    /// Acknowledgements to wait for
    #[arg(long, value_enum, default_value_t = Acks::All)]
    pub(crate) acks: Acks,

    /// Compression of the batches: none, gzip, snappy, lz4 or zstd, with a level (zstd:19); of several, the first that
    /// the brokers take (zstd,lz4)
    #[arg(short = 'z', long, value_name = "CODEC[:LEVEL],..", default_value = "none")]
    #[arg(value_delimiter = ',', value_parser = codec_choice)]
    pub(crate) compression: Vec<CodecChoice>,

    /// Level of the compression, as the codec counts
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) compression_level: Option<i32>,

    /// Which partition a record goes to, unless --partition says it
    #[arg(long, value_name = "NAME", default_value = "murmur2_random", value_parser = partitioners())]
    pub(crate) partitioner: Partitioner,

    /// Send records without a key to partitions whose leader is in this rack, as long as there are some
    #[arg(long, value_name = "RACK", default_value = "", hide_default_value = true)]
    pub(crate) rack: String,

    /// How long a batch waits to fill
    #[arg(long, value_name = "MS", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub(crate) linger_ms: u64,

    /// Bytes of a full batch
    #[arg(long, value_name = "BYTES", default_value_t = 262_144)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub(crate) batch_bytes: u32,

    /// Bytes of the largest record; topics with larger records also need their max.message.bytes raised
    #[arg(long, value_name = "BYTES", default_value_t = 1_048_576)]
    #[arg(value_parser = clap::value_parser!(u32).range(1024..=1_000_000_000))]
    pub(crate) max_request_size: u32,

    /// Requests that may await an answer from one broker; more than 5 do without idempotence
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) max_in_flight: u32,

    /// How often a batch is sent again that a broker refused (default: as often as the delivery timeout allows)
    #[arg(long, value_name = "N")]
    pub(crate) retries: Option<u32>,

    /// Give up a record that was not acknowledged for this long (default: as --timeout)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) delivery_timeout: Option<f64>,
}

/// A codec, and its level if one was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CodecChoice {
    pub(crate) codec: Codec,
    pub(crate) level: Option<i32>,
}

fn codec_choice(text: &str) -> Result<CodecChoice, String> {
    let (name, level) = match text.split_once(':') {
        Some((name, level)) => (name, Some(level)),
        None => (text, None),
    };
    let codec = Codec::from_str(name, true).map_err(|_| {
        format!("no codec '{name}': use none, gzip, snappy, lz4 or zstd, for instance zstd:19,lz4")
    })?;
    let level = level.map(|level| level.parse().map_err(|_| format!("the level '{level}' is no number")));
    Ok(CodecChoice { codec, level: level.transpose()? })
}

/// What each partitioner does, in the order of their names in the client.
const PARTITIONERS: &[(&str, &str)] = &[
    ("murmur2_random", "by the key's murmur2, as Java does; spread without a key"),
    ("murmur2", "by the key's murmur2; no key counts as an empty one"),
    (
        "consistent_random",
        "by the key's CRC-32, as librdkafka does; spread without a key or with an empty one",
    ),
    ("consistent", "by the key's CRC-32; no key counts as an empty one"),
    ("fnv1a_random", "by the key's FNV-1a, as Sarama does; spread without a key"),
    ("fnv1a", "by the key's FNV-1a; no key counts as an empty one"),
    ("fnv1a_reference", "by the key's FNV-1a, as Sarama's reference partitioner does; spread without a key"),
    ("sticky", "spread whatever the key, a batch at a time"),
    ("random", "a random one for each record"),
    ("round_robin", "one after the other"),
    ("manual", "none: --partition has to say it"),
];

fn partitioners() -> impl TypedValueParser<Value = Partitioner> {
    let named = PARTITIONERS.iter().map(|(name, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(named).try_map(|name| name.parse::<Partitioner>())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn parse(options: &[&str]) -> Result<ProduceTuning, String> {
        let line = ["klamm", "produce", "t"].iter().chain(options);
        match Cli::try_parse_from(line).map_err(|error| error.to_string())?.command {
            Command::Produce(produce) => Ok(produce.tuning),
            _ => Err("another command".to_owned()),
        }
    }

    #[test]
    fn codecs_are_listed_by_preference_with_levels() {
        let codec = |codec, level| CodecChoice { codec, level };
        let tuning = parse(&["-z", "zstd:19,lz4,none"]).unwrap();
        let expected = [codec(Codec::Zstd, Some(19)), codec(Codec::Lz4, None), codec(Codec::None, None)];
        assert_eq!(tuning.compression, expected);
        assert_eq!(parse(&["-z", "zstd:-3"]).unwrap().compression, [codec(Codec::Zstd, Some(-3))]);
        assert!(parse(&["-z", "brotli"]).unwrap_err().contains("use none, gzip"));
        assert!(parse(&["-z", "zstd:fast"]).unwrap_err().contains("is no number"));
    }

    #[test]
    fn every_partitioner_of_the_client_is_there_and_explained() {
        let names: Vec<_> = PARTITIONERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, Partitioner::NAMED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (name, partitioner) in Partitioner::NAMED {
            assert_eq!(parse(&["--partitioner", name]).unwrap().partitioner, *partitioner);
        }
        assert!(parse(&["--partitioner", "murmur3"]).unwrap_err().contains("murmur2_random"));
    }
}
