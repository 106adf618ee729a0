//! Klamm on plain threads.
