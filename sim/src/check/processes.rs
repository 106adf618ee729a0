//! Client processes: when they stood still, and since when they should work well.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_core::Instant;

use crate::observe::{ClientId, Phase, Process};

/// One of them.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    paused: bool,
    resumed: Option<Instant>,
    killed: bool,
    /// By when it is to be closed.
    closing: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Processes {
    states: BTreeMap<ClientId, State>,
    healed: Option<Instant>,
}

impl Processes {
    pub(super) fn observe(&mut self, now: Instant, client: ClientId, process: Process) {
        let state = self.states.entry(client).or_default();
        match process {
            Process::Paused => state.paused = true,
            Process::Resumed => (state.paused, state.resumed) = (false, Some(now)),
            Process::Killed => state.killed = true,
            Process::Closing { deadline } => {
                state.closing = Some(state.closing.map_or(deadline, |other| other.min(deadline)));
            }
            Process::Closed => state.closing = None,
        }
    }

    pub(super) const fn phase(&mut self, now: Instant, phase: Phase) {
        if matches!(phase, Phase::Healed) {
            self.healed = Some(now);
        }
    }

    /// How much later than its deadline something happens. A process that stood still has the time from its waking
    /// on; one that stands still or is gone is never late.
    pub(super) fn lateness(&self, client: ClientId, deadline: Instant, now: Instant) -> Duration {
        match self.states.get(&client) {
            Some(state) if state.paused || state.killed => Duration::ZERO,
            Some(State { resumed: Some(resumed), .. }) => now - deadline.max(*resumed),
            _ => now - deadline,
        }
    }

    /// By when a client is to be closed.
    pub(super) fn closing(&self, client: ClientId) -> Option<Instant> {
        self.states.get(&client).and_then(|state| state.closing)
    }

    /// When a client had had the time to recover from the faults; `None`: they are not over.
    pub(super) fn recovered(&self, client: ClientId, recovery: Duration) -> Option<Instant> {
        let resumed = self.states.get(&client).and_then(|state| state.resumed);
        let healed = self.healed?;
        Some(resumed.map_or(healed, |resumed| healed.max(resumed)) + recovery)
    }
}
