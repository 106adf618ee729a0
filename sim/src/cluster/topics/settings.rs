//! The configuration of topics: names, defaults, and those values that change what a broker does.

use std::collections::BTreeMap;

use klamm_protocol::Str;

/// The values that a broker acts upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) max_message_bytes: i64,
    pub(crate) segment_bytes: i64,
    pub(crate) retention_bytes: i64,
    pub(crate) retention_ms: i64,
    pub(crate) min_insync_replicas: i64,
    pub(crate) timestamp_before_max_ms: i64,
    pub(crate) timestamp_after_max_ms: i64,
    pub(crate) log_append_time: bool,
    /// Records must have keys.
    pub(crate) compacted: bool,
    /// A replica that is not in sync may lead if there is no other.
    pub(crate) unclean_election: bool,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A list of these; of anything, if there are none.
    List(&'static [&'static str]),
    Int(i64),
    Long(i64),
    Double,
}

/// A configuration that a topic has.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) kind: Kind,
}

const fn setting(name: &'static str, default: &'static str, kind: Kind) -> Setting {
    Setting { name, default, kind }
}

/// Every configuration of a topic, by name.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("cleanup.policy", "delete", Kind::List(&["compact", "delete"])),
    setting("compression.gzip.level", "-1", Kind::Int(-1)),
    setting("compression.lz4.level", "9", Kind::Int(1)),
    setting(
        "compression.type",
        "producer",
        Kind::Choice(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
    ),
    setting("compression.zstd.level", "3", Kind::Int(-131_072)),
    setting("delete.retention.ms", "86400000", Kind::Long(0)),
    setting("file.delete.delay.ms", "60000", Kind::Long(0)),
    setting("flush.messages", "9223372036854775807", Kind::Long(1)),
    setting("flush.ms", "9223372036854775807", Kind::Long(0)),
    setting("follower.replication.throttled.replicas", "", Kind::List(&[])),
    setting("index.interval.bytes", "4096", Kind::Int(0)),
    setting("leader.replication.throttled.replicas", "", Kind::List(&[])),
    setting("local.retention.bytes", "-2", Kind::Long(-2)),
    setting("local.retention.ms", "-2", Kind::Long(-2)),
    setting("max.compaction.lag.ms", "9223372036854775807", Kind::Long(1)),
    setting("max.message.bytes", "1048588", Kind::Int(0)),
    setting("message.timestamp.after.max.ms", "3600000", Kind::Long(0)),
    setting("message.timestamp.before.max.ms", "9223372036854775807", Kind::Long(0)),
    setting("message.timestamp.type", "CreateTime", Kind::Choice(&["CreateTime", "LogAppendTime"])),
    setting("min.cleanable.dirty.ratio", "0.5", Kind::Double),
    setting("min.compaction.lag.ms", "0", Kind::Long(0)),
    setting("min.insync.replicas", "1", Kind::Int(1)),
    setting("preallocate", "false", Kind::Boolean),
    setting("remote.log.copy.disable", "false", Kind::Boolean),
    setting("remote.log.delete.on.disable", "false", Kind::Boolean),
    setting("remote.storage.enable", "false", Kind::Boolean),
    setting("retention.bytes", "-1", Kind::Long(-1)),
    setting("retention.ms", "604800000", Kind::Long(-1)),
    setting("segment.bytes", "1073741824", Kind::Int(14)),
    setting("segment.index.bytes", "10485760", Kind::Int(4)),
    setting("segment.jitter.ms", "0", Kind::Long(0)),
    setting("segment.ms", "604800000", Kind::Long(1)),
    setting("unclean.leader.election.enable", "false", Kind::Boolean),
];

/// Why a configuration is refused; the text is what a broker answers.
pub(crate) type Refusal = String;

/// The configuration of one topic.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    overrides: BTreeMap<&'static str, Str>,
    defaults: BTreeMap<&'static str, Str>,
    limits: Limits,
}

impl Settings {
    /// The configuration of a topic in a cluster that has `defaults` of its own.
    pub(crate) fn new(defaults: BTreeMap<&'static str, Str>) -> Self {
        let limits = Limits {
            max_message_bytes: 0,
            segment_bytes: 0,
            retention_bytes: 0,
            retention_ms: 0,
            min_insync_replicas: 0,
            timestamp_before_max_ms: 0,
            timestamp_after_max_ms: 0,
            log_append_time: false,
            compacted: false,
            unclean_election: false,
        };
        let mut settings = Self { overrides: BTreeMap::new(), defaults, limits };
        settings.limits = settings.derive();
        settings
    }

    /// Sets a configuration of the topic, or with `None` goes back to the default.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Refusal> {
        let setting = SETTINGS
            .iter()
            .find(|setting| setting.name == name)
            .ok_or_else(|| format!("Unknown topic config name: {name}"))?;
        match value {
            None => drop(self.overrides.remove(setting.name)),
            Some(value) => {
                check(setting, value)?;
                self.overrides.insert(setting.name, Str::copy_of(value.trim()));
            }
        }
        self.limits = self.derive();
        Ok(())
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The value of a configuration, and whether it is the topic's own.
    pub(crate) fn get(&self, setting: &Setting) -> (Str, bool) {
        if let Some(own) = self.overrides.get(setting.name) {
            return (own.clone(), true);
        }
        let default = self.defaults.get(setting.name).cloned();
        (default.unwrap_or_else(|| Str::from_static(setting.default)), false)
    }

    fn derive(&self) -> Limits {
        let value = |name: &str| {
            let setting = SETTINGS.iter().find(|setting| setting.name == name);
            setting.map(|setting| self.get(setting).0).unwrap_or_default()
        };
        let number = |name: &str| value(name).parse().unwrap_or(-1);
        Limits {
            max_message_bytes: number("max.message.bytes"),
            segment_bytes: number("segment.bytes"),
            retention_bytes: number("retention.bytes"),
            retention_ms: number("retention.ms"),
            min_insync_replicas: number("min.insync.replicas"),
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            log_append_time: value("message.timestamp.type") == "LogAppendTime",
            compacted: value("cleanup.policy").contains("compact"),
            unclean_election: value("unclean.leader.election.enable").eq_ignore_ascii_case("true"),
        }
    }
}

fn check(setting: &Setting, text: &str) -> Result<(), Refusal> {
    let value = text.trim();
    let invalid = |why: &str| format!("Invalid value {value} for configuration {}: {why}", setting.name);
    let at_least = |number: Option<i64>, min: i64, what: &str| match number {
        Some(number) if number >= min => Ok(()),
        Some(_) => Err(invalid(&format!("Value must be at least {min}"))),
        None => Err(invalid(&format!("Not a number of type {what}"))),
    };
    let one_of = |value: &str, choices: &[&str]| {
        let known = choices.contains(&value);
        if known { Ok(()) } else { Err(invalid(&format!("String must be one of: {}", choices.join(", ")))) }
    };
    match setting.kind {
        Kind::Boolean => match value.to_ascii_lowercase().as_str() {
            "true" | "false" => Ok(()),
            _ => Err(invalid("Expected value to be either true or false")),
        },
        Kind::Choice(choices) => one_of(value, choices),
        Kind::List([]) => Ok(()),
        Kind::List(_) if value.is_empty() => Ok(()),
        Kind::List(choices) => value.split(',').try_for_each(|item| one_of(item.trim(), choices)),
        Kind::Int(min) => at_least(value.parse::<i32>().ok().map(i64::from), min, "INT"),
        Kind::Long(min) => at_least(value.parse().ok(), min, "LONG"),
        Kind::Double => value.parse::<f64>().map(drop).map_err(|_| invalid("Not a number of type DOUBLE")),
    }
}
