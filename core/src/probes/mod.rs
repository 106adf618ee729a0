//! Rare situations by name, so that a simulation can tell which of them its runs have been in.
//!
//! A machine marks a situation by `probe!(Name)`, or by `probe!(Name, condition)` where it takes a look to tell. With
//! the feature `probes` this puts the name into a set of the current thread; without it nothing is compiled at all,
//! neither the mark nor the condition.
//!
//! The set says nothing about right or wrong. It says whether a great many simulated runs, all of which went well,
//! have been where it is hard to go well.

/// Marks a rare situation: see the [module](crate::probes).
#[cfg(feature = "probes")]
#[doc(hidden)]
#[macro_export]
macro_rules! probe {
    ($name:ident) => {
        $crate::probes::reach($crate::probes::Probe::$name)
    };
    ($name:ident, $condition:expr) => {
        if $condition {
            $crate::probes::reach($crate::probes::Probe::$name);
        }
    };
}

/// Marks a rare situation: nothing without the feature `probes`.
#[cfg(not(feature = "probes"))]
#[doc(hidden)]
#[macro_export]
macro_rules! probe {
    ($name:ident) => {
        ()
    };
    ($name:ident, $condition:expr) => {
        ()
    };
}

#[cfg(feature = "probes")]
mod set;
#[cfg(feature = "probes")]
mod table;

#[cfg(feature = "probes")]
pub use self::{
    set::{ProbeSet, reach, take},
    table::Probe,
};

#[cfg(all(test, feature = "probes"))]
mod tests;
