//! Applications of the simulated world: what produces and consumes there.
