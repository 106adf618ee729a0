//! The connections of all brokers: what each one works on and waits for, and what is to be sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::{ApiKey, Str};

use super::{faults::Fault, fetching::Fetch};

/// A connection, as the driver knows it. Not to be used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What a broker does to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// It sends these bytes, which are one whole response with the four bytes of its length.
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
    pub(crate) fault: Option<Fault>,
}

/// Why a request is not answered yet.
#[derive(Debug)]
enum Wait {
    Fetch(Box<Fetch>),
    /// The response is held back; `None`: the connection is to be closed instead.
    Release(Vec<Bytes>),
}

#[derive(Debug)]
struct Link {
    broker: i32,
    /// As its last request said.
    client_id: Str,
    call: Option<Call>,
    wait: Option<Wait>,
    deadline: Option<Instant>,
    backlog: VecDeque<Bytes>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Links {
    by_id: BTreeMap<ConnectionId, Link>,
    timers: BTreeSet<(Instant, ConnectionId)>,
    /// Connections that may have a frame to be served.
    runnable: VecDeque<ConnectionId>,
    /// Fetches whose data came.
    satisfied: VecDeque<ConnectionId>,
    outputs: VecDeque<Output>,
}

impl Links {
    pub(crate) fn open(&mut self, connection: ConnectionId, broker: i32) {
        let link = Link {
            broker,
            client_id: Str::default(),
            call: None,
            wait: None,
            deadline: None,
            backlog: VecDeque::new(),
        };
        self.by_id.insert(connection, link);
    }

    /// Forgets a connection.
    pub(crate) fn remove(&mut self, connection: ConnectionId) -> bool {
        let Some(link) = self.by_id.remove(&connection) else { return false };
        if let Some(deadline) = link.deadline {
            self.timers.remove(&(deadline, connection));
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

    pub(crate) fn enqueue(&mut self, connection: ConnectionId, frame: Bytes) {
        if let Some(link) = self.by_id.get_mut(&connection) {
            link.backlog.push_back(frame);
            self.runnable.push_back(connection);
        }
    }

    /// The next frame of a connection that works on nothing.
    pub(crate) fn next_frame(&mut self) -> Option<(ConnectionId, i32, Bytes)> {
        while let Some(connection) = self.runnable.pop_front() {
            if let Some(link) = self.by_id.get_mut(&connection)
                && link.call.is_none()
                && let Some(frame) = link.backlog.pop_front()
            {
                return Some((connection, link.broker, frame));
            }
        }
        None
    }

    pub(crate) fn is_busy(&self, connection: ConnectionId) -> bool {
        self.by_id.get(&connection).is_some_and(|link| link.call.is_some())
    }

    pub(crate) fn begin(&mut self, connection: ConnectionId, call: Call, client_id: Option<&Str>) {
        if let Some(link) = self.by_id.get_mut(&connection) {
            link.call = Some(call);
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

    /// The request in work is to be answered in the form of another version.
    pub(crate) fn answer_as_version(&mut self, connection: ConnectionId, version: i16) {
        if let Some(call) = self.by_id.get_mut(&connection).and_then(|link| link.call.as_mut()) {
            call.version = version;
        }
    }

    pub(crate) fn call(&self, connection: ConnectionId) -> Option<Call> {
        self.by_id.get(&connection)?.call
    }

    /// The request in work is done, and nothing is sent.
    pub(crate) fn finish(&mut self, connection: ConnectionId) {
        if let Some(link) = self.by_id.get_mut(&connection) {
            link.call = None;
            self.runnable.push_back(connection);
        }
    }

    /// The request in work is done, and this is sent.
    pub(crate) fn send(&mut self, connection: ConnectionId, segments: Vec<Bytes>) {
        self.finish(connection);
        self.outputs.push_back(Output::Response { connection, segments });
    }

    /// The request in work is done, and this is to be sent at `deadline`.
    pub(crate) fn send_at(&mut self, connection: ConnectionId, deadline: Instant, segments: Vec<Bytes>) {
        self.wait(connection, deadline, Wait::Release(segments));
    }

    /// Sends what was held back.
    pub(crate) fn release(&mut self, connection: ConnectionId) {
        let wait = self.by_id.get_mut(&connection).and_then(|link| link.wait.take());
        if let Some(Wait::Release(segments)) = wait {
            self.send(connection, segments);
        }
    }

    /// Parks a fetch until its data comes or its time is over.
    pub(crate) fn park(&mut self, connection: ConnectionId, deadline: Instant, fetch: Fetch) {
        self.wait(connection, deadline, Wait::Fetch(Box::new(fetch)));
    }

    fn wait(&mut self, connection: ConnectionId, deadline: Instant, wait: Wait) {
        if let Some(link) = self.by_id.get_mut(&connection) {
            link.wait = Some(wait);
            link.deadline = Some(deadline);
            self.timers.insert((deadline, connection));
        }
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
    pub(crate) fn feed(&mut self, connection: ConnectionId, bytes: Option<u64>) {
        if let Some(link) = self.by_id.get_mut(&connection)
            && let Some(Wait::Fetch(fetch)) = &mut link.wait
            && fetch.feed(bytes)
        {
            self.satisfied.push_back(connection);
        }
    }

    pub(crate) fn next_satisfied(&mut self) -> Option<ConnectionId> {
        self.satisfied.pop_front()
    }

    /// A connection whose deadline has come; its timer is taken away.
    pub(crate) fn due(&mut self, now: Instant) -> Option<ConnectionId> {
        let (deadline, connection) = *self.timers.first()?;
        if deadline > now {
            return None;
        }
        self.timers.pop_first();
        if let Some(link) = self.by_id.get_mut(&connection) {
            link.deadline = None;
        }
        Some(connection)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(deadline, _)| *deadline)
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
