//! Who runs next when several could.

/// How the order of what happens at the same time is decided.
///
/// ```
/// use std::time::Duration;
/// use klamm_sim::{World, world::Schedule};
///
/// // Two actors and one order of theirs: the second alternative of the first choice.
/// let world = World::builder().schedule(Schedule::Path(vec![1])).build();
/// for name in ["first", "second"] {
///     drop(world.spawn(name, async {}));
/// }
/// world.run_for(Duration::from_secs(1));
/// assert_eq!(world.choices(), [2]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// What is woken runs a drawn moment later: mostly some microseconds, rarely much later.
    #[default]
    Seeded,
    /// What is woken runs at once, and where several nodes could run at the same instant the list says which: the
    /// index of the node among them, in the order in which they were scheduled. Where the list is at its end it is the
    /// first one. [`interleavings`] walks all lists.
    Path(Vec<usize>),
}

/// Runs `run` once for each interleaving of its first `depth` choices, and returns how many there were.
///
/// `run` gets the list for [`Schedule::Path`], executes a world with it, and returns
/// [`World::choices`](super::World::choices). Everything else about the world has to be the same each time, and it
/// should have a network without randomness ([`NetworkConfig::ideal`](super::NetworkConfig::ideal)). It stops early,
/// with an error, when `run` does.
///
/// # Errors
///
/// The first error of `run`, with the list of choices that led to it.
///
/// ```
/// use std::{cell::RefCell, rc::Rc, time::Duration};
/// use klamm_sim::{World, world::{Schedule, interleavings}};
///
/// let orders = RefCell::new(Vec::new());
/// let count = interleavings(10, |path| {
///     let world = World::builder().schedule(Schedule::Path(path.to_vec())).build();
///     let order = Rc::new(RefCell::new(String::new()));
///     for name in ["a", "b", "c"] {
///         let order = Rc::clone(&order);
///         drop(world.spawn(name, async move { order.borrow_mut().push_str(name) }));
///     }
///     world.run_for(Duration::from_millis(1));
///     orders.borrow_mut().push(order.take());
///     Ok::<_, String>(world.choices())
/// });
/// assert_eq!(count, Ok(6));
/// assert_eq!(*orders.borrow(), ["abc", "acb", "bac", "bca", "cab", "cba"]);
/// ```
pub fn interleavings<E>(
    depth: usize,
    mut run: impl FnMut(&[usize]) -> Result<Vec<usize>, E>,
) -> Result<u64, (Vec<usize>, E)> {
    let mut path = Vec::new();
    let mut count = 0;
    loop {
        let alternatives = match run(&path) {
            Ok(alternatives) => alternatives,
            Err(error) => return Err((path, error)),
        };
        count += 1;
        path.resize(alternatives.len().min(depth), 0);
        // The next list in the order of a depth-first walk: the last choice that has another alternative.
        while let Some(last) = path.pop() {
            if last + 1 < alternatives[path.len()] {
                path.push(last + 1);
                break;
            }
        }
        if path.is_empty() {
            return Ok(count);
        }
    }
}

/// The choices of one world.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    schedule: Schedule,
    /// By choice: how many alternatives there were.
    alternatives: Vec<usize>,
}

impl Chooser {
    pub(super) const fn new(schedule: Schedule) -> Self {
        Self { schedule, alternatives: Vec::new() }
    }

    pub(super) const fn is_seeded(&self) -> bool {
        matches!(self.schedule, Schedule::Seeded)
    }

    /// Chooses one of so many.
    pub(super) fn choose(&mut self, count: usize) -> usize {
        let Schedule::Path(path) = &self.schedule else { return 0 };
        if count == 0 {
            return 0;
        }
        let choice = path.get(self.alternatives.len()).copied().unwrap_or(0);
        self.alternatives.push(count);
        choice.min(count - 1)
    }

    pub(super) fn alternatives(&self) -> &[usize] {
        &self.alternatives
    }
}
