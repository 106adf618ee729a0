//! Credentials from outside.

use core::time::Duration;
use std::vec::Vec;

use klamm_protocol::Str;

use crate::{
    ConnectionId, Instant,
    sasl::{BearerToken, Credentials, Secret, Vault, VaultOutput},
};

fn token(lifetime: Option<u64>) -> Credentials {
    let lifetime = lifetime.map(Duration::from_secs);
    Credentials::Bearer(BearerToken { token: Secret::from("abc"), lifetime, extensions: Vec::new() })
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn outputs(vault: &mut Vault) -> Vec<VaultOutput> {
    core::iter::from_fn(|| vault.poll()).collect()
}

fn give(connection: u32, result: Result<Credentials, Str>) -> VaultOutput {
    VaultOutput::Give { connection: ConnectionId(connection), result }
}

#[test]
fn asks_once_for_all_and_again_when_most_of_the_lifetime_is_over() {
    let mut vault = Vault::default();
    vault.need(at(10), ConnectionId(1), at(20));
    vault.need(at(11), ConnectionId(2), at(21));
    assert_eq!(outputs(&mut vault), [VaultOutput::Ask { deadline: at(20) }]);
    let first = token(Some(100));
    vault.handle(at(12), Ok(first.clone()));
    assert_eq!(outputs(&mut vault), [give(1, Ok(first.clone())), give(2, Ok(first.clone()))]);
    vault.need(at(12 + 79), ConnectionId(3), at(100));
    assert_eq!(outputs(&mut vault), [give(3, Ok(first))]);
    vault.need(at(12 + 80), ConnectionId(4), at(100));
    assert_eq!(outputs(&mut vault), [VaultOutput::Ask { deadline: at(100) }]);
}

#[test]
fn without_a_lifetime_nothing_is_kept() {
    let mut vault = Vault::default();
    vault.need(at(1), ConnectionId(1), at(20));
    vault.handle(at(2), Ok(token(None)));
    vault.need(at(2), ConnectionId(2), at(20));
    assert_eq!(
        outputs(&mut vault),
        [
            VaultOutput::Ask { deadline: at(20) },
            give(1, Ok(token(None))),
            VaultOutput::Ask { deadline: at(20) }
        ]
    );
}

#[test]
fn a_failure_is_told_to_all_and_kept_for_nobody() {
    let mut vault = Vault::default();
    vault.need(at(1), ConnectionId(1), at(20));
    vault.need(at(1), ConnectionId(2), at(20));
    vault.forget(ConnectionId(1), false);
    let why = Str::from_static("the issuer is down");
    vault.handle(at(3), Err(why.clone()));
    vault.need(at(4), ConnectionId(3), at(20));
    let ask = || VaultOutput::Ask { deadline: at(20) };
    assert_eq!(outputs(&mut vault), [ask(), give(2, Err(why)), ask()]);
}

#[test]
fn what_a_broker_rejects_is_not_used_again() {
    let mut vault = Vault::default();
    vault.handle(at(1), Ok(token(Some(1_000))));
    vault.need(at(2), ConnectionId(1), at(20));
    assert_eq!(outputs(&mut vault), [give(1, Ok(token(Some(1_000))))]);
    vault.forget(ConnectionId(1), true);
    vault.need(at(3), ConnectionId(2), at(20));
    assert_eq!(outputs(&mut vault), [VaultOutput::Ask { deadline: at(20) }]);
}
