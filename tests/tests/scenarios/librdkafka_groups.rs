//! Members of Klamm's and of librdkafka's in one group, whichever came first and leads.

use std::time::Duration;

use klamm_tests::members::MemberSettings;
use klamm_tests::scenario::Stage;
use klamm_tests::{Outcome, librdkafka};

use crate::java_groups::{First, Other, share};

/// By the assignor `range`.
pub(crate) fn range(stage: &Stage) -> Outcome<()> {
    sharing(stage, "range", false)
}

/// Partitions stay where they are during rebalances.
pub(crate) fn cooperative(stage: &Stage) -> Outcome<()> {
    sharing(stage, "cooperative-sticky", false)
}

/// The coordinator assigns (KIP-848).
pub(crate) fn by_coordinator(stage: &Stage) -> Outcome<()> {
    sharing(stage, "", true)
}

fn sharing(stage: &Stage, strategy: &'static str, coordinator_assigns: bool) -> Outcome<()> {
    for (first, name) in [(First::Klamm, "klamm-first"), (First::Other, "other-first")] {
        let settings = MemberSettings {
            coordinator_assigns,
            assignors: vec![if coordinator_assigns { "range" } else { strategy }],
            max_poll_interval: Duration::from_secs(60),
            ..MemberSettings::new("", "")
        };
        let other: Other = Box::new(move |topic, bootstrap| {
            let protocol = if coordinator_assigns { "consumer" } else { "classic" };
            let output = librdkafka::run("member.py", &[bootstrap, topic, topic, protocol, strategy, "15"])?;
            String::from_utf8(output)?.lines().map(|line| Ok(line.parse()?)).collect()
        });
        share(stage, name, settings, first, other)?;
    }
    Ok(())
}
