//! Scripts of inputs and outputs, the laws, and a model of a broker under random faults.

mod buffer;
mod delivery;
mod fixture;
mod identity;
mod laws;
mod lifecycle;
mod model;
mod record_refusals;
mod refusals;
mod requests;
mod tables;
mod transactional;
