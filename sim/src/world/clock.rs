//! Simulated clocks: one time for all, and a wall clock for each client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use klamm_core::{Instant, WallTime};

use crate::observe::ClientId;

/// What the wall clocks show when a world begins: the first of January 2026, in milliseconds since 1970.
const WALL_EPOCH_MS: i64 = 1_767_225_600_000;

/// When a world begins: no early instant is the epoch itself.
pub(super) const BEGINNING: Instant = Instant::from_nanos(1_000_000_000);

/// The time of a world.
#[derive(Clone, Debug)]
pub(super) struct Time {
    now: Arc<AtomicU64>,
    beginning: Instant,
}

impl Time {
    /// The time of a world whose instants are so much later than those of others.
    pub(super) fn new(shift: Duration) -> Self {
        let beginning = BEGINNING + shift;
        Self { now: Arc::new(AtomicU64::new(beginning.as_nanos())), beginning }
    }

    /// The time as it would be in a world without a shift.
    pub(super) fn since_shift(&self) -> Instant {
        BEGINNING + self.passed()
    }

    /// Since the world began.
    pub(super) fn passed(&self) -> Duration {
        self.now().since(self.beginning)
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Ordering::Relaxed))
    }

    pub(super) fn set(&self, now: Instant) {
        self.now.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// What a clock shows that is right.
    pub(super) fn wall_time(&self) -> WallTime {
        WallTime(wall_ms(self.passed(), 0))
    }
}

/// The clocks of a simulated client: the world's time, and a wall clock of its own that can be wrong. Made by
/// [`World::kafka`](super::World::kafka), and for a client that is connected within an actor.
#[derive(Clone, Debug)]
pub struct SimulatedClock(Arc<Clocks>);

#[derive(Debug)]
struct Clocks {
    client: ClientId,
    time: Time,
    /// Added to the wall time.
    offset_ms: AtomicI64,
    /// By how much the wall clock is too fast, in millionths, since `drifts_from`.
    drift_ppm: AtomicI64,
    drifts_from: AtomicU64,
}

impl SimulatedClock {
    pub(super) fn new(client: ClientId, time: Time) -> Self {
        let zero = AtomicI64::new(0);
        let (offset_ms, drift_ppm, drifts_from) = (zero, AtomicI64::new(0), AtomicU64::new(0));
        Self(Arc::new(Clocks { client, time, offset_ms, drift_ppm, drifts_from }))
    }

    /// The client whose clock it is.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.0.client
    }

    /// Whether it shows the time of the same world.
    pub(super) fn is_of(&self, time: &Time) -> bool {
        Arc::ptr_eq(&self.0.time.now, &time.now)
    }

    /// The wall clock jumps ahead, or back.
    pub(super) fn jump(&self, by_ms: i64) {
        self.0.offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// From now on the wall clock is too fast by so many millionths, or too slow.
    pub(super) fn drift(&self, ppm: i64) {
        // What it has gained so far stays.
        self.jump(self.gained_ms());
        self.0.drift_ppm.store(ppm, Ordering::Relaxed);
        self.0.drifts_from.store(self.0.time.now().as_nanos(), Ordering::Relaxed);
    }

    fn gained_ms(&self) -> i64 {
        let ppm = self.0.drift_ppm.load(Ordering::Relaxed);
        if ppm == 0 {
            return 0;
        }
        let from = Instant::from_nanos(self.0.drifts_from.load(Ordering::Relaxed));
        let passed_ms = i64::try_from(self.0.time.now().since(from).as_millis()).unwrap_or(i64::MAX);
        passed_ms.saturating_mul(ppm) / 1_000_000
    }
}

impl klamm_engine::Clock for SimulatedClock {
    fn now(&self) -> Instant {
        self.0.time.now()
    }

    fn wall_time(&self) -> WallTime {
        let wrong = self.0.offset_ms.load(Ordering::Relaxed).saturating_add(self.gained_ms());
        WallTime(wall_ms(self.0.time.passed(), wrong))
    }
}

fn wall_ms(passed: Duration, wrong_ms: i64) -> i64 {
    let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
    WALL_EPOCH_MS.saturating_add(passed_ms).saturating_add(wrong_ms)
}
