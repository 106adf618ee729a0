//! The contract that lets client programs be compared: equal records in, one line of JSON out.

mod flags;
mod meter;
mod payload;

pub use flags::{Flags, Scenario};
pub use meter::{Meter, Totals};
pub use payload::Payload;
