//! The harness itself: it accepts a machine that obeys and catches one that breaks a law.

use core::time::Duration;
use std::{panic::catch_unwind, vec::Vec};

use super::{Machine, check, check_chunking, step};
use crate::Instant;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    BusyLoop,
    AbsoluteTime,
    EarlyTimeout,
    LeavesTerminal,
    LeavesRest,
}

/// Rings `Duration` after it was wound; a second winding while wound ends it.
struct Alarm {
    fault: Fault,
    due: Option<Instant>,
    rings: usize,
    over: bool,
}

impl Machine for Alarm {
    type Input = Duration;
    type Output = Duration;

    fn apply(&mut self, now: Instant, after: &Duration) {
        if self.over {
            self.over = self.fault != Fault::LeavesTerminal;
        } else if self.due.is_some() {
            self.over = true;
            self.due = None;
        } else {
            self.due = Some(now + *after);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let early = self.fault == Fault::EarlyTimeout;
        if self.due.is_some_and(|due| due <= now || early) {
            self.rings += 1;
            self.due = (self.fault == Fault::BusyLoop).then_some(now);
        }
    }

    fn poll(&mut self, now: Instant, origin: Instant) -> Option<Duration> {
        self.rings = self.rings.checked_sub(1)?;
        Some(if self.fault == Fault::AbsoluteTime { now - Instant::ZERO } else { now - origin })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    fn backlog(&self) -> usize {
        usize::from(self.fault == Fault::LeavesRest)
    }

    fn is_terminal(&self) -> bool {
        self.over
    }
}

fn check_alarm(fault: Fault) -> bool {
    let make = move |_| Alarm { fault, due: None, rings: 0, over: false };
    let wind = |after, millis| step(after, Duration::from_millis(millis));
    let script = [wind(5, 10), wind(20, 30), wind(40, 50), wind(10, 10), wind(10, 10), wind(10, 10)];
    catch_unwind(|| check(make, &script)).is_ok()
}

#[test]
fn an_obedient_machine_passes() {
    assert!(check_alarm(Fault::None));
}

#[test]
fn each_broken_law_is_caught() {
    for (name, fault) in [
        ("busy loop", Fault::BusyLoop),
        ("absolute time", Fault::AbsoluteTime),
        ("early timeout", Fault::EarlyTimeout),
        ("terminal", Fault::LeavesTerminal),
        ("left over", Fault::LeavesRest),
    ] {
        assert!(!check_alarm(fault), "{name} was not caught");
    }
}

#[test]
fn chunking_is_caught() {
    let words = |machine: &mut Vec<u8>, piece: &[u8]| machine.extend_from_slice(piece);
    let lines = |machine: &mut Vec<u8>| {
        let end = machine.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        machine.drain(..end).filter(|byte| *byte != b'\n').collect::<Vec<u8>>()
    };
    check_chunking(b"one\ntwo\n\nthree\n", Vec::new, words, lines);

    let careless = |machine: &mut Vec<u8>| core::mem::take(machine).chunks(2).map(<[u8]>::len).collect();
    let caught = catch_unwind(|| check_chunking(b"one\ntwo\n", Vec::new, words, careless));
    assert!(caught.is_err());
}
