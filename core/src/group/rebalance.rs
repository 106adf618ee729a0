//! Taking up partitions and giving them up.

use alloc::{collections::BTreeSet, vec::Vec};

use bytes::Bytes;
use klamm_protocol::{ErrorCode, Str};

use super::{
    Agenda, AssignedPartition, CommitErrorKind, CommittedOffsets, Group, GroupConfig, GroupError, GroupEvent,
    GroupOutput, GroupProtocol, GroupStep, Lead, LostReason, Parting, RevocationId, TopicPartition,
    assignor::{Assignment, Joining, Strategy, sorted},
    commits::LookupId,
    membership::{Membership, MembershipOutput},
    ownership::Revocation,
};
use crate::{
    Instant,
    consumer::{OffsetReset, StartAt},
};

/// So often a member joins again within one generation because of what it gave up. Where that changes nothing the coordinator
/// does not wait for it: one that assigns by itself and has classic members, too.
const OWED_JOINS: u32 = 3;

/// What was given up in a generation, for others, who get it in the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owing {
    generation: i32,
    /// How often the member has joined again for that.
    joins: u32,
}

impl Group {
    pub(super) fn handle_membership(&mut self, now: Instant, output: MembershipOutput) {
        match output {
            MembershipOutput::Prepare { lost } => {
                self.dialogue.counts.rebalancing(now);
                self.prepare(now, lost);
            }
            MembershipOutput::Lead { members, strategy } => {
                self.dialogue.counts.led(members.len());
                self.interest.lead(&members, &mut self.outputs);
                let generation = self.metadata().generation;
                self.possession.agenda.lead = Some(Lead { members, strategy, generation, asked: false });
                self.try_to_lead(now);
            }
            MembershipOutput::Assigned { assignment } => self.assigned(now, assignment),
            MembershipOutput::Target { target } => {
                self.dialogue.counts.rebalancing(now);
                self.possession.unresolved = None;
                self.possession.agenda.target = Some(target);
                self.possession.agenda.flushed = false;
                self.settle(now);
            }
            MembershipOutput::Trouble(error) => {
                self.trouble(error);
            }
            MembershipOutput::Rediscover => {
                if let Some(broker) = self.dialogue.whereabouts.broker() {
                    self.dialogue.whereabouts.lost(now, broker, &mut self.entropy);
                }
            }
            MembershipOutput::Parted(why) => self.lose_all(why),
            MembershipOutput::Follow => self.interest.follow(&mut self.outputs),
            MembershipOutput::Failed(error) if self.falls_back(&error) => {
                let config = GroupConfig { protocol: GroupProtocol::Classic, ..self.config.clone() };
                self.membership = Membership::new(config, self.entropy.fork(2));
                self.membership.subscribe();
            }
            MembershipOutput::Failed(error) => {
                let error = error.of(self.config.group_id.clone());
                self.lose_all(LostReason::Failed);
                self.outputs.push_back(GroupOutput::Event(GroupEvent::Failed(error)));
            }
            MembershipOutput::Closed => {
                self.closed();
                self.outputs.push_back(GroupOutput::Closed);
            }
        }
    }

    /// Whether a failure is that of brokers before KIP-848, and the member may be a classic one there.
    fn falls_back(&self, error: &GroupError) -> bool {
        self.config.fall_back
            && error.code == ErrorCode::UNSUPPORTED_VERSION
            && matches!(self.membership, Membership::Consumer(_))
    }

    /// What the member tells about itself when it joins.
    pub(super) fn joining(&self) -> Joining {
        Joining {
            topics: self.interest.topics().cloned().collect(),
            owned: sorted(self.possession.ownership.kept()),
            assigned: sorted(self.possession.assigned.iter().cloned()),
            generation: self.possession.ownership.generation,
            rack: self.config.client_rack.clone(),
        }
    }

    /// The membership is about to join.
    fn prepare(&mut self, now: Instant, lost: Option<LostReason>) {
        if let Some(why) = lost {
            self.lose_all(why);
            // In the name of the membership that was lost nothing can be committed any more: to wait for that would only
            // keep the member from joining.
            self.commits.give_up(CommitErrorKind::Rebalanced);
        }
        self.possession.agenda = Agenda { prepare: true, ..Agenda::default() };
        self.settle(now);
    }

    /// Goes on with a rebalance as far as that is possible.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.possession.ownership.revocation.is_some() {
            return;
        }
        if self.possession.agenda.prepare {
            let ownership = &mut self.possession.ownership;
            let keep_nothing = !self.config.is_cooperative();
            let interest = &self.interest;
            ownership.keep_adopting(|partition| !keep_nothing && interest.subscribes_to(&partition.0));
            self.lookups.keep_adoptions(|id| ownership.adoptions.contains_key(&id));
            let unwanted = ownership.unwanted(|topic| !keep_nothing && interest.subscribes_to(topic));
            if !unwanted.is_empty() {
                return self.revoke(now, unwanted);
            }
            if !self.possession.agenda.flushed {
                self.possession.agenda.flushed = true;
                self.flush(now);
            }
            if self.commits.is_idle() {
                self.possession.agenda.prepare = false;
                self.forget_leaving();
                self.membership.prepared();
            }
        } else if self.possession.agenda.target.is_some() {
            self.reconcile(now);
        } else if let Some(reason) = self.possession.agenda.rejoin.take() {
            self.membership.rejoin(reason);
        }
    }

    /// What the application gave up is the group's again.
    pub(super) fn forget_leaving(&mut self) {
        for partition in core::mem::take(&mut self.possession.ownership.leaving) {
            self.possession.progress.end(&partition);
        }
    }

    /// Asks the application to give partitions up.
    pub(super) fn revoke(&mut self, now: Instant, partitions: Vec<TopicPartition>) {
        self.unassign(partitions.clone(), Parting::Revoked);
        if crate::planted!(RevokeUntold) {
            for partition in &partitions {
                self.possession.ownership.owned.remove(partition);
            }
            return self.settle(now);
        }
        let id = RevocationId(self.possession.ownership.next());
        let deadline = now + self.config.max_poll_interval;
        let event = GroupEvent::Revoking { id, partitions: partitions.clone(), deadline };
        self.outputs.push_back(GroupOutput::Event(event));
        self.possession.ownership.revocation = Some(Revocation { id, partitions, deadline });
    }

    /// The application did not give partitions up in time.
    pub(super) fn expire_revocation(&mut self, now: Instant) {
        let overdue = self.possession.ownership.revocation.take_if(|each| each.deadline <= now);
        let Some(Revocation { partitions, .. }) = overdue else { return };
        self.dialogue.counts.losses += 1;
        for partition in &partitions {
            self.possession.ownership.owned.remove(partition);
            self.possession.progress.end(partition);
        }
        let why = LostReason::RevocationExpired;
        self.outputs.push_back(GroupOutput::Event(GroupEvent::Lost { partitions, why }));
        self.settle(now);
    }

    /// Reading ends.
    pub(super) fn unassign(&mut self, partitions: Vec<TopicPartition>, why: Parting) {
        if !partitions.is_empty() {
            self.outputs.push_back(GroupOutput::Unassign(partitions, why));
        }
    }

    /// Gives everything up without a word. Returns what the application had: what it gave up itself is not lost.
    pub(super) fn drop_all(&mut self, parting: Parting) -> Vec<TopicPartition> {
        let (gone, given_up) = self.possession.ownership.clear();
        self.possession.assigned.clear();
        self.possession.agenda = Agenda::default();
        self.possession.unresolved = None;
        self.possession.denied.clear();
        self.lookups.keep_adoptions(|_| false);
        for partition in gone.iter().chain(&given_up) {
            self.possession.progress.end(partition);
        }
        self.unassign(gone.clone(), parting);
        gone
    }

    fn lose_all(&mut self, why: LostReason) {
        let partitions = self.drop_all(Parting::Lost);
        if !partitions.is_empty() {
            self.dialogue.counts.losses += 1;
            self.outputs.push_back(GroupOutput::Event(GroupEvent::Lost { partitions, why }));
        }
    }

    /// Joins again, once what is being given up is.
    pub(super) fn rejoin(&mut self, now: Instant, reason: Str) {
        self.possession.agenda.rejoin = Some(reason);
        self.settle(now);
        if !self.membership.is_stable() {
            self.possession.agenda.rejoin = None;
        }
    }

    /// Assigns partitions to the members, if this one leads and everything is known.
    pub(super) fn try_to_lead(&mut self, now: Instant) {
        let Some(lead) = self.possession.agenda.lead.as_mut().filter(|lead| !lead.asked) else { return };
        let Some(topics) = self.interest.assignable() else { return };
        let strategy = self.config.assignors.iter().find(|each| each.name() == lead.strategy);
        match strategy {
            Some(Strategy::BuiltIn(assignor)) => {
                let assignments = assignor.assign(&lead.members, &topics);
                self.possession.agenda.lead = None;
                self.led(now, assignments);
            }
            Some(Strategy::Custom(_)) => {
                lead.asked = true;
                let task = super::AssignmentTask {
                    generation: lead.generation,
                    assignor: lead.strategy.clone(),
                    members: lead.members.clone(),
                    topics,
                };
                self.outputs.push_back(GroupOutput::Event(GroupEvent::AssignmentWanted(task)));
            }
            None => {
                let what = "the group agreed on an assignor that this member did not offer";
                let code = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
                self.membership.cannot_lead(now, GroupError::because(GroupStep::Assign, code, what));
            }
        }
    }

    /// The answer to [`GroupEvent::AssignmentWanted`]. One that comes too late is ignored.
    pub fn assign_members(
        &mut self,
        now: Instant,
        generation: i32,
        assignments: super::assignor::Assignments,
    ) {
        let lead = &mut self.possession.agenda.lead;
        if lead.take_if(|lead| lead.asked && lead.generation == generation).is_some() {
            self.led(now, assignments);
            self.absorb(now, None);
        }
    }

    fn led(&mut self, now: Instant, assignments: super::assignor::Assignments) {
        let forgotten = usize::from(crate::planted!(MemberForgotten));
        let encoded = assignments
            .into_iter()
            .skip(forgotten)
            .map(|(member, assignment)| Ok((member, assignment.encode()?)));
        match encoded.collect::<Result<Vec<_>, klamm_protocol::wire::EncodeError>>() {
            Ok(assignments) => self.membership.led(assignments),
            Err(_) => {
                let error =
                    GroupError::because(GroupStep::Assign, ErrorCode::NONE, "a topic's name is too long");
                self.membership.cannot_lead(now, error);
            }
        }
    }

    /// The group has assigned these partitions to the member, and no others.
    fn assigned(&mut self, now: Instant, assignment: Bytes) {
        let assignment =
            if assignment.is_empty() { Ok(Assignment::default()) } else { Assignment::decode(assignment) };
        let Ok(assignment) = assignment else {
            let what = "the leader of the group sent what is no assignment";
            let error = GroupError::because(GroupStep::Sync, ErrorCode::NONE, what);
            self.trouble(error);
            return self.rejoin(now, Str::from_static("the assignment could not be read"));
        };
        let all: BTreeSet<TopicPartition> =
            assignment.iter().map(|(topic, partition)| (topic.clone(), partition)).collect();
        let (wanted, foreign): (BTreeSet<_>, BTreeSet<_>) = all
            .into_iter()
            .partition(|(topic, partition)| *partition >= 0 && self.interest.subscribes_to(topic));
        let generation = self.metadata().generation;
        // A static member that comes back may find the generation as it left it.
        let owed = self.possession.owing.take().filter(|owing| owing.generation == generation);
        let owes = owed.is_some_and(|owing| owing.joins < OWED_JOINS);
        self.possession.ownership.generation = Some(generation);
        self.possession.assigned = wanted.iter().cloned().collect();
        let ownership = &mut self.possession.ownership;
        ownership.keep_adopting(|partition| wanted.contains(partition));
        self.lookups.keep_adoptions(|id| ownership.adoptions.contains_key(&id));
        let removed: Vec<TopicPartition> = ownership.owned.difference(&wanted).cloned().collect();
        let added: BTreeSet<TopicPartition> =
            wanted.into_iter().filter(|partition| !ownership.has(partition)).collect();
        self.adopt(now, added);
        let is_giving = !removed.is_empty();
        if is_giving {
            self.revoke(now, removed);
        }
        if is_giving || owes {
            let joins = owed.map_or(0, |owing| owing.joins) + 1;
            self.possession.owing = Some(Owing { generation, joins });
            self.possession.agenda.rejoin = Some(Str::from_static("partitions were given up for others"));
        } else if !foreign.is_empty() {
            self.possession.agenda.rejoin =
                Some(Str::from_static("the assignment is of another subscription"));
        }
        self.settle(now);
    }

    /// Looks up what is committed of partitions, to begin reading them there.
    pub(super) fn adopt(&mut self, now: Instant, partitions: BTreeSet<TopicPartition>) {
        let id = self.possession.ownership.next();
        self.possession.ownership.adoptions.insert(id, partitions.clone());
        let _ = now;
        self.lookups.push(LookupId::Adoption(id), partitions, Instant::MAX);
    }

    /// What is committed of partitions is known: they are read from there on.
    pub(super) fn adopted(&mut self, now: Instant, id: u64, found: &CommittedOffsets) {
        let Some(partitions) = self.possession.ownership.adoptions.remove(&id) else { return };
        let (mut assigned, mut starts) = (Vec::new(), Vec::new());
        let mut refused = BTreeSet::new();
        for partition in partitions {
            let committed = match found.get(&partition) {
                Some(Ok(committed)) => committed.clone(),
                Some(Err(code)) => {
                    let message = alloc::format!("topic {}, partition {}", partition.0, partition.1);
                    let error = GroupError::because(GroupStep::FetchOffsets, *code, &message);
                    let is_news = !error.is_refusal() || self.possession.denied.insert(partition.clone());
                    if error.is_refusal() {
                        refused.insert(partition);
                    }
                    if is_news {
                        self.trouble(error);
                    }
                    continue;
                }
                None => None,
            };
            let start = match &committed {
                None => start_of(self.reset),
                Some(commit) => Some(match commit.leader_epoch {
                    Some(leader_epoch) => StartAt::OffsetAndEpoch { offset: commit.offset, leader_epoch },
                    None => StartAt::Offset(commit.offset),
                }),
            };
            self.possession.denied.remove(&partition);
            let offset = committed.as_ref().map(|commit| commit.offset);
            self.possession.progress.begin(partition.clone(), offset);
            self.possession.ownership.owned.insert(partition.clone());
            starts.push((partition.0.clone(), partition.1, start));
            assigned.push(AssignedPartition { topic: partition.0, partition: partition.1, committed });
        }
        if !assigned.is_empty() || refused.is_empty() {
            self.outputs.push_back(GroupOutput::Event(GroupEvent::Assigned { partitions: assigned }));
        }
        if !refused.is_empty() {
            // Somebody may give the permission.
            let again = self.possession.ownership.next();
            self.possession.ownership.adoptions.insert(again, refused.clone());
            self.lookups.push_later(LookupId::Adoption(again), refused, now + self.config.backoff.max);
        }
        if !starts.is_empty() {
            self.outputs.push_back(GroupOutput::Assign(starts));
        }
    }

    /// What is committed of partitions cannot be had.
    pub(super) fn not_adopted(&mut self, now: Instant, id: u64, code: ErrorCode) {
        let Some(partitions) = self.possession.ownership.adoptions.remove(&id) else { return };
        let error = GroupError::new(GroupStep::FetchOffsets, code);
        match code {
            // The membership is over; it finds out by itself, and is assigned anew.
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::STALE_MEMBER_EPOCH => drop(partitions),
            _ => {
                self.membership.abandon(now, error);
            }
        }
    }
}

/// Where a policy begins; `None` if it is for the application to say.
const fn start_of(reset: OffsetReset) -> Option<StartAt> {
    match reset {
        OffsetReset::Earliest => Some(StartAt::Earliest),
        OffsetReset::Latest => Some(StartAt::Latest),
        OffsetReset::Timestamp(timestamp) => Some(StartAt::Timestamp(timestamp)),
        OffsetReset::Duration(duration) => Some(StartAt::Duration(duration)),
        OffsetReset::None => None,
    }
}
