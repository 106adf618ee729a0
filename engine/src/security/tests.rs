//! Requests for credentials.

use std::sync::Weak;

use klamm_core::Instant;

use super::{CredentialRequests, Desk};
use crate::{Mechanism, Sasl, block_on};

fn desk() -> (std::sync::Arc<Desk>, CredentialRequests) {
    let (sasl, requests) = Sasl::asking(Mechanism::OAuthBearer);
    (sasl.into_parts().1.unwrap(), requests)
}

#[test]
fn requests_come_in_order_and_end_with_the_last_client() {
    let (desk, mut requests) = desk();
    let other = std::sync::Arc::clone(&desk);
    let mut wakers = Vec::new();
    for seconds in [1, 2] {
        assert!(desk.ask(Weak::new(), Instant::from_millis(seconds * 1_000), &mut wakers));
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
    assert!(!desk.ask(Weak::new(), Instant::ZERO, &mut Vec::new()));
}

#[test]
fn no_debug_text_shows_a_secret() {
    let shown = format!("{:?} {:?}", Sasl::plain("alice", "hunter2"), Sasl::oauth_bearer("eyJhbGciOi"));
    assert!(!shown.contains("hunter2") && !shown.contains("eyJ"), "{shown}");
}
