//! Requests for credentials.

use std::sync::Weak;

use bytes::Bytes;
use klamm_core::{ConnectionId, Instant};

use super::{Challenge, CredentialRequest, CredentialRequests, Desk, Dialogue};
use crate::{Answer, Mechanism, Sasl, Secret, block_on};

fn desk() -> (std::sync::Arc<Desk>, CredentialRequests) {
    let (sasl, requests) = Sasl::asking(Mechanism::OAuthBearer);
    (sasl.into_parts().1.unwrap(), requests)
}

/// Whether there may be an answer.
fn ask(desk: &Desk, deadline: Instant, wakers: &mut Vec<std::task::Waker>) -> bool {
    match desk {
        Desk::Credentials(desk) => {
            let request = CredentialRequest::new(Weak::new(), deadline);
            desk.ask(request, wakers).map_err(CredentialRequest::withdraw).is_ok()
        }
        Desk::Challenges(desk) => {
            let dialogue = Dialogue::new(&Weak::new(), ConnectionId(7));
            let message = Some(Bytes::from_static(b"challenge"));
            let challenge = Challenge::new(Weak::new(), dialogue, "broker-1".into(), message, deadline);
            desk.ask(challenge, wakers).map_err(Challenge::withdraw).is_ok()
        }
    }
}

#[test]
fn requests_come_in_order_and_end_with_the_last_client() {
    let (desk, mut requests) = desk();
    let other = std::sync::Arc::clone(&desk);
    let mut wakers = Vec::new();
    for seconds in [1, 2] {
        assert!(ask(&desk, Instant::from_millis(seconds * 1_000), &mut wakers));
    }
    Desk::leave(desk, &mut wakers);
    for seconds in [1, 2] {
        let request = block_on(requests.next()).unwrap();
        assert_eq!(request.deadline(), Instant::from_millis(seconds * 1_000));
        request.answer::<crate::BearerToken, _>(Err("there is no client"));
    }
    Desk::leave(other, &mut wakers);
    assert!(block_on(requests.next()).is_none());
}

#[test]
fn nobody_is_asked_who_does_not_listen() {
    let (desk, requests) = desk();
    drop(requests);
    assert!(!ask(&desk, Instant::ZERO, &mut Vec::new()));
}

#[test]
fn challenges_say_whose_they_are_and_what_the_broker_said() {
    let (sasl, mut challenges) = Sasl::answering(Mechanism::Gssapi);
    assert_eq!(sasl.mechanism(), Mechanism::Gssapi);
    let desk = sasl.into_parts().1.unwrap();
    let mut wakers = Vec::new();
    assert!(ask(&desk, Instant::MAX, &mut wakers) && ask(&desk, Instant::MAX, &mut wakers));
    let first = block_on(challenges.next()).unwrap();
    assert_eq!((first.host(), first.message()), ("broker-1", Some(&b"challenge"[..])));
    assert_eq!(first.time_left(), std::time::Duration::ZERO, "its client is gone");
    let shown = format!("{first:?}");
    assert!(shown.contains("broker-1") && !shown.contains("challenge"), "{shown}");
    let second = block_on(challenges.next()).unwrap();
    assert_eq!(first.dialogue(), second.dialogue());
    first.answer::<String>(Ok(Answer { message: Secret::from("a"), is_last: true }));
    drop(second);
    Desk::leave(desk, &mut wakers);
    assert!(block_on(challenges.next()).is_none());

    let (sasl, challenges) = Sasl::answering(Mechanism::Gssapi);
    drop(challenges);
    assert!(!ask(&sasl.into_parts().1.unwrap(), Instant::MAX, &mut Vec::new()));
}

#[test]
fn no_debug_text_shows_a_secret() {
    let shown = format!("{:?} {:?}", Sasl::plain("alice", "hunter2"), Sasl::oauth_bearer("eyJhbGciOi"));
    assert!(!shown.contains("hunter2") && !shown.contains("eyJ"), "{shown}");
}
