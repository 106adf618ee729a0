//! Klamm under smol and async-std.
