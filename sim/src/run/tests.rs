use super::*;
use crate::plan::Profile;

/// The line that a failure prints.
fn assert_holds(plan: &Plan, report: &Report) {
    assert!(report.violations.is_empty(), "{:?} seed {}: {}", plan.profile, plan.seed, report.violations[0]);
}

#[test]
fn the_smoke_profile_holds() {
    for seed in 0..16 {
        let plan = Plan::generate(Profile::Smoke, seed);
        let report = run(&plan, Options::default());
        assert_holds(&plan, &report);
        assert!(report.counts.written > 0 && report.counts.delivered > report.counts.written, "{report:?}");
    }
}
