//! Klamm under tokio.
