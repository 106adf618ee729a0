//! The topics that a producer writes to.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use klamm_protocol::{Str, Uuid};

/// A topic's name, and its id as the cluster last told it: zero if brokers are older than topic ids.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Str,
    pub(super) id: Uuid,
}

/// Numbers topics, so that batches are sorted by topic without comparing names.
#[derive(Debug, Default)]
pub(super) struct Topics {
    list: Vec<Topic>,
    by_name: BTreeMap<Str, usize>,
}

impl Topics {
    pub(super) fn intern(&mut self, name: &Str, id: Uuid) -> usize {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        let at = self.list.len();
        self.list.push(Topic { name: name.clone(), id });
        self.by_name.insert(name.clone(), at);
        at
    }

    pub(super) fn get(&self, at: usize) -> Option<&Topic> {
        self.list.get(at)
    }

    /// The topic that a response names: by id in the versions that have no names.
    pub(super) fn find(&self, name: &Str, id: Uuid) -> Option<usize> {
        if name.is_empty() && !id.is_zero() {
            return self.list.iter().position(|topic| topic.id == id);
        }
        self.by_name.get(name).copied()
    }

    /// Takes the ids anew. Returns the topics that were replaced by others of the same name.
    pub(super) fn update(&mut self, id_of: impl Fn(&Str) -> Option<Uuid>) -> BTreeSet<usize> {
        let mut replaced = BTreeSet::new();
        for (at, topic) in self.list.iter_mut().enumerate() {
            if let Some(id) = id_of(&topic.name) {
                if !topic.id.is_zero() && topic.id != id {
                    replaced.insert(at);
                }
                topic.id = id;
            }
        }
        replaced
    }
}
