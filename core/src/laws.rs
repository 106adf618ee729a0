//! The laws that every machine obeys (see the crate's documentation), as checks over a script of inputs.
//!
//! A machine's tests implement [`Machine`] for a thin wrapper and hand scripts to [`check`]; machines that
//! receive bytes hand their scripts to [`check_chunking`] as well. Random scripts come from proptest.

use core::{fmt::Debug, time::Duration};
use std::vec::Vec;

use crate::{Entropy, Instant};

/// A machine under test: the common verbs.
pub(crate) trait Machine {
    /// Anything that can be done to it from outside, but for the passing of time.
    type Input: Clone + Debug;
    /// Anything that it hands out, without instants: times are relative to `origin`, see [`Machine::poll`].
    type Output: PartialEq + Debug;

    /// Takes an input or a command.
    fn apply(&mut self, now: Instant, input: &Self::Input);
    /// `handle_timeout`.
    fn handle_timeout(&mut self, now: Instant);
    /// Hands out one output; instants in it are turned into durations since `origin`.
    fn poll(&mut self, now: Instant, origin: Instant) -> Option<Self::Output>;
    /// `poll_timeout`.
    fn poll_timeout(&self) -> Option<Instant>;
    /// What it holds only until it is dealt with: outputs, unanswered requests, bytes. Zero when there is nothing
    /// to do.
    fn backlog(&self) -> usize {
        0
    }
    /// Whether it is over for good.
    fn is_terminal(&self) -> bool {
        false
    }
}

/// An input, and how long after the one before it comes.
#[derive(Clone, Debug)]
pub(crate) struct Step<I> {
    pub(crate) after: Duration,
    pub(crate) input: I,
}

/// An input `millis` milliseconds after the one before.
pub(crate) const fn step<I>(millis: u64, input: I) -> Step<I> {
    Step { after: Duration::from_millis(millis), input }
}

/// The outputs of one run: when each came (since the origin) and what it was.
type Trace<O> = Vec<(Duration, O)>;

/// How long a run goes on after its last input.
const AFTERMATH: Duration = Duration::from_secs(3600);
/// No machine wakes up so often without inputs: 20 times a second.
const MAX_WAKES: usize = 20 * 3600;

/// Runs `script` on machines made by `make` and checks the laws 2 (an early or repeated timeout does nothing),
/// 3 (no busy loop), 4 (no absolute time), 6 (same inputs, same outputs), 8 (terminal states absorb) and 9 (nothing
/// is left over at the end of the run, an hour after the last input). That it returns is law 7: no panic.
pub(crate) fn check<M: Machine>(make: impl Fn(Instant) -> M, script: &[Step<M::Input>]) {
    let start = Instant::from_millis(1_000);
    let reference = run(&make, start, script, Extra::None);
    assert_eq!(reference, run(&make, start, script, Extra::None), "law 6: same inputs, different outputs");
    let shifted = run(&make, Instant::from_nanos(987_654_321_987_654_321), script, Extra::None);
    assert_eq!(reference, shifted, "law 4: outputs depend on the absolute time");
    let nudged = run(&make, start, script, Extra::EarlyTimeouts);
    assert_eq!(reference, nudged, "law 2: an early timeout did something");
}

/// Checks law 1 on machines made by `make`: inputs that come at the same time may be taken one after the other, with
/// the outputs drained in the end. It holds to the letter for machines whose outputs do not depend on when they are
/// drained; one that merges its wishes until it is asked, such as several topics into one request, passes its own
/// tests instead.
pub(crate) fn check_batching<M: Machine>(make: impl Fn(Instant) -> M, script: &[Step<M::Input>]) {
    let start = Instant::from_millis(1_000);
    let each = run(&make, start, script, Extra::None);
    let batched = run(&make, start, script, Extra::LazyDrains);
    assert_eq!(each, batched, "law 1: outputs depend on when they are drained");
}

/// Feeds `bytes` to machines made by `make` as a whole, byte by byte, and in random pieces, and checks law 5:
/// the outputs are the same.
pub(crate) fn check_chunking<M, O: PartialEq + Debug>(
    bytes: &[u8],
    make: impl Fn() -> M,
    mut feed: impl FnMut(&mut M, &[u8]),
    mut drain: impl FnMut(&mut M) -> Vec<O>,
) {
    let mut outputs = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut machine = make();
        let mut all = Vec::new();
        for piece in pieces {
            feed(&mut machine, piece);
            all.append(&mut drain(&mut machine));
        }
        all
    };
    let whole = outputs(&mut core::iter::once(bytes));
    assert_eq!(whole, outputs(&mut bytes.chunks(1)), "law 5: byte by byte");
    let mut entropy = Entropy::new(5);
    for _ in 0..8 {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let longest = 1 + entropy.below(64);
            let length = 1 + usize::try_from(entropy.below(longest)).unwrap();
            let (piece, more) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        assert_eq!(whole, outputs(&mut pieces.into_iter()), "law 5: in random pieces");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Extra {
    None,
    /// `handle_timeout` wherever nothing is due.
    EarlyTimeouts,
    /// Outputs are drained only when time passes.
    LazyDrains,
}

fn run<M: Machine>(
    make: impl Fn(Instant) -> M,
    origin: Instant,
    script: &[Step<M::Input>],
    extra: Extra,
) -> Trace<M::Output> {
    let mut run = Run { machine: make(origin), origin, now: origin, extra, trace: Vec::new() };
    run.drain();
    for step in script {
        if extra == Extra::LazyDrains && step.after > Duration::ZERO {
            run.drain();
        }
        run.advance_to(run.now + step.after);
        let terminal = run.machine.is_terminal();
        let outputs = run.trace.len();
        run.machine.apply(run.now, &step.input);
        if extra == Extra::LazyDrains {
            continue;
        }
        run.drain();
        assert!(!terminal || run.machine.is_terminal(), "law 8: left a terminal state by {:?}", step.input);
        assert!(!terminal || run.trace.len() == outputs, "law 8: terminal, and yet {:?}", run.trace.last());
    }
    run.drain();
    run.advance_to(run.now + AFTERMATH);
    assert_eq!(run.machine.backlog(), 0, "law 9: left over");
    run.trace
}

struct Run<M: Machine> {
    machine: M,
    origin: Instant,
    now: Instant,
    extra: Extra,
    trace: Trace<M::Output>,
}

impl<M: Machine> Run<M> {
    fn drain(&mut self) {
        loop {
            let before = self.trace.len();
            while let Some(output) = self.machine.poll(self.now, self.origin) {
                self.trace.push((self.now - self.origin, output));
                assert!(self.trace.len() - before < 100_000, "law 3: outputs without end");
            }
            let Some(due) = self.machine.poll_timeout() else { break };
            if due > self.now {
                break;
            }
            self.machine.handle_timeout(self.now);
            while let Some(output) = self.machine.poll(self.now, self.origin) {
                self.trace.push((self.now - self.origin, output));
            }
            let due = self.machine.poll_timeout();
            assert!(
                due.is_none_or(|due| due > self.now),
                "law 3: after a drain at {} due at {due:?}",
                self.now
            );
        }
        if self.extra == Extra::EarlyTimeouts {
            let before = self.machine.poll_timeout();
            self.machine.handle_timeout(self.now);
            let output = self.machine.poll(self.now, self.origin);
            assert_eq!(output, None, "law 2: an early timeout gave an output");
            assert_eq!(before, self.machine.poll_timeout(), "law 2: an early timeout moved the deadline");
        }
        assert!(
            !self.machine.is_terminal() || self.machine.poll_timeout().is_none(),
            "law 8: a terminal machine wants to be woken"
        );
    }

    fn advance_to(&mut self, target: Instant) {
        for _ in 0..MAX_WAKES {
            match self.machine.poll_timeout() {
                Some(due) if due <= target => {
                    if self.extra == Extra::EarlyTimeouts {
                        self.now = Instant::from_nanos(due.as_nanos() - 1).max(self.now);
                        self.drain();
                    }
                    self.now = due;
                    self.drain();
                }
                _ => {
                    self.now = target;
                    return;
                }
            }
        }
        panic!("law 3: woken more than {MAX_WAKES} times in {AFTERMATH:?}");
    }
}

mod tests;
