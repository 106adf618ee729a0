//! Members of the chain: processes that copy a topic exactly once until they are killed.
//!
//! Those of Klamm are this program itself, started with [`FLAG`] and what to copy.

use std::process::{Command, ExitCode};
use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::adapters::Adapter;
use klamm_tests::members::MemberSettings;
use klamm_tests::real::RealKafka;
use klamm_tests::security::Credentials;

/// The first argument of a process that is a member.
const FLAG: &str = "--member-of-chain";

/// Who a member is, whatever process it is in.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The adapter; none is Java's client.
    pub(super) adapter: Option<Adapter>,
    pub(super) bootstrap: String,
    pub(super) coordinator_assigns: bool,
    pub(super) group: String,
    pub(super) transactional_id: String,
    pub(super) from: String,
    pub(super) to: String,
}

impl Member {
    fn protocol(&self) -> &'static str {
        if self.coordinator_assigns { "consumer" } else { "classic" }
    }

    /// A process of its own; `apache` runs Java's.
    pub(super) fn command(&self, apache: Option<&RealKafka>) -> Outcome<Command> {
        let mut command = match (self.adapter, apache) {
            (Some(adapter), _) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args([FLAG, adapter.name()]);
                command
            }
            (None, Some(apache)) => apache.java("ExactlyOnce.java"),
            (None, None) => return Err("there is no Java to run a member".into()),
        };
        command.args([&*self.bootstrap, &self.group, self.protocol(), &self.transactional_id]);
        command.args([&self.from, &self.to]);
        Ok(command)
    }
}

/// What this process has to do instead of the scenarios, if it is a member.
pub(crate) fn run() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, rest @ ..] = arguments.as_slice() else { return None };
    (flag == FLAG).then(|| match copy(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            // Who started it may be gone.
            drop(writeln!(std::io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    })
}

fn copy(arguments: &[String]) -> Outcome<()> {
    let [adapter, bootstrap, group, protocol, transactional_id, from, to] = arguments else {
        return Err("a member is told other things".into());
    };
    let adapter = Adapter::ALL.into_iter().find(|each| each.name() == adapter).ok_or("no such adapter")?;
    let bootstrap: Vec<_> = bootstrap.split(',').map(str::to_owned).collect();
    let client = adapter.connect_within(&bootstrap, Credentials::default(), Duration::from_secs(60))?;
    let settings = MemberSettings {
        auto_commit: false,
        coordinator_assigns: protocol == "consumer",
        ..MemberSettings::new(group, from)
    };
    client.copy_exactly_once(&settings, transactional_id, to, &mut || false)
}
