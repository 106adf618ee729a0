//! One connection to a broker: bytes in, events out.
//!
//! The driver owns the transport. It reads into [`Connection::read_buffer`], writes from
//! [`Connection::outbox`], and calls [`Connection::handle_timeout`] when [`Connection::poll_timeout`] says; all
//! else of Kafka's framing is in here: correlation, versions, the order of set-up, deadlines, throttling, and
//! the recognition of what is at the port if it is not Kafka.
//!
//! ```text
//!  Connecting --open--> Versions --ok--> Authenticating --ok--> Ready <-----------------.
//!      |                  | ^ `------(no authentication)-------> | |                   ok|
//!      |                  `-' another ApiVersions                | `--session ends--> Reauthenticating
//!      `---------------- lost, timed out, refused -----------> Closed
//! ```
//!
//! The diagram as data is `state::TRANSITIONS`.

mod authentication;
mod config;
mod event;
mod frame;
mod handshake;
mod in_flight;
mod meter;
mod outbox;
mod peer;
mod queue;
mod redact;
mod requests;
mod state;
mod throttle;
mod versions;

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

use bytes::{Buf, BytesMut};

pub use config::ConnectionConfig;
pub use event::{
    CloseReason, ConnectionEvent, Peer, Progress, Refused, RefusedReason, RequestError, TransportEnd,
    Unanswered,
};
pub use meter::{WireContent, WireMessage};
pub use outbox::Outbox;
pub use versions::ApiVersions;

use self::{
    authentication::Authentication,
    frame::Frames,
    in_flight::InFlight,
    meter::Meter,
    queue::Queue,
    state::{Input, State},
};
pub use crate::request::Outgoing;
use crate::{Instant, Token, metrics::Exchange, timers::earliest};

/// Read as text, the first correlation id ends a line and a block of lines. A server of a protocol of lines, such
/// as HTTP, therefore answers at once that it does not understand, instead of waiting for the end of the line, and
/// is recognised by its answer. To a broker any number will do.
const FIRST_CORRELATION: i32 = i32::from_be_bytes(*b"\r\n\r\n");

/// One connection to a broker: see the [module](self).
#[derive(Clone, Debug)]
pub struct Connection {
    config: Arc<ConnectionConfig>,
    state: State,
    frames: Frames,
    outbox: Outbox,
    in_flight: InFlight,
    /// Not sent yet.
    queue: Queue,
    events: VecDeque<ConnectionEvent>,
    versions: Arc<ApiVersions>,
    authentication: Authentication,
    /// That of the next request.
    correlation: i32,
    timing: Timing,
    meter: Meter,
}

#[derive(Clone, Copy, Debug)]
struct Timing {
    /// When setting up began, or authenticating again.
    setup_began: Instant,
    setup_deadline: Instant,
    /// Nothing is sent before.
    throttled_until: Instant,
    /// The last time that something was sent or received.
    active: Instant,
    reads_paused: Option<Instant>,
    /// TLS is being negotiated.
    securing: bool,
    /// Requests wait until those before them are answered, because authentication is due again.
    draining: bool,
}

impl Connection {
    /// A connection whose transport the driver begins to set up at `now`.
    #[must_use]
    pub fn new(config: Arc<ConnectionConfig>, now: Instant) -> Self {
        Self {
            state: State::Connecting,
            frames: Frames::new(config.max_frame_bytes),
            outbox: Outbox::default(),
            in_flight: InFlight::default(),
            queue: Queue::default(),
            events: VecDeque::new(),
            versions: Arc::default(),
            authentication: Authentication::new(config.seed),
            correlation: FIRST_CORRELATION,
            timing: Timing {
                setup_began: now,
                setup_deadline: now + config.setup_timeout,
                throttled_until: Instant::ZERO,
                active: now,
                reads_paused: None,
                securing: false,
                draining: false,
            },
            meter: Meter::new(now, config.keep_messages),
            config,
        }
    }

    // Inputs.

    /// The transport (TCP and, where it is used, TLS) is up: the handshake begins.
    pub fn handle_open(&mut self, now: Instant) {
        self.meter.tick(now);
        if self.enter(Input::Opened) {
            self.timing.active = now;
            if planted!(RequestBeforeVersions) {
                self.send_before_versions();
            }
            self.start_handshake();
        }
    }

    /// TCP is up, and TLS is being negotiated on it: [`handle_open`](Self::handle_open) follows when that is done. It makes
    /// a difference to what is said if it is never done.
    pub const fn handle_securing(&mut self) {
        self.timing.securing = true;
    }

    /// The buffer to read into: append to it, then call [`handle_read`](Self::handle_read). It always has room,
    /// and where a large response is under way it has that of the response, so that the rest is read in place.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        self.frames.space()
    }

    /// Bytes were appended to the read buffer, however many.
    pub fn handle_read(&mut self, now: Instant) {
        self.meter.tick(now);
        self.settle_written();
        while self.state != State::Closed {
            if self.authentication.is_bare() {
                match self.read_bare(now) {
                    Ok(true) => continue,
                    Ok(false) => return,
                    Err(reason) => return self.end(reason),
                }
            }
            let frame = match self.frames.correlation() {
                Err(bad) => return self.end(peer::diagnose(bad)),
                Ok(None) => return,
                Ok(Some(correlation)) => {
                    // A wrong one is not worth waiting for the rest of its frame.
                    if let Err(misbehaved) = self.check_correlation(correlation) {
                        return self.end(CloseReason::Misbehaved(misbehaved));
                    }
                    self.frames.cut()
                }
            };
            let Some(frame) = frame else { return };
            self.timing.active = now;
            if let Err(reason) = self.take_response(now, frame) {
                return self.end(reason);
            }
            self.send_queued(now);
        }
        self.frames.clear();
    }

    /// The transport ended.
    pub fn handle_closed(&mut self, _now: Instant, end: TransportEnd) {
        let progress = self.progress();
        self.end(match end {
            TransportEnd::ConnectFailed(why) => CloseReason::ConnectFailed(why),
            TransportEnd::Unresolved(why) => CloseReason::Unresolved(why),
            TransportEnd::PeerClosed => CloseReason::PeerClosed(progress),
            TransportEnd::Broken(why) => CloseReason::Broken(progress, why),
            TransportEnd::Insecure(why) => CloseReason::TlsFailed(why),
        });
    }

    /// Time passes: a deadline may have, or a pause.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.meter.tick(now);
        self.settle_written();
        match self.state {
            State::Closed => return,
            State::Ready => {}
            State::Connecting | State::Versions | State::Authenticating | State::Reauthenticating => {
                if self.timing.setup_deadline <= now {
                    probe!(SetupTimedOut);
                    return self.end(CloseReason::SetupTimeout(self.progress()));
                }
            }
        }
        if self.timing.reads_paused.is_none() {
            if let Some(sent) = self.in_flight.overdue(now) {
                probe!(RequestTimedOut);
                return self.end(CloseReason::RequestTimeout { api: sent.api });
            }
        }
        self.expire_queued(now);
        self.send_queued(now);
        if self.idle_at().is_some_and(|at| at <= now) {
            probe!(ClosedAsIdle);
            self.end(CloseReason::Idle);
        }
    }

    // Commands.

    /// Sends a request, or queues it until the handshake is over, a throttle has passed, or the window of
    /// [`max_in_flight`](ConnectionConfig::max_in_flight) has room. Each accepted request is answered by exactly
    /// one of [`Response`](ConnectionEvent::Response), [`Written`](ConnectionEvent::Written),
    /// [`Failed`](ConnectionEvent::Failed) and a place in [`Closed`](ConnectionEvent::Closed), unless it is
    /// [abandoned](Self::abandon).
    ///
    /// # Errors
    /// The queue is full or the connection is over: the request comes back.
    pub fn submit(&mut self, now: Instant, outgoing: Outgoing) -> Result<(), Refused> {
        if self.state == State::Closed {
            return Err(Refused { outgoing, reason: RefusedReason::Closed });
        }
        if self.queue.len() >= self.config.max_queued {
            return Err(Refused { outgoing, reason: RefusedReason::Full });
        }
        self.meter.tick(now);
        self.timing.active = now;
        self.queue.push(now, outgoing);
        self.send_queued(now);
        probe!(QueuedBehindThrottle, self.state == State::Ready && self.timing.throttled_until > now);
        Ok(())
    }

    /// The answer to a request is no longer wanted. If it was not sent yet, it never will be; if it was, its
    /// answer is dropped, and nothing else on this connection is affected. No event for it will come any more.
    /// Returns whether the request was known.
    pub fn abandon(&mut self, token: Token) -> bool {
        if self.queue.remove(token) {
            return true;
        }
        self.settle_written();
        self.in_flight.abandon(token)
    }

    /// Stops or resumes reading: see [`wants_read`](Self::wants_read). While reading is stopped no request is
    /// overdue, and its deadline moves by the length of the pause, because its answer may long be there.
    pub fn set_reading(&mut self, now: Instant, reading: bool) {
        match (reading, self.timing.reads_paused) {
            (false, None) => self.timing.reads_paused = Some(now),
            (true, Some(since)) => {
                self.timing.reads_paused = None;
                self.in_flight.postpone(now - since);
            }
            _ => {}
        }
    }

    /// Ends the connection. The driver closes the transport.
    pub fn close(&mut self) {
        self.end(CloseReason::Local);
    }

    /// What is to be written: take from its front what the transport takes.
    pub const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Takes what was exchanged since the last call: to be passed on to
    /// [`Client::handle_exchange`](crate::client::Client::handle_exchange) before the events that follow.
    pub fn exchanges(&mut self) -> impl Iterator<Item = Exchange> + '_ {
        self.meter.exchanges()
    }

    /// Whether [`exchanges`](Self::exchanges) has any.
    #[must_use]
    pub const fn has_exchanges(&self) -> bool {
        self.meter.has_exchanges()
    }

    /// Takes the messages since the last call, if they are kept
    /// ([`keep_messages`](ConnectionConfig::keep_messages)).
    pub fn take_messages(&mut self) -> Vec<WireMessage> {
        self.meter.messages()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.settle_written();
        self.events.pop_front()
    }

    // Getters.

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let phase = match self.state {
            State::Closed => return None,
            State::Ready => self.idle_at(),
            State::Connecting | State::Versions | State::Authenticating | State::Reauthenticating => {
                Some(self.timing.setup_deadline)
            }
        };
        if planted!(BusyTimer) && self.state == State::Ready {
            return Some(Instant::ZERO);
        }
        let answers = if self.timing.reads_paused.is_some() { None } else { self.in_flight.next_deadline() };
        let sendable = self.state == State::Ready
            && !self.queue.is_empty()
            && if self.timing.draining { self.in_flight.len() == 0 } else { self.has_window() };
        let throttle = sendable.then_some(self.timing.throttled_until);
        earliest(earliest(phase, answers), earliest(throttle, self.queue.next_deadline()))
    }

    /// Whether the driver should read.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.timing.reads_paused.is_none() && !matches!(self.state, State::Connecting | State::Closed)
    }

    /// Whether requests are sent as they come, as opposed to being queued for the end of the handshake.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Whether the connection is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// How many requests await being sent or answered.
    #[must_use]
    pub fn load(&self) -> usize {
        self.queue.len() + self.in_flight.len()
    }

    /// What the broker offers; nothing before the handshake has come so far.
    #[must_use]
    pub const fn versions(&self) -> &Arc<ApiVersions> {
        &self.versions
    }

    // Helpers.

    /// Moves on by `input` if it is possible here.
    fn enter(&mut self, input: Input) -> bool {
        let next = self.state.after(input);
        self.state = next.unwrap_or(self.state);
        next.is_some()
    }

    /// Takes a message of authentication that has no header. Returns whether one was there.
    fn read_bare(&mut self, now: Instant) -> Result<bool, CloseReason> {
        let Some(message) = self.frames.cut_bare().map_err(CloseReason::Misbehaved)? else {
            return Ok(false);
        };
        self.timing.active = now;
        self.take_bare_message(now, message)?;
        self.send_queued(now);
        Ok(true)
    }

    fn progress(&self) -> Progress {
        match self.state {
            State::Connecting if self.timing.securing => Progress::Securing,
            State::Connecting => Progress::Connecting,
            _ if self.frames.is_mid_frame() => Progress::MidFrame,
            State::Versions if !self.frames.any_received() => Progress::NoAnswer,
            State::Versions => Progress::Setup,
            State::Authenticating | State::Reauthenticating => Progress::Authentication,
            State::Ready | State::Closed if self.in_flight.len() == 0 => Progress::Quiet,
            State::Ready if !self.in_flight.any_answered() => Progress::FirstRequest,
            State::Ready | State::Closed => Progress::Busy,
        }
    }

    /// When there has been nothing to do for too long.
    fn idle_at(&self) -> Option<Instant> {
        let quiet = self.load() == 0 && !self.outbox.has_remaining();
        quiet.then(|| self.timing.active + self.config.idle_timeout)
    }

    fn end(&mut self, reason: CloseReason) {
        self.settle_written();
        if !self.enter(Input::Ended) {
            return;
        }
        probe!(ClosedWithQueue, !self.queue.is_empty());
        probe!(ClosedMidFrame, self.frames.is_mid_frame());
        let mut unanswered: Vec<_> = self.in_flight.drain(self.outbox.taken());
        unanswered.extend(self.queue.drain());
        self.authentication.stop();
        self.outbox.clear();
        self.frames.clear();
        self.events.push_back(ConnectionEvent::Closed { reason, unanswered });
    }
}

#[cfg(test)]
mod tests;
