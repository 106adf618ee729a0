//! Authentication on a connection.

use core::time::Duration;
use std::{format, vec::Vec};

use bytes::{Buf, Bytes};
use klamm_protocol::{
    ApiKey, ErrorCode, Message, Str,
    messages::{
        sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse},
        sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse},
    },
    wire::Reader,
};

use super::link::{
    Link, OFFERED, Seen, answered, frame, framed, metadata, token, versions_frame, versions_response,
};
use crate::{
    Instant,
    connection::{CloseReason, ConnectionConfig, ConnectionEvent, Progress, Unanswered, state::State},
    sasl::{
        AuthenticationError, BearerToken, CredentialSource, Credentials, Mechanism, Password, SaslConfig,
        Secret,
    },
};

fn alice() -> Credentials {
    let (username, password) = (Str::from_static("alice"), Secret::from("alice-secret"));
    Credentials::Password(Password { username, password, is_token: false })
}

pub(super) fn plain(credentials: CredentialSource) -> ConnectionConfig {
    let sasl = Some(SaslConfig { mechanism: Mechanism::Plain, credentials });
    ConnectionConfig { sasl, ..ConnectionConfig::default() }
}

fn fixed() -> ConnectionConfig {
    plain(CredentialSource::Fixed(alice()))
}

/// A connection whose broker has said what it offers.
pub(super) fn versed(config: ConnectionConfig) -> Link {
    let mut link = Link::opened(config);
    let asked = link.seen().pop().unwrap();
    link.receive(&versions_frame(asked.version, asked.correlation));
    link
}

/// Whether the broker sees SaslHandshake for PLAIN; answers it.
pub(super) fn shake_hands(link: &mut Link) {
    let seen = link.seen();
    let [asked] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((asked.api, asked.version), (ApiKey::SASL_HANDSHAKE, 1));
    let request = SaslHandshakeRequest::decode(&mut Reader::new(asked.body.clone()), 1).unwrap();
    assert_eq!(request.mechanism, "PLAIN");
    link.receive(&frame(asked.api, 1, asked.correlation, &SaslHandshakeResponse::default()));
}

pub(super) fn message(link: &mut Link) -> Seen {
    let mut seen = link.seen();
    assert_eq!((seen.len(), seen[0].api, seen[0].version), (1, ApiKey::SASL_AUTHENTICATE, 2));
    seen.pop().unwrap()
}

pub(super) fn say(link: &mut Link, to: &Seen, response: &SaslAuthenticateResponse) {
    link.receive(&frame(to.api, to.version, to.correlation, response));
}

/// The broker accepts the user, for so many milliseconds.
fn accept(link: &mut Link, session_lifetime_ms: i64) {
    shake_hands(link);
    let asked = message(link);
    let request = SaslAuthenticateRequest::decode(&mut Reader::new(asked.body.clone()), 2).unwrap();
    assert_eq!(request.auth_bytes, "\0alice\0alice-secret");
    let response = SaslAuthenticateResponse { session_lifetime_ms, ..SaslAuthenticateResponse::default() };
    say(link, &asked, &response);
}

#[test]
fn it_comes_between_versions_and_readiness() {
    let mut link = versed(fixed());
    link.ask(1);
    accept(&mut link, 0);
    assert!(matches!(link.events()[..], [ConnectionEvent::Ready(_)]));
    assert_eq!(link.seen().len(), 1, "the queued request");
}

#[test]
fn credentials_are_asked_for() {
    let mut link = versed(plain(CredentialSource::Asked));
    let deadline = link.now + Duration::from_secs(10);
    assert_eq!(link.events(), [ConnectionEvent::CredentialsNeeded { deadline }]);
    assert!(link.seen().is_empty());
    link.connection.handle_credentials(link.now, Ok(alice()));
    link.connection.handle_credentials(link.now, Err(Str::from_static("too late")));
    accept(&mut link, 0);
    assert!(link.connection.is_ready());

    let mut link = versed(plain(CredentialSource::Asked));
    link.events();
    link.connection.handle_credentials(link.now, Err(Str::from_static("the vault is shut")));
    let (reason, _) = link.closed();
    assert_eq!(format!("{reason}"), "authentication failed: there are no credentials: the vault is shut");
    assert!(!reason.is_misconfiguration());

    let mut link = versed(plain(CredentialSource::Asked));
    link.events();
    link.pass(10_000);
    assert_eq!(link.closed().0, CloseReason::SetupTimeout(Progress::Authentication));
}

#[test]
fn a_wrong_password_ends_it_in_the_brokers_words() {
    let mut link = versed(fixed());
    link.submit(metadata(3, Instant::MAX)).unwrap();
    shake_hands(&mut link);
    let asked = message(&mut link);
    let response = SaslAuthenticateResponse {
        error_code: ErrorCode::SASL_AUTHENTICATION_FAILED,
        error_message: Some(Str::from_static("Authentication failed: Invalid username or password")),
        ..SaslAuthenticateResponse::default()
    };
    say(&mut link, &asked, &response);
    let (reason, unanswered) = link.closed();
    assert_eq!(
        format!("{reason}"),
        "authentication failed: the broker does not accept the credentials: \
         Authentication failed: Invalid username or password"
    );
    assert!(reason.is_misconfiguration());
    assert_eq!(unanswered, [Unanswered { token: token(3), written: false }]);
}

#[test]
fn a_mechanism_that_is_not_enabled_is_told_with_those_that_are() {
    let mut link = versed(fixed());
    let asked = link.seen().pop().unwrap();
    let response = SaslHandshakeResponse {
        error_code: ErrorCode::UNSUPPORTED_SASL_MECHANISM,
        mechanisms: ["SCRAM-SHA-256", "GSSAPI"].map(Str::from_static).to_vec(),
        ..SaslHandshakeResponse::default()
    };
    link.receive(&frame(asked.api, 1, asked.correlation, &response));
    assert_eq!(
        format!("{}", link.closed().0),
        "authentication failed: the broker does not take PLAIN, but SCRAM-SHA-256, GSSAPI"
    );
}

#[test]
fn a_port_without_sasl_is_told() {
    let mut link = versed(fixed());
    let asked = link.seen().pop().unwrap();
    let response = SaslHandshakeResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        ..SaslHandshakeResponse::default()
    };
    link.receive(&frame(asked.api, 1, asked.correlation, &response));
    assert_eq!(link.closed().0, CloseReason::AuthenticationFailed(AuthenticationError::NotOffered));

    let mut link = Link::opened(fixed());
    let asked = link.seen().pop().unwrap();
    let response = versions_response(&OFFERED[..2], ErrorCode::NONE);
    link.receive(&frame(ApiKey::API_VERSIONS, asked.version, asked.correlation, &response));
    assert_eq!(link.closed().0, CloseReason::AuthenticationFailed(AuthenticationError::NotOffered));
}

#[test]
fn a_connection_that_ends_after_the_handshake_suggests_wrong_credentials() {
    let mut link = versed(fixed());
    shake_hands(&mut link);
    message(&mut link);
    link.peer_closes();
    let (reason, _) = link.closed();
    assert_eq!(reason, CloseReason::PeerClosed(Progress::Authentication));
    assert!(reason.suggests_wrong_credentials() && !reason.suggests_older_api_versions());
    assert!(format!("{reason}").contains("are the credentials right?"));
}

/// A broker that has SaslHandshake, but not SaslAuthenticate.
fn old() -> Link {
    let mut link = Link::opened(fixed());
    let asked = link.seen().pop().unwrap();
    let offered = [(ApiKey::METADATA, 0, 2), (ApiKey::SASL_HANDSHAKE, 0, 0)];
    let response = versions_response(&offered, ErrorCode::NONE);
    link.receive(&frame(ApiKey::API_VERSIONS, asked.version, asked.correlation, &response));
    let asked = link.seen().pop().unwrap();
    assert_eq!((asked.api, asked.version), (ApiKey::SASL_HANDSHAKE, 0));
    link.receive(&frame(asked.api, 0, asked.correlation, &SaslHandshakeResponse::default()));
    link
}

#[test]
fn old_brokers_take_bare_messages() {
    let mut link = old();
    link.ask(1);
    let outbox = link.connection.outbox();
    let bytes = outbox.copy_to_bytes(outbox.remaining());
    assert_eq!(bytes, framed(b"\0alice\0alice-secret"));
    for byte in [0; 4] {
        assert!(!link.connection.is_ready());
        link.receive(&[byte]);
    }
    assert!(link.connection.is_ready());
    // What follows has headers again.
    let asked = link.seen().pop().unwrap();
    assert_eq!((asked.api, asked.version), (ApiKey::METADATA, 2));

    let mut link = old();
    link.peer_closes();
    assert!(link.closed().0.suggests_wrong_credentials());
    let mut link = old();
    link.receive(b"\x7f\xff\xff\xff");
    assert!(matches!(link.closed().0, CloseReason::Misbehaved(_)));
}

/// A connection whose session is nearly over, and that has so many requests under way.
fn expiring(under_way: u64) -> Link {
    let mut link = versed(fixed());
    accept(&mut link, 60_000);
    assert!(matches!(link.events()[..], [ConnectionEvent::Ready(_)]));
    for number in 0..under_way {
        link.ask(number);
    }
    link.pass(50_000);
    link.ask(100);
    link.pass(7_000);
    link
}

#[test]
fn a_session_is_renewed_before_it_ends_and_costs_no_request() {
    let mut link = expiring(0);
    let first = link.seen();
    assert_eq!(first.len(), 1, "50 s of 60 s are over: it holds");
    link.ask(101);
    link.ask(102);
    assert!(link.seen().is_empty(), "nothing new is sent");
    assert!(link.connection.poll_timeout().unwrap() > link.now);
    link.answer(first[0].correlation, 0);
    assert_eq!(answered(&link.events()), [100]);
    assert_eq!(link.connection.state, State::Reauthenticating);
    accept(&mut link, 60_000);
    assert!(link.events().is_empty(), "nobody needs to know");
    let seen = link.correlations();
    assert_eq!(seen.len(), 2);
    link.answer(seen[0], 0);
    link.answer(seen[1], 0);
    assert_eq!(answered(&link.events()), [101, 102]);
    // And again.
    link.pass(58_000);
    link.ask(103);
    accept(&mut link, 0);
    assert_eq!(link.seen().len(), 1);
    link.pass(10_000);
    link.ask(104);
    assert_eq!(link.seen().len(), 1, "for good");
}

#[test]
fn the_time_of_a_request_begins_when_the_connection_is_ready() {
    // It waits for 400 ms, of its 500, while the connection is set up: the broker has 500 ms all the same.
    let mut link = Link::new(fixed());
    let deadline = link.now + Duration::from_millis(500);
    link.submit(metadata(1, deadline)).unwrap();
    link.pass(150);
    link.connection.handle_open(link.now);
    let asked = link.seen().pop().unwrap();
    link.pass(150);
    link.submit(metadata(2, deadline)).unwrap();
    link.receive(&versions_frame(asked.version, asked.correlation));
    link.pass(100);
    accept(&mut link, 60_000);
    assert!(matches!(link.events()[..], [ConnectionEvent::Ready(_)]));
    assert_eq!(link.seen().len(), 2);
    // The second one came 300 ms later, and waited for 100.
    assert_eq!(link.connection.poll_timeout(), Some(link.now + Duration::from_millis(200)));
    link.pass(199);
    assert!(link.events().is_empty());
    link.pass(1);
    assert_eq!(link.closed().0, CloseReason::RequestTimeout { api: ApiKey::METADATA });
}

#[test]
fn the_time_of_a_request_stands_still_while_a_session_is_renewed() {
    let mut link = expiring(0);
    let first = link.seen();
    link.answer(first[0].correlation, 0);
    link.events();
    link.submit(metadata(101, link.now + Duration::from_millis(500))).unwrap();
    link.pass(400);
    accept(&mut link, 60_000);
    assert_eq!(link.seen().len(), 1);
    link.pass(499);
    assert!(link.events().is_empty());
    link.pass(1);
    assert_eq!(link.closed().0, CloseReason::RequestTimeout { api: ApiKey::METADATA });
}

#[test]
fn an_idle_connection_is_left_alone_until_it_is_needed() {
    let mut link = versed(fixed());
    accept(&mut link, 1_000);
    link.events();
    assert_eq!(link.connection.poll_timeout(), Some(link.now + Duration::from_secs(540)));
    link.pass(100_000);
    assert!(link.seen().is_empty());
    link.ask(1);
    accept(&mut link, 1_000);
    assert_eq!(link.seen().len(), 1);
}

#[test]
fn a_request_without_an_answer_does_not_hold_up_the_renewal() {
    let mut link = expiring(0);
    let first = link.seen();
    let mut outgoing = metadata(101, Instant::MAX);
    outgoing.no_response = true;
    link.answer(first[0].correlation, 0);
    link.events();
    link.submit(outgoing).unwrap();
    accept(&mut link, 1_000);
    assert_eq!(link.seen().len(), 1);
    assert!(matches!(link.events()[..], [ConnectionEvent::Written { .. }]));
    link.pass(2_000);
    link.ask(102);
    assert_eq!(link.connection.state, State::Reauthenticating);
}

#[test]
fn a_renewal_that_fails_costs_the_connection_and_tells_what_was_not_sent() {
    let mut link = expiring(0);
    let first = link.seen();
    link.ask(101);
    link.answer(first[0].correlation, 0);
    link.events();
    shake_hands(&mut link);
    message(&mut link);
    link.pass(10_000);
    let unanswered = std::vec![Unanswered { token: token(101), written: false }];
    assert_eq!(link.closed(), (CloseReason::SetupTimeout(Progress::Authentication), unanswered));
}

#[test]
fn an_issuers_refusal_is_told() {
    let bearer = BearerToken { token: Secret::from("abc"), lifetime: None, extensions: Vec::new() };
    let credentials = CredentialSource::Fixed(bearer.into());
    let sasl = Some(SaslConfig { mechanism: Mechanism::OAuthBearer, credentials });
    let mut link = versed(ConnectionConfig { sasl, ..ConnectionConfig::default() });
    let asked = link.seen().pop().unwrap();
    link.receive(&frame(asked.api, 1, asked.correlation, &SaslHandshakeResponse::default()));
    let asked = message(&mut link);
    let auth_bytes = Bytes::from_static(br#"{"status":"invalid_token"}"#);
    say(&mut link, &asked, &SaslAuthenticateResponse { auth_bytes, ..SaslAuthenticateResponse::default() });
    let asked = message(&mut link);
    let error_code = ErrorCode::SASL_AUTHENTICATION_FAILED;
    say(&mut link, &asked, &SaslAuthenticateResponse { error_code, ..SaslAuthenticateResponse::default() });
    assert_eq!(
        format!("{}", link.closed().0),
        "authentication failed: the broker does not accept the token: invalid_token"
    );
}

#[test]
fn nothing_shows_the_password() {
    let mut link = versed(fixed());
    shake_hands(&mut link);
    let shown = format!("{:?}", link.connection);
    assert!(shown.contains("alice"), "{shown}");
    assert!(!shown.contains("alice-secret"), "{shown}");
}
