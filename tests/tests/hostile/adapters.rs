//! The adapters against hostile peers.

use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::adapters::Adapter;
use klamm_tests::hostile::{HostileServer, Misbehaviour};
use klamm_tests::scenario::within;
use klamm_tests::security::Credentials;
use libtest_mimic::Trial;

use crate::memory;

/// What a client is given to find its cluster, and for a request.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    Adapter::ALL.into_iter().flat_map(|adapter| {
        Misbehaviour::ALL.into_iter().map(move |misbehaviour| {
            let name = format!("adapters::{}::{}", misbehaviour.name(), adapter.name());
            Trial::test(name, move || within(Duration::from_secs(60), move || meet(adapter, misbehaviour)))
        })
    })
}

/// Connects and, should that go well, creates a topic: one of them must fail and say why.
fn meet(adapter: Adapter, misbehaviour: Misbehaviour) -> Outcome<()> {
    let server = HostileServer::start(misbehaviour)?;
    let attempt = adapter
        .connect_within(&[server.address()], Credentials::default(), TIMEOUT)
        .and_then(|client| client.create_topic("t", 1, 1));
    let Err(error) = attempt else { return Err("a topic was created by no Kafka".into()) };
    let said = error.to_string();
    let lower = said.to_lowercase();
    let causes = misbehaviour.causes();
    assert!(causes.iter().any(|cause| lower.contains(cause)), "names one of {causes:?}: {said}");
    assert!(!said.contains('\n'), "one line: {said}");
    assert!(server.accepted() < 100, "{} connections in {TIMEOUT:?}", server.accepted());
    assert!(
        memory::largest() < memory::LARGEST_ALLOWED,
        "{} bytes were allocated at once",
        memory::largest()
    );
    if misbehaviour.is_plain_at_once() {
        assert_eq!(server.accepted(), 1, "what is at the port is plain from its first answer");
    }
    Ok(())
}
