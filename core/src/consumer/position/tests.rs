//! The full matrix of states and inputs, and scripts of positions.

use std::{format, string::String, vec::Vec};

use super::{
    At, Place, Position, PositionState, Verdict, Wish,
    table::{Input, TRANSITIONS, next},
};
use crate::consumer::{OffsetReset, ResetReason, StartAt};

const STATES: [PositionState; 5] = [
    PositionState::Initializing,
    PositionState::AwaitReset,
    PositionState::AwaitValidation,
    PositionState::Fetching,
    PositionState::Stopped,
];

const INPUTS: [Input; 10] = [
    Input::SeekPlace,
    Input::SeekOffset,
    Input::SeekOffsetAndEpoch,
    Input::Found,
    Input::OutOfRange,
    Input::LeaderChanged,
    Input::Validated,
    Input::Diverged,
    Input::Undefined,
    Input::Stop,
];

#[test]
fn matrix() {
    let mut grid = String::new();
    for input in INPUTS {
        grid.push_str(&format!("{input:?}:"));
        for state in STATES {
            let to = next(state, input).map_or_else(|| String::from("-"), |to| format!("{to:?}"));
            grid.push_str(&format!(" {to}"));
        }
        grid.push('\n');
    }
    // Columns: from Initializing, AwaitReset, AwaitValidation, Fetching, Stopped.
    let expected = "\
SeekPlace: AwaitReset AwaitReset AwaitReset AwaitReset AwaitReset
SeekOffset: Fetching Fetching Fetching Fetching Fetching
SeekOffsetAndEpoch: AwaitValidation AwaitValidation AwaitValidation AwaitValidation AwaitValidation
Found: - Fetching - - -
OutOfRange: - - - AwaitReset -
LeaderChanged: - - AwaitValidation AwaitValidation -
Validated: - - Fetching - -
Diverged: - - Fetching - -
Undefined: - - AwaitReset - -
Stop: Stopped Stopped Stopped Stopped -
";
    assert_eq!(grid, expected);
}

#[test]
fn no_transition_is_named_twice() {
    let mut seen: Vec<_> = TRANSITIONS.iter().map(|(from, input, _)| (*from, *input)).collect();
    seen.sort();
    let all = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), all);
}

#[test]
fn a_place_is_found_once() {
    let mut position = Position::new();
    position.seek(StartAt::Latest);
    assert_eq!(position.to_find(), Some(Wish { place: Place::Latest, why: ResetReason::Asked }));
    assert_eq!(position.to_fetch(), None);
    assert_eq!(position.found(At { offset: 17, epoch: 4 }), Some(ResetReason::Asked));
    assert_eq!(position.to_fetch(), Some(At { offset: 17, epoch: 4 }));
    assert_eq!(position.consumed(), Some(At { offset: 17, epoch: 4 }));
    assert_eq!(position.found(At { offset: 99, epoch: 4 }), None, "nobody asks any more");
    assert_eq!(position.to_fetch(), Some(At { offset: 17, epoch: 4 }));
}

#[test]
fn out_of_range_follows_the_policy() {
    let mut position = Position::new();
    position.seek(StartAt::Offset(100));
    assert!(position.out_of_range(OffsetReset::Earliest));
    assert_eq!(position.to_find(), Some(Wish { place: Place::Earliest, why: ResetReason::OutOfRange }));

    let mut position = Position::new();
    position.seek(StartAt::Offset(100));
    assert!(!position.out_of_range(OffsetReset::None));
    assert_eq!(position.state(), PositionState::Stopped);
    assert_eq!(position.consumed(), Some(At { offset: 100, epoch: -1 }));
    position.seek(StartAt::Offset(5));
    assert_eq!(position.to_fetch(), Some(At { offset: 5, epoch: -1 }));
}

#[test]
fn a_leader_change_is_validated_only_in_a_known_epoch() {
    let mut position = Position::new();
    position.seek(StartAt::Offset(100));
    position.leader_changed();
    assert_eq!(position.state(), PositionState::Fetching);
    position.fetched(At { offset: 110, epoch: 4 });
    position.leader_changed();
    assert_eq!(position.to_validate(), Some(At { offset: 110, epoch: 4 }));
}

#[test]
fn what_truncation_means_depends_on_what_was_handed_out() {
    let mut position = Position::new();
    position.seek(StartAt::OffsetAndEpoch { offset: 100, leader_epoch: 3 });
    position.validated();
    position.fetched(At { offset: 120, epoch: 4 });
    position.consume(At { offset: 110, epoch: 4 });
    position.leader_changed();
    assert_eq!(position.judge(4, 120), Verdict::Valid);
    assert_eq!(position.judge(4, 130), Verdict::Valid);
    assert_eq!(position.judge(4, 115), Verdict::Refetch);
    assert_eq!(position.judge(4, 110), Verdict::Refetch);
    assert_eq!(position.judge(3, 105), Verdict::Diverged(105));
    assert_eq!(position.judge(-1, -1), Verdict::Undefined);
    position.diverge(105, 3);
    assert_eq!(position.to_fetch(), Some(At { offset: 105, epoch: 3 }));
}

#[test]
fn handing_out_never_goes_back_and_a_rewind_goes_there() {
    let mut position = Position::new();
    position.seek(StartAt::Offset(10));
    position.fetched(At { offset: 40, epoch: 1 });
    position.consume(At { offset: 20, epoch: 1 });
    position.consume(At { offset: 15, epoch: 1 });
    assert_eq!(position.consumed(), Some(At { offset: 20, epoch: 1 }));
    position.rewind();
    assert_eq!(position.to_fetch(), Some(At { offset: 20, epoch: 1 }));
}
