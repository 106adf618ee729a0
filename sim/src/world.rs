//! A world in simulated time: clients, network and cluster, driven by one queue of events.
