//! What a member asks for, and when.

use alloc::boxed::Box;

use super::{
    Group, GroupOutput, Owner, UnderWay,
    membership::{Ask, Identity},
};
use crate::{
    BrokerId, Instant, Purpose, Request, Target, Token, earliest,
    whereabouts::{self, Coordinated},
};

impl Group {
    /// The next output; `None` when there is none until something is put in.
    pub fn poll(&mut self, now: Instant) -> Option<GroupOutput> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if self.is_closed() || !self.ask(now) {
                return None;
            }
        }
    }

    /// Makes one request, if there is one to make.
    fn ask(&mut self, now: Instant) -> bool {
        let number = self.dialogue.last + 1;
        let Some(coordinator) = self.dialogue.whereabouts.broker() else {
            if self.wants_coordinator(now) {
                self.dialogue.whereabouts.want();
            }
            let request =
                self.dialogue.whereabouts.ask(now, number, (Coordinated::Group, &self.config.group_id));
            let Some(request) = request else { return false };
            let mut ask = Ask::new(request, self.config.request_timeout);
            ask.max_version = whereabouts::MAX_VERSION;
            self.send(now, number, Owner::Whereabouts, None, ask);
            return true;
        };
        let next = self.next_ask(now, number);
        // Commits may have turned out to be of no use.
        self.absorb(now, None);
        let Some((owner, ask)) = next else { return !self.outputs.is_empty() };
        self.send(now, number, owner, Some(coordinator), ask);
        true
    }

    fn next_ask(&mut self, now: Instant, number: u64) -> Option<(Owner, Ask)> {
        if self.may_speak_of_offsets() {
            let timeout = self.config.request_timeout;
            let identity = self.commit_identity();
            let (is_member, ownership) = (self.is_member(), &self.possession.ownership);
            if let Some(identity) = &identity {
                let owns = |partition: &super::TopicPartition| !is_member || ownership.may_commit(partition);
                if let Some(ask) = self.commits.ask(now, number, identity, owns, timeout) {
                    return Some((Owner::Commits, ask));
                }
            }
            let member = self.membership.lookup_identity();
            if let Some(ask) = self.lookups.ask(now, number, member, timeout) {
                return Some((Owner::Lookups, ask));
            }
        }
        // What the commits refused is told first.
        if !self.membership.wants_coordinator(now) {
            return None;
        }
        let (joining, subscribed) = (self.joining(), self.interest.subscribed());
        self.membership.ask(now, number, || joining, || subscribed).map(|ask| (Owner::Membership, ask))
    }

    /// As whom offsets are committed; none while the member is nobody.
    fn commit_identity(&self) -> Option<Identity> {
        match self.membership.identity() {
            Some(identity) => Some(identity.clone()),
            None => (!self.is_member()).then_some(Identity::NOBODY),
        }
    }

    /// Whether the coordinator is not between two generations.
    const fn may_speak_of_offsets(&self) -> bool {
        !self.membership.is_between_generations()
    }

    /// Whether there is anything to say to the coordinator now.
    fn wants_coordinator(&self, now: Instant) -> bool {
        self.membership.wants_coordinator(now)
            || (self.may_speak_of_offsets()
                && ((self.commit_identity().is_some() && self.commits.wants_coordinator(now))
                    || self.lookups.wants_coordinator(now)))
    }

    /// When there will be something to say to the coordinator.
    pub(super) fn ask_timeout(&self) -> Option<Instant> {
        if self.dialogue.whereabouts.is_wanted() {
            // It is asked for already; what there is to say will be said.
            return None;
        }
        let membership = self.membership.ask_timeout();
        if !self.may_speak_of_offsets() {
            return membership;
        }
        let commits = self.commits.ask_timeout().filter(|_| self.commit_identity().is_some());
        [membership, commits, self.lookups.ask_timeout()].into_iter().fold(None, earliest)
    }

    fn send(&mut self, now: Instant, number: u64, owner: Owner, broker: Option<BrokerId>, ask: Ask) {
        self.dialogue.last = number;
        self.dialogue.requests.insert(number, UnderWay { owner, broker, at: now });
        let (to, purpose) = match broker {
            None => (Target::Any, Purpose::General),
            Some(broker) if ask.held_back => (Target::Broker(broker), Purpose::Group(self.id)),
            Some(broker) => (Target::Broker(broker), Purpose::Coordinator),
        };
        let token = Token::Group(self.id, number);
        let mut request = Request::new(to, purpose, token, ask.request, ask.timeout);
        request.max_version = ask.max_version;
        self.outputs.push_back(GroupOutput::Request(Box::new(request)));
    }
}
