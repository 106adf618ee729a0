use super::{Consuming, Producing};

#[test]
fn a_flush_covers_what_was_accepted_before_it() {
    // The control task has not run since the records were accepted; settling fails if one has no outcome.
    let mut producing = Producing::new(16_384);
    producing.append();
    producing.settle();
}

#[test]
fn rounds_of_reading_are_alike() {
    let mut consuming = Consuming::new();
    for _ in 0..3 {
        consuming.consume();
    }
}
