use klamm_core::Effect;

use super::history::*;
use crate::check::{Bounds, Invariant};
use crate::observe::{Observation, Producing};

#[test]
fn nothing_spins() {
    let mut history = History::new();
    history.checker.bounds.observations_per_instant = 100;
    for _ in 0..90 {
        history.tell(&Observation::Plan("again"));
    }
    history.pass(1);
    for _ in 0..90 {
        history.tell(&Observation::Plan("again"));
    }
    assert_eq!(history.checker.violations(), []);
    for _ in 0..90 {
        history.tell(&Observation::Plan("again"));
    }
    history.breaks(Invariant::NoSpinning);
}

#[test]
fn work_is_done_for_something() {
    let mut history = History::new();
    history.pass(9_000).tell(&Observation::Plan("the end"));
    let (now, observations) = (history.now, history.checker.counts().observations);
    history.checker.worked(now, observations * 100 + 20_000);
    assert_eq!(history.checker.violations(), []);
    history.checker.worked(now, observations * 100 + 20_001);
    history.breaks(Invariant::NoSpinning);
}

#[test]
fn no_value_is_shown() {
    let mut value = Vec::new();
    id(0).write_value(&mut value);
    let text = format!("there is no topic {}", String::from_utf8_lossy(&value));
    History::new().offer(0).producing(Producing::Refused(id(0), &text)).breaks(Invariant::NoSecret);
}

#[test]
fn no_secret_is_shown() {
    let mut history = History::new();
    history.checker.bounds = Bounds { secrets: vec!["hunter2".to_owned()], ..Bounds::default() };
    history.accept(&[0]).fail(0, Effect::None);
    assert_eq!(history.checker.violations(), []);
    history.offer(2).producing(Producing::Refused(id(2), "wrong password: hunter2"));
    history.breaks(Invariant::NoSecret);
}

#[test]
fn a_violation_says_when_and_what() {
    let mut history = History::new();
    history.pass(1_500).accept(&[0]).write(0, 0, 0);
    let text = history.checker.violations()[0].to_string();
    assert_eq!(
        text,
        "1 acked-is-there: record 0 of producer 1 was reported as written at offset 0 of greetings-0, and nothing was ever there (at 1.500000s, event 6)"
    );
}
