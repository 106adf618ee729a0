use super::*;
use crate::plan::Profile;
use crate::plan::setup::{ClientLine, ProducerLine};
use crate::plan::values::{ClientName, ProducerName};

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

#[test]
fn the_kept_plans_hold() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/plans");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "plan"));
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let plan: Plan = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let report = run(&plan, Options::default());
        assert!(report.violations.is_empty(), "{}: {}", file.display(), report.violations[0]);
        assert!(report.notes.is_empty(), "{}: {:?}", file.display(), report.notes);
        assert!(report.counts.observations > 0, "{}: {report:?}", file.display());
    }
}

#[test]
fn a_run_depends_on_its_plan_only() {
    let plan = Plan::generate(Profile::Swarm, 20);
    let first = run(&plan, Options::default());
    let second = run(&plan, Options::default());
    let later = run(&plan, Options { shift: Duration::from_secs(3_600_000), ..Options::default() });
    let other = run(&Plan { seed: 21, ..plan }, Options::default());
    assert_eq!((first.trace_hash, first.events), (second.trace_hash, second.events));
    assert_eq!((first.trace_hash, first.events), (later.trace_hash, later.events));
    assert_ne!(first.trace_hash, other.trace_hash);
}

#[test]
fn clocks_that_jump_change_timestamps_only() {
    let text = "\
klamm plan 1
seed 4
cluster replication=1ms metadata=5ms
topic t0 partitions=2 replication=3
client c0
producer p0 client=c0 codec=lz4
consumer r0 client=c0 assign=t0/0@time:0,t0/1@earliest
at 0s p0 send topic=t0 records=200 every=1ms
at 30ms jump-clock client=c0 by-ms=86400000
at 60ms crash broker=1 for=300ms
at 90ms jump-clock client=c0 by-ms=-200000000
at 95ms drift-clock client=c0 ppm=200000
heal at 1s
";
    let plan: Plan = text.parse().unwrap();
    let mut report = run(&plan, Options::default());
    let events = report.events;
    clocks::compare(&plan, &mut report);
    assert_holds(&plan, &report);
    assert!(report.events > events * 2, "both were run");
    let calm: Plan = text
        .lines()
        .filter(|line| !line.contains("-clock"))
        .fold(String::new(), |text, line| text + line + "\n")
        .parse()
        .unwrap();
    let mut report = run(&calm, Options::default());
    let events = report.events;
    clocks::compare(&calm, &mut report);
    assert_eq!(report.events, events, "there is nothing to compare");
}

#[test]
fn what_cannot_be_made_is_noted() {
    let mut plan = Plan::empty(1);
    plan.clients.push((ClientName(0), ClientLine::plain()));
    let line = ProducerLine { in_flight: 0, ..ProducerLine::plain(ClientName(0)) };
    plan.producers.push((ProducerName(0), line));
    let report = run(&plan, Options::default());
    assert!(report.notes[0].starts_with("p0: "), "{:?}", report.notes);
}

/// Somebody who panics when the first record is written.
struct Clumsy;

impl Observe for Clumsy {
    fn observe(&mut self, _: Instant, observation: &crate::observe::Observation<'_>) {
        if let crate::observe::Observation::Producing(_, crate::observe::Producing::Written { .. }) =
            observation
        {
            panic!("clumsy");
        }
    }
}

#[test]
fn a_panic_is_a_violation() {
    let mut options = Options::default();
    options.observers.push(Box::new(Clumsy));
    let report = run(&Plan::generate(Profile::Smoke, 0), options);
    assert_eq!(report.invariant(), Some(Invariant::NoPanic));
    assert_eq!(report.violations[0].what, "a panic: clumsy");
}

#[test]
fn a_timeline_has_what_was_asked_for() {
    let plan = Plan::generate(Profile::Smoke, 1);
    let lines = |kept: Kept| {
        let timeline = Timeline::new(&plan, kept);
        let mut options = Options::default();
        options.observers.push(Box::new(timeline.clone()));
        let _report = run(&plan, options);
        timeline.lines()
    };
    let all = lines(Kept::default());
    assert!(all.iter().any(|line| line.who == "p0" && line.what.contains("is accepted")));
    assert!(all.iter().any(|line| line.who == "plan" && line.what.starts_with("crash broker=1")));
    assert!(all.iter().any(|line| line.what.contains("leads t0/")));
    assert!(all.iter().any(|line| line.what.starts_with("sent to b") && line.what.contains("Produce v")));
    let of_broker = lines(Kept { entities: vec!["b2".to_owned()], last: Some(7), ..Kept::default() });
    assert_eq!(of_broker.len(), 7);
    assert!(of_broker.iter().all(|line| line.entities.iter().any(|entity| entity == "b2")));
    let some = lines(Kept { events: Some(100..=110), ..Kept::default() });
    assert_eq!(
        some,
        all.iter().filter(|line| (100..=110).contains(&line.event)).cloned().collect::<Vec<_>>()
    );
}

/// Fails whenever three records or more are sent and broker 2 crashes.
fn sends_and_crashes(plan: &Plan) -> Option<Violation> {
    use crate::plan::{Fault, ProduceAction, What};
    let sends =
        |what: &What| matches!(what, What::Produce(_, ProduceAction::Send(send)) if send.records >= 3);
    let crashes = |what: &What| matches!(what, What::Fault(Fault::Crash(crash)) if crash.broker == 2);
    let has = |wanted: &dyn Fn(&What) -> bool| plan.steps.iter().any(|step| wanted(&step.what));
    (has(&sends) && has(&crashes)).then(|| violation(Invariant::Order, Instant::ZERO, 1, String::new()))
}

#[test]
fn a_failing_plan_becomes_as_small_as_can_be() {
    let mut tried = 0;
    for seed in 0..400 {
        let plan = Plan::generate(Profile::Storm, seed);
        if sends_and_crashes(&plan).is_none() {
            continue;
        }
        tried += 1;
        let mut told = 0;
        let small = minimise::minimise_by(&plan, sends_and_crashes, |_, runs| {
            told = runs;
            true
        });
        let small = small.unwrap();
        assert_eq!(small.runs, told);
        assert_eq!(sends_and_crashes(&small.plan), Some(small.violation));
        // A topic, a client, a producer, a send and a crash.
        assert_eq!(small.plan.items(), 5, "{}", small.plan);
        assert!(small.plan.to_string().contains(" records=3"), "{}", small.plan);
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn a_plan_that_does_not_fail_is_not_minimised_and_whoever_waits_can_stop() {
    let plan = Plan::generate(Profile::Smoke, 0);
    assert!(minimise::minimise_by(&plan, sends_and_crashes, |_, _| true).is_none());
    let always = |_: &Plan| Some(violation(Invariant::Order, Instant::ZERO, 1, String::new()));
    let stopped = minimise::minimise_by(&plan, always, |_, runs| runs < 3).unwrap();
    assert_eq!(stopped.runs, 3);
}
