//! One operation: what is still to be asked, what was answered, when it is repeated and when it ends.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use klamm_protocol::{ErrorCode, Str, messages::AnyResponse};

use super::{
    AdminCommand, AdminConfig, AdminError, AdminErrorKind, AdminOutput, AdminReply, NoAnswer,
    describe::{Describe, cluster_description, listings},
    groups::Groups,
    offsets::Offsets,
    topics::{Create, Delete},
    transactions::Transactions,
};
use crate::{Effect, Entropy, Instant, Misbehaved, OperationId, Purpose, Request, Target, Token};

/// What an operation works with while it takes a step.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) config: AdminConfig,
    pub(super) entropy: &'a mut Entropy,
    pub(super) outputs: &'a mut VecDeque<AdminOutput>,
    /// The operation ended.
    pub(super) done: bool,
}

/// The items that are still to be asked for, and the answers so far.
#[derive(Debug)]
enum Work {
    Create(Create),
    Delete(Delete),
    List(Option<AdminReply>),
    Describe(Describe),
    Offsets(Offsets),
    Cluster(Option<AdminReply>),
    Groups(Box<Groups>),
    Transactions(Box<Transactions>),
}

/// A request that is wanted.
pub(super) struct Ask {
    pub(super) to: Target,
    pub(super) request: klamm_protocol::messages::AnyRequest,
    pub(super) max_version: i16,
}

/// What an answer brought, besides the answers themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    /// The last error that may pass: the items that it is about are asked for again.
    pub(super) retry: Option<(ErrorCode, Option<Str>)>,
    /// The metadata are out of date.
    pub(super) refresh: bool,
}

#[derive(Debug)]
pub(super) struct Operation {
    id: OperationId,
    deadline: Instant,
    work: Work,
    next_serial: u64,
    outstanding: Vec<u64>,
    retry_at: Option<Instant>,
    failures: u32,
    /// A request that may have changed the cluster got no answer.
    uncertain: bool,
    last_error: (ErrorCode, Option<Str>),
}

impl Operation {
    pub(super) fn new(id: OperationId, command: AdminCommand, deadline: Instant) -> Self {
        let work = match command {
            AdminCommand::CreateTopics { topics, validate_only } => {
                Work::Create(Create::new(topics, validate_only))
            }
            AdminCommand::DeleteTopics { names } => Work::Delete(Delete::new(names)),
            AdminCommand::ListTopics => Work::List(None),
            AdminCommand::DescribeTopics { names } => Work::Describe(Describe::new(names)),
            AdminCommand::ListOffsets { of, read_committed } => {
                Work::Offsets(Offsets::new(of, read_committed))
            }
            AdminCommand::DescribeCluster => Work::Cluster(None),
            AdminCommand::Groups(command) => Work::Groups(Box::new(Groups::new(command))),
            AdminCommand::Transactions(command) => Work::Transactions(Box::new(Transactions::new(command))),
        };
        Self {
            id,
            deadline,
            work,
            next_serial: 0,
            outstanding: Vec::new(),
            retry_at: None,
            failures: 0,
            uncertain: false,
            last_error: (ErrorCode::NONE, None),
        }
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.retry_at.unwrap_or(Instant::MAX).min(self.deadline)
    }

    /// Asks for what is still open; ends the operation if nothing is.
    pub(super) fn ask(&mut self, context: &mut Context<'_>) {
        self.retry_at = None;
        let timeout = self.deadline.since(context.now).min(context.config.request_timeout);
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let asks = match &mut self.work {
            Work::Create(create) => create.ask(timeout_ms),
            Work::Delete(delete) => delete.ask(timeout_ms),
            Work::Describe(describe) => describe.ask(),
            Work::Offsets(offsets) => offsets.ask(timeout_ms),
            Work::Groups(groups) => groups.ask(),
            Work::Transactions(transactions) => transactions.ask(),
            Work::List(None) | Work::Cluster(None) => {
                Describe::ask_all(matches!(self.work, Work::Cluster(_)))
            }
            Work::List(Some(_)) | Work::Cluster(Some(_)) => Vec::new(),
        };
        if asks.is_empty() {
            self.finish(context);
            return;
        }
        for (ask, serial) in asks.into_iter().zip(self.next_serial..) {
            let token = Token::Operation(self.id, serial);
            // An overdue request ends its connection, which others share: an operation that is in a hurry must not.
            let patience = context.config.request_timeout;
            let mut request = Request::new(ask.to, Purpose::General, token, ask.request, patience);
            request.max_version = ask.max_version;
            self.outstanding.push(serial);
            self.next_serial = serial + 1;
            match &mut self.work {
                Work::Offsets(offsets) => offsets.asked(serial),
                Work::Groups(groups) => groups.asked(serial),
                Work::Transactions(transactions) => transactions.asked(serial),
                _ => {}
            }
            context.outputs.push_back(AdminOutput::Request(request));
        }
    }

    pub(super) fn handle_response(
        &mut self,
        context: &mut Context<'_>,
        serial: u64,
        response: AnyResponse,
    ) -> Result<(), Misbehaved> {
        if !self.answered(serial) {
            return Ok(());
        }
        let verdict = match (&mut self.work, response) {
            (Work::Create(create), AnyResponse::CreateTopics(response)) => {
                create.answer(response, self.uncertain)
            }
            (Work::Delete(delete), AnyResponse::DeleteTopics(response)) => {
                delete.answer(response, self.uncertain)
            }
            (Work::Describe(describe), AnyResponse::Metadata(response)) => describe.answer(response),
            (Work::Offsets(offsets), AnyResponse::Metadata(response)) => offsets.answer_leaders(&response),
            (Work::Offsets(offsets), AnyResponse::ListOffsets(response)) => offsets.answer(serial, &response),
            (Work::List(reply), AnyResponse::Metadata(response)) => {
                *reply = Some(AdminReply::ListTopics(listings(response)));
                Verdict::default()
            }
            (Work::Cluster(reply), AnyResponse::Metadata(response)) => {
                *reply = Some(AdminReply::DescribeCluster(cluster_description(response)));
                Verdict::default()
            }
            (Work::Transactions(transactions), response) => match transactions.answer(serial, response) {
                Ok(verdict) => verdict,
                Err(misbehaved) => {
                    self.pause(context);
                    return Err(misbehaved);
                }
            },
            (Work::Groups(groups), response) => match groups.answer(serial, response, self.uncertain) {
                Ok(verdict) => verdict,
                Err(misbehaved) => {
                    self.pause(context);
                    return Err(misbehaved);
                }
            },
            _ => {
                self.pause(context);
                return Err(Misbehaved::Nonsense("an answer to another request"));
            }
        };
        if verdict.refresh {
            context.outputs.push_back(AdminOutput::Refresh);
        }
        match verdict.retry {
            Some(error) => {
                self.last_error = error;
                self.pause(context);
            }
            None if self.outstanding.is_empty() && self.retry_at.is_none() => self.ask(context),
            None => {}
        }
        Ok(())
    }

    pub(super) fn handle_failed(&mut self, context: &mut Context<'_>, serial: u64, why: NoAnswer) {
        if !self.answered(serial) {
            return;
        }
        match &mut self.work {
            Work::Offsets(offsets) => offsets.lost(serial),
            Work::Groups(groups) if why != NoAnswer::Unsupported => groups.lost(serial),
            Work::Transactions(transactions) => transactions.lost(serial),
            _ => {}
        }
        match why {
            NoAnswer::Unsupported => {
                let other_way = match &mut self.work {
                    Work::Groups(groups) => groups.ask_by_older_api(serial),
                    Work::Describe(describe) => describe.ask_by_list(),
                    Work::Offsets(offsets) => offsets.ask_by_list(),
                    Work::Create(_)
                    | Work::Delete(_)
                    | Work::List(_)
                    | Work::Cluster(_)
                    | Work::Transactions(_) => false,
                };
                if other_way {
                    // Otherwise the last answer that is due asks again.
                    if self.outstanding.is_empty() {
                        self.ask(context);
                    }
                } else {
                    self.give_up(context, AdminErrorKind::Unsupported);
                }
            }
            NoAnswer::Lost { written } => {
                self.uncertain |= written && self.changes_the_cluster();
                self.pause(context);
            }
        }
    }

    pub(super) fn handle_timeout(&mut self, context: &mut Context<'_>) {
        if self.deadline <= context.now {
            self.give_up(context, AdminErrorKind::TimedOut);
        } else if self.retry_at.is_some_and(|at| at <= context.now) {
            if self.outstanding.is_empty() {
                self.ask(context);
            } else {
                // The answers that are still due come first: the last of them asks again.
                self.retry_at = None;
            }
        }
    }

    /// Ends the operation: what was not answered failed for this reason.
    pub(super) fn give_up(&mut self, context: &mut Context<'_>, kind: AdminErrorKind) {
        let unanswered = !self.outstanding.is_empty() && self.changes_the_cluster();
        let effect = if self.uncertain || unanswered { Effect::Unknown } else { Effect::None };
        let mut error = AdminError::new(kind, effect);
        (error.code, error.message) = self.last_error.clone();
        if kind == AdminErrorKind::Unsupported {
            error.message = self.needs().map(Str::from);
        }
        let nothing_known = match &mut self.work {
            Work::Create(create) => create.give_up(&error),
            Work::Delete(delete) => delete.give_up(&error),
            Work::Describe(describe) => describe.give_up(&error),
            Work::Offsets(offsets) => offsets.give_up(&error),
            Work::Groups(groups) => groups.give_up(&error),
            Work::Transactions(transactions) => transactions.give_up(&error),
            Work::List(_) | Work::Cluster(_) => true,
        };
        if nothing_known {
            context.outputs.push_back(AdminOutput::Done { operation: self.id, result: Err(error) });
            context.done = true;
        } else {
            self.finish(context);
        }
    }

    fn finish(&mut self, context: &mut Context<'_>) {
        let reply = match &mut self.work {
            Work::Create(create) => AdminReply::CreateTopics(core::mem::take(&mut create.answers)),
            Work::Delete(delete) => AdminReply::DeleteTopics(core::mem::take(&mut delete.answers)),
            Work::Describe(describe) => AdminReply::DescribeTopics(core::mem::take(&mut describe.answers)),
            Work::Offsets(offsets) => AdminReply::ListOffsets(core::mem::take(&mut offsets.answers)),
            Work::Groups(groups) => match groups.failed.take() {
                Some(error) => {
                    context.outputs.push_back(AdminOutput::Done { operation: self.id, result: Err(error) });
                    context.done = true;
                    return;
                }
                None => AdminReply::Groups(groups.reply.clone()),
            },
            Work::Transactions(transactions) => AdminReply::Transactions(transactions.reply.clone()),
            Work::List(reply) => reply.take().unwrap_or_else(|| AdminReply::ListTopics(BTreeMap::new())),
            Work::Cluster(reply) => match reply.take() {
                Some(reply) => reply,
                None => return,
            },
        };
        context.outputs.push_back(AdminOutput::Done { operation: self.id, result: Ok(reply) });
        context.done = true;
    }

    /// Whether a request was outstanding; it no longer is.
    fn answered(&mut self, serial: u64) -> bool {
        let Some(at) = self.outstanding.iter().position(|outstanding| *outstanding == serial) else {
            return false;
        };
        self.outstanding.swap_remove(at);
        true
    }

    fn pause(&mut self, context: &mut Context<'_>) {
        self.failures = self.failures.saturating_add(1);
        let delay = context.config.backoff.delay(self.failures, context.entropy);
        self.retry_at = Some(context.now + delay);
    }

    /// What the operation needs of the brokers.
    const fn needs(&self) -> Option<&'static str> {
        match &self.work {
            Work::Create(create) if create.validate_only => {
                Some("checking the creation of topics needs Kafka 0.10.2 or later")
            }
            Work::Create(_) => Some("creating topics needs Kafka 0.10.1 or later"),
            Work::Delete(_) => Some("deleting topics needs Kafka 0.10.1 or later"),
            Work::Groups(groups) => groups.command.needs(),
            Work::Transactions(transactions) => transactions.command.needs(),
            Work::List(_) | Work::Describe(_) | Work::Offsets(_) | Work::Cluster(_) => None,
        }
    }

    const fn changes_the_cluster(&self) -> bool {
        match &self.work {
            Work::Create(create) => !create.validate_only,
            Work::Delete(_) => true,
            Work::Groups(groups) => groups.command.changes_the_cluster(),
            Work::Transactions(transactions) => transactions.changes_the_cluster(),
            Work::List(_) | Work::Describe(_) | Work::Offsets(_) | Work::Cluster(_) => false,
        }
    }
}
