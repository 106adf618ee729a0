//! Scripts of inputs and outputs, the table of states, the rules, and the laws.

mod certainty;
mod fixture;
mod laws;
mod offsets;
mod rules;
mod tables;
mod version_1;
mod version_2;
