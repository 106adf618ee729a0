//! Topics that are consumed because of their names.

use std::collections::BTreeMap;

use klamm_core::{cluster::Cluster, consumer::StartAt};
use klamm_protocol::Str;
use regex_lite::Regex;

/// Which topics to consume, and which are known to match.
#[derive(Debug)]
pub(super) struct Matching {
    pattern: Regex,
    start: StartAt,
    /// By topic: how many partitions are assigned.
    assigned: BTreeMap<Str, usize>,
    /// Whether all topics were listed once.
    begun: bool,
}

/// A regular expression for whole names.
pub(super) fn parse(pattern: &str) -> Result<Regex, regex_lite::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

impl Matching {
    pub(super) const fn new(pattern: Regex, start: StartAt) -> Self {
        Self { pattern, start, assigned: BTreeMap::new(), begun: false }
    }

    /// The partitions that are there and were not before. Those that come when others are known already are read from
    /// their beginning: nothing that is written to them may be missed.
    pub(super) fn news(&mut self, cluster: &Cluster) -> Vec<(Str, i32, StartAt)> {
        let mut news = Vec::new();
        if !cluster.knows_all_topics() {
            return news;
        }
        let start = if self.begun { StartAt::Earliest } else { self.start };
        for topic in cluster.topics() {
            let before = self.assigned.get(&topic.name).copied();
            if before.is_none() && (topic.internal || !self.pattern.is_match(&topic.name)) {
                continue;
            }
            let count = topic.partitions.len();
            let first = before.unwrap_or(0);
            for partition in first..count {
                news.extend(i32::try_from(partition).ok().map(|number| (topic.name.clone(), number, start)));
            }
            self.assigned.insert(topic.name.clone(), count.max(first));
        }
        self.begun = true;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_expression_is_for_whole_names() {
        let pattern = parse("orders|orders-[0-9]+").unwrap();
        let matches = |name| pattern.is_match(name);
        assert!(matches("orders") && matches("orders-12"));
        assert!(!matches("my-orders") && !matches("orders-12a") && !matches("orders-"));
        assert!(parse("orders-(").is_err());
    }
}
