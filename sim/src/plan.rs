//! Plans: a seed becomes a plan, a plan is run, minimised and explained.
