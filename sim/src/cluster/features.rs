//! Features of the cluster as a whole (KIP-584): which levels the brokers of a release support, and which are in use.

use std::collections::BTreeMap;

use super::Cluster;
use crate::Release;

/// Features that the brokers of a release support: name, lowest and highest level, and the level that is in use in a
/// new cluster (0: none).
type Table = &'static [(&'static str, i16, i16, i16)];

/// The newest release first. Recorded from brokers of 3.3, 3.9 and 4.2; the levels of
/// releases between them were not recorded from brokers.
const TABLES: &[([u16; 3], Table)] = &[
    (
        [4, 2, 0],
        &[
            ("group.version", 0, 1, 1),
            ("kraft.version", 0, 1, 0),
            ("metadata.version", 7, 29, 29),
            ("share.version", 0, 1, 1),
            ("streams.version", 0, 1, 1),
            ("transaction.version", 0, 2, 2),
            ("eligible.leader.replicas.version", 0, 1, 1),
        ],
    ),
    (
        [4, 1, 0],
        &[
            ("group.version", 0, 1, 1),
            ("kraft.version", 0, 1, 0),
            ("metadata.version", 7, 27, 27),
            ("share.version", 0, 1, 0),
            ("streams.version", 0, 1, 0),
            ("transaction.version", 0, 2, 2),
            ("eligible.leader.replicas.version", 0, 1, 1),
        ],
    ),
    (
        [4, 0, 0],
        &[
            ("group.version", 0, 1, 1),
            ("kraft.version", 0, 1, 0),
            ("metadata.version", 7, 25, 25),
            ("transaction.version", 0, 2, 2),
            ("eligible.leader.replicas.version", 0, 1, 0),
        ],
    ),
    ([3, 9, 0], &[("kraft.version", 0, 1, 0), ("metadata.version", 1, 21, 21)]),
    ([3, 8, 0], &[("metadata.version", 1, 20, 20)]),
    ([3, 7, 0], &[("metadata.version", 1, 19, 19)]),
    ([3, 6, 0], &[("metadata.version", 1, 14, 14)]),
    ([3, 5, 0], &[("metadata.version", 1, 11, 11)]),
    ([3, 4, 0], &[("metadata.version", 1, 8, 8)]),
    ([3, 3, 0], &[("metadata.version", 1, 7, 7)]),
];

/// The features that the brokers of a release support.
pub(crate) fn supported(release: Release) -> Table {
    TABLES.iter().find(|(since, _)| release.at_least(*since)).map_or(&[], |(_, table)| table)
}

/// The features that are in use.
#[derive(Debug)]
pub(crate) struct Features {
    pub(crate) levels: BTreeMap<String, i16>,
    /// Rises with each change; -1: there are no features.
    pub(crate) epoch: i64,
}

impl Features {
    /// Those of a new cluster.
    pub(crate) fn of_new(release: Release) -> Self {
        let table = supported(release);
        let used = table.iter().filter(|(.., level)| *level > 0);
        let levels = used.map(|(name, .., level)| ((*name).to_owned(), *level)).collect();
        Self { levels, epoch: if table.is_empty() { -1 } else { 0 } }
    }
}

impl Cluster {
    /// Whether groups of KIP-848 are in use.
    pub(super) fn has_consumer_groups(&self) -> bool {
        self.features.levels.get("group.version").is_some_and(|level| *level >= 1)
    }

    /// Has the cluster use another level of a feature, such as `transaction.version`; with 0 it is not used at all.
    /// Brokers tell of it at once. Whether they support the level is not asked, as in an upgrade that goes wrong.
    pub fn set_feature(&mut self, name: &str, level: i16) {
        match level {
            0 => drop(self.features.levels.remove(name)),
            _ => drop(self.features.levels.insert(name.to_owned(), level)),
        }
        self.features.epoch += 1;
    }
}
