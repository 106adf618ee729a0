//! The adapters against peers that are hostile before authentication.

use std::time::Duration;

use klamm_engine::{Sasl, Tls};
use klamm_tests::Outcome;
use klamm_tests::adapters::Adapter;
use klamm_tests::hostile::Ambush;
use klamm_tests::scenario::within;
use klamm_tests::security::{Authority, Credentials};
use libtest_mimic::Trial;

use crate::memory;

/// What a client is given to find its cluster.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    [Adapter::Tokio, Adapter::Blocking].into_iter().flat_map(|adapter| {
        Ambush::ALL.into_iter().map(move |ambush| {
            let name = format!("ambushes::{ambush:?}::{}", adapter.name());
            Trial::test(name, move || within(Duration::from_secs(60), move || meet(adapter, ambush)))
        })
    })
}

/// Connects, which must fail, say why, and take neither much memory nor many attempts.
fn meet(adapter: Adapter, ambush: Ambush) -> Outcome<()> {
    let authority = Authority::new("the root")?;
    let server = ambush.start(&authority.issue("broker", &["127.0.0.1"], 2095)?)?;
    let credentials = if ambush.is_of_tls() {
        Credentials { tls: Some(Tls::new().ca_pem(authority.pem())), sasl: None }
    } else {
        Credentials { tls: None, sasl: Some(Sasl::scram_sha_256("alice", "alice-secret")) }
    };
    let Err(error) = adapter.connect_within(&[server.address()], credentials, TIMEOUT) else {
        return Err("it connected".into());
    };
    let said = error.to_string();
    let causes = ambush.causes();
    assert!(causes.iter().any(|cause| said.contains(cause)), "names one of {causes:?}: {said}");
    assert!(!said.contains('\n') && !said.contains("alice-secret"), "{said}");
    assert!((1..100).contains(&server.accepted()), "{} connections in {TIMEOUT:?}", server.accepted());
    assert!(
        memory::largest() < memory::LARGEST_ALLOWED,
        "{} bytes were allocated at once",
        memory::largest()
    );
    Ok(())
}
