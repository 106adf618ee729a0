//! What a heartbeat does.

use std::time::Duration;

use klamm_core::{Entropy, Instant};
use klamm_protocol::messages::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::member::AWAY;
use super::reconcile::Step;
use super::{Assignor, ConsumerGroup, Member, Partitions, Phase, Progress, Refused, Wishes};
use crate::cluster::config::GroupConfig;
use crate::cluster::groups::timers::{Timer, Timers};
use crate::cluster::random_uuid;
use crate::cluster::topics::Topics;

/// A heartbeat.
#[derive(Debug)]
pub(crate) struct Beat<'a> {
    pub(crate) request: &'a ConsumerGroupHeartbeatRequest,
    pub(crate) client_id: &'a Str,
}

/// A consumer group and what is needed to change it.
#[derive(Debug)]
pub(crate) struct Modern<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a GroupConfig,
    pub(crate) topics: &'a Topics,
    pub(crate) group: &'a mut ConsumerGroup,
    pub(crate) timers: &'a mut Timers,
    pub(crate) member_ids: &'a mut Entropy,
}

/// Whoever comes: as it was, as it will be, and the member whose place it takes.
pub(super) struct Comer {
    pub(super) before: Member,
    pub(super) after: Member,
    pub(super) replaced: Option<Str>,
}

impl Modern<'_> {
    /// Serves the heartbeat of a member that does not leave. Nothing has changed if it is refused.
    pub(crate) fn heartbeat(&mut self, beat: &Beat<'_>) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let request = beat.request;
        let mut comer = self.admit(request)?;
        comer.after = said_by(&comer.after, beat);
        let owned = request.topic_partitions.as_deref().map(listed);
        let progress = self.take_over(&comer, owned.as_ref())?;
        let id = comer.after.id;
        self.begin_session(&id, self.config.consumer_session_timeout);

        let says_all = request.rebalance_timeout_ms != -1
            && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
            && owned.is_some();
        let is_news =
            request.member_epoch == 0 || says_all || progress.assigned != comer.before.progress.assigned;
        let response = ConsumerGroupHeartbeatResponse {
            member_id: Some(id),
            member_epoch: progress.epoch,
            heartbeat_interval_ms: millis(self.config.consumer_heartbeat_interval),
            assignment: is_news.then(|| assignment(&progress.assigned)),
            ..ConsumerGroupHeartbeatResponse::default()
        };
        self.group.resolve_patterns(self.now, self.topics);
        Ok(response)
    }

    /// Puts a member in its place as it is now, raises the epoch and computes the target if need be, and has the
    /// member take a step. Returns what it has then.
    pub(super) fn take_over(
        &mut self,
        comer: &Comer,
        owned: Option<&Partitions>,
    ) -> Result<Progress, Refused> {
        let Comer { before, after, replaced } = comer;
        let has_new_topics = before.wishes.topics != after.wishes.topics;
        let has_new_pattern = before.wishes.pattern != after.wishes.pattern;
        if has_new_pattern && let Some(pattern) = after.wishes.regex() {
            self.group.check_pattern(pattern)?;
        }
        // What a new pattern stands for is found out later.
        let is_resolved = match after.wishes.regex() {
            Some(pattern) => self.group.patterns.is_resolved(pattern),
            None => before.wishes.regex().is_some(),
        };
        if let Some(replaced) = replaced {
            self.remove_replaced(replaced, &after.id);
        }
        self.group.members.insert(after.id.clone(), after.clone());
        self.group.forget_patterns();
        let must_rise = self.group.epoch == 0 || has_new_topics || has_new_pattern && is_resolved;
        self.group.refresh(self.topics, must_rise);
        self.group.retarget(self.topics);
        Ok(self.reconcile(&after.id, has_new_topics || has_new_pattern, owned))
    }

    /// The static member that was there is gone, and what it was to have is the new one's.
    fn remove_replaced(&mut self, replaced: &str, id: &Str) {
        self.cancel_timers(replaced);
        self.group.members.remove(replaced);
        if let Some(target) = self.group.target.remove(replaced) {
            self.group.target.insert(id.clone(), target);
        }
    }

    /// Finds the member, or makes one if it may come.
    fn admit(&mut self, request: &ConsumerGroupHeartbeatRequest) -> Result<Comer, Refused> {
        self.check_room(&request.member_id)?;
        let is_joining = request.member_epoch == 0;
        let id = if request.member_id.is_empty() {
            Str::from(random_uuid(self.member_ids).to_string())
        } else {
            Str::copy_of(&request.member_id)
        };
        match &request.instance_id {
            Some(instance_id) if is_joining => self.admit_static(id, instance_id),
            instance_id => {
                let known = match self.group.claimed(&id, instance_id.as_ref()) {
                    Ok(known) => known.clone(),
                    Err(_) if is_joining => Member::new(id),
                    Err(refused) => return Err(refused),
                };
                check_epoch(&known.progress, request)?;
                Ok(Comer { after: known.clone(), before: known, replaced: None })
            }
        }
    }

    /// A static member may take the place of the one that had its name, once that one has left.
    fn admit_static(&self, id: Str, instance_id: &Str) -> Result<Comer, Refused> {
        let Some(known) = self.group.static_member(instance_id) else {
            let member = self.group.members.get(&id).cloned().unwrap_or_else(|| Member::new(id));
            return Ok(Comer { after: member.clone(), before: member, replaced: None });
        };
        if known.classic.is_none() && known.progress.epoch != AWAY {
            let message = format!("Static member {instance_id} is still there.");
            return Err(Refused::new(ErrorCode::UNRELEASED_INSTANCE_ID, message));
        }
        Ok(replacing(known, id))
    }

    pub(crate) fn check_room(&self, id: &str) -> Result<(), Refused> {
        let members = &self.group.members;
        if members.len() < self.config.consumer_max_size || members.contains_key(id) {
            return Ok(());
        }
        Err(Refused::new(ErrorCode::GROUP_MAX_SIZE_REACHED, "The group has as many members as it may have."))
    }

    /// Has a member take a step towards its target.
    pub(crate) fn reconcile(
        &mut self,
        id: &str,
        has_new_wishes: bool,
        owned: Option<&Partitions>,
    ) -> Progress {
        let group = &mut *self.group;
        let target_epoch = group.assignment_epoch;
        let Some(member) = group.members.get(id) else { return Progress::default() };
        if !has_new_wishes && member.is_settled_in(target_epoch) {
            return member.progress.clone();
        }
        let nothing = Partitions::new();
        let step = Step {
            target_epoch,
            target: group.target.get(id).unwrap_or(&nothing),
            wanted: &group.wanted_ids(&member.wishes, self.topics),
            has_new_wishes,
            taken: &group.owned_by_others(id),
            owned,
        };
        let next = step.take(&member.progress);
        let has_changed = next != member.progress;
        let timeout = member.rebalance_timeout;
        let is_classic = member.classic.is_some();
        if let Some(member) = group.members.get_mut(id) {
            member.progress.clone_from(&next);
        }
        if has_changed && !is_classic {
            let timer = Timer::Rebalance(Str::copy_of(id));
            if next.phase == Phase::Revoking {
                self.timers.set(&self.group.id, timer, self.now + timeout);
            } else {
                self.timers.cancel(&self.group.id, timer);
            }
        }
        next
    }

    /// A member is heard of.
    pub(crate) fn begin_session(&mut self, id: &Str, timeout: Duration) {
        self.timers.set(&self.group.id, Timer::Session(id.clone()), self.now + timeout);
    }

    /// A member goes, or a static one for a while.
    pub(crate) fn leave(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(ConsumerGroupHeartbeatResponse, Vec<Str>), Refused> {
        let id = self.group.claimed(&request.member_id, request.instance_id.as_ref())?.id.clone();
        let response = ConsumerGroupHeartbeatResponse {
            member_id: Some(id.clone()),
            member_epoch: request.member_epoch,
            ..ConsumerGroupHeartbeatResponse::default()
        };
        let is_away = request.member_epoch == AWAY && request.instance_id.is_some();
        if is_away && let Some(member) = self.group.members.get_mut(&id) {
            // Its session goes on: it keeps what it has until then.
            member.progress.epoch = AWAY;
            member.progress.revoking.clear();
        }
        Ok((response, if is_away { Vec::new() } else { vec![id] }))
    }
}

/// A member that takes the place of a static one.
pub(super) fn replacing(known: &Member, id: Str) -> Comer {
    let mut member = known.clone();
    member.id = id;
    (member.progress.epoch, member.progress.previous_epoch) = (0, 0);
    Comer { after: member.clone(), before: member, replaced: Some(known.id.clone()) }
}

/// A member whose answer got lost may say the epoch that it had before.
fn check_epoch(known: &Progress, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refused> {
    let said = request.member_epoch;
    if said == 0 || said == known.epoch {
        return Ok(());
    }
    let owned = request.topic_partitions.as_deref();
    let has_missed_answer = said < known.epoch
        && said == known.previous_epoch
        && owned.is_some_and(|owned| owned.iter().all(|topic| has_all(&known.assigned, topic)));
    if has_missed_answer {
        return Ok(());
    }
    let message = format!("The member is in epoch {} and not in {said}; it has to join again.", known.epoch);
    Err(Refused::new(ErrorCode::FENCED_MEMBER_EPOCH, message))
}

fn has_all(assigned: &Partitions, said: &TopicPartitions) -> bool {
    let known = assigned.get(&said.topic_id);
    known.is_some_and(|known| said.partitions.iter().all(|index| known.contains(index)))
}

/// The member with what it says now; what it leaves out stays as it was.
fn said_by(known: &Member, beat: &Beat<'_>) -> Member {
    let request = beat.request;
    let owned = |text: &Option<Str>| text.as_deref().map(Str::copy_of);
    let timeout = request.rebalance_timeout_ms;
    let topics = request.subscribed_topic_names.as_ref();
    Member {
        id: known.id.clone(),
        instance_id: owned(&request.instance_id).or_else(|| known.instance_id.clone()),
        rack_id: owned(&request.rack_id).or_else(|| known.rack_id.clone()),
        client_id: beat.client_id.clone(),
        rebalance_timeout: match u64::try_from(timeout) {
            Ok(timeout) => Duration::from_millis(timeout),
            Err(_) => known.rebalance_timeout,
        },
        wishes: Wishes {
            topics: match topics {
                Some(topics) => topics.iter().map(|topic| Str::copy_of(topic)).collect(),
                None => known.wishes.topics.clone(),
            },
            pattern: owned(&request.subscribed_topic_regex).or_else(|| known.wishes.pattern.clone()),
            assignor: request
                .server_assignor
                .as_deref()
                .and_then(Assignor::by_name)
                .or(known.wishes.assignor),
        },
        progress: known.progress.clone(),
        classic: None,
    }
}

fn listed(said: &[TopicPartitions]) -> Partitions {
    let mut partitions = Partitions::new();
    for topic in said.iter().filter(|topic| !topic.partitions.is_empty()) {
        partitions.entry(topic.topic_id).or_default().extend(topic.partitions.iter());
    }
    partitions
}

fn assignment(partitions: &Partitions) -> Assignment {
    let topic = |(topic_id, indexes): (&Uuid, &std::collections::BTreeSet<i32>)| TopicPartitions {
        topic_id: *topic_id,
        partitions: indexes.iter().copied().collect(),
        ..TopicPartitions::default()
    };
    Assignment { topic_partitions: partitions.iter().map(topic).collect(), ..Assignment::default() }
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}
