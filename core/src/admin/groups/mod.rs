//! Operations on groups: first who coordinates each, then each coordinator.
//!
//! A group whose coordinator does not answer, or says that it is not the one, is looked up again.

mod describe;
mod offsets;
#[cfg(test)]
mod tests;
mod types;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest, AnyResponse,
        delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse},
        find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse},
        leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity},
        list_groups::{ListGroupsRequest, ListGroupsResponse},
        metadata::MetadataResponse,
    },
};

pub use types::{
    CommittedOffset, GroupCommand, GroupDescription, GroupListing, GroupMember, GroupReply, GroupType,
    MemberName,
};

use super::{
    AdminError, AdminErrorKind, PerItem,
    describe::Describe,
    operation::{Ask, Verdict},
};
use crate::{BrokerId, Effect, Misbehaved, Target};

/// FindCoordinator asks for one key up to this version, which all brokers have.
const ONE_COORDINATOR: i16 = 3;

/// What a request asks for.
#[derive(Clone, Debug)]
enum Asked {
    Brokers,
    Listing(BrokerId),
    Coordinator(Str),
    /// The command itself, for these groups of one coordinator. `classic`: by the API that older brokers have too.
    Groups {
        coordinator: BrokerId,
        groups: Vec<Str>,
        classic: bool,
    },
}

/// An operation on groups.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) command: GroupCommand,
    /// The groups that are still to be done.
    todo: BTreeSet<Str>,
    coordinators: BTreeMap<Str, BrokerId>,
    /// Groups to be described that do not speak the consumer protocol.
    classic: BTreeSet<Str>,
    /// No broker knows how to describe groups of the consumer protocol.
    all_classic: bool,
    /// The brokers whose groups are still to be listed; `None` before they are known.
    brokers: Option<BTreeSet<BrokerId>>,
    /// What each request of this round asks for, the first last.
    round: Vec<Asked>,
    asked: BTreeMap<u64, Asked>,
    pub(super) reply: GroupReply,
    /// Why the only group of the operation failed as a whole.
    pub(super) failed: Option<AdminError>,
}

impl Groups {
    pub(super) fn new(command: GroupCommand) -> Self {
        let (groups, reply) = match &command {
            GroupCommand::List => (Vec::new(), GroupReply::List(PerItem::new())),
            GroupCommand::Describe { groups } => (groups.clone(), GroupReply::Describe(PerItem::new())),
            GroupCommand::Delete { groups } => (groups.clone(), GroupReply::Delete(PerItem::new())),
            GroupCommand::ListOffsets { group, .. } => {
                (vec![group.clone()], GroupReply::ListOffsets(PerItem::new()))
            }
            GroupCommand::AlterOffsets { group, .. } => {
                (vec![group.clone()], GroupReply::AlterOffsets(PerItem::new()))
            }
            GroupCommand::DeleteOffsets { group, .. } => {
                (vec![group.clone()], GroupReply::DeleteOffsets(PerItem::new()))
            }
            GroupCommand::RemoveMembers { group, .. } => {
                (vec![group.clone()], GroupReply::RemoveMembers(PerItem::new()))
            }
        };
        Self {
            command,
            todo: groups.into_iter().collect(),
            coordinators: BTreeMap::new(),
            classic: BTreeSet::new(),
            all_classic: false,
            brokers: None,
            round: Vec::new(),
            asked: BTreeMap::new(),
            reply,
            failed: None,
        }
    }

    pub(super) fn ask(&mut self) -> Vec<Ask> {
        let asks = if self.command == GroupCommand::List { self.ask_listings() } else { self.ask_groups() };
        let (asks, mut round): (Vec<Ask>, Vec<Asked>) = asks.into_iter().unzip();
        // `asked` takes from the end.
        round.reverse();
        self.round = round;
        asks
    }

    /// The next request of the round has this number.
    pub(super) fn asked(&mut self, serial: u64) {
        if let Some(asked) = self.round.pop() {
            self.asked.insert(serial, asked);
        }
    }

    fn ask_listings(&self) -> Vec<(Ask, Asked)> {
        let Some(brokers) = &self.brokers else {
            return Describe::ask_all(true).into_iter().map(|ask| (ask, Asked::Brokers)).collect();
        };
        let asks = brokers
            .iter()
            .map(|broker| (ask(*broker, ListGroupsRequest::default(), i16::MAX), Asked::Listing(*broker)));
        asks.collect()
    }

    fn ask_groups(&self) -> Vec<(Ask, Asked)> {
        let mut asks = Vec::new();
        let mut by_coordinator: BTreeMap<(BrokerId, bool), Vec<Str>> = BTreeMap::new();
        for group in &self.todo {
            match self.coordinators.get(group) {
                Some(coordinator) => {
                    let classic = self.all_classic || self.classic.contains(group);
                    by_coordinator.entry((*coordinator, classic)).or_default().push(group.clone());
                }
                None => {
                    let request = FindCoordinatorRequest { key: group.clone(), ..Default::default() };
                    let ask = Ask { to: Target::Any, request: request.into(), max_version: ONE_COORDINATOR };
                    asks.push((ask, Asked::Coordinator(group.clone())));
                }
            }
        }
        for ((coordinator, classic), groups) in by_coordinator {
            let (request, max_version) = self.request(&groups, classic);
            asks.push((
                ask(coordinator, request, max_version),
                Asked::Groups { coordinator, groups, classic },
            ));
        }
        asks
    }

    fn request(&self, groups: &[Str], classic: bool) -> (AnyRequest, i16) {
        match &self.command {
            GroupCommand::List => (ListGroupsRequest::default().into(), i16::MAX),
            GroupCommand::Describe { .. } => (describe::request(groups, classic), i16::MAX),
            GroupCommand::Delete { .. } => {
                (DeleteGroupsRequest { groups_names: groups.to_vec(), ..Default::default() }.into(), i16::MAX)
            }
            GroupCommand::ListOffsets { group, partitions, require_stable } => {
                let topics = partitions.as_deref();
                (offsets::fetch_request(group, topics, *require_stable).into(), offsets::FETCH_BY_NAME)
            }
            GroupCommand::AlterOffsets { group, offsets } => {
                (offsets::commit_request(group, offsets).into(), offsets::COMMIT_BY_NAME)
            }
            GroupCommand::DeleteOffsets { group, partitions } => {
                (offsets::delete_request(group, partitions).into(), i16::MAX)
            }
            GroupCommand::RemoveMembers { group, members, reason } => {
                (leave_request(group, members, reason.as_ref()).into(), i16::MAX)
            }
        }
    }

    pub(super) fn answer(
        &mut self,
        serial: u64,
        response: AnyResponse,
        uncertain: bool,
    ) -> Result<Verdict, Misbehaved> {
        let mut verdict = Verdict::default();
        match (self.asked.remove(&serial), response) {
            (Some(Asked::Brokers), AnyResponse::Metadata(response)) => self.answer_brokers(&response),
            (Some(Asked::Listing(broker)), AnyResponse::ListGroups(response)) => {
                self.answer_listing(broker, response, &mut verdict);
            }
            (Some(Asked::Coordinator(group)), AnyResponse::FindCoordinator(response)) => {
                self.answer_coordinator(group, response, &mut verdict);
            }
            (Some(Asked::Groups { coordinator, groups, .. }), response) => match response {
                AnyResponse::ConsumerGroupDescribe(response) => {
                    self.answer_consumer_groups(coordinator, groups, response, &mut verdict);
                }
                AnyResponse::DescribeGroups(response) => {
                    self.answer_classic_groups(coordinator, groups, response, &mut verdict);
                }
                AnyResponse::DeleteGroups(response) => {
                    self.answer_deleted(groups, response, uncertain, &mut verdict);
                }
                AnyResponse::LeaveGroup(response) => self.answer_left(response, uncertain, &mut verdict),
                AnyResponse::OffsetFetch(response) => self.answer_fetched(response, &mut verdict),
                AnyResponse::OffsetCommit(response) => self.answer_committed(response, &mut verdict),
                AnyResponse::OffsetDelete(response) => self.answer_forgotten(response, &mut verdict),
                _ => return Err(Misbehaved::Nonsense("an answer to another request")),
            },
            _ => return Err(Misbehaved::Nonsense("an answer to another request")),
        }
        Ok(verdict)
    }

    fn answer_brokers(&mut self, response: &MetadataResponse) {
        self.brokers = Some(response.brokers.iter().map(|broker| BrokerId(broker.node_id)).collect());
    }

    fn answer_listing(&mut self, broker: BrokerId, response: ListGroupsResponse, verdict: &mut Verdict) {
        if self.passes(None, response.error_code, None, verdict) {
            return;
        }
        let listing = if response.error_code.is_ok() {
            let listed = response.groups.into_iter().map(|group| GroupListing {
                id: group.group_id,
                protocol_type: group.protocol_type,
                state: Some(group.group_state).filter(|state| !state.is_empty()),
                group_type: Some(group.group_type).filter(|group_type| !group_type.is_empty()),
            });
            Ok(listed.collect())
        } else {
            Err(AdminError::refused(response.error_code, None))
        };
        self.listed(broker, listing);
    }

    fn listed(&mut self, broker: BrokerId, listing: Result<Vec<GroupListing>, AdminError>) {
        if let Some(brokers) = &mut self.brokers {
            brokers.remove(&broker);
        }
        if let GroupReply::List(answers) = &mut self.reply {
            answers.insert(broker, listing);
        }
    }

    fn answer_coordinator(&mut self, group: Str, response: FindCoordinatorResponse, verdict: &mut Verdict) {
        if response.error_code.is_ok() && response.node_id >= 0 {
            self.coordinators.insert(group, BrokerId(response.node_id));
        } else if response.error_code.is_ok() || response.error_code.is_retriable() {
            verdict.retry = Some((ErrorCode::COORDINATOR_NOT_AVAILABLE, response.error_message));
        } else {
            self.fail(&group, AdminError::refused(response.error_code, response.error_message));
        }
    }

    fn answer_deleted(
        &mut self,
        groups: Vec<Str>,
        response: DeleteGroupsResponse,
        uncertain: bool,
        verdict: &mut Verdict,
    ) {
        let mut results = response.results;
        for group in groups {
            let Some(at) = results.iter().position(|result| result.group_id == group) else {
                self.fail(&group, AdminError::new(AdminErrorKind::NoAnswer, Effect::Unknown));
                continue;
            };
            let result = results.swap_remove(at);
            if self.passes(Some(&group), result.error_code, result.error_message.clone(), verdict) {
                continue;
            }
            let mut answer = Ok(());
            if !result.error_code.is_ok() {
                let mut error = AdminError::refused(result.error_code, result.error_message);
                // An earlier attempt that got no answer may be why it is gone.
                if uncertain && result.error_code == ErrorCode::GROUP_ID_NOT_FOUND {
                    error.effect = Effect::Unknown;
                }
                answer = Err(error);
            }
            self.todo.remove(&group);
            if let GroupReply::Delete(answers) = &mut self.reply {
                answers.insert(group, answer);
            }
        }
    }

    fn answer_left(&mut self, response: LeaveGroupResponse, uncertain: bool, verdict: &mut Verdict) {
        let (GroupCommand::RemoveMembers { group, members, .. }, GroupReply::RemoveMembers(answers)) =
            (&self.command, &mut self.reply)
        else {
            return;
        };
        let group = group.clone();
        if response.error_code.is_ok() {
            for name in members {
                let found = response.members.iter().find(|member| match name {
                    MemberName::Instance(instance) => member.group_instance_id.as_ref() == Some(instance),
                    MemberName::Id(id) => member.member_id == *id,
                });
                let answer = member_left(found.map(|member| member.error_code), uncertain);
                answers.insert(name.clone(), answer);
            }
            self.todo.remove(&group);
        } else if !self.passes(Some(&group), response.error_code, None, verdict) {
            self.fail(&group, AdminError::refused(response.error_code, None));
        }
    }

    /// Whether an error passes by itself, so that the group is asked for again, of another coordinator if need be.
    fn passes(
        &mut self,
        group: Option<&Str>,
        code: ErrorCode,
        message: Option<Str>,
        verdict: &mut Verdict,
    ) -> bool {
        let moved = match code {
            ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR => true,
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::UNSTABLE_OFFSET_COMMIT => false,
            _ => return false,
        };
        if let Some(group) = group.filter(|_| moved) {
            self.coordinators.remove(group);
        }
        verdict.retry = Some((code, message));
        true
    }

    /// A group cannot be done.
    fn fail(&mut self, group: &Str, error: AdminError) {
        self.todo.remove(group);
        match &mut self.reply {
            GroupReply::Describe(answers) => drop(answers.insert(group.clone(), Err(error))),
            GroupReply::Delete(answers) => drop(answers.insert(group.clone(), Err(error))),
            GroupReply::List(_)
            | GroupReply::ListOffsets(_)
            | GroupReply::AlterOffsets(_)
            | GroupReply::DeleteOffsets(_)
            | GroupReply::RemoveMembers(_) => self.failed = Some(error),
        }
    }

    /// A request got no answer: another broker may be the coordinator by now.
    pub(super) fn lost(&mut self, serial: u64) {
        if let Some(Asked::Groups { groups, .. }) = self.asked.remove(&serial) {
            for group in groups {
                self.coordinators.remove(&group);
            }
        }
    }

    /// A broker lacks an API. Returns whether there is another way.
    pub(super) fn ask_by_older_api(&mut self, serial: u64) -> bool {
        let asked = self.asked.remove(&serial);
        let newer = matches!(asked, Some(Asked::Groups { classic: false, .. }));
        let other_way = newer && matches!(self.command, GroupCommand::Describe { .. });
        self.all_classic |= other_way;
        other_way
    }

    pub(super) fn give_up(&mut self, error: &AdminError) -> bool {
        for broker in self.brokers.take().unwrap_or_default() {
            self.listed(broker, Err(error.clone()));
        }
        let todo = core::mem::take(&mut self.todo);
        match (&self.command, &mut self.reply) {
            // Some partitions were answered, and this is about the others.
            (GroupCommand::AlterOffsets { offsets, .. }, GroupReply::AlterOffsets(answers))
                if !answers.is_empty() =>
            {
                answers.extend(offsets.keys().map(|key| (key.clone(), Err(error.clone()))));
            }
            _ => todo.iter().for_each(|group| self.fail(group, error.clone())),
        }
        match &self.reply {
            GroupReply::List(answers) => answers.values().all(Result::is_err),
            GroupReply::Describe(answers) => answers.values().all(|answer| answer.as_ref() == Err(error)),
            GroupReply::Delete(answers) => answers.values().all(|answer| answer.as_ref() == Err(error)),
            GroupReply::ListOffsets(_)
            | GroupReply::AlterOffsets(_)
            | GroupReply::DeleteOffsets(_)
            | GroupReply::RemoveMembers(_) => self.failed.is_some(),
        }
    }
}

fn ask(broker: BrokerId, request: impl Into<AnyRequest>, max_version: i16) -> Ask {
    Ask { to: Target::Broker(broker), request: request.into(), max_version }
}

fn leave_request(group: &Str, members: &[MemberName], reason: Option<&Str>) -> LeaveGroupRequest {
    let members = members.iter().map(|name| {
        let (member_id, group_instance_id) = match name {
            MemberName::Instance(instance) => (Str::from_static(""), Some(instance.clone())),
            MemberName::Id(id) => (id.clone(), None),
        };
        MemberIdentity { member_id, group_instance_id, reason: reason.cloned(), ..Default::default() }
    });
    LeaveGroupRequest { group_id: group.clone(), members: members.collect(), ..Default::default() }
}

/// What became of a member that shall leave, by the code that stands with it, if it is mentioned.
fn member_left(code: Option<ErrorCode>, uncertain: bool) -> Result<(), AdminError> {
    let code = code.ok_or(AdminError::new(AdminErrorKind::NoAnswer, Effect::Unknown))?;
    code.ok().map_err(|code| {
        let mut error = AdminError::refused(code, None);
        // An earlier attempt that got no answer may be why it is gone.
        if uncertain && code == ErrorCode::UNKNOWN_MEMBER_ID {
            error.effect = Effect::Unknown;
        }
        error
    })
}
