//! Describing groups of both protocols.
//!
//! Which protocol a group speaks is not known beforehand: it is asked for as one of the consumer protocol, and if the
//! coordinator knows none of that name, as a classic one.

use alloc::vec::Vec;

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest, consumer_group_describe,
        consumer_group_describe::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse},
        describe_groups,
        describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse},
    },
};

use super::{
    super::{AdminError, AdminErrorKind, operation::Verdict},
    GroupDescription, GroupMember, GroupReply, GroupType, Groups,
};
use crate::{
    BrokerId, Effect,
    group::assignor::{Assignment, Subscription, TopicPartitions},
};

pub(super) fn request(groups: &[Str], classic: bool) -> AnyRequest {
    if classic {
        DescribeGroupsRequest { groups: groups.to_vec(), ..Default::default() }.into()
    } else {
        ConsumerGroupDescribeRequest { group_ids: groups.to_vec(), ..Default::default() }.into()
    }
}

impl Groups {
    pub(super) fn answer_consumer_groups(
        &mut self,
        coordinator: BrokerId,
        groups: Vec<Str>,
        response: ConsumerGroupDescribeResponse,
        verdict: &mut Verdict,
    ) {
        let mut results = response.groups;
        for group in groups {
            let Some(at) = results.iter().position(|result| result.group_id == group) else {
                self.fail(&group, unmentioned());
                continue;
            };
            let result = results.swap_remove(at);
            let code = result.error_code;
            if self.passes(Some(&group), code, result.error_message.clone(), verdict) {
                continue;
            }
            match code {
                ErrorCode::NONE => self.described(group, consumer_group(coordinator, result)),
                ErrorCode::GROUP_ID_NOT_FOUND | ErrorCode::UNSUPPORTED_VERSION => {
                    self.classic.insert(group);
                }
                code => self.fail(&group, AdminError::refused(code, result.error_message)),
            }
        }
    }

    pub(super) fn answer_classic_groups(
        &mut self,
        coordinator: BrokerId,
        groups: Vec<Str>,
        response: DescribeGroupsResponse,
        verdict: &mut Verdict,
    ) {
        let mut results = response.groups;
        for group in groups {
            let Some(at) = results.iter().position(|result| result.group_id == group) else {
                self.fail(&group, unmentioned());
                continue;
            };
            let result = results.swap_remove(at);
            let code = result.error_code;
            if self.passes(Some(&group), code, result.error_message.clone(), verdict) {
                continue;
            }
            // Brokers before Kafka 4.0 call a group that they do not have dead.
            let dead = code.is_ok() && result.group_state == "Dead";
            if dead {
                self.fail(&group, AdminError::refused(ErrorCode::GROUP_ID_NOT_FOUND, None));
            } else if code.is_ok() {
                self.described(group, classic_group(coordinator, result));
            } else {
                self.fail(&group, AdminError::refused(code, result.error_message));
            }
        }
    }

    fn described(&mut self, group: Str, description: GroupDescription) {
        self.todo.remove(&group);
        if let GroupReply::Describe(answers) = &mut self.reply {
            answers.insert(group, Ok(description));
        }
    }
}

const fn unmentioned() -> AdminError {
    AdminError::new(AdminErrorKind::NoAnswer, Effect::None)
}

fn consumer_group(coordinator: BrokerId, group: consumer_group_describe::DescribedGroup) -> GroupDescription {
    GroupDescription {
        coordinator,
        state: group.group_state,
        protocol: GroupType::Consumer,
        protocol_type: Str::from_static("consumer"),
        assignor: group.assignor_name,
        epoch: Some(group.group_epoch),
        assignment_epoch: Some(group.assignment_epoch),
        members: group.members.into_iter().map(consumer_member).collect(),
    }
}

fn consumer_member(member: consumer_group_describe::Member) -> GroupMember {
    let assigned = partitions(member.assignment);
    let target = partitions(member.target_assignment);
    GroupMember {
        id: member.member_id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        host: member.client_host,
        rack: member.rack_id,
        epoch: Some(member.member_epoch),
        topics: member.subscribed_topic_names,
        regex: member.subscribed_topic_regex.filter(|regex| !regex.is_empty()),
        target: (target != assigned).then_some(target),
        assigned,
    }
}

fn partitions(assignment: consumer_group_describe::Assignment) -> Vec<TopicPartitions> {
    let mut all: Vec<TopicPartitions> = assignment
        .topic_partitions
        .into_iter()
        .map(|each| TopicPartitions { topic: each.topic_name, partitions: each.partitions })
        .collect();
    all.sort_by(|one, other| one.topic.cmp(&other.topic));
    all
}

fn classic_group(coordinator: BrokerId, group: describe_groups::DescribedGroup) -> GroupDescription {
    // What members of other types tell each other is not for us to read.
    let of_consumers = group.protocol_type == "consumer";
    let members = group.members.into_iter().map(|member| classic_member(member, of_consumers));
    GroupDescription {
        coordinator,
        state: group.group_state,
        protocol: GroupType::Classic,
        protocol_type: group.protocol_type,
        assignor: group.protocol_data,
        epoch: None,
        assignment_epoch: None,
        members: members.collect(),
    }
}

fn classic_member(member: describe_groups::DescribedGroupMember, of_consumers: bool) -> GroupMember {
    // Both are empty until the group is stable.
    let said = Some(member.member_metadata).filter(|_| of_consumers);
    let said = said.and_then(|bytes| Subscription::decode(bytes).ok()).unwrap_or_default();
    let assigned = Some(member.member_assignment).filter(|_| of_consumers);
    let assigned = assigned.and_then(|bytes| Assignment::decode(bytes).ok()).unwrap_or_default();
    GroupMember {
        id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        host: member.client_host,
        rack: said.rack,
        epoch: None,
        topics: said.topics,
        regex: None,
        assigned: assigned.partitions,
        target: None,
    }
}
