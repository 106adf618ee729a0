//! The same requests, legal and illegal, to the embedded broker and to real Kafka: every field of every answer must
//! be the same, but for what legitimately differs (`transcript`), and for known differences, each of which is
//! explained in `sim/FIDELITY.md`.
//!
//! `KLAMM_DIFFERENTIAL_VERSION` names another release than 4.2.0, for both sides.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use klamm_tests::cluster::{Cluster, ClusterSpec, Kind};
use klamm_tests::scenario::within;
use klamm_tests::{Outcome, real};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

mod case;
mod cases;
mod records;
mod requests;
mod talk;
mod transcript;
mod tree;

use case::Case;
use talk::Talk;

/// The release that both sides are of by default.
const RELEASE: &str = "4.2.0";

fn main() -> std::process::ExitCode {
    if let Some(reason) = real::why_unavailable() {
        // Nobody is to take a run without real brokers for one with them.
        drop(writeln!(std::io::stderr(), "SKIPPED: the comparison with real Kafka, because {reason}"));
    }
    let mut arguments = Arguments::from_args();
    // Cases mostly wait for brokers.
    arguments.test_threads.get_or_insert(4);
    let release = std::env::var("KLAMM_DIFFERENTIAL_VERSION").map_or(RELEASE, |version| version.leak());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let run = Run { release, started: now };
    let mut trials: Vec<_> = cases::all().into_iter().map(|case| run.trial(case)).collect();
    trials.push(Trial::test("every_known_difference_is_explained", || {
        cases::check_explanations(cases::all()).map_err(|error| Failed::from(error.to_string()))
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What all cases of a run have in common.
#[derive(Clone, Copy)]
struct Run {
    release: &'static str,
    /// Since 1970.
    started: Duration,
}

impl Run {
    const fn cluster(self, kind: Kind) -> ClusterSpec {
        ClusterSpec { brokers: 3, max_group_size: Some(3), ..ClusterSpec::new(kind, self.release) }
    }

    fn trial(self, case: Case) -> Trial {
        let case = Arc::new(case);
        Trial::ignorable_test(case.name.clone(), move || {
            if let Some(reason) = real::why_unavailable() {
                return Ok(Completion::ignored_with(reason));
            }
            let case = Arc::clone(&case);
            within(Duration::from_secs(120), move || self.act(&case))?;
            Ok(Completion::Completed)
        })
    }

    fn act(self, case: &Case) -> Outcome<()> {
        let epoch_ms = i64::try_from(self.started.as_millis())? - 3_600_000;
        // Clusters that are kept from one run to the next have the names of earlier runs.
        let prefix = format!("{}-{}", case.name.replace("::", "-"), self.started.as_millis() % 100_000_000);
        let mut sides = Vec::new();
        for kind in [Kind::Embedded, Kind::Real] {
            let cluster = Cluster::start(self.cluster(kind))?;
            let mut talk = Talk::new(&cluster, prefix.clone(), epoch_ms);
            (case.script)(&mut talk).map_err(|error| format!("{kind:?}: {error}"))?;
            sides.push(talk.into_lines());
        }
        let real = sides.remove(1);
        if real.is_empty() {
            return Err("nothing was seen".into());
        }
        case.compare(sides.remove(0), real)
    }
}
