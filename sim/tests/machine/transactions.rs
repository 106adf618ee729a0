//! Transactions: coordinators, markers, and what readers see.

mod coordinators;
mod driver;
mod epochs;
mod offsets;
mod reading;
