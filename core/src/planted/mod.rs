//! Defects by name that tests can switch on, so that it is known which of them a simulation finds.
//!
//! A place where a machine could go wrong asks `planted!(Name)`. Without the feature `planted-bugs` that is the
//! literal `false`, and the compiler removes the place; with it, it tells whether the current thread has that defect
//! switched on by [`plant`](self). No crate but the simulator's tests turns the feature on.

/// Whether a defect is switched on; with `every n`, each n-th time that the question is asked.
#[cfg(feature = "planted-bugs")]
#[doc(hidden)]
#[macro_export]
macro_rules! planted {
    ($name:ident) => {
        $crate::planted::is_on($crate::planted::PlantedBug::$name)
    };
    ($name:ident, every $count:literal) => {
        $crate::planted::is_on_every($crate::planted::PlantedBug::$name, $count)
    };
}

/// Whether a defect is switched on: never without the feature `planted-bugs`.
#[cfg(not(feature = "planted-bugs"))]
#[doc(hidden)]
#[macro_export]
macro_rules! planted {
    ($name:ident) => {
        false
    };
    ($name:ident, every $count:literal) => {
        false
    };
}

#[cfg(feature = "planted-bugs")]
mod switch;
#[cfg(feature = "planted-bugs")]
mod table;

#[cfg(feature = "planted-bugs")]
pub(crate) use self::switch::different_each_time;
#[cfg(feature = "planted-bugs")]
pub use self::{
    switch::{Planted, is_on, is_on_every, plant},
    table::PlantedBug,
};

#[cfg(all(test, feature = "planted-bugs"))]
mod tests;
