//! A defect that tests of a simulation switch on, to see that it is found.

use std::cell::Cell;

thread_local! {
    static DECODERS_DISAGREE: Cell<bool> = const { Cell::new(false) };
}

/// On the current thread, records that are decoded at once have offsets that are too high by one.
pub fn let_decoders_disagree(on: bool) {
    DECODERS_DISAGREE.set(on);
}

pub(crate) fn decoders_disagree() -> bool {
    DECODERS_DISAGREE.get()
}
