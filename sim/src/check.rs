//! Checkers of what must hold, whatever happens.
