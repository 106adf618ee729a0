//! The topics of which there is something to assign.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::{Ints, Str};

/// The topics that members may get partitions of, and in which racks these are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    /// The topics, by name.
    pub layouts: BTreeMap<Str, TopicLayout>,
    /// The racks of brokers, by node id. Brokers without a rack are left out. May be empty if no member has a rack.
    pub racks: BTreeMap<i32, Str>,
}

/// One topic's partitions, which are numbered from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicLayout {
    /// How many partitions it has.
    pub partitions: u32,
    /// The brokers that hold each partition. May be shorter than the number of partitions, or empty: racks are
    /// then not looked at.
    pub replicas: Vec<Ints>,
}

impl Topics {
    /// No topics.
    #[must_use]
    pub const fn new() -> Self {
        Self { layouts: BTreeMap::new(), racks: BTreeMap::new() }
    }

    /// Adds a topic of which only the number of partitions matters.
    pub fn insert(&mut self, name: Str, partitions: u32) {
        self.layouts.insert(name, TopicLayout { partitions, replicas: Vec::new() });
    }

    /// Adds a topic with the brokers of each of its partitions.
    pub fn insert_with_replicas(&mut self, name: Str, replicas: Vec<Ints>) {
        let partitions = u32::try_from(replicas.len()).unwrap_or(u32::MAX);
        self.layouts.insert(name, TopicLayout { partitions, replicas });
    }
}

impl<N: Into<Str>> FromIterator<(N, u32)> for Topics {
    fn from_iter<I: IntoIterator<Item = (N, u32)>>(topics: I) -> Self {
        let mut all = Self::new();
        for (name, partitions) in topics {
            all.insert(name.into(), partitions);
        }
        all
    }
}
