//! The connections of all brokers: what each one works on and waits for, and what is to be sent.

mod link;
mod pauses;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::wire::Reader;
use klamm_protocol::{ApiKey, Str};

use super::fetching::{Fetch, Grown};
use super::release::Advertised;
use super::sasl::Session;
use link::{Link, Wait};
use pauses::Pauses;

pub(crate) use link::{Instead, Work};
pub(crate) use pauses::Pause;

/// A connection, as the driver knows it. Not to be used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What a broker does to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// It sends these bytes, which are one whole response with the four bytes of its length; or, by a fault, a part
    /// of one, and then it closes the connection.
    Response {
        /// To whom.
        connection: ConnectionId,
        /// The bytes, in pieces.
        segments: Vec<Bytes>,
    },
    /// It closes the connection, after everything before this was sent.
    Close {
        /// Which one.
        connection: ConnectionId,
    },
}

/// The request that a connection works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    /// Bytes of the request.
    pub(crate) size: usize,
}

/// What is to be done about a connection whose time has come.
#[derive(Debug)]
pub(crate) enum Due {
    /// Its fetch waited long enough.
    Fetch,
    /// Its request is looked at now.
    Start(Call, Reader),
    /// It was idle for too long.
    Idle,
    Nothing,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Links {
    by_id: BTreeMap<ConnectionId, Link>,
    timers: BTreeSet<(Instant, ConnectionId)>,
    /// When connections that have been quiet since then are closed; renewed lazily.
    idle: BTreeSet<(Instant, ConnectionId)>,
    max_idle: Option<Duration>,
    pauses: Pauses,
    /// Connections that may have a frame to be served.
    runnable: VecDeque<ConnectionId>,
    /// Fetches whose data came.
    satisfied: VecDeque<ConnectionId>,
    outputs: VecDeque<Output>,
}

impl Links {
    pub(crate) fn new(max_idle: Option<Duration>) -> Self {
        Self { max_idle, ..Self::default() }
    }

    pub(crate) fn open(&mut self, connection: ConnectionId, broker: i32, advertised: Advertised) {
        self.by_id.insert(connection, Link::new(broker, advertised));
    }

    /// What a connection has proved.
    pub(crate) fn session(&mut self, connection: ConnectionId) -> Option<&mut Session> {
        self.by_id.get_mut(&connection).map(|link| &mut link.session)
    }

    pub(crate) fn session_of(&self, connection: ConnectionId) -> Option<&Session> {
        self.by_id.get(&connection).map(|link| &link.session)
    }

    /// Forgets a connection.
    pub(crate) fn remove(&mut self, connection: ConnectionId) -> bool {
        let Some(link) = self.by_id.remove(&connection) else { return false };
        if let Some(deadline) = link.deadline {
            self.timers.remove(&(deadline, connection));
        }
        if let Some(deadline) = link.idle_at {
            self.idle.remove(&(deadline, connection));
        }
        true
    }

    /// Forgets a connection and has the driver close it.
    pub(crate) fn close(&mut self, connection: ConnectionId) {
        if self.remove(connection) {
            self.outputs.push_back(Output::Close { connection });
        }
    }

    /// The connections of a broker.
    pub(crate) fn of_broker(&self, broker: i32) -> Vec<ConnectionId> {
        self.by_id.iter().filter(|(_, link)| link.broker == broker).map(|(id, _)| *id).collect()
    }

    pub(crate) fn enqueue(&mut self, now: Instant, connection: ConnectionId, frame: Bytes) {
        if let Some(link) = self.by_id.get_mut(&connection) {
            link.backlog.push_back(frame);
            link.active_at = now;
            if let Some(max_idle) = self.max_idle
                && link.idle_at.is_none()
            {
                link.idle_at = Some(now + max_idle);
                self.idle.insert((now + max_idle, connection));
            }
            self.runnable.push_back(connection);
        }
    }

    /// The next frame of a connection that works on nothing, at a broker that is not paused.
    pub(crate) fn next_frame(&mut self) -> Option<(ConnectionId, i32, Bytes)> {
        while let Some(connection) = self.runnable.pop_front() {
            if let Some(link) = self.by_id.get_mut(&connection)
                && link.is_free()
                && self.pauses.end(link.broker).is_none()
                && let Some(frame) = link.backlog.pop_front()
            {
                return Some((connection, link.broker, frame));
            }
        }
        None
    }

    pub(crate) fn is_busy(&self, connection: ConnectionId) -> bool {
        self.by_id.get(&connection).is_some_and(|link| !link.is_free())
    }

    pub(crate) fn begin(&mut self, connection: ConnectionId, call: Call, client_id: Option<&Str>) {
        if let Some(link) = self.by_id.get_mut(&connection) {
            link.work = Some(Work { call, orders: None, instead: None });
            let client_id = client_id.map_or("", Str::as_str);
            if link.client_id != client_id {
                link.client_id = Str::copy_of(client_id);
            }
        }
    }

    /// What the client calls itself.
    pub(crate) fn client_id(&self, connection: ConnectionId) -> Str {
        self.by_id.get(&connection).map(|link| link.client_id.clone()).unwrap_or_default()
    }

    pub(crate) fn broker(&self, connection: ConnectionId) -> Option<i32> {
        self.by_id.get(&connection).map(|link| link.broker)
    }

    /// What the broker advertised when the connection was opened.
    pub(crate) fn advertised(&self, connection: ConnectionId) -> Option<&Advertised> {
        self.by_id.get(&connection).map(|link| &link.advertised)
    }

    /// The request in work is to be answered in the form of another version.
    pub(crate) fn answer_as_version(&mut self, connection: ConnectionId, version: i16) {
        if let Some(work) = self.work(connection) {
            work.call.version = version;
        }
    }

    pub(crate) fn call(&self, connection: ConnectionId) -> Option<Call> {
        Some(self.by_id.get(&connection)?.work.as_ref()?.call)
    }

    /// The request in work.
    pub(crate) fn work(&mut self, connection: ConnectionId) -> Option<&mut Work> {
        self.by_id.get_mut(&connection)?.work.as_mut()
    }

    /// The request in work is done, and nothing is sent.
    pub(crate) fn finish(&mut self, now: Instant, connection: ConnectionId) {
        let Some(link) = self.by_id.get_mut(&connection) else { return };
        link.work = None;
        link.active_at = now;
        match link.mute_until.take() {
            Some(until) if until > now => self.wait(connection, until, Wait::Muted),
            _ => self.runnable.push_back(connection),
        }
    }

    /// When the answer to the request in work was sent, nothing is read before `until`.
    pub(crate) fn mute(&mut self, connection: ConnectionId, until: Instant) {
        if let Some(link) = self.by_id.get_mut(&connection) {
            link.mute_until = Some(until);
        }
    }

    /// The request in work is done, and this is sent: at `at`, or when the broker's pause is over.
    pub(crate) fn send(&mut self, now: Instant, connection: ConnectionId, at: Instant, segments: Vec<Bytes>) {
        let paused = self.by_id.get(&connection).and_then(|link| self.pauses.end(link.broker));
        let at = paused.map_or(at, |end| end.max(at));
        if at > now {
            return self.wait(connection, at, Wait::Release(segments));
        }
        self.finish(now, connection);
        if self.by_id.contains_key(&connection) {
            self.outputs.push_back(Output::Response { connection, segments });
        }
    }

    /// The request in work is done, a part of the answer is sent, and the connection is closed.
    pub(crate) fn send_and_close(&mut self, connection: ConnectionId, segments: Vec<Bytes>) {
        self.outputs.push_back(Output::Response { connection, segments });
        self.close(connection);
    }

    /// The request in work is looked at only at `at`.
    pub(crate) fn hold(&mut self, connection: ConnectionId, at: Instant, reader: Reader) {
        self.wait(connection, at, Wait::Start(Box::new(reader)));
    }

    /// Parks a fetch until its data comes or its time is over.
    pub(crate) fn park(&mut self, connection: ConnectionId, deadline: Instant, fetch: Fetch) {
        self.wait(connection, deadline, Wait::Fetch(Box::new(fetch)));
    }

    fn wait(&mut self, connection: ConnectionId, deadline: Instant, wait: Wait) {
        if let Some(link) = self.by_id.get_mut(&connection) {
            link.wait = Some(wait);
            self.set_deadline(connection, deadline);
        }
    }

    /// Has a connection be [due](Self::due) at another time.
    fn set_deadline(&mut self, connection: ConnectionId, deadline: Instant) {
        let Some(link) = self.by_id.get_mut(&connection) else { return };
        if let Some(earlier) = link.deadline.replace(deadline) {
            self.timers.remove(&(earlier, connection));
        }
        self.timers.insert((deadline, connection));
    }

    pub(crate) fn is_fetching(&self, connection: ConnectionId) -> bool {
        self.by_id.get(&connection).is_some_and(|link| matches!(link.wait, Some(Wait::Fetch(_))))
    }

    /// The parked fetch of a connection, which is then no longer parked.
    pub(crate) fn unpark(&mut self, connection: ConnectionId) -> Option<Fetch> {
        let link = self.by_id.get_mut(&connection)?;
        let Some(Wait::Fetch(_)) = link.wait else { return None };
        if let Some(deadline) = link.deadline.take() {
            self.timers.remove(&(deadline, connection));
        }
        match link.wait.take() {
            Some(Wait::Fetch(fetch)) => Some(*fetch),
            _ => None,
        }
    }

    /// Bytes were appended that a parked fetch waits for; `None`: something happened that it has to tell at once.
    pub(crate) fn feed(&mut self, connection: ConnectionId, grown: Option<Grown>) {
        if let Some(link) = self.by_id.get_mut(&connection)
            && let Some(Wait::Fetch(fetch)) = &mut link.wait
            && fetch.feed(grown.map(|grown| grown.of(fetch.committed_only)))
        {
            self.satisfied.push_back(connection);
        }
    }

    /// The next fetch whose data came, at a broker that is not paused.
    pub(crate) fn next_satisfied(&mut self) -> Option<ConnectionId> {
        while let Some(connection) = self.satisfied.pop_front() {
            match self.by_id.get(&connection).and_then(|link| self.pauses.end(link.broker)) {
                Some(end) if self.is_fetching(connection) => self.set_deadline(connection, end),
                _ => return Some(connection),
            }
        }
        None
    }

    /// A connection whose time has come, and what is to be done about it.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(ConnectionId, Due)> {
        if let Some((connection, due)) = self.due_idle(now) {
            return Some((connection, due));
        }
        let (deadline, connection) = *self.timers.first()?;
        if deadline > now {
            return None;
        }
        self.timers.pop_first();
        let link = self.by_id.get_mut(&connection)?;
        link.deadline = None;
        if let Some(end) = self.pauses.end(link.broker) {
            self.set_deadline(connection, end);
            return Some((connection, Due::Nothing));
        }
        if matches!(link.wait, Some(Wait::Fetch(_))) {
            return Some((connection, Due::Fetch));
        }
        let due = match link.wait.take() {
            Some(Wait::Release(segments)) => {
                self.send(now, connection, now, segments);
                Due::Nothing
            }
            Some(Wait::Start(reader)) => match &link.work {
                Some(work) => Due::Start(work.call, *reader),
                None => Due::Nothing,
            },
            _ => {
                self.runnable.push_back(connection);
                Due::Nothing
            }
        };
        Some((connection, due))
    }

    /// A connection that was idle for too long: no request came, and none is in work.
    fn due_idle(&mut self, now: Instant) -> Option<(ConnectionId, Due)> {
        let max_idle = self.max_idle?;
        let (at, connection) = *self.idle.first().filter(|(at, _)| *at <= now)?;
        self.idle.remove(&(at, connection));
        let link = self.by_id.get_mut(&connection)?;
        let since = if link.is_free() { link.active_at } else { now };
        if since + max_idle <= now {
            link.idle_at = None;
            return Some((connection, Due::Idle));
        }
        link.idle_at = Some(since + max_idle);
        self.idle.insert((since + max_idle, connection));
        Some((connection, Due::Nothing))
    }

    /// A broker pauses, or longer than it was to. Returns false if it is paused already.
    pub(crate) fn pause(&mut self, broker: i32, pause: Pause) -> bool {
        self.pauses.begin(broker, pause)
    }

    /// All pauses are over now.
    pub(crate) fn end_pauses(&mut self, now: Instant) {
        self.pauses.end_all(now);
    }

    /// Whatever is held back is due now.
    pub(crate) fn hurry(&mut self, now: Instant) {
        let is_held = |link: &Link| link.wait.is_some() && !matches!(link.wait, Some(Wait::Fetch(_)));
        let held = self.by_id.iter().filter(|(_, link)| is_held(link)).map(|(id, _)| *id);
        for connection in held.collect::<Vec<_>>() {
            self.set_deadline(connection, now);
        }
        self.by_id.values_mut().for_each(|link| link.mute_until = None);
    }

    /// A broker died: it is not paused any more.
    pub(crate) fn forget_pause(&mut self, broker: i32) {
        self.pauses.forget(broker);
    }

    /// A paused broker that the controller gives up now.
    pub(crate) fn next_fenced(&mut self, now: Instant) -> Option<i32> {
        self.pauses.fenced(now)
    }

    /// A broker whose pause is over: its connections may be read again.
    pub(crate) fn next_resumed(&mut self, now: Instant) -> Option<(i32, Pause)> {
        let (broker, pause) = self.pauses.over(now)?;
        let connections = self.of_broker(broker);
        self.runnable.extend(connections);
        Some((broker, pause))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let first =
            |timers: &BTreeSet<(Instant, ConnectionId)>| timers.first().map(|(deadline, _)| *deadline);
        let timers = first(&self.timers).into_iter().chain(first(&self.idle));
        timers.chain(self.pauses.poll_timeout()).min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
