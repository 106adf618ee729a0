//! The command line: a scenario, then flags that all have values.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Produce as fast as possible.
    Produce,
    /// Time from the call of send to the acknowledgement.
    ProduceLatency,
    /// Consume assigned partitions from offset 0 as fast as possible.
    Consume,
    /// Time from the call of send to the delivery to a consumer in the same process.
    EndToEndLatency,
    /// Consume through a subscription, as the only member of a group.
    ConsumeGroup,
    /// Time from a member's making until all members have their share.
    Rebalance,
    /// What a member costs to which nothing comes.
    Idle,
    /// Transactions one after another, each from its begin to its commit.
    Transactions,
}

impl Scenario {
    /// The scenario's name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::ProduceLatency => "produce-latency",
            Self::Consume => "consume",
            Self::EndToEndLatency => "e2e-latency",
            Self::ConsumeGroup => "consume-group",
            Self::Rebalance => "rebalance",
            Self::Idle => "idle",
            Self::Transactions => "transactions",
        }
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [
            Self::Produce,
            Self::ProduceLatency,
            Self::Consume,
            Self::EndToEndLatency,
            Self::ConsumeGroup,
            Self::Rebalance,
            Self::Idle,
            Self::Transactions,
        ];
        all.into_iter()
            .find(|scenario| scenario.name() == text)
            .ok_or_else(|| format!("no such scenario: {text}"))
    }
}

/// The flags of a run.
#[derive(Debug)]
pub struct Flags {
    values: BTreeMap<String, String>,
}

impl Flags {
    /// Reads `--name value` pairs.
    ///
    /// # Errors
    /// A name without `--`, or without a value.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let key = name.strip_prefix("--").ok_or_else(|| format!("{name} is no flag"))?;
            let value = args.next().ok_or_else(|| format!("{name} has no value"))?;
            values.insert(key.to_owned(), value);
        }
        Ok(Self { values })
    }

    /// The text of a flag, or `default` if it is absent.
    #[must_use]
    pub fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.values.get(name).map_or(default, String::as_str)
    }

    /// The number of a flag, or `default` if it is absent.
    ///
    /// # Errors
    /// The value is no such number.
    pub fn number<T: FromStr<Err: fmt::Display>>(&self, name: &str, default: T) -> Result<T, String> {
        match self.values.get(name) {
            Some(value) => value.parse().map_err(|error| format!("--{name} {value}: {error}")),
            None => Ok(default),
        }
    }

    /// The linger that was asked for; `None` is the client's default.
    ///
    /// # Errors
    /// The value is no number.
    pub fn linger(&self) -> Result<Option<Duration>, String> {
        let ms: i64 = self.number("linger-ms", -1)?;
        Ok(u64::try_from(ms).ok().map(Duration::from_millis))
    }

    /// Whether the client is to be configured for throughput (`tuned`) or left as it ships.
    #[must_use]
    pub fn tuned(&self) -> bool {
        self.text("tuning", "tuned") == "tuned"
    }
}
