//! The Klamm command-line tool.

fn main() {}
