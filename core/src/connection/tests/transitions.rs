//! Every state with every input.

use std::{format, string::String};

use bytes::Buf;
use klamm_protocol::Str;

use super::{
    authentication::plain,
    link::{Link, metadata, versions_frame},
};
use crate::{
    Instant,
    connection::{
        Connection, ConnectionConfig, TransportEnd,
        state::{Input, State, TRANSITIONS},
    },
    sasl::{CredentialSource, Password, Secret},
};

const STATES: [State; 6] = [
    State::Connecting,
    State::Versions,
    State::Authenticating,
    State::Ready,
    State::Reauthenticating,
    State::Closed,
];

#[test]
fn the_table_is_the_diagram() {
    let inputs = [
        Input::Opened,
        Input::OtherVersions,
        Input::Offered,
        Input::AuthenticationDue,
        Input::Authenticated,
        Input::Expiring,
        Input::Ended,
    ];
    let mut table = String::new();
    for state in STATES {
        table += &format!("{state:?}:");
        for input in inputs {
            if let Some(next) = state.after(input) {
                table += &format!(" {input:?}>{next:?}");
            }
        }
        table += "\n";
    }
    assert_eq!(
        table,
        "Connecting: Opened>Versions Ended>Closed\n\
         Versions: OtherVersions>Versions Offered>Ready AuthenticationDue>Authenticating Ended>Closed\n\
         Authenticating: Authenticated>Ready Ended>Closed\n\
         Ready: Expiring>Reauthenticating Ended>Closed\n\
         Reauthenticating: Authenticated>Ready Ended>Closed\n\
         Closed:\n"
    );
    for (at, (from, by, _)) in TRANSITIONS.iter().enumerate() {
        assert!(!TRANSITIONS[..at].iter().any(|(f, b, _)| f == from && b == by), "{from:?} {by:?} twice");
    }
}

/// A connection in each state.
fn in_state(state: State) -> Link {
    let mut link = Link::new(match state {
        State::Authenticating => plain(CredentialSource::Asked),
        _ => ConnectionConfig::default(),
    });
    if state != State::Connecting {
        link.connection.handle_open(link.now);
    }
    if matches!(state, State::Authenticating | State::Ready | State::Reauthenticating) {
        let asked = link.seen().pop().unwrap();
        link.receive(&versions_frame(asked.version, asked.correlation));
    }
    if state == State::Reauthenticating {
        link.connection.renew_authentication(link.now);
    }
    if state == State::Closed {
        link.connection.close();
    }
    link.events();
    assert_eq!(link.connection.state, state);
    link
}

type Act = (&'static str, fn(&mut Connection, Instant));

/// Everything that can be done to a connection.
const ACTS: [Act; 12] = [
    ("open", Connection::handle_open),
    ("answer", |connection, now| {
        let id = connection.correlation - 1;
        let outbox = connection.outbox();
        outbox.advance(outbox.remaining());
        let bytes = versions_frame(4, id);
        connection.read_buffer().extend_from_slice(&bytes);
        connection.handle_read(now);
    }),
    ("garbage", |connection, now| {
        connection.read_buffer().extend_from_slice(b"\xff\xff\xff\xff");
        connection.handle_read(now);
    }),
    ("lost", |connection, now| connection.handle_closed(now, TransportEnd::PeerClosed)),
    ("early", |connection, now| connection.handle_timeout(now)),
    ("late", |connection, _| connection.handle_timeout(Instant::MAX)),
    ("submit", |connection, now| {
        let refused = connection.submit(now, metadata(1, Instant::MAX)).is_err();
        assert_eq!(refused, connection.is_closed());
    }),
    ("credentials", |connection, now| {
        let password = Password { username: Str::from("a"), password: Secret::from("b"), is_token: false };
        connection.handle_credentials(now, Ok(password.into()));
    }),
    ("no credentials", |connection, now| connection.handle_credentials(now, Err(Str::from("no")))),
    ("renew", Connection::renew_authentication),
    ("pause", |connection, now| connection.set_reading(now, false)),
    ("close", |connection, _| connection.close()),
];

#[test]
fn every_state_with_every_input() {
    let mut table = String::new();
    for state in STATES {
        table += &format!("{state:?}:");
        for (name, act) in ACTS {
            let mut link = in_state(state);
            act(&mut link.connection, link.now);
            let next = link.connection.state;
            if next != state {
                table += &format!(" {name}>{next:?}");
            }
            // Whatever happened, the end is told once, and a connection that goes on can still end.
            let told = link.events().iter().filter(|event| is_end(event)).count();
            assert_eq!(
                told,
                usize::from(next == State::Closed && state != State::Closed),
                "{state:?} {name}"
            );
            link.connection.close();
            let told = link.events().iter().filter(|event| is_end(event)).count();
            assert_eq!(told, usize::from(next != State::Closed), "{state:?} {name}");
        }
        table += "\n";
    }
    assert_eq!(
        table,
        "Connecting: open>Versions answer>Closed garbage>Closed lost>Closed late>Closed close>Closed\n\
         Versions: answer>Ready garbage>Closed lost>Closed late>Closed close>Closed\n\
         Authenticating: answer>Closed garbage>Closed lost>Closed late>Closed no credentials>Closed close>Closed\n\
         Ready: answer>Closed garbage>Closed lost>Closed late>Closed renew>Reauthenticating close>Closed\n\
         Reauthenticating: answer>Closed garbage>Closed lost>Closed late>Closed close>Closed\n\
         Closed:\n"
    );
}

fn is_end(event: &crate::connection::ConnectionEvent) -> bool {
    matches!(event, crate::connection::ConnectionEvent::Closed { .. })
}
