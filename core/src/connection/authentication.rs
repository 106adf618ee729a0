//! Authentication, at first and again: SaslHandshake names the mechanism, SaslAuthenticate carries its messages (KIP-43,
//! KIP-152). Brokers before 1.0 take the messages bare, each with its length in front of it.
//!
//! ```text
//!   Idle --due--> Credentials --> Handshake --> Exchange --done--> Idle
//!                                     |           ^  |
//!                                     '-> Answer -'<-'  if the messages are made elsewhere
//! ```
//!
//! A broker may limit how long that holds (KIP-368). When most of that time is over, the next request waits until those
//! before it are answered and the connection has authenticated itself again; no request is lost by that.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::time::Duration;

use bytes::Bytes;
use klamm_protocol::{
    ApiKey, ErrorCode, Str,
    messages::{
        AnyRequest, AnyResponse,
        sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse},
        sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse},
    },
};
use zeroize::{Zeroize, Zeroizing};

use super::{
    CloseReason, Connection, ConnectionEvent,
    in_flight::Owner,
    state::{Input, State},
};
use crate::{
    Entropy, Instant, Misbehaved,
    sasl::{Answer, AuthenticationError, CredentialSource, Credentials, Exchange, SaslConfig, Secret, Step},
};

/// How far authentication is, and when it is due again.
#[derive(Clone, Debug)]
pub(super) struct Authentication {
    stage: Stage,
    /// Requests that are sent after this would not be answered for long.
    renew_at: Option<Instant>,
    entropy: Entropy,
}

#[derive(Clone, Debug)]
enum Stage {
    Idle,
    /// The caller was asked for credentials.
    Credentials,
    /// SaslHandshake awaits its answer.
    Handshake {
        /// None if the messages are made elsewhere.
        credentials: Option<Credentials>,
        bare: bool,
    },
    /// The caller was asked for a message of the mechanism.
    Answer {
        exchange: Box<Exchange>,
        bare: bool,
    },
    /// A message of the mechanism awaits its answer.
    Exchange {
        exchange: Box<Exchange>,
        bare: bool,
    },
}

impl Authentication {
    pub(super) fn new(seed: u64) -> Self {
        Self { stage: Stage::Idle, renew_at: None, entropy: Entropy::new(seed) }
    }

    /// Whether the session is nearly over.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.renew_at.is_some_and(|at| at <= now)
    }

    /// The connection is over: what was kept for the dialogue is overwritten.
    pub(super) fn stop(&mut self) {
        self.stage = Stage::Idle;
    }

    /// Whether what comes next is a message of the mechanism without a header.
    pub(super) const fn is_bare(&self) -> bool {
        matches!(self.stage, Stage::Exchange { bare: true, .. })
    }
}

impl Connection {
    /// Begins, in a state in which nothing else is sent.
    pub(super) fn begin_authentication(&mut self, now: Instant) {
        let Some(sasl) = self.config.sasl.clone() else { return };
        match sasl.credentials {
            CredentialSource::Fixed(credentials) => self.shake_hands(Some(credentials)),
            CredentialSource::Elsewhere => self.shake_hands(None),
            CredentialSource::Asked => {
                self.authentication.stage = Stage::Credentials;
                let deadline = self.timing.setup_deadline;
                self.events.push_back(ConnectionEvent::CredentialsNeeded { deadline });
            }
        }
        self.timing.active = now;
    }

    /// Authentication holds no longer: nothing is sent until it was renewed.
    pub(super) fn renew_authentication(&mut self, now: Instant) {
        if self.enter(Input::Expiring) {
            probe!(AuthenticatedAgain);
            self.timing.setup_began = now;
            self.timing.setup_deadline = now + self.config.setup_timeout;
            self.begin_authentication(now);
        }
    }

    /// The answer to [`ConnectionEvent::CredentialsNeeded`]: credentials, or why there are none. Ignored if none are
    /// needed.
    pub fn handle_credentials(&mut self, now: Instant, result: Result<Credentials, Str>) {
        self.meter.tick(now);
        if !matches!(self.authentication.stage, Stage::Credentials) {
            return;
        }
        match result {
            Ok(credentials) => self.shake_hands(Some(credentials)),
            Err(why) => self.fail_authentication(AuthenticationError::NoCredentials(why)),
        }
    }

    /// The answer to [`ConnectionEvent::AnswerNeeded`]: a message of the mechanism, or why there is none. Ignored if none
    /// is needed.
    pub fn handle_answer(&mut self, now: Instant, result: Result<Answer, Str>) {
        self.meter.tick(now);
        let (mut exchange, bare) = match core::mem::replace(&mut self.authentication.stage, Stage::Idle) {
            Stage::Answer { exchange, bare } => (exchange, bare),
            other => return self.authentication.stage = other,
        };
        let answer = match result {
            Ok(answer) => answer,
            Err(why) => return self.fail_authentication(AuthenticationError::Failed(why)),
        };
        let (message, is_last) = exchange.answer(answer);
        // A last message that is bare gets no answer.
        let is_over = bare && is_last;
        if !is_over {
            self.authentication.stage = Stage::Exchange { exchange, bare };
        }
        self.send_message(message, bare);
        if is_over {
            self.authenticated(now, 0);
        }
    }

    fn ask_for_answer(&mut self, exchange: Box<Exchange>, bare: bool, challenge: Option<Bytes>) {
        self.authentication.stage = Stage::Answer { exchange, bare };
        let deadline = self.timing.setup_deadline;
        self.events.push_back(ConnectionEvent::AnswerNeeded { challenge, deadline });
    }

    fn shake_hands(&mut self, credentials: Option<Credentials>) {
        let Some(mechanism) = self.config.sasl.as_ref().map(|sasl| sasl.mechanism) else { return };
        // Without SaslAuthenticate the handshake has to be the one that bare messages follow.
        let bare = self.versions.version(ApiKey::SASL_AUTHENTICATE).is_none();
        let most = if bare { 0 } else { i16::MAX };
        let Some(version) = self.versions.version_up_to(ApiKey::SASL_HANDSHAKE, most) else {
            return self.fail_authentication(AuthenticationError::NotOffered);
        };
        let mechanism = Str::from_static(mechanism.name());
        let request = SaslHandshakeRequest { mechanism, ..SaslHandshakeRequest::default() };
        self.authentication.stage = Stage::Handshake { credentials, bare: bare || version == 0 };
        self.ask_for_authentication(&request.into(), version);
    }

    fn ask_for_authentication(&mut self, request: &AnyRequest, version: i16) {
        match self.put(Owner::Authentication, request, version, self.timing.setup_deadline) {
            Ok(sent) => self.in_flight.push(sent),
            Err(_) => self.fail_authentication(AuthenticationError::Unusable("the message is too long")),
        }
    }

    /// Takes the answer to SaslHandshake or SaslAuthenticate.
    pub(super) fn take_authentication(
        &mut self,
        now: Instant,
        response: AnyResponse,
    ) -> Result<(), CloseReason> {
        let stage = core::mem::replace(&mut self.authentication.stage, Stage::Idle);
        match (stage, response) {
            (Stage::Handshake { credentials, bare }, AnyResponse::SaslHandshake(response)) => {
                self.take_handshake(credentials.as_ref(), bare, response)
            }
            (Stage::Exchange { exchange, bare }, AnyResponse::SaslAuthenticate(response)) => {
                self.take_message(now, exchange, bare, response)
            }
            _ => Err(CloseReason::Misbehaved(Misbehaved::Nonsense("an answer to no step of authentication"))),
        }
    }

    fn take_handshake(
        &mut self,
        credentials: Option<&Credentials>,
        bare: bool,
        response: SaslHandshakeResponse,
    ) -> Result<(), CloseReason> {
        let Some(SaslConfig { mechanism, .. }) = self.config.sasl else { return Ok(()) };
        let error = match response.error_code {
            ErrorCode::NONE => {
                let Some(credentials) = credentials else {
                    self.ask_for_answer(Box::new(Exchange::elsewhere()), bare, None);
                    return Ok(());
                };
                let entropy = &mut self.authentication.entropy;
                let (exchange, first) = Exchange::start(mechanism, credentials, entropy)?;
                self.authentication.stage = Stage::Exchange { exchange: Box::new(exchange), bare };
                self.send_message(first, bare);
                return Ok(());
            }
            ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
                let enabled = response.mechanisms.iter().map(|name| Str::copy_of(name)).collect();
                AuthenticationError::MechanismDisabled { mechanism, enabled }
            }
            ErrorCode::ILLEGAL_SASL_STATE => AuthenticationError::NotOffered,
            other => AuthenticationError::Refused(other),
        };
        Err(error.into())
    }

    fn take_message(
        &mut self,
        now: Instant,
        mut exchange: Box<Exchange>,
        bare: bool,
        response: SaslAuthenticateResponse,
    ) -> Result<(), CloseReason> {
        match response.error_code {
            ErrorCode::NONE => {}
            ErrorCode::SASL_AUTHENTICATION_FAILED => {
                let why = response.error_message.map(|why| Str::copy_of(&why));
                return Err(exchange.explain(AuthenticationError::Rejected(why)).into());
            }
            ErrorCode::ILLEGAL_SASL_STATE => return Err(AuthenticationError::NotOffered.into()),
            ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
                let mechanism = self.config.sasl.as_ref().map(|sasl| sasl.mechanism);
                let enabled = Vec::new();
                let disabled =
                    mechanism.map(|mechanism| AuthenticationError::MechanismDisabled { mechanism, enabled });
                return Err(disabled.unwrap_or(AuthenticationError::NotOffered).into());
            }
            other => return Err(exchange.explain(AuthenticationError::Refused(other)).into()),
        }
        match exchange.handle(&response.auth_bytes)? {
            Step::Send(message) => {
                self.authentication.stage = Stage::Exchange { exchange, bare };
                self.send_message(message, bare);
            }
            Step::Ask(challenge) => self.ask_for_answer(exchange, bare, Some(challenge)),
            Step::Done => self.authenticated(now, response.session_lifetime_ms),
        }
        Ok(())
    }

    /// Takes a message of the mechanism that came without a header.
    pub(super) fn take_bare_message(&mut self, now: Instant, message: Bytes) -> Result<(), CloseReason> {
        let stage = core::mem::replace(&mut self.authentication.stage, Stage::Idle);
        let Stage::Exchange { exchange, bare } = stage else { return Ok(()) };
        let response =
            SaslAuthenticateResponse { auth_bytes: message, ..SaslAuthenticateResponse::default() };
        self.take_message(now, exchange, bare, response)
    }

    fn send_message(&mut self, message: Secret, bare: bool) {
        if bare {
            let length = i32::try_from(message.expose().len()).unwrap_or(i32::MAX);
            let length = Bytes::copy_from_slice(&length.to_be_bytes());
            self.outbox.push(alloc::vec![length, Bytes::from_owner(message)]);
            return;
        }
        let auth_bytes = Bytes::from_owner(message);
        let request = SaslAuthenticateRequest { auth_bytes, ..SaslAuthenticateRequest::default() };
        let version = self.versions.version(ApiKey::SASL_AUTHENTICATE).unwrap_or(0);
        self.ask_for_authentication(&request.into(), version);
    }

    /// The broker accepts this client, for so many milliseconds; 0 is for good.
    fn authenticated(&mut self, now: Instant, lifetime_ms: i64) {
        let again = self.state == State::Reauthenticating;
        if !self.enter(Input::Authenticated) {
            return;
        }
        // As the Java client: somewhere from 85 % to 95 %, so that not all connections do it at once.
        let per_mille = 850 + self.authentication.entropy.below(100);
        let lifetime = u64::try_from(lifetime_ms).ok().filter(|lifetime| *lifetime > 0);
        let usable = lifetime.map(|millis| {
            Duration::from_millis(
                (millis / 1_000).saturating_mul(per_mille) + millis % 1_000 * per_mille / 1_000,
            )
        });
        self.authentication.renew_at = usable.map(|usable| now + usable);
        self.timing.active = now;
        self.queue.postpone(self.timing.setup_began, now);
        if !again {
            self.events.push_back(ConnectionEvent::Ready(Arc::clone(&self.versions)));
        }
    }

    fn fail_authentication(&mut self, error: AuthenticationError) {
        self.end(CloseReason::AuthenticationFailed(error));
    }
}

impl From<AuthenticationError> for CloseReason {
    fn from(error: AuthenticationError) -> Self {
        Self::AuthenticationFailed(error)
    }
}

/// The bytes of a request in one buffer that is overwritten when it is dropped.
pub(super) fn in_one_secret(segments: Vec<Bytes>) -> Vec<Bytes> {
    let mut whole = Zeroizing::new(Vec::with_capacity(segments.iter().map(Bytes::len).sum()));
    for segment in segments {
        whole.extend_from_slice(&segment);
        // What nobody else refers to is overwritten; a message of the mechanism overwrites itself.
        if let Ok(mut bytes) = segment.try_into_mut() {
            bytes.zeroize();
        }
    }
    alloc::vec![Bytes::from_owner(whole)]
}
