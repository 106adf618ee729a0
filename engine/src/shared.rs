//! What handles and tasks share: the client behind one short lock, and the places where its actions go.
//!
//! Lock order: the state, then one leaf (a mailbox, an inbox, a slot of a producer, a batch's waiters, a budget).
//! Actions are carried out while the state is locked, so their order is the client's, whichever task polled them;
//! wakers are called when all locks are gone.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, Weak},
    task::Waker,
    time::Duration,
};

use bytes::Bytes;
use klamm_core::{
    ConnectionId, ConsumerId, Instant, OperationId, ProducerHandle,
    client::{Action, Client},
    cluster::Address,
    connection::ConnectionConfig,
    group::GroupEvent,
    metrics::Metrics,
    planted, probe,
    producer::{Seal, SealResult, SealedPartition},
};
use klamm_protocol::Str;

use crate::{
    clock::Clock,
    consumer::{Inbox, Item as Unread, StreamEnd},
    dial::Dialling,
    group::GroupInbox,
    mailbox::{Item, Mailbox, WakeFlag},
    observe::Watch,
    operation::{Operation, Stopped},
    producer::Pool,
    security::{Challenge, CredentialRequest, Desk, Dialogue, Security},
    signals::Signals,
    wait::{Waiters, lock},
};

/// A connection that is to be opened.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) connection: ConnectionId,
    pub(crate) address: Address,
    pub(crate) config: Arc<ConnectionConfig>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) security: Security,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) client: Client,
    mailboxes: BTreeMap<ConnectionId, Arc<Mailbox>>,
    pub(crate) openings: VecDeque<Opening>,
    pub(crate) producers: BTreeMap<ProducerHandle, Arc<Pool>>,
    pub(crate) consumers: BTreeMap<ConsumerId, Arc<Inbox>>,
    pub(crate) groups: BTreeMap<ConsumerId, Arc<GroupInbox>>,
    operations: BTreeMap<OperationId, Arc<Operation>>,
    next_operation: u64,
    pub(crate) security: Security,
    /// Who is asked for credentials, and in whose name.
    pub(crate) desk: Option<(Arc<Desk>, Weak<Shared>)>,
    /// What consumers had not read when they ended, to be dropped where no lock is held.
    discarded: Vec<Unread>,
    /// Those who look on.
    pub(crate) watch: Watch,
    /// When the control task will look at the time again.
    pub(crate) armed: Option<Instant>,
    /// The client is closed, or its driver gone.
    pub(crate) stopped: bool,
}

/// See the [module](self).
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dialling: Dialling,
    state: Mutex<State>,
    /// What producers tell without the lock.
    pub(crate) signals: Arc<Signals>,
    /// Raised when the control task has something to do.
    pub(crate) control: WakeFlag,
    /// Who waits for the client's end.
    pub(crate) ended: Waiters,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(client: Client, clock: Arc<dyn Clock>, dialling: Dialling, watch: Watch) -> Self {
        let state = State {
            client,
            mailboxes: BTreeMap::new(),
            openings: VecDeque::new(),
            producers: BTreeMap::new(),
            consumers: BTreeMap::new(),
            groups: BTreeMap::new(),
            operations: BTreeMap::new(),
            next_operation: 0,
            security: Security::default(),
            desk: None,
            discarded: Vec::new(),
            watch,
            armed: None,
            stopped: false,
        };
        Self {
            clock,
            dialling,
            state: Mutex::new(state),
            signals: Arc::new(Signals::default()),
            control: WakeFlag::default(),
            ended: Waiters::default(),
        }
    }

    /// Works on the client under its lock, then carries out what it wants.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State, Instant) -> R) -> R {
        let now = if planted!(WallClockForDeadlines) {
            Instant::from_millis(self.clock.wall_time().0.unsigned_abs())
        } else {
            self.clock.now()
        };
        self.with_at(now, work)
    }

    /// As [`with`](Self::with), for tasks that are told the time.
    pub(crate) fn with_at<R>(&self, now: Instant, work: impl FnOnce(&mut State, Instant) -> R) -> R {
        let mut wakers = Vec::new();
        let (result, discarded, unlocked) = {
            let mut state = lock(&self.state);
            // A flush or a close covers the records that were accepted before it: the client has to know of them.
            self.hear(&mut state, now);
            let result = work(&mut state, now);
            self.pump(&mut state, now, &mut wakers);
            (result, std::mem::take(&mut state.discarded), state.watch.take())
        };
        drop(discarded);
        for waker in wakers {
            waker.wake();
        }
        unlocked.run();
        result
    }

    /// Asks something of the client under its lock; nothing may follow from it.
    pub(crate) fn ask<R>(&self, question: impl FnOnce(&State) -> R) -> R {
        question(&lock(&self.state))
    }

    /// Wakes the control plane for signals of producers, without the client's lock: by way of the connection that a
    /// batch will leave on, if that is known, which saves waking one task to wake the other.
    pub(crate) fn wake_for_signals(&self, route: Option<&Mailbox>) {
        let mut wakers = Vec::new();
        if route.is_none_or(|mailbox| mailbox.push(Item::Signals, &mut wakers).is_err()) {
            probe!(SignalFoundNoConnection, route.is_some());
            self.control.raise(&mut wakers);
        }
        for waker in wakers {
            waker.wake();
        }
    }

    /// Changes something from which nothing follows.
    pub(crate) fn change<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut lock(&self.state))
    }

    /// Has the control task look at the time at `at`, if it would do so later.
    pub(crate) fn wake_by(&self, at: Instant) {
        let mut wakers = Vec::new();
        if lock(&self.state).armed.is_none_or(|armed| at < armed) {
            self.control.raise(&mut wakers);
        }
        for waker in wakers {
            waker.wake();
        }
    }

    /// Starts an operation, whose answer can be waited for.
    pub(crate) fn operate(&self, start: impl FnOnce(&mut Client, Instant, OperationId)) -> Arc<Operation> {
        self.with(|state, now| {
            let operation = Arc::new(Operation::default());
            if state.stopped {
                operation.answer(Err(Stopped), &mut Vec::new());
                return operation;
            }
            let id = OperationId(state.next_operation);
            state.next_operation += 1;
            state.operations.insert(id, Arc::clone(&operation));
            start(&mut state.client, now, id);
            operation
        })
    }

    /// As [`operate`](Self::operate), where it may turn out that there is nothing to start: then `None`.
    pub(crate) fn try_operate(
        &self,
        start: impl FnOnce(&mut Client, Instant, OperationId) -> Option<()>,
    ) -> Option<Arc<Operation>> {
        let (mut started, mut used) = (true, None);
        let operation = self.operate(|client, now, operation| {
            used = Some(operation);
            started = start(client, now, operation).is_some();
        });
        if let Some(operation) = used.filter(|_| !started) {
            self.change(|state| state.operations.remove(&operation));
        }
        started.then_some(operation)
    }

    /// Begins to close the client. Consumers end at once; producers deliver what they have, within `timeout`.
    pub(crate) fn close(&self, timeout: Duration) {
        let inboxes = self.with(|state, now| {
            state.client.close(now, now + timeout);
            std::mem::take(&mut state.consumers)
        });
        let mut wakers = Vec::new();
        for inbox in inboxes.into_values() {
            drop(inbox.close(&mut wakers));
        }
        for waker in wakers {
            waker.wake();
        }
    }

    /// Ends everything that waits: the driver is gone, or the client closed.
    pub(crate) fn stop(&self) {
        let mut wakers = Vec::new();
        let (discarded, unlocked) = {
            let mut state = lock(&self.state);
            state.stop(&mut wakers);
            (std::mem::take(&mut state.discarded), state.watch.take())
        };
        drop(discarded);
        unlocked.run();
        self.control.raise(&mut wakers);
        self.ended.take(&mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }

    /// Tells the client of the batches that were opened or filled.
    fn hear(&self, state: &mut State, now: Instant) {
        for signal in self.signals.take() {
            state.client.handle_signal(now, signal.producer, signal.partition, signal.batch, signal.signal);
        }
    }

    fn pump(&self, state: &mut State, now: Instant, wakers: &mut Vec<Waker>) {
        self.hear(state, now);
        let openings = state.openings.len();
        // What a stopped client still wants leads nowhere, and might be wanted again at once.
        while !state.stopped
            && let Some(action) = state.client.poll(now)
        {
            state.watch.action(&state.client, &action);
            state.carry_out(now, action, wakers);
        }
        let next = state.client.poll_timeout();
        let earlier = next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed));
        if earlier || state.openings.len() > openings || state.stopped {
            self.control.raise(wakers);
        }
        if state.stopped {
            self.ended.take(wakers);
        }
    }
}

impl State {
    /// A copy of all that is counted, by the machines and by the handles.
    pub(crate) fn metrics(&self, now: Instant) -> Metrics {
        let mut metrics = self.client.metrics(now);
        for producer in &mut metrics.producers {
            if let Some(pool) = self.producers.get(&producer.producer) {
                (producer.buffered_bytes, producer.buffer_bytes) = pool.buffered();
            }
        }
        metrics
    }

    /// When the control task has something to do, even if nothing happens.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let rooms = self.producers.values().filter_map(|pool| pool.next_deadline());
        rooms.chain(self.client.poll_timeout()).min()
    }

    fn carry_out(&mut self, now: Instant, action: Action, wakers: &mut Vec<Waker>) {
        match action {
            Action::Open { connection, address, config } => {
                let mailbox = Arc::new(Mailbox::default());
                self.mailboxes.insert(connection, Arc::clone(&mailbox));
                let security = self.security.clone();
                self.openings.push_back(Opening { connection, address, config, mailbox, security });
            }
            Action::Close { connection } => self.post(now, connection, Item::Close, wakers),
            Action::Send { connection, outgoing } => self.post(now, connection, Item::Send(outgoing), wakers),
            Action::Seal { connection, producer, seal } => {
                let pool = self.producers.get(&producer).cloned();
                match connection.zip(pool) {
                    Some((connection, pool)) => {
                        self.post(now, connection, Item::Seal { producer, pool, seal }, wakers);
                    }
                    None => self.unsealed(now, producer, &seal),
                }
            }
            Action::Outcome { producer, outcome, context } => {
                if let Some(pool) = self.producers.get(&producer) {
                    pool.settle(&outcome, context, wakers);
                }
            }
            Action::Discard { producer, partition, through } => {
                if let Some(pool) = self.producers.get(&producer) {
                    pool.discard(partition, through, wakers);
                }
            }
            Action::ProducerClosed { producer } => {
                if let Some(pool) = self.producers.remove(&producer) {
                    pool.closed(wakers);
                }
            }
            Action::ClusterChanged => {
                for pool in self.producers.values() {
                    pool.refresh_topics(&self.client);
                }
                for (id, inbox) in &self.consumers {
                    inbox.match_topics(&mut self.client, now, *id);
                }
            }
            Action::Done { operation, result } => {
                if let Some(operation) = self.operations.remove(&operation) {
                    operation.answer(Ok(result), wakers);
                }
            }
            Action::AskCredentials { deadline } => self.ask_credentials(now, deadline, wakers),
            Action::GiveCredentials { connection, result } => {
                self.post(now, connection, Item::Credentials(result), wakers);
            }
            Action::AskAnswer { connection, host, challenge, deadline } => {
                self.ask_answer(connection, host, challenge, deadline, wakers);
            }
            Action::GiveAnswer { connection, result } => {
                self.post(now, connection, Item::Answer(result), wakers);
            }
            Action::Closed => self.stop(wakers),
            action => self.tell_reader(now, action, wakers),
        }
    }

    /// Carries out what is for the reader of a consumer.
    fn tell_reader(&mut self, now: Instant, action: Action, wakers: &mut Vec<Waker>) {
        match action {
            Action::Deliver { consumer, chunk } => match self.consumers.get(&consumer) {
                Some(inbox) => inbox.deliver(chunk, wakers),
                // The consumer was closed.
                None => {
                    if let Some(consumer) = self.client.consumer_mut(consumer) {
                        consumer.handle_consumed(now, chunk.ticket);
                    }
                }
            },
            Action::ConsumerEvent { consumer, epoch, event } => {
                if let Some(inbox) = self.consumers.get(&consumer) {
                    inbox.event(epoch, event, wakers);
                }
            }
            Action::Unassigned { consumer, partitions, why } => {
                let Some(inbox) = self.consumers.get(&consumer) else { return };
                let left = inbox.end_lanes(&partitions, StreamEnd::of(why), wakers);
                if let Some(consumer) = self.client.consumer_mut(consumer) {
                    left.iter()
                        .filter_map(Unread::ticket)
                        .for_each(|ticket| consumer.handle_consumed(now, ticket));
                }
                self.discarded.extend(left);
            }
            Action::MakeRoom { consumer, bytes } => {
                let inbox = self.consumers.get(&consumer);
                let Some((inbox, consumer)) = inbox.zip(self.client.consumer_mut(consumer)) else { return };
                let (partitions, left) = inbox.make_room(bytes);
                consumer.set_aside(now, &partitions);
                left.iter()
                    .filter_map(Unread::ticket)
                    .for_each(|ticket| consumer.handle_consumed(now, ticket));
                self.discarded.extend(left);
            }
            Action::Relieve { consumer } => {
                let inbox = self.consumers.get(&consumer);
                if let Some((inbox, consumer)) = inbox.zip(self.client.consumer_mut(consumer)) {
                    inbox.relieve(|ticket| consumer.relieve(ticket));
                }
            }
            Action::GroupEvent { consumer, event } => match (self.groups.get(&consumer), event) {
                (Some(inbox), event) => inbox.push(event, wakers),
                (None, GroupEvent::CommitFailed(error)) => {
                    if let Some(inbox) = self.consumers.get(&consumer) {
                        inbox.commit_failed(error, wakers);
                    }
                }
                (None, _) => {}
            },
            Action::MatchTopics { consumer } => {
                if let Some(inbox) = self.groups.get(&consumer).cloned() {
                    inbox.match_topics(self, now, consumer);
                }
            }
            // Actions that this version does not know are of machines that it does not make.
            _ => {}
        }
    }

    fn ask_credentials(&mut self, now: Instant, deadline: Instant, wakers: &mut Vec<Waker>) {
        let asked = self.desk.as_ref().is_some_and(|(desk, client)| match &**desk {
            Desk::Credentials(desk) => {
                let request = CredentialRequest::new(client.clone(), deadline);
                desk.ask(request, wakers).map_err(CredentialRequest::withdraw).is_ok()
            }
            Desk::Challenges(_) => false,
        });
        if !asked {
            let why = Str::from_static("nobody answers requests for them");
            self.client.handle_credentials(now, Err(why));
        }
    }

    fn ask_answer(
        &mut self,
        connection: ConnectionId,
        host: Str,
        challenge: Option<Bytes>,
        deadline: Instant,
        wakers: &mut Vec<Waker>,
    ) {
        let asked = self.desk.as_ref().is_some_and(|(desk, client)| match &**desk {
            Desk::Challenges(desk) => {
                let dialogue = Dialogue::new(client, connection);
                let challenge = Challenge::new(client.clone(), dialogue, host, challenge, deadline);
                desk.ask(challenge, wakers).map_err(Challenge::withdraw).is_ok()
            }
            Desk::Credentials(_) => false,
        });
        if !asked {
            let why = Str::from_static("nobody makes the messages of the mechanism");
            self.client.handle_answer(connection, Err(why));
        }
    }

    /// Puts an item into a connection's mailbox. If the connection is over, its sender hears of it at once.
    fn post(&mut self, now: Instant, connection: ConnectionId, item: Item, wakers: &mut Vec<Waker>) {
        let refused = match self.mailboxes.get(&connection) {
            Some(mailbox) => mailbox.push(item, wakers).err(),
            None => Some(item),
        };
        if let Some(item) = refused {
            self.refused(now, connection, item);
        }
    }

    /// An item will not be seen to by its connection.
    pub(crate) fn refused(&mut self, now: Instant, connection: ConnectionId, item: Item) {
        match item {
            Item::Send(outgoing) => self.client.handle_unsent(now, connection, outgoing.token),
            Item::Seal { producer, seal, .. } => self.unsealed(now, producer, &seal),
            // Signals are looked after whenever the state is worked on.
            Item::Signals | Item::Credentials(_) | Item::Answer(_) | Item::Close => {}
        }
    }

    /// Batches were not sealed: they stay where they are, and are asked for again.
    fn unsealed(&mut self, now: Instant, producer: ProducerHandle, seal: &Seal) {
        let left = seal
            .partitions
            .iter()
            .map(|partition| SealedPartition { partition: *partition, result: SealResult::Left });
        self.client.handle_sealed(now, producer, seal.broker, left);
    }

    pub(crate) fn forget_mailbox(&mut self, connection: ConnectionId) {
        self.mailboxes.remove(&connection);
    }

    fn stop(&mut self, wakers: &mut Vec<Waker>) {
        self.stopped = true;
        for pool in std::mem::take(&mut self.producers).into_values() {
            pool.stop(wakers);
        }
        for inbox in std::mem::take(&mut self.consumers).into_values() {
            self.discarded.extend(inbox.stop(wakers));
        }
        for operation in std::mem::take(&mut self.operations).into_values() {
            operation.answer(Err(Stopped), wakers);
        }
        self.groups.clear();
        self.openings.clear();
        if let Some((desk, _)) = self.desk.take() {
            Desk::leave(desk, wakers);
        }
        self.watch.end();
    }
}
