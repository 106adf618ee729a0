//! What members of groups are told, deliver and commit.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::Str;

use super::Invariant;
use super::findings::Findings;
use super::heartbeats::Heartbeats;
use super::log::PartitionLog;
use super::oracle::Oracle;
use super::processes::Processes;
use crate::observe::{ActorId, ClientId, ClusterEvent, MemberFacts, Membering, Phase, TopicPartition};

/// How much longer than a session and a rebalance it takes until an assignment is found.
const MARGIN: Duration = Duration::from_secs(1);
/// Who gave up joining waits so much longer for the next answer, in nanoseconds.
const MORE_PATIENT_NS: u64 = 5_000_000_000;

/// A member, as its application knows it.
#[derive(Debug)]
struct Member {
    client: ClientId,
    facts: MemberFacts,
    /// The id that it goes by; empty before it has been told of any assignment.
    id: Str,
    /// What it reads, and in which generation it was told so last.
    owned: BTreeMap<TopicPartition, i32>,
    revoking: BTreeSet<TopicPartition>,
    /// The next offset of each partition, since it was assigned.
    next: BTreeMap<TopicPartition, i64>,
    /// What it works on: the first offset.
    holds: BTreeMap<TopicPartition, i64>,
    /// It has committed what it was still working on.
    commits_early: bool,
    closing_since: Option<Instant>,
    is_closed: bool,
    is_gone: bool,
    /// It has left the group.
    has_left: bool,
    /// Since when its application does not ask for records.
    idle_since: Option<Instant>,
    /// Since when it asks for records again.
    reads_since: Option<Instant>,
    /// The coordinator has taken it for dead, and it is in no generation until it is told of one.
    is_expelled: bool,
}

/// What members of a group have done together.
#[derive(Debug, Default)]
struct Group {
    /// Below these offsets everything was delivered.
    delivered: BTreeMap<TopicPartition, i64>,
    /// The generation and the offset of the last commit.
    committed: BTreeMap<TopicPartition, (i32, i64)>,
    /// When an application came or went last.
    changed: Option<Instant>,
    /// When a member was told of a change of its assignment last.
    reassigned: Option<Instant>,
    /// Its coordinators have forgotten that it was to rebalance, and nobody was assigned anything since.
    forgot: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Groups {
    members: BTreeMap<ActorId, Member>,
    groups: BTreeMap<Str, Group>,
    heartbeats: Heartbeats,
    /// Since when nobody does anything but read.
    calm: Option<Instant>,
    /// Records that were handed out.
    pub(super) delivered: u64,
}

/// What the checks need besides.
pub(super) struct Context<'a> {
    pub(super) oracle: &'a Oracle,
    pub(super) processes: &'a Processes,
    pub(super) findings: &'a mut Findings,
}

fn listed(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().map(place).collect();
    names.join(", ")
}

fn place(of: &TopicPartition) -> String {
    format!("{}/{}", of.topic, of.partition)
}

impl Groups {
    pub(super) fn observe(&mut self, actor: ActorId, what: &Membering<'_>, context: &mut Context<'_>) {
        let now = context.findings.now.at;
        if let Membering::Made(client, facts) = what {
            self.groups.entry(facts.group.clone()).or_default().changed = Some(now);
            self.members.insert(actor, Member::new(*client, (*facts).clone()));
            return;
        }
        match what {
            Membering::Assigned { generation, member, partitions } => {
                self.assigned(actor, *generation, member, partitions, context);
            }
            Membering::Delivered { from, offset, .. } => self.deliver(actor, from, *offset, context),
            _ => {}
        }
        let Some(member) = self.members.get_mut(&actor) else { return };
        if let Some(group) = self.groups.get_mut(&member.facts.group) {
            match what {
                Membering::CloseBegan | Membering::Closed => group.changed = Some(now),
                Membering::Assigned { .. } | Membering::Released(_) | Membering::Lost(_) => {
                    group.reassigned = Some(now);
                }
                _ => {}
            }
        }
        let mut nested = |what: String| context.findings.add(Invariant::Nesting, what);
        match what {
            Membering::Revoking(partitions) => {
                if let Some(other) = partitions.iter().find(|of| !member.owned.contains_key(*of)) {
                    nested(format!(
                        "member {} is to give up {}, which it does not have",
                        actor.0,
                        place(other)
                    ));
                }
                if !member.revoking.is_empty() {
                    nested(format!(
                        "member {} is to give up {} before it gave up what it had to",
                        actor.0,
                        listed(partitions)
                    ));
                }
                member.revoking.extend(partitions.iter().cloned());
            }
            Membering::Released(partitions) => member.forget(partitions),
            Membering::Lost(partitions) => {
                if let Some(other) = partitions.iter().find(|of| !member.owned.contains_key(*of)) {
                    nested(format!("member {} lost {}, which it does not have", actor.0, place(other)));
                }
                member.forget(partitions);
            }
            Membering::Holds(of, Some(first)) => drop(member.holds.insert((*of).clone(), *first)),
            Membering::Holds(of, None) => drop(member.holds.remove(*of)),
            Membering::Commits => member.commits_early = true,
            Membering::Idles => member.idle_since = Some(now),
            Membering::Reads => (member.idle_since, member.reads_since) = (None, Some(now)),
            Membering::CloseBegan => {
                member.closing_since = Some(context.findings.now.at);
                member.owned.clear();
            }
            Membering::Closed => {
                member.is_closed = true;
                member.owned.clear();
            }
            _ => {}
        }
    }

    fn assigned(
        &mut self,
        actor: ActorId,
        generation: i32,
        id: &str,
        partitions: &[TopicPartition],
        context: &mut Context<'_>,
    ) {
        let Some(member) = self.members.get_mut(&actor) else { return };
        if let Some(other) = partitions.iter().find(|of| member.owned.contains_key(*of)) {
            let what = format!("member {} is assigned {}, which it has already", actor.0, place(other));
            context.findings.add(Invariant::Nesting, what);
        }
        if !member.revoking.is_empty() {
            let what =
                format!("member {} is assigned {} while it gives others up", actor.0, listed(partitions));
            context.findings.add(Invariant::Nesting, what);
        }
        if let Some(group) = self.groups.get_mut(&member.facts.group) {
            group.forgot = false;
        }
        member.id = Str::copy_of(id);
        (member.has_left, member.is_expelled) = (false, false);
        member.owned.extend(partitions.iter().map(|of| (of.clone(), generation)));
        member.owned.values_mut().for_each(|known| *known = generation);
        let owned: Vec<TopicPartition> = member.owned.keys().cloned().collect();
        for of in &owned {
            self.sole_owner(actor, of, context);
        }
    }

    /// Nobody else has the partition in the same generation.
    fn sole_owner(&self, actor: ActorId, of: &TopicPartition, context: &mut Context<'_>) {
        let Some(member) = self.members.get(&actor) else { return };
        let generation = member.owned.get(of).filter(|_| !member.is_expelled);
        // A group that nobody was in may begin again with the generation that somebody who sleeps still believes in.
        let has_too = |other: &&ActorId| {
            **other != actor
                && self.members.get(*other).is_some_and(|other| {
                    !other.is_gone
                        && !other.is_expelled
                        && other.facts.group == member.facts.group
                        && other.owned.get(of) == generation
                })
        };
        if generation.is_some()
            && let Some(other) = self.members.keys().find(has_too)
        {
            let generation = generation.copied().unwrap_or(-1);
            let what = format!(
                "members {} and {} both have {} in generation {generation}",
                actor.0,
                other.0,
                place(of)
            );
            context.findings.add(Invariant::OneOwner, what);
        }
    }

    fn deliver(&mut self, actor: ActorId, from: &TopicPartition, offset: i64, context: &mut Context<'_>) {
        self.delivered += 1;
        let Some(member) = self.members.get_mut(&actor) else { return };
        if !member.owned.contains_key(from) {
            let what =
                format!("member {} got offset {offset} of {}, which it does not have", actor.0, place(from));
            context.findings.add(Invariant::NothingAfter, what);
        }
        let next = member.next.insert(from.clone(), offset + 1);
        if next.is_some_and(|next| offset < next) {
            let what = format!("member {} got offset {offset} of {} again", actor.0, place(from));
            context.findings.add(Invariant::OffsetsRise, what);
        }
        let group = self.groups.entry(member.facts.group.clone()).or_default();
        let delivered = group.delivered.entry(from.clone()).or_insert(0);
        let starts_later = context.oracle.log(from).is_some_and(|log| log.start > *delivered);
        if offset > *delivered && !starts_later {
            let what = format!(
                "member {} got offset {offset} of {}, and nobody in its group got offset {delivered}",
                actor.0,
                place(from)
            );
            context.findings.add(Invariant::NoSkip, what);
        }
        *delivered = (*delivered).max(offset + 1);
        self.sole_owner(actor, from, context);
    }

    pub(super) fn cluster(&mut self, event: &ClusterEvent, context: &mut Context<'_>) {
        match event {
            ClusterEvent::OffsetCommitted { group, member, generation, topic, partition, offset } => {
                let of = TopicPartition { topic: topic.clone(), partition: *partition };
                self.committed(group, member, (*generation, *offset), &of, context);
            }
            ClusterEvent::MemberGone { group, member, expired } => {
                self.gone(group, member, *expired, context)
            }
            ClusterEvent::RebalanceForgotten { group } => {
                if let Some(group) = self.groups.get_mut(group) {
                    group.forgot = true;
                }
            }
            _ => {}
        }
    }

    fn committed(
        &mut self,
        group: &Str,
        id: &Str,
        (generation, offset): (i32, i64),
        of: &TopicPartition,
        context: &mut Context<'_>,
    ) {
        let Some(known) = self.groups.get_mut(group) else { return };
        let delivered = known.delivered.get(of).copied().unwrap_or(0);
        let starts = context.oracle.log(of).map_or(0, |log| log.start);
        if offset > delivered.max(starts) {
            let what = format!(
                "offset {offset} of {} was committed for group {group}, and nothing from {delivered} on was delivered",
                place(of)
            );
            context.findings.add(Invariant::CommitsBehind, what);
        }
        let before = known.committed.insert(of.clone(), (generation, offset));
        if let Some((_, before)) = before.filter(|(at, before)| *at == generation && offset < *before) {
            let what = format!(
                "offset {offset} of {} was committed for group {group} in generation {generation} after {before}",
                place(of)
            );
            context.findings.add(Invariant::CommitsRise, what);
        }
        let member = self.members.values().find(|member| member.id == *id && member.facts.group == *group);
        let holds = member.filter(|member| !member.commits_early && !member.is_closed);
        if let Some(held) = holds.and_then(|member| member.holds.get(of)).filter(|held| offset > **held) {
            let what = format!(
                "offset {offset} of {} was committed for group {group} while its application works on {held}",
                place(of)
            );
            context.findings.add(Invariant::CommitsBehind, what);
        }
    }

    fn gone(&mut self, group: &Str, id: &Str, expired: bool, context: &mut Context<'_>) {
        let now = context.findings.now.at;
        let known = self.members.values_mut().find(|member| member.id == *id && member.facts.group == *group);
        let Some(member) = known.filter(|member| !member.is_gone) else { return };
        if !expired {
            if member.facts.is_static && member.closing_since.is_some() {
                let what = format!("static member {id} of group {group} has left by closing");
                context.findings.add(Invariant::Leaving, what);
            }
            member.has_left = true;
            return;
        }
        member.is_expelled = true;
        let patience = Duration::from_nanos(member.facts.patience_ns);
        let recovered = context.processes.recovered(member.client, patience);
        // One whose application is silent for too long has to go.
        let max_poll = Duration::from_nanos(member.facts.max_poll_ns);
        if member.idle_since.is_some_and(|since| now >= since + max_poll) {
            return;
        }
        let back = member.reads_since.map(|since| since + patience);
        let recovered = recovered.map(|recovered| back.map_or(recovered, |back| back.max(recovered)));
        // One that was dropped, and is static, does not leave.
        let is_over = member.closing_since.is_some() || member.is_closed;
        if !is_over && recovered.is_some_and(|recovered| now > recovered) {
            let what = format!("member {id} of group {group} was taken for dead though nothing was wrong");
            context.findings.add(Invariant::Heartbeats, what);
        }
    }

    /// A member was heard of, and not too often.
    pub(super) fn heartbeat(&mut self, group: &Str, id: &Str, context: &mut Context<'_>) {
        let known = self.members.iter().find(|(_, member)| member.id == *id && member.facts.group == *group);
        let Some((actor, member)) = known else { return };
        let now = context.findings.now.at;
        let patience = Duration::from_nanos(member.facts.patience_ns);
        let recovered = context.processes.recovered(member.client, patience);
        if recovered.is_none_or(|recovered| now <= recovered) {
            self.heartbeats.forgive(*actor);
        } else if self.heartbeats.beat(now, *actor, member.facts.heartbeat_ns) {
            let interval = Duration::from_nanos(member.facts.heartbeat_ns);
            let what = format!(
                "member {} of group {group} sends more heartbeats than one in {interval:?}, though nothing is wrong",
                actor.0
            );
            context.findings.add(Invariant::Heartbeats, what);
        }
    }

    pub(super) const fn phase(&mut self, now: Instant, phase: Phase) {
        if matches!(phase, Phase::Calm) {
            self.calm = Some(now);
        }
    }

    /// How long the group's assignment may change after nobody comes or goes: the longest session of a member, until who is
    /// gone is found out, and the longest time that a member gives the group to join again. A coordinator waits as long as
    /// that for a static member that is silent, which it does not remove before its session is over, and as long again for
    /// it to sync, or until the session is over.
    ///
    /// Who gives up joining before the others have had their time makes all of them begin anew.
    fn patience(&self, group: &Str) -> Duration {
        let members = || self.members.values().filter(|member| member.facts.group == *group);
        let session = |member: &Member| member.facts.patience_ns - member.facts.max_poll_ns;
        let sessions = members().map(session).max().unwrap_or(0);
        let rebalance = members().map(|member| member.facts.max_poll_ns).max().unwrap_or(0);
        let hastiest = members().map(|member| member.facts.join_ns).min().unwrap_or(u64::MAX);
        let given_up = rebalance.checked_sub(hastiest).map_or(0, |more| 1 + more / MORE_PATIENT_NS);
        Duration::from_nanos(sessions + rebalance * (1 + given_up)) + MARGIN
    }

    /// Once nobody comes or goes the assignment is found before long, and stays.
    fn comes_to_rest(&self, name: &Str, group: &Group) -> Option<String> {
        let quiet = self.calm?.max(group.changed?);
        let took = group.reassigned?.since(quiet);
        let patience = self.patience(name);
        (took > patience).then(|| {
            format!("the assignment of group {name} changed {took:?} after everything was quiet, {patience:?} had to do")
        })
    }

    /// A process is gone, and its members with it.
    pub(super) fn killed(&mut self, client: ClientId) {
        let killed = self.members.values_mut().filter(|member| member.client == client);
        killed.for_each(|member| member.is_gone = true);
    }

    /// The faults are long over: every partition has an owner, who has read to its end.
    pub(super) fn settled(&self, context: &mut Context<'_>) {
        // Members cannot know of a rebalance that their coordinator has forgotten.
        for (name, group) in self.groups.iter().filter(|(_, group)| !group.forgot) {
            if let Some(what) = self.comes_to_rest(name, group) {
                context.findings.add(Invariant::Assignment, what);
            }
            let is_alive =
                |member: &&Member| !member.is_gone && member.closing_since.is_none() && !member.is_closed;
            let alive: Vec<&Member> =
                self.members.values().filter(|member| member.facts.group == *name).filter(is_alive).collect();
            let topics: BTreeSet<&Str> = alive.iter().flat_map(|member| &member.facts.topics).collect();
            for topic in topics {
                let logs = (0..).map_while(|partition| {
                    let of = TopicPartition { topic: topic.clone(), partition };
                    context.oracle.log(&of).map(|log| (of, log))
                });
                let found: Vec<_> =
                    logs.filter_map(|(of, log)| unsettled(name, group, &alive, &of, log)).collect();
                for (invariant, what) in found {
                    context.findings.add(invariant, what);
                }
            }
        }
    }

    /// The run is over: who was closed when nothing was wrong has left.
    pub(super) fn finish(&self, processes: &Processes, findings: &mut Findings) {
        for (actor, member) in &self.members {
            let patience = Duration::from_nanos(member.facts.patience_ns);
            let recovered = processes.recovered(member.client, patience);
            let was_well = member.closing_since.zip(recovered).is_some_and(|(closing, well)| closing > well);
            if was_well
                && member.is_closed
                && !member.facts.is_static
                && !member.id.is_empty()
                && !member.has_left
            {
                let what =
                    format!("member {} has closed, and has not left group {}", actor.0, member.facts.group);
                findings.add(Invariant::Leaving, what);
            }
        }
    }
}

/// What is wrong with a partition of a group that had time enough.
fn unsettled(
    name: &Str,
    group: &Group,
    alive: &[&Member],
    of: &TopicPartition,
    log: &PartitionLog,
) -> Option<(Invariant, String)> {
    let owners = alive.iter().filter(|member| member.owned.contains_key(of)).count();
    if owners != 1 {
        let what = format!("{owners} members of group {name} have {}", place(of));
        return Some((Invariant::Assignment, what));
    }
    let delivered = group.delivered.get(of).copied().unwrap_or(0);
    let end = log.committed_end();
    (delivered < end && log.start < end).then(|| {
        let what = format!("group {name} has read {} up to {delivered}, and it ends at {end}", place(of));
        (Invariant::NothingUnseen, what)
    })
}

impl Member {
    fn new(client: ClientId, facts: MemberFacts) -> Self {
        Self {
            client,
            facts,
            id: Str::default(),
            owned: BTreeMap::new(),
            revoking: BTreeSet::new(),
            next: BTreeMap::new(),
            holds: BTreeMap::new(),
            commits_early: false,
            closing_since: None,
            is_closed: false,
            is_gone: false,
            has_left: false,
            idle_since: None,
            reads_since: None,
            is_expelled: false,
        }
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        for of in partitions {
            self.owned.remove(of);
            self.revoking.remove(of);
            self.next.remove(of);
        }
    }
}
