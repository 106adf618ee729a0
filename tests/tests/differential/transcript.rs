//! What was seen of a broker, one fact a line, without what legitimately differs from one cluster to another.

use std::collections::BTreeMap;
use std::fmt::Debug;

use klamm_protocol::{ApiKey, Uuid};

use crate::tree::Tree;

/// One fact: where it was seen, and what it was.
pub(crate) type Line = (String, String);

/// Facts in the order in which they were seen.
#[derive(Debug)]
pub(crate) struct Transcript {
    lines: Vec<Line>,
    /// What the names of this case's topics and groups begin with.
    prefix: String,
    /// The time that timestamps are told relative to.
    epoch_ms: i64,
    /// Names for ids that brokers choose: the first of a kind is 1.
    names: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
    /// Fields whose values this case leaves out.
    pub(crate) hidden: Vec<&'static str>,
    /// This case does not compare the order within any list.
    pub(crate) is_unordered: bool,
}

/// Lists whose order says something; others come as a map of the broker has them.
const ORDERED: &[ApiKey] = &[ApiKey::DESCRIBE_TOPIC_PARTITIONS, ApiKey::FETCH];

impl Transcript {
    pub(crate) fn new(prefix: String, epoch_ms: i64) -> Self {
        Self {
            lines: Vec::new(),
            prefix,
            epoch_ms,
            names: BTreeMap::new(),
            counts: BTreeMap::new(),
            hidden: Vec::new(),
            is_unordered: false,
        }
    }

    pub(crate) fn into_lines(self) -> Vec<Line> {
        self.lines
    }

    pub(crate) fn note(&mut self, place: &str, what: impl Into<String>) {
        self.lines.push((place.to_owned(), what.into()));
    }

    /// The name that an id chosen by the broker goes by from now on.
    pub(crate) fn name_id(&mut self, id: Uuid, name: &str) {
        self.names.insert(format!("topic id {id}"), format!("<id of {name}>"));
    }

    /// Notes every field of a response.
    pub(crate) fn note_response(&mut self, place: &str, api: ApiKey, response: &impl Debug) {
        let mut tree = Tree::of(response);
        if self.is_unordered || !ORDERED.contains(&api) {
            self.sort(&mut tree);
        }
        self.flatten(place.to_owned(), "", api, &tree);
    }

    /// Sorts lists of structures by what they say but for ids.
    fn sort(&self, tree: &mut Tree) {
        match tree {
            Tree::Leaf(_) => {}
            Tree::Struct(fields) => fields.iter_mut().for_each(|(_, value)| self.sort(value)),
            Tree::List(items) => {
                items.iter_mut().for_each(|item| self.sort(item));
                items.sort_by_cached_key(|item| self.sort_key(item));
            }
        }
    }

    fn sort_key(&self, tree: &Tree) -> String {
        match tree {
            Tree::Leaf(value) => value.clone(),
            Tree::List(items) => items.iter().map(|item| self.sort_key(item)).collect(),
            Tree::Struct(fields) => {
                let shown = |(name, value): &(String, Tree)| match (name.as_str(), value) {
                    ("topic_id", Tree::Leaf(id)) => {
                        self.names.get(&format!("topic id {}", bare_id(id))).cloned()
                    }
                    ("member_id", Tree::Leaf(id)) => self.names.get(&format!("member {id}")).cloned(),
                    ("port" | "host", _) => None,
                    // Numbers in their own order.
                    (_, Tree::Leaf(value)) => Some(format!("{value:>12}")),
                    _ => Some(self.sort_key(value)),
                };
                fields.iter().filter_map(shown).collect()
            }
        }
    }

    fn flatten(&mut self, place: String, field: &str, api: ApiKey, tree: &Tree) {
        match tree {
            Tree::Leaf(value) => {
                let value = self.normal(field, api, value);
                self.lines.push((place, value));
            }
            Tree::Struct(fields) => {
                for (name, value) in fields {
                    let is_nothing = name == "unknown_tags" && *value == Tree::List(Vec::new());
                    if !is_nothing {
                        self.flatten(format!("{place}.{name}"), name, api, value);
                    }
                }
            }
            Tree::List(items) => {
                if items.is_empty() {
                    self.lines.push((place.clone(), "[]".into()));
                }
                for (index, item) in items.iter().enumerate() {
                    self.flatten(format!("{place}[{index}]"), field, api, item);
                }
            }
        }
    }

    /// A field's value without what may differ.
    fn normal(&mut self, field: &str, api: ApiKey, value: &str) -> String {
        if self.hidden.contains(&field) {
            return "<hidden>".into();
        }
        let is_absent = matches!(value, "None" | "\"\"" | "-1" | "0" | "Uuid(AAAAAAAAAAAAAAAAAAAAAA)");
        match field {
            // The first one of a cluster.
            "producer_id" if value == "0" => self.name_of("producer", value),
            "finalized_features_epoch" if value != "-1" => "<epoch>".into(),
            _ if is_absent => value.to_owned(),
            "error_message" | "batch_index_error_message" | "documentation" => "<text>".into(),
            "host" | "client_host" => "<host>".into(),
            "rack" => "None".into(),
            "port" => "<port>".into(),
            "controller_id" => "<broker>".into(),
            "node_id" if api == ApiKey::FIND_COORDINATOR => "<broker>".into(),
            "topic_id" => self.name_of("topic id", bare_id(value)),
            "cluster_id" => "<cluster>".into(),
            "producer_id" | "ongoing_txn_producer_id" => self.name_of("producer", value),
            "session_id" => self.name_of("session", value),
            "member_id" | "leader" if is_chosen_by_broker(value) => self.name_of("member", value),
            // Brokers keep them as a set.
            "subscribed_topic_names" => {
                let mut names: Vec<_> = value.trim_matches(['[', ']']).split(", ").collect();
                names.sort_unstable();
                format!("[{}]", names.join(", ")).replace(&self.prefix, "~")
            }
            "timestamp" | "log_append_time_ms" | "last_timestamp" | "transaction_start_time_ms" => {
                value.parse().map_or_else(|_| value.to_owned(), |timestamp| self.relative(timestamp))
            }
            _ => value.replace(&self.prefix, "~"),
        }
    }

    fn name_of(&mut self, kind: &'static str, value: &str) -> String {
        let key = format!("{kind} {value}");
        if let Some(name) = self.names.get(&key) {
            return name.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let name = format!("<{kind} {count}>");
        self.names.insert(key, name.clone());
        name
    }

    /// A timestamp of a record: relative to that of the run, or that it is the broker's own.
    pub(crate) fn relative(&self, timestamp: i64) -> String {
        match timestamp - self.epoch_ms {
            // An hour after the epoch the cases begin, and ten minutes are enough for them.
            3_590_000..4_200_000 => "<now>".into(),
            -100_000_000..=100_000_000 => format!("T{:+}", timestamp - self.epoch_ms),
            _ => timestamp.to_string(),
        }
    }
}

fn bare_id(value: &str) -> &str {
    value.trim_start_matches("Uuid(").trim_end_matches(')')
}

/// A member's id as brokers make it ends with a random UUID, or is one as Kafka writes it.
fn is_chosen_by_broker(value: &str) -> bool {
    let value = value.trim_start_matches("Some(").trim_end_matches(')').trim_matches('"');
    let is_of_uuid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if value.len() == 22 && value.bytes().all(is_of_uuid) {
        return true;
    }
    let tail = value.len().checked_sub(36).and_then(|start| value.get(start..));
    tail.is_some_and(|tail| tail.bytes().filter(|byte| *byte == b'-').count() == 4)
}
