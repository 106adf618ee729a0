//! Groups: members that join, share, leave and vanish, and what is committed for them.

mod driver;
mod membership;
mod offsets;
mod rebalance;
mod static_members;
mod takeover;
