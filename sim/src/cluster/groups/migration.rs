//! Groups that change from one protocol to the other while members are in them.

use klamm_core::Instant;
use klamm_protocol::{ErrorCode, Str};

use super::consumer::{ClassicSide, ConsumerGroup, Downgrade, Progress, Refused, embedded};
use super::join::join_error;
use super::member::Member as ClassicMember;
use super::{ClassicGroup, Groups, Kind, State, Turn};
use crate::cluster::topics::Topics;

impl Groups {
    /// A consumer group made of a classic one, into which the first member of the newer protocol may come. Members that
    /// wait for each other in vain are told to come again.
    pub(super) fn upgraded(
        &mut self,
        now: Instant,
        topics: &Topics,
        id: &str,
    ) -> Result<ConsumerGroup, Refused> {
        let most = self.config.consumer_max_size;
        let missing = || Refused::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("There is no group {id}."));
        let mut turn = self.turn(now, id).ok_or_else(missing)?;
        if !turn.group.is_of_consumers() || turn.group.now.members.len() > most {
            let message = format!("Group {id} cannot become a consumer group.");
            return Err(Refused::new(ErrorCode::GROUP_ID_NOT_FOUND, message));
        }
        turn.dismiss_waiting();
        ConsumerGroup::of_classic(turn.group, topics)
    }

    /// The group becomes a classic one: only classic members are left in it.
    pub(super) fn downgrade(&mut self, now: Instant, topics: &Topics, id: &str, downgrade: Downgrade) {
        let Some(known) = self.by_id.get_mut(id) else { return };
        let Kind::Consumer(group) = &known.kind else { return };
        let classic = ClassicGroup::of_consumers(group, topics, downgrade.generation);
        known.kind = Kind::Classic(Box::new(classic));
        self.timers.cancel_all(id);
        let Some(mut turn) = self.turn(now, id) else { return };
        turn.begin_all_sessions();
        if downgrade.needs_rebalance {
            turn.prepare_rebalance();
        }
    }
}

impl Turn<'_> {
    /// Who waits for others is told to come again.
    fn dismiss_waiting(&mut self) {
        let members = self.group.now.members.values_mut();
        let waiting: Vec<_> =
            members.map(|member| (member.id.clone(), member.joining.take(), member.syncing.take())).collect();
        for (id, joining, syncing) in waiting {
            if let Some(connection) = joining {
                self.answer_join(connection, join_error(&id, ErrorCode::REBALANCE_IN_PROGRESS));
            }
            if let Some(connection) = syncing {
                self.answer_sync(connection, Err(ErrorCode::REBALANCE_IN_PROGRESS));
            }
        }
    }
}

impl ConsumerGroup {
    /// All members keep what they were assigned.
    fn of_classic(classic: &ClassicGroup, topics: &Topics) -> Result<Self, Refused> {
        let mut group = Self::new(classic.id.clone());
        group.epoch = classic.now.generation;
        group.assignment_epoch = classic.now.generation;
        let malformed = || {
            let message = format!("What the members of group {} want cannot be read.", classic.id);
            Refused::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
        };
        let protocol = classic.now.protocol.as_ref();
        let protocol = protocol
            .ok_or_else(|| Refused::new(ErrorCode::UNKNOWN_SERVER_ERROR, "No protocol was chosen yet."))?;
        for member in classic.now.members.values() {
            let assigned = embedded::assignment(&member.assignment, topics)?;
            let said = embedded::subscription(&member.metadata(protocol)).ok_or_else(malformed)?;
            let mut joined = super::consumer::Member::new(member.id.clone());
            joined.instance_id.clone_from(&member.instance_id);
            joined.rack_id = said.rack_id.filter(|rack| !rack.is_empty()).map(|rack| Str::copy_of(&rack));
            joined.client_id = member.client_id.clone();
            joined.rebalance_timeout = member.rebalance_timeout;
            joined.wishes.topics = said.topics.iter().map(|topic| Str::copy_of(topic)).collect();
            joined.progress = Progress {
                epoch: group.epoch,
                previous_epoch: group.epoch,
                assigned: assigned.clone(),
                ..Progress::default()
            };
            joined.classic = Some(ClassicSide {
                session_timeout: member.session_timeout,
                protocols: member.protocols.clone(),
            });
            group.target.insert(member.id.clone(), assigned);
            group.members.insert(member.id.clone(), joined);
        }
        group.look_around(topics);
        Ok(group)
    }
}

impl ClassicGroup {
    /// All members get what they were to have.
    fn of_consumers(group: &ConsumerGroup, topics: &Topics, generation: i32) -> Self {
        let mut classic = Self::new(group.id.clone());
        classic.state = State::Stable;
        classic.now.generation = generation;
        for member in group.members.values() {
            let Some(side) = &member.classic else { continue };
            let joined = ClassicMember {
                id: member.id.clone(),
                instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                session_timeout: side.session_timeout,
                rebalance_timeout: member.rebalance_timeout,
                protocols: side.protocols.clone(),
                assignment: bytes::Bytes::new(),
                joining: None,
                syncing: None,
                is_new: false,
            };
            classic.add(&Str::from_static("consumer"), joined);
        }
        classic.now.protocol = classic.select_protocol();
        let protocol = classic.now.protocol.clone().unwrap_or_default();
        for member in classic.now.members.values_mut() {
            let target = group.target.get(&member.id).cloned().unwrap_or_default();
            let metadata = member.metadata(&protocol);
            member.assignment = embedded::assignment_for(&metadata, &target, topics);
        }
        classic.store();
        classic
    }
}
