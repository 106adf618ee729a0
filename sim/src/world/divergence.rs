//! Whether a run is determined by its seed.

use std::fmt;

use super::{TraceRecord, World, WorldBuilder};

/// Two runs that should have been the same are not: where they part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// How many records of the trace are the same.
    pub same: usize,
    /// What happened then in the first run; `None`: nothing.
    pub first: Option<TraceRecord>,
    /// What happened then in the second run.
    pub second: Option<TraceRecord>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tell = |record: &Option<TraceRecord>| {
            record.as_ref().map_or_else(|| String::from("the end"), ToString::to_string)
        };
        let Self { same, first, second } = self;
        write!(f, "after {same} records the first run has {}, the second {}", tell(first), tell(second))
    }
}

impl std::error::Error for Divergence {}

impl Divergence {
    /// Where two traces part; `None`: they are the same.
    #[must_use]
    pub fn between(first: &[TraceRecord], second: &[TraceRecord]) -> Option<Self> {
        let same = first.iter().zip(second).take_while(|(one, other)| one == other).count();
        let is_same = same == first.len() && same == second.len();
        (!is_same).then(|| Self { same, first: first.get(same).copied(), second: second.get(same).copied() })
    }
}

/// Runs the same twice, and returns the second world if both did the same.
///
/// What `run` does has to be determined by the world: a clock, a thread or the order of a `HashMap` in an application
/// would make a difference, and this is how to find that out.
///
/// ```
/// use std::time::Duration;
/// use klamm_sim::{World, world::run_twice};
///
/// let world = run_twice(|| World::builder().seed(5), |world| {
///     let kafka = world.kafka("app");
///     drop(world.spawn("app", async move { kafka.connect().await.map(drop) }));
///     world.run_for(Duration::from_secs(5));
/// })?;
/// assert!(world.events() > 10);
/// # Ok::<(), klamm_sim::world::Divergence>(())
/// ```
///
/// # Errors
///
/// The first record of the trace in which the runs differ.
pub fn run_twice(
    mut make: impl FnMut() -> WorldBuilder,
    mut run: impl FnMut(&World),
) -> Result<World, Divergence> {
    let mut once = || {
        let world = make().keep_trace(true).build();
        run(&world);
        world
    };
    let (first, second) = (once(), once());
    match Divergence::between(&first.trace(), &second.trace()) {
        None => Ok(second),
        Some(divergence) => Err(divergence),
    }
}
