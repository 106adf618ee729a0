//! Why nothing comes, on standard error.

use std::{
    collections::BTreeMap,
    mem::{Discriminant, discriminant},
    time::{Duration, Instant},
};

use klamm_blocking::{Consumer, Explanation};

/// For how long nothing must come before it is explained.
const PATIENCE: Duration = Duration::from_secs(3);

/// Explains the silence of partitions, and again when the reason changes.
pub(super) struct Explaining {
    topic: String,
    partitions: Vec<i32>,
    silent_since: Instant,
    told: BTreeMap<i32, Discriminant<Explanation>>,
}

impl Explaining {
    pub(super) fn new(topic: &str, partitions: Vec<i32>) -> Self {
        Self { topic: topic.to_owned(), partitions, silent_since: Instant::now(), told: BTreeMap::new() }
    }

    /// Something came.
    pub(super) fn end(&mut self) {
        self.silent_since = Instant::now();
        self.told.clear();
    }

    /// The lines to show now; partitions with the same reason share one.
    pub(super) fn lines(&mut self, consumer: &Consumer) -> Vec<String> {
        if self.silent_since.elapsed() < PATIENCE {
            return Vec::new();
        }
        let explain = |partition: i32| (partition, consumer.explain(&self.topic, partition));
        let reasons: Vec<(i32, Explanation)> = self.partitions.iter().copied().map(explain).collect();
        self.news(reasons)
    }

    fn news(&mut self, reasons: Vec<(i32, Explanation)>) -> Vec<String> {
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (partition, reason) in reasons {
            let kind = discriminant(&reason);
            if self.told.insert(partition, kind) != Some(kind) {
                lines.entry(reason.to_string()).or_default().push(partition.to_string());
            }
        }
        let topic = &self.topic;
        let line = |(reason, partitions): (String, Vec<String>)| {
            let word = if partitions.len() == 1 { "partition" } else { "partitions" };
            format!("topic {topic}, {word} {}: {reason}", partitions.join(", "))
        };
        lines.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once_for_all_its_partitions() {
        let mut explaining = Explaining::new("t", vec![0, 1, 2]);
        let reasons =
            || vec![(0, Explanation::Paused), (1, Explanation::NotAssigned), (2, Explanation::Paused)];
        assert_eq!(
            explaining.news(reasons()),
            [
                "topic t, partition 1: it is not assigned to the consumer",
                "topic t, partitions 0, 2: it is paused"
            ]
        );
        assert!(explaining.news(reasons()).is_empty());
        assert_eq!(
            explaining.news(vec![(1, Explanation::Paused)]),
            ["topic t, partition 1: it is paused"],
            "a new reason"
        );
        explaining.end();
        assert_eq!(explaining.news(reasons()).len(), 2, "after records, anew");
    }
}
