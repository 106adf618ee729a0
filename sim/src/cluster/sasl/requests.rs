//! What brokers do with SaslHandshake and SaslAuthenticate, and with clients that have not authenticated themselves.

use std::time::Duration;

use bytes::Bytes;
use klamm_core::sasl::Mechanism;
use klamm_core::{Instant, WallTime};
use klamm_protocol::messages::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use klamm_protocol::messages::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
use klamm_protocol::wire::Reader;
use klamm_protocol::{ApiKey, ErrorCode, Message, Str};

use super::dialogue::{Dialogue, Step};
use super::{Proved, Session};
use crate::cluster::links::{Call, ConnectionId};
use crate::cluster::{Cluster, Origin};
use crate::observe::Refusal;

/// The message to answer with, and how long an authentication that is now complete holds; or why it failed.
type Answered = Result<(Vec<u8>, Option<Duration>), String>;

impl Cluster {
    /// Whether the request may be served. If not, it has been dealt with.
    pub(in crate::cluster) fn admits(&mut self, origin: &Origin, call: Call, reader: &mut Reader) -> bool {
        let connection = origin.connection;
        let Some(session) = self.links.session(connection) else { return false };
        match (call.api, session) {
            (ApiKey::SASL_HANDSHAKE, _) => self.shake_hands(origin, call, reader),
            (ApiKey::SASL_AUTHENTICATE, _) => self.authenticate(origin, call, reader),
            (_, Session::Open) | (ApiKey::API_VERSIONS, Session::Unknown) => return true,
            (_, Session::Authenticated(proved)) => {
                if proved.until.is_none_or(|until| until > origin.now) {
                    return true;
                }
                // As Kafka does: nobody can know how long what was sent in time is under way.
                self.close(connection);
            }
            _ => self.reject(connection, Refusal::Invalid(call.api, ErrorCode::ILLEGAL_SASL_STATE)),
        }
        false
    }

    /// Whether the next frame of a connection is a message of a mechanism without a header.
    pub(in crate::cluster) fn expects_bare(&mut self, connection: ConnectionId) -> bool {
        matches!(self.links.session(connection), Some(Session::Dialogue { is_bare: true, .. }))
    }

    fn shake_hands(&mut self, origin: &Origin, call: Call, reader: &mut Reader) {
        let connection = origin.connection;
        let Ok(request) = SaslHandshakeRequest::decode(reader, call.version) else {
            let reason = Refusal::Body(call.api, call.version, String::from("malformed"));
            return self.reject(connection, reason);
        };
        let users = self.sasl.as_ref().map(|sasl| &sasl.users);
        let Some(session) = self.links.session(connection) else { return };
        let before = match session {
            Session::Unknown => None,
            Session::Authenticated(proved) => Some(proved.clone()),
            Session::Open | Session::Dialogue { .. } => {
                let error_code = ErrorCode::ILLEGAL_SASL_STATE;
                let response = SaslHandshakeResponse { error_code, ..SaslHandshakeResponse::default() };
                return self.say(origin, call, &response, false);
            }
        };
        let enabled = users.map(|users| users.mechanisms.as_slice()).unwrap_or_default();
        let mechanisms = enabled.iter().map(|mechanism| Str::from_static(mechanism.name())).collect();
        let wanted = enabled.iter().copied().find(|mechanism| request.mechanism == mechanism.name());
        let is_other = |wanted: Mechanism| before.as_ref().is_some_and(|proved| proved.mechanism != wanted);
        match wanted.filter(|wanted| !is_other(*wanted)) {
            Some(mechanism) => {
                let dialogue = Box::new(Dialogue::new(mechanism));
                *session = Session::Dialogue { dialogue, is_bare: call.version == 0, before };
                let response = SaslHandshakeResponse { mechanisms, ..SaslHandshakeResponse::default() };
                self.say(origin, call, &response, false);
            }
            None => {
                let error_code = ErrorCode::UNSUPPORTED_SASL_MECHANISM;
                let response =
                    SaslHandshakeResponse { error_code, mechanisms, ..SaslHandshakeResponse::default() };
                self.say(origin, call, &response, true);
            }
        }
    }

    fn authenticate(&mut self, origin: &Origin, call: Call, reader: &mut Reader) {
        let connection = origin.connection;
        let Ok(request) = SaslAuthenticateRequest::decode(reader, call.version) else {
            let reason = Refusal::Body(call.api, call.version, String::from("malformed"));
            return self.reject(connection, reason);
        };
        let mut response = SaslAuthenticateResponse::default();
        let is_failed = match self.step(origin.now, connection, &request.auth_bytes) {
            Some(Ok((message, lifetime))) => {
                response.auth_bytes = message.into();
                let millis = lifetime.filter(|_| call.version >= 1).map(|lifetime| lifetime.as_millis());
                response.session_lifetime_ms =
                    millis.and_then(|millis| i64::try_from(millis).ok()).unwrap_or(0);
                false
            }
            Some(Err(why)) => {
                response.error_code = ErrorCode::SASL_AUTHENTICATION_FAILED;
                response.error_message = Some(Str::from(why));
                true
            }
            None => {
                response.error_code = ErrorCode::ILLEGAL_SASL_STATE;
                response.error_message = Some(Str::from_static(
                    "SaslAuthenticate request received after successful authentication",
                ));
                false
            }
        };
        self.say(origin, call, &response, is_failed);
    }

    /// Takes a message of a mechanism without a header.
    pub(in crate::cluster) fn handle_bare(&mut self, now: Instant, connection: ConnectionId, message: &[u8]) {
        match self.step(now, connection, message) {
            Some(Ok((message, _))) => {
                let length = i32::try_from(message.len()).unwrap_or(i32::MAX).to_be_bytes();
                let segments = vec![Bytes::copy_from_slice(&length), Bytes::from(message)];
                self.links.send(now, connection, now, segments);
            }
            _ => self.close(connection),
        }
    }

    /// Goes on with the dialogue of a connection: the answer and how long an authentication that is now complete holds,
    /// or why it failed; `None` if there is no dialogue.
    fn step(&mut self, now: Instant, connection: ConnectionId, message: &[u8]) -> Option<Answered> {
        let wall_time = self.wall_time;
        let sasl = self.sasl.as_mut()?;
        let session = self.links.session(connection)?;
        let Session::Dialogue { dialogue, before, .. } = session else { return None };
        match dialogue.handle(message, &sasl.users, &mut sasl.entropy, wall_time) {
            Step::Challenge(message) => Some(Ok((message, None))),
            Step::Failed(why) => Some(Err(why)),
            Step::Done { user, .. } if before.as_ref().is_some_and(|before| before.user != user) => {
                Some(Err(format!("Cannot change principals during re-authentication to {user}")))
            }
            Step::Done { message, user, expires } => {
                let until_expiry = expires.map(|at| since(wall_time, at));
                let lifetime = sasl.users.max_reauth.into_iter().chain(until_expiry).min();
                let (mechanism, until) = (dialogue.mechanism, lifetime.map(|lifetime| now + lifetime));
                *session = Session::Authenticated(Proved { user, mechanism, until });
                Some(Ok((message, lifetime)))
            }
        }
    }

    /// Answers, and then perhaps closes the connection.
    fn say<M: Message>(&mut self, origin: &Origin, call: Call, response: &M, and_close: bool) {
        let Some(segments) = crate::cluster::api::encode(call, response) else {
            return self.close(origin.connection);
        };
        if and_close {
            self.links.send_and_close(origin.connection, segments);
        } else {
            self.links.send(origin.now, origin.connection, origin.now, segments);
        }
    }
}

fn since(earlier: WallTime, later: WallTime) -> Duration {
    Duration::from_millis(later.0.saturating_sub(earlier.0).try_into().unwrap_or(0))
}
