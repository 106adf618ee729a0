//! The laws, over scripts by hand and at random.

use core::time::Duration;
use std::{format, string::String, sync::Arc, vec, vec::Vec};

use bytes::{Buf, Bytes};
use klamm_protocol::{
    ApiKey, Str,
    messages::{
        metadata::MetadataResponse, sasl_authenticate::SaslAuthenticateResponse,
        sasl_handshake::SaslHandshakeResponse,
    },
};
use proptest::prelude::*;

use super::authentication::plain;
use super::link::{Link, frame, metadata, token, versions_frame};
use crate::{
    Instant,
    connection::{Connection, ConnectionConfig, ConnectionEvent, TransportEnd},
    laws::{Machine, Step, check, check_batching, check_chunking, step},
    sasl::{Answer, CredentialSource, Password, Secret},
};

#[derive(Clone, Debug)]
enum Act {
    Open,
    /// Answers the newest request, with this throttle.
    Answer(i32),
    Receive(Vec<u8>),
    Write(usize),
    Submit {
        number: u64,
        timeout_ms: u64,
        no_response: bool,
    },
    Abandon(u64),
    Read(bool),
    Credentials(bool),
    /// A message of the mechanism: none, one, or the last one.
    Message(Option<bool>),
    Lost,
    Close,
}

struct Subject {
    connection: Connection,
    written: String,
}

impl Machine for Subject {
    type Input = Act;
    type Output = String;

    fn apply(&mut self, now: Instant, input: &Act) {
        let connection = &mut self.connection;
        match input {
            Act::Open => connection.handle_open(now),
            Act::Answer(throttle) => {
                let outbox = connection.outbox();
                outbox.advance(outbox.remaining());
                let bytes = answer(connection, *throttle);
                connection.read_buffer().extend_from_slice(&bytes);
                connection.handle_read(now);
            }
            Act::Receive(bytes) => {
                connection.read_buffer().extend_from_slice(bytes);
                connection.handle_read(now);
            }
            Act::Write(most) => {
                let outbox = connection.outbox();
                let bytes = outbox.copy_to_bytes(outbox.remaining().min(*most));
                if !bytes.is_empty() {
                    self.written += &format!("{bytes:?}");
                }
            }
            Act::Submit { number, timeout_ms, no_response } => {
                let mut outgoing = metadata(*number, now + Duration::from_millis(*timeout_ms));
                outgoing.no_response = *no_response;
                let _refused = connection.submit(now, outgoing);
            }
            Act::Abandon(number) => {
                connection.abandon(token(*number));
            }
            Act::Read(on) => connection.set_reading(now, *on),
            Act::Credentials(true) => {
                let (username, password) = (Str::from("a"), Secret::from("b"));
                connection
                    .handle_credentials(now, Ok(Password { username, password, is_token: false }.into()));
            }
            Act::Credentials(false) => connection.handle_credentials(now, Err(Str::from("no"))),
            Act::Message(message) => {
                let message = message.map(|is_last| Answer { message: Secret::from("a"), is_last });
                connection.handle_answer(now, message.ok_or_else(|| Str::from("no")));
            }
            Act::Lost => connection.handle_closed(now, TransportEnd::PeerClosed),
            Act::Close => connection.close(),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }

    fn poll(&mut self, _: Instant, origin: Instant) -> Option<String> {
        if !self.written.is_empty() {
            return Some(core::mem::take(&mut self.written));
        }
        self.connection.poll_event().map(|event| match event {
            ConnectionEvent::CredentialsNeeded { deadline } => {
                format!("credentials by {:?}", deadline - origin)
            }
            ConnectionEvent::AnswerNeeded { challenge, deadline } => {
                format!("an answer to {challenge:?} by {:?}", deadline - origin)
            }
            event => format!("{event:?}"),
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    fn backlog(&self) -> usize {
        let connection = &self.connection;
        let held = usize::from(connection.frames.is_mid_frame());
        connection.load() + connection.events.len() + connection.outbox.segments().count() + held
    }

    fn is_terminal(&self) -> bool {
        self.connection.is_closed()
    }
}

/// The answer to the request that is due one.
fn answer(connection: &Connection, throttle_time_ms: i32) -> Bytes {
    match connection.in_flight.next() {
        Some(sent) if sent.api == ApiKey::METADATA => {
            let response = MetadataResponse { throttle_time_ms, ..MetadataResponse::default() };
            frame(sent.api, sent.version, sent.correlation, &response)
        }
        Some(sent) if sent.api == ApiKey::SASL_HANDSHAKE => {
            frame(sent.api, sent.version, sent.correlation, &SaslHandshakeResponse::default())
        }
        Some(sent) if sent.api == ApiKey::SASL_AUTHENTICATE => {
            let session_lifetime_ms = i64::from(throttle_time_ms) * 10;
            let response =
                SaslAuthenticateResponse { session_lifetime_ms, ..SaslAuthenticateResponse::default() };
            frame(sent.api, sent.version, sent.correlation, &response)
        }
        Some(sent) => versions_frame(sent.version, sent.correlation),
        None => Bytes::from_static(b"\0\0\0\x08nonsense"),
    }
}

fn subject(authenticate: bool) -> impl Fn(Instant) -> Subject {
    subject_of(authenticate.then_some(CredentialSource::Asked))
}

fn subject_of(source: Option<CredentialSource>) -> impl Fn(Instant) -> Subject {
    let config = source.map_or_else(ConnectionConfig::default, plain);
    let config = ConnectionConfig { max_in_flight: 3, max_queued: 4, ..config };
    let config = Arc::new(config);
    move |now| Subject { connection: Connection::new(Arc::clone(&config), now), written: String::new() }
}

fn submit(number: u64) -> Act {
    Act::Submit { number, timeout_ms: 30_000, no_response: false }
}

#[test]
fn an_ordinary_life() {
    let script = [
        step(0, submit(1)),
        step(20, Act::Open),
        step(1, Act::Write(usize::MAX)),
        step(5, Act::Answer(0)),
        step(1, submit(2)),
        step(1, Act::Write(30)),
        step(1, Act::Write(usize::MAX)),
        step(50, Act::Answer(250)),
        step(5, submit(3)),
        step(5, Act::Answer(0)),
        step(400, Act::Write(usize::MAX)),
        step(5, Act::Answer(0)),
    ];
    check(subject(false), &script);
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => Just(Act::Open),
        8 => (0..3_i32).prop_map(|throttle| Act::Answer(throttle * 700)),
        1 => prop::collection::vec(any::<u8>(), 0..12).prop_map(Act::Receive),
        4 => (0..200_usize).prop_map(Act::Write),
        6 => (0..6_u64, 0..3_u64, any::<bool>()).prop_map(|(number, scale, no_response)| Act::Submit {
            number,
            timeout_ms: scale * 4_000,
            no_response,
        }),
        1 => (0..6_u64).prop_map(Act::Abandon),
        1 => any::<bool>().prop_map(Act::Read),
        2 => prop::bool::weighted(0.8).prop_map(Act::Credentials),
        2 => prop::option::weighted(0.8, any::<bool>()).prop_map(Act::Message),
        1 => Just(Act::Lost),
        1 => Just(Act::Close),
    ]
}

fn script() -> impl Strategy<Value = Vec<Step<Act>>> {
    let step =
        (act(), prop_oneof![Just(0), 0..50_u64, 0..20_000_u64]).prop_map(|(act, after)| step(after, act));
    prop::collection::vec(step, 0..40)
}

/// Where credentials come from, if there are to be any.
fn source() -> impl Strategy<Value = Option<CredentialSource>> {
    prop_oneof![Just(None), Just(Some(CredentialSource::Asked)), Just(Some(CredentialSource::Elsewhere)),]
}

proptest! {
    #[test]
    fn any_life(script in script(), source in source()) {
        let mut script = script;
        script.insert(0, step(3, Act::Open));
        script.insert(1, step(3, Act::Answer(0)));
        // While reading is stopped nothing is overdue, so what is in flight would stay for ever.
        script.push(step(3, Act::Read(true)));
        check(subject_of(source.clone()), &script);
        // What is written is no output: it leaves when the transport takes it.
        script.retain(|step| !matches!(step.input, Act::Write(_)));
        check_batching(subject_of(source), &script);
    }

    #[test]
    fn any_chunking(answers in 0..6_usize, noise: Vec<u8>) {
        let busy = || {
            let mut link = Link::ready(ConnectionConfig::default());
            for number in 0..6 {
                link.ask(number);
            }
            link.seen();
            link
        };
        let mut bytes = Vec::new();
        let first = busy().connection.correlation - 6;
        for correlation in (first..).take(answers) {
            let response = MetadataResponse::default();
            bytes.extend_from_slice(&frame(ApiKey::METADATA, 12, correlation, &response));
        }
        bytes.extend_from_slice(&noise);
        check_chunking(&bytes, busy, Link::receive, Link::events);
    }
}
