//! What a member makes of answers.

use klamm_protocol::{ErrorCode, messages::AnyResponse};

use super::{
    Group, GroupError, GroupEvent, GroupOutput, GroupStep, Owner,
    commits::{CommitOutput, LookupId, LookupOutput},
};
use crate::{BrokerId, Instant, Misbehaved, whereabouts::Found};

impl Group {
    /// Takes an answer. `number` is that of its token; an unknown one is ignored.
    ///
    /// # Errors
    ///
    /// The answer is none to the request: nonsense, which costs the connection. The request is repeated.
    pub fn handle_response(
        &mut self,
        now: Instant,
        number: u64,
        response: &AnyResponse,
    ) -> Result<(), Misbehaved> {
        let Some(request) = self.dialogue.requests.remove(&number) else { return Ok(()) };
        self.dialogue.counts.answered(now, request.at, response);
        let fits = match (request.owner, response) {
            (Owner::Whereabouts, AnyResponse::FindCoordinator(response)) => {
                let found =
                    self.dialogue.whereabouts.handle_response(now, number, response, &mut self.entropy);
                match found {
                    Found::Refused { code, message } => self.not_found(now, code, &message),
                    Found::Broker => self.dialogue.refused = None,
                    Found::NotYet => {}
                }
                return Ok(());
            }
            (Owner::Membership, response) => self.membership.handle_response(now, number, response),
            (Owner::Commits, AnyResponse::OffsetCommit(response)) => {
                self.commits.handle_response(now, number, response, &mut self.entropy);
                true
            }
            (Owner::Lookups, AnyResponse::OffsetFetch(response)) => {
                self.lookups.handle_response(now, number, response, &mut self.entropy);
                true
            }
            _ => {
                self.lost(now, number, request.owner, (true, false));
                false
            }
        };
        let before = self.dialogue.whereabouts.broker();
        self.absorb(now, request.broker);
        if self.dialogue.whereabouts.broker() == before {
            self.dialogue.whereabouts.proved();
        }
        self.move_on_closing(now);
        if fits { Ok(()) } else { Err(Misbehaved::Nonsense("an answer to another request")) }
    }

    /// The coordinator will not be told. It is asked for again, but that is not said again, and what waits for it on behalf
    /// of the application does not wait for somebody to change that.
    fn not_found(&mut self, now: Instant, code: ErrorCode, message: &str) {
        let error = GroupError::because(GroupStep::FindCoordinator, code, message);
        if error.is_refusal() {
            self.commits.refuse(code);
            self.lookups.refuse(code);
            self.dialogue.whereabouts.forgo();
            self.absorb(now, None);
            self.move_on_closing(now);
        }
        if self.dialogue.refused.replace(code) != Some(code) {
            self.trouble(error);
        }
    }

    /// Takes the news that a request will get no answer: whether a byte of it had left, and whether the broker cannot
    /// understand it. `number` is that of its token; an unknown one is ignored.
    pub fn handle_lost(&mut self, now: Instant, number: u64, written: bool, unsupported: bool) {
        let Some(request) = self.dialogue.requests.remove(&number) else { return };
        self.lost(now, number, request.owner, (written, unsupported));
        if let Some(broker) = request.broker.filter(|_| !unsupported) {
            self.dialogue.whereabouts.lost(now, broker, &mut self.entropy);
        }
        self.absorb(now, request.broker);
        self.move_on_closing(now);
    }

    fn lost(&mut self, now: Instant, number: u64, owner: Owner, (written, unsupported): (bool, bool)) {
        match owner {
            Owner::Whereabouts => self.dialogue.whereabouts.handle_lost(now, number, &mut self.entropy),
            Owner::Membership => self.membership.handle_lost(now, number, unsupported),
            Owner::Commits => {
                self.commits.handle_lost(now, number, (written, unsupported), &mut self.entropy);
            }
            Owner::Lookups => self.lookups.handle_lost(now, number, unsupported, &mut self.entropy),
        }
    }

    /// Takes what the machines say. `from` is the coordinator whose answer they speak of.
    pub(super) fn absorb(&mut self, now: Instant, from: Option<BrokerId>) {
        loop {
            if let Some(output) = self.membership.poll() {
                self.handle_membership(now, output);
            } else if let Some(output) = self.commits.poll() {
                self.handle_commits(now, from, output);
            } else if let Some(output) = self.lookups.poll() {
                self.handle_lookups(now, from, output);
            } else {
                break;
            }
        }
        if self.membership.is_stable() && self.possession.ownership.is_settled() {
            self.dialogue.counts.rebalanced(now);
        }
    }

    fn handle_commits(&mut self, now: Instant, from: Option<BrokerId>, output: CommitOutput) {
        match output {
            CommitOutput::Stored(offsets) => self.possession.progress.stored(&offsets),
            CommitOutput::Done(operation, result) => {
                self.dialogue.counts.committed(result.is_ok());
                if result.is_err() {
                    self.possession.progress.commit_failed();
                }
                match (operation, result) {
                    (Some(operation), result) => {
                        self.outputs.push_back(GroupOutput::Committed(operation, result));
                    }
                    (None, Err(error)) => {
                        self.outputs.push_back(GroupOutput::Event(GroupEvent::CommitFailed(error)));
                    }
                    (None, Ok(())) => {}
                }
                self.settle(now);
            }
            CommitOutput::Disowned(identity, code) => self.membership.disowned(now, &identity, code),
            CommitOutput::Rediscover => self.rediscover(now, from),
        }
    }

    fn handle_lookups(&mut self, now: Instant, from: Option<BrokerId>, output: LookupOutput) {
        match output {
            LookupOutput::Rediscover => self.rediscover(now, from),
            LookupOutput::Done(LookupId::Operation(operation), result) => {
                self.outputs.push_back(GroupOutput::Fetched(operation, result));
            }
            LookupOutput::Done(LookupId::Adoption(id), Ok(found)) => self.adopted(now, id, &found),
            LookupOutput::Done(LookupId::Adoption(id), Err(error)) => {
                self.not_adopted(now, id, error.code);
            }
        }
    }

    fn rediscover(&mut self, now: Instant, from: Option<BrokerId>) {
        if let Some(broker) = from.or_else(|| self.dialogue.whereabouts.broker()) {
            self.dialogue.whereabouts.lost(now, broker, &mut self.entropy);
        }
    }
}
