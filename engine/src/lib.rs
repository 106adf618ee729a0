//! What every runtime adapter of Klamm shares: handles, buffers, wakers, budgets.
