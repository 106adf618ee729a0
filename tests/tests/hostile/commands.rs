//! The commands of the tool against hostile peers.

use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::hostile::{HostileServer, Misbehaviour};
use klamm_tests::program::{klamm, path};
use klamm_tests::scenario::within;
use libtest_mimic::Trial;

const COMMANDS: [(&str, &[&str]); 6] = [
    ("topic_list", &["topic", "list"]),
    ("topic_create", &["topic", "create", "t"]),
    ("topic_describe", &["topic", "describe", "t"]),
    ("topic_delete", &["topic", "delete", "t"]),
    ("produce", &["produce", "t"]),
    ("consume", &["consume", "t", "--from-beginning", "--exit-at-end"]),
];

/// What the tool is given, in seconds.
const TIMEOUT_S: &str = "2";

/// The tool's own memory and its libraries' take part of this.
const MEMORY_MIB: u32 = 400;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    COMMANDS.into_iter().flat_map(|(command, arguments)| {
        Misbehaviour::ALL.into_iter().map(move |misbehaviour| {
            let name = format!("commands::{command}::{}", misbehaviour.name());
            Trial::test(name, move || {
                // Building the tool is no part of the time.
                path()?;
                within(Duration::from_secs(60), move || meet(arguments, misbehaviour))
            })
        })
    })
}

fn meet(arguments: &[&str], misbehaviour: Misbehaviour) -> Outcome<()> {
    let server = HostileServer::start(misbehaviour)?;
    let address = server.address();
    let all = [arguments, &["-b", &address, "--timeout", TIMEOUT_S]].concat();
    let ran = klamm(&all, b"a line\n", Some(MEMORY_MIB))?;
    let said = ran.errors.trim_end();
    if misbehaviour == Misbehaviour::NeverReady && arguments.contains(&"list") {
        // A cluster without topics is no fault.
        assert_eq!(ran.code, Some(0), "{said}");
        return Ok(());
    }
    assert!(matches!(ran.code, Some(1 | 2)), "ended with {:?}: {said}", ran.code);
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    let lower = said.to_lowercase();
    let causes = misbehaviour.causes();
    assert!(causes.iter().any(|cause| lower.contains(cause)), "names one of {causes:?}: {said}");
    let names_broker = said.contains(&address) || misbehaviour == Misbehaviour::NeverReady;
    assert!(names_broker, "names the broker: {said}");
    assert!(server.accepted() < 100, "{} connections in {TIMEOUT_S} s", server.accepted());
    if misbehaviour.is_plain_at_once() {
        assert_eq!(server.accepted(), 1, "what is at the port is plain from its first answer");
    }
    Ok(())
}
