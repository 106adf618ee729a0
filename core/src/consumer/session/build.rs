//! The next request of a session.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::{
    Ints, Str,
    messages::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic},
};

use super::{FIRST_WITH_IDS, FetchSession, From, Member, Wanted};
use crate::PartitionIndex;

impl FetchSession {
    /// Settles whether the next request is full: whether it is to be told all partitions, or those that changed since
    /// the last one. `have_ids` says whether all of them have topic ids.
    pub(in crate::consumer) fn prepare(&mut self, have_ids: bool) -> bool {
        if !self.is_full() && ((self.by_id && !have_ids) || (self.for_want_of_ids && have_ids)) {
            self.epoch = 0;
        }
        if self.is_full() {
            self.members.clear();
            self.topics.clear();
            self.names.clear();
            self.for_want_of_ids = !have_ids;
        }
        self.is_full()
    }

    /// Fills in the session and the partitions of `request`, so that the broker fetches `wanted` and not `unwanted`
    /// beside what did not change. [`FetchSession::prepare`] comes before. Returns the highest version in which the
    /// request may be sent.
    ///
    /// The order of `wanted` is the order in which the broker serves what is new to it.
    pub(in crate::consumer) fn build(
        &mut self,
        wanted: impl Iterator<Item = Wanted>,
        unwanted: &[PartitionIndex],
        request: &mut FetchRequest,
    ) -> i16 {
        let mut changed = Topics::default();
        let mut forgotten = Forgotten::default();
        for each in wanted {
            self.want(each, &mut changed, &mut forgotten);
        }
        for index in unwanted {
            self.forget(*index, &mut forgotten);
        }
        request.topics = changed.topics;
        request.forgotten_topics_data = forgotten.finish();
        request.session_id = self.id;
        request.session_epoch = if self.refused && self.id == 0 { -1 } else { self.epoch };
        let ids_allowed = if self.is_full() { !self.for_want_of_ids } else { self.by_id };
        if ids_allowed { i16::MAX } else { FIRST_WITH_IDS - 1 }
    }

    /// Fills in the close of the session.
    pub(in crate::consumer) fn build_close(&self, request: &mut FetchRequest) -> i16 {
        request.session_id = self.id;
        request.session_epoch = -1;
        if self.by_id { i16::MAX } else { FIRST_WITH_IDS - 1 }
    }

    fn want(&mut self, wanted: Wanted, changed: &mut Topics, forgotten: &mut Forgotten) {
        if let Some(member) = self.members.get_mut(&wanted.index) {
            let recreated = member.wanted.topic_id != wanted.topic_id;
            if !recreated && !member.stale && member.wanted.from == wanted.from {
                return;
            }
            changed.push(&wanted);
            member.stale = false;
            if !recreated {
                member.wanted.from = wanted.from;
                return;
            }
            probe!(SessionTopicReplaced);
            self.names.remove(&member.wanted.topic_id);
            if self.by_id {
                forgotten.push(&member.wanted);
            }
        } else {
            changed.push(&wanted);
        }
        self.index(&wanted);
        self.members.insert(wanted.index, Member { wanted, stale: false });
    }

    fn index(&mut self, wanted: &Wanted) {
        match self.topics.get_mut(&wanted.topic) {
            Some(partitions) => {
                partitions.insert(wanted.partition, wanted.index);
            }
            None => {
                self.topics.insert(wanted.topic.clone(), BTreeMap::from([(wanted.partition, wanted.index)]));
            }
        }
        if !wanted.topic_id.is_zero() && !self.names.contains_key(&wanted.topic_id) {
            self.names.insert(wanted.topic_id, wanted.topic.clone());
        }
    }

    fn forget(&mut self, index: PartitionIndex, forgotten: &mut Forgotten) {
        let Some(member) = self.members.remove(&index) else { return };
        let Wanted { topic, topic_id, partition, .. } = &member.wanted;
        let empty = self.topics.get_mut(topic).is_some_and(|partitions| {
            partitions.remove(partition);
            partitions.is_empty()
        });
        if empty {
            self.topics.remove(topic);
            self.names.remove(topic_id);
        }
        probe!(SessionForgets);
        if !planted!(SessionKeepsUnwanted) {
            forgotten.push(&member.wanted);
        }
    }
}

/// The partitions of a request, grouped by topic.
#[derive(Default)]
struct Topics {
    topics: Vec<FetchTopic>,
    places: BTreeMap<Str, usize>,
}

impl Topics {
    fn push(&mut self, wanted: &Wanted) {
        let Wanted { topic, topic_id, partition, from: From { offset, leader_epoch, max_bytes }, .. } =
            wanted;
        let place = *self.places.entry(topic.clone()).or_insert_with(|| {
            self.topics.push(FetchTopic {
                topic: topic.clone(),
                topic_id: *topic_id,
                ..FetchTopic::default()
            });
            self.topics.len() - 1
        });
        self.topics[place].partitions.push(FetchPartition {
            partition: *partition,
            current_leader_epoch: *leader_epoch,
            fetch_offset: *offset,
            partition_max_bytes: *max_bytes,
            ..FetchPartition::default()
        });
    }
}

/// What the broker is to forget, grouped by topic. A topic may be here under an old id and a new one.
#[derive(Default)]
struct Forgotten {
    topics: Vec<(ForgottenTopic, Vec<i32>)>,
}

impl Forgotten {
    fn push(&mut self, wanted: &Wanted) {
        match self.topics.last_mut() {
            Some((topic, partitions)) if topic.topic_id == wanted.topic_id && topic.topic == wanted.topic => {
                partitions.push(wanted.partition);
            }
            _ => {
                let (topic, topic_id) = (wanted.topic.clone(), wanted.topic_id);
                let topic = ForgottenTopic { topic, topic_id, ..ForgottenTopic::default() };
                self.topics.push((topic, Vec::from([wanted.partition])));
            }
        }
    }

    fn finish(self) -> Vec<ForgottenTopic> {
        self.topics
            .into_iter()
            .map(|(topic, partitions)| ForgottenTopic { partitions: Ints::from(partitions), ..topic })
            .collect()
    }
}
