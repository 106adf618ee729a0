//! The consumer as a whole: against a small model of brokers, against scripts, and against the laws.

mod broker;
mod hostile;
mod laws;
mod property;
mod rosters;
mod scripts;
mod world;
