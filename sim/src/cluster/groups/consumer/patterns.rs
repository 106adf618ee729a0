//! Subscriptions by regular expression, which the coordinator resolves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::{ErrorCode, Str};
use regex_lite::Regex;

use super::{ConsumerGroup, Refused, Wishes};
use crate::cluster::topics::Topics;

/// How soon after resolving patterns they are resolved again, if topics were created.
const MIN_INTERVAL: Duration = Duration::from_secs(10);
/// How soon they are resolved again anyhow (`group.consumer.regex.refresh.interval.ms`).
const MAX_INTERVAL: Duration = Duration::from_secs(600);

/// What patterns stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    topics: BTreeMap<Str, BTreeSet<Str>>,
    resolved_at: Option<Instant>,
    /// How many topics had ever been created by then.
    created: u64,
}

impl Patterns {
    /// The topics that a member wants by its pattern.
    pub(super) fn topics_of(&self, wishes: &Wishes) -> impl Iterator<Item = &Str> {
        wishes.regex().and_then(|pattern| self.topics.get(pattern)).into_iter().flatten()
    }

    pub(super) fn is_resolved(&self, pattern: &str) -> bool {
        self.topics.contains_key(pattern)
    }

    fn is_due(&self, now: Instant, patterns: &BTreeSet<Str>, topics: &Topics) -> bool {
        let Some(at) = self.resolved_at.filter(|_| !self.topics.is_empty()) else { return true };
        let age = now.since(at);
        let has_unresolved = patterns.len() != self.topics.len();
        age > MIN_INTERVAL && (has_unresolved || self.created < topics.created() || age > MAX_INTERVAL)
    }
}

/// Compiles a pattern, which has to match whole names.
fn compile(pattern: &str) -> Result<Regex, Refused> {
    let invalid = |_| {
        let message = format!("{pattern:?} is no regular expression.");
        Refused::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message)
    };
    // By itself first: brackets around it could complete what is no expression.
    Regex::new(pattern).map_err(invalid)?;
    Regex::new(&format!("^(?:{pattern})$")).map_err(invalid)
}

impl ConsumerGroup {
    /// Whether a pattern may be subscribed to: one that another member has is known to be good.
    pub(super) fn check_pattern(&self, pattern: &str) -> Result<(), Refused> {
        if self.patterns_wanted().contains(pattern) { Ok(()) } else { compile(pattern).map(drop) }
    }

    fn patterns_wanted(&self) -> BTreeSet<Str> {
        self.members.values().filter_map(|member| member.wishes.regex()).cloned().collect()
    }

    /// Forgets patterns that nobody has any more.
    pub(super) fn forget_patterns(&mut self) {
        let wanted = self.patterns_wanted();
        self.patterns.topics.retain(|pattern, _| wanted.contains(pattern));
    }

    /// Resolves all patterns, if it is time: a broker does so on the side, after a heartbeat, and the heartbeat that
    /// follows has what comes of it.
    pub(super) fn resolve_patterns(&mut self, now: Instant, topics: &Topics) {
        let wanted = self.patterns_wanted();
        if wanted.is_empty() || !self.patterns.is_due(now, &wanted, topics) {
            return;
        }
        let mut resolved = BTreeMap::new();
        for pattern in wanted {
            let Ok(regex) = compile(&pattern) else { continue };
            let names = topics.iter().map(|topic| topic.name()).filter(|name| regex.is_match(name));
            let names: BTreeSet<Str> = names.cloned().collect();
            resolved.insert(pattern, names);
        }
        let has_changed = resolved.iter().any(|(pattern, names)| match self.patterns.topics.get(pattern) {
            Some(known) => known != names,
            None => !names.is_empty(),
        });
        self.patterns = Patterns { topics: resolved, resolved_at: Some(now), created: topics.created() };
        self.refresh(topics, has_changed);
    }
}
