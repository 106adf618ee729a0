//! What others are told of a consumer group.

use klamm_protocol::Str;
use klamm_protocol::messages::consumer_group_describe::{
    Assignment, DescribedGroup, Member as DescribedMember, TopicPartitions,
};

use super::{ConsumerGroup, Member, Partitions};
use crate::cluster::topics::Topics;

/// A member that speaks the classic protocol.
const CLASSIC: i8 = 0;
/// A member that speaks the protocol of consumer groups.
const MODERN: i8 = 1;

impl ConsumerGroup {
    /// The group as it is described to anybody; `host` is where its members seem to come from.
    pub(crate) fn describe(&self, topics: &Topics, host: &'static str) -> DescribedGroup {
        let nothing = Partitions::new();
        let member = |member: &Member| {
            let target = self.target.get(&member.id).unwrap_or(&nothing);
            let is_classic = member.classic.is_some();
            DescribedMember {
                member_id: member.id.clone(),
                instance_id: member.instance_id.clone(),
                rack_id: member.rack_id.clone(),
                member_epoch: member.progress.epoch,
                client_id: member.client_id.clone(),
                client_host: Str::from_static(host),
                subscribed_topic_names: member.wishes.topics.iter().cloned().collect(),
                subscribed_topic_regex: member.wishes.pattern.clone(),
                assignment: assignment(&member.progress.assigned, topics),
                target_assignment: assignment(target, topics),
                member_type: if is_classic { CLASSIC } else { MODERN },
                ..DescribedMember::default()
            }
        };
        DescribedGroup {
            group_id: self.id.clone(),
            group_state: Str::from_static(self.state_name()),
            group_epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor_name: Str::from_static(self.assignor().name()),
            members: self.members.values().map(member).collect(),
            ..DescribedGroup::default()
        }
    }
}

/// Without topics that are gone.
fn assignment(partitions: &Partitions, topics: &Topics) -> Assignment {
    let named = partitions.iter().filter_map(|(id, indexes)| {
        let name = topics.name_of(*id)?;
        Some(TopicPartitions {
            topic_id: *id,
            topic_name: name.clone(),
            partitions: indexes.iter().copied().collect(),
            ..TopicPartitions::default()
        })
    });
    Assignment { topic_partitions: named.collect(), ..Assignment::default() }
}
