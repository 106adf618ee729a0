//! Authentication by messages that are made elsewhere.

use core::time::Duration;
use std::format;

use bytes::{Buf, Bytes};
use klamm_protocol::{
    ApiKey, ErrorCode, Message, Str,
    messages::{
        sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse},
        sasl_handshake::SaslHandshakeResponse,
    },
    wire::Reader,
};

use super::{
    authentication::{message, plain, say, shake_hands, versed},
    link::{Link, Seen, frame, framed, versions_response},
};
use crate::{
    connection::{CloseReason, ConnectionEvent, Progress, state::State},
    sasl::{Answer, AuthenticationError, CredentialSource, Secret},
};

fn begun() -> Link {
    let mut link = versed(plain(CredentialSource::Elsewhere));
    shake_hands(&mut link);
    link
}

/// What is asked for: an answer to this.
fn challenge(link: &mut Link) -> Option<Bytes> {
    let events = link.events();
    let [ConnectionEvent::AnswerNeeded { challenge, .. }] = &events[..] else { panic!("{events:?}") };
    challenge.clone()
}

fn answer(link: &mut Link, message: &str, is_last: bool) {
    let message = Secret::from(message);
    link.connection.handle_answer(link.now, Ok(Answer { message, is_last }));
}

/// The message that the broker gets.
fn heard(link: &mut Link) -> (Seen, Bytes) {
    let asked = message(link);
    let request = SaslAuthenticateRequest::decode(&mut Reader::new(asked.body.clone()), 2).unwrap();
    (asked, request.auth_bytes)
}

fn reply(link: &mut Link, to: &Seen, auth_bytes: &'static [u8], session_lifetime_ms: i64) {
    let auth_bytes = Bytes::from_static(auth_bytes);
    let response =
        SaslAuthenticateResponse { auth_bytes, session_lifetime_ms, ..SaslAuthenticateResponse::default() };
    say(link, to, &response);
}

/// All of a dialogue of three messages, beginning with the first question.
fn accept(link: &mut Link, session_lifetime_ms: i64) {
    assert_eq!(challenge(link), None, "the first message");
    assert!(link.seen().is_empty(), "nothing is sent meanwhile");
    answer(link, "one", false);
    let (asked, said) = heard(link);
    assert_eq!(said, "one");
    reply(link, &asked, b"two", 0);
    assert_eq!(challenge(link).as_deref(), Some(&b"two"[..]));
    answer(link, "", false);
    let (asked, said) = heard(link);
    assert_eq!(said, "");
    reply(link, &asked, b"", 0);
    assert_eq!(challenge(link).as_deref(), Some(&b""[..]), "an empty one too");
    answer(link, "three", true);
    let (asked, said) = heard(link);
    assert_eq!(said, "three");
    reply(link, &asked, b"", session_lifetime_ms);
}

#[test]
fn each_message_is_asked_for_at_first_and_again() {
    let mut link = begun();
    link.ask(1);
    accept(&mut link, 60_000);
    assert!(matches!(link.events()[..], [ConnectionEvent::Ready(_)]));
    let seen = link.seen();
    assert_eq!(seen.len(), 1, "the queued request");
    link.answer(seen[0].correlation, 0);
    link.events();

    link.pass(58_000);
    link.ask(2);
    assert_eq!(link.connection.state, State::Reauthenticating);
    shake_hands(&mut link);
    accept(&mut link, 0);
    assert_eq!(link.seen().len(), 1, "no request is lost");
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let mut link = versed(plain(CredentialSource::Elsewhere));
    answer(&mut link, "early", true);
    shake_hands(&mut link);
    challenge(&mut link);
    answer(&mut link, "one", false);
    answer(&mut link, "twice", true);
    let (asked, said) = heard(&mut link);
    assert_eq!(said, "one");
    reply(&mut link, &asked, b"two", 0);
    assert!(challenge(&mut link).is_some(), "the second one was not the last");
}

#[test]
fn without_an_answer_the_connection_ends() {
    let mut link = begun();
    let deadline = link.now + Duration::from_secs(10);
    assert_eq!(link.events(), [ConnectionEvent::AnswerNeeded { challenge: None, deadline }]);
    link.connection.handle_answer(link.now, Err(Str::from_static("there is no ticket")));
    let (reason, _) = link.closed();
    assert_eq!(format!("{reason}"), "authentication failed: there is no ticket");
    assert!(!reason.is_misconfiguration(), "there may be one later");

    let mut link = begun();
    link.events();
    link.pass(10_000);
    assert_eq!(link.closed().0, CloseReason::SetupTimeout(Progress::Authentication));
    answer(&mut link, "late", false);
    assert!(link.seen().is_empty());
}

#[test]
fn a_refusal_is_told_in_the_brokers_words() {
    let mut link = begun();
    challenge(&mut link);
    answer(&mut link, "one", false);
    let (asked, _) = heard(&mut link);
    let response = SaslAuthenticateResponse {
        error_code: ErrorCode::SASL_AUTHENTICATION_FAILED,
        error_message: Some(Str::from_static("who is that?")),
        ..SaslAuthenticateResponse::default()
    };
    say(&mut link, &asked, &response);
    let rejected = AuthenticationError::Rejected(Some(Str::from_static("who is that?")));
    assert_eq!(link.closed().0, CloseReason::AuthenticationFailed(rejected));
}

#[test]
fn bare_messages_end_without_the_brokers_last_word() {
    let mut link = Link::opened(plain(CredentialSource::Elsewhere));
    let asked = link.seen().pop().unwrap();
    let offered = [(ApiKey::METADATA, 0, 2), (ApiKey::SASL_HANDSHAKE, 0, 0)];
    let response = versions_response(&offered, ErrorCode::NONE);
    link.receive(&frame(ApiKey::API_VERSIONS, asked.version, asked.correlation, &response));
    let asked = link.seen().pop().unwrap();
    link.receive(&frame(asked.api, 0, asked.correlation, &SaslHandshakeResponse::default()));
    let written = |link: &mut Link| {
        let outbox = link.connection.outbox();
        outbox.copy_to_bytes(outbox.remaining())
    };
    assert_eq!(challenge(&mut link), None);
    answer(&mut link, "one", false);
    assert_eq!(written(&mut link), framed(b"one"));
    link.receive(&framed(b"two"));
    assert_eq!(challenge(&mut link).as_deref(), Some(&b"two"[..]));
    answer(&mut link, "three", true);
    assert!(link.connection.is_ready());
    assert_eq!(written(&mut link), framed(b"three"));
    link.ask(1);
    assert_eq!(link.seen()[0].api, ApiKey::METADATA);
}
