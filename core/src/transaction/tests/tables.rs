//! The tables as data.

use std::{collections::BTreeSet, format, string::String, vec::Vec};

use klamm_protocol::ErrorCode;

use crate::transaction::{
    TransactionStep as T,
    table::{Input, State, TRANSITIONS},
    verdict::Verdict,
};

const STATES: [State; 11] = [
    State::New,
    State::Starting,
    State::Ready,
    State::Open,
    State::Failed,
    State::Flushing,
    State::Committing,
    State::Draining,
    State::Aborting,
    State::InDoubt,
    State::Dead,
];

const INPUTS: [Input; 12] = [
    Input::Init,
    Input::Named,
    Input::Refuse,
    Input::Begin,
    Input::Fail,
    Input::Commit,
    Input::Abort,
    Input::Drained,
    Input::Ended,
    Input::Doubt,
    Input::Resume,
    Input::Fatal,
];

/// What every input does in every state, one line a state.
#[test]
fn every_state_with_every_input() {
    let mut matrix = String::new();
    for state in STATES {
        matrix.push_str(&format!("{state:?}:"));
        for input in INPUTS {
            if let Some(next) = state.after(input) {
                matrix.push_str(&format!(" {input:?}->{next:?}"));
            }
        }
        matrix.push('\n');
    }
    assert_eq!(
        matrix,
        "New: Init->Starting Fatal->Dead\n\
         Starting: Named->Ready Refuse->New Fatal->Dead\n\
         Ready: Init->Starting Begin->Open Fatal->Dead\n\
         Open: Fail->Failed Commit->Flushing Abort->Draining Fatal->Dead\n\
         Failed: Commit->Draining Abort->Draining Fatal->Dead\n\
         Flushing: Fail->Draining Abort->Draining Drained->Committing Fatal->Dead\n\
         Committing: Fail->Draining Ended->Ready Doubt->InDoubt Fatal->Dead\n\
         Draining: Drained->Aborting Fatal->Dead\n\
         Aborting: Ended->Ready Fatal->Dead\n\
         InDoubt: Resume->Committing Fatal->Dead\n\
         Dead:\n"
    );
    for (at, (from, by, _)) in TRANSITIONS.iter().enumerate() {
        assert!(!TRANSITIONS[..at].iter().any(|(f, b, _)| f == from && b == by), "{from:?} {by:?} twice");
    }
    let reached: BTreeSet<State> = TRANSITIONS.iter().map(|(_, _, to)| *to).collect();
    assert_eq!(reached.len(), STATES.len(), "a state that nothing leads to");
}

const STEPS: [T; 7] =
    [T::FindCoordinator, T::Initialise, T::AddPartitions, T::SendOffsets, T::Produce, T::Commit, T::Abort];

/// The steps at which a code has this verdict.
fn steps_with(code: ErrorCode, verdict: Verdict) -> Vec<T> {
    STEPS.into_iter().filter(|step| Verdict::of(*step, code) == verdict).collect()
}

#[test]
fn every_code_at_every_step_as_the_protocol_has_it() {
    for code in ErrorCode::all() {
        for step in STEPS {
            let verdict = Verdict::of(step, *code);
            let done = verdict == Verdict::Done;
            assert_eq!(done, code.is_ok(), "{code} at {step:?}");
            let again = matches!(verdict, Verdict::Retry | Verdict::RetrySoon | Verdict::Elsewhere);
            let never = matches!(verdict, Verdict::Fatal | Verdict::Fenced | Verdict::Refused);
            if code.is_retriable() {
                assert!(again, "{code} is retriable, at {step:?} it is {verdict:?}");
            } else if *code != ErrorCode::UNKNOWN_SERVER_ERROR && matches!(step, T::Commit) && !done {
                let abortable = matches!(verdict, Verdict::Abort | Verdict::AbortAndRenew);
                assert!(never || abortable, "{code} at {step:?} is asked again");
            }
        }
    }
}

#[test]
fn fencing_is_told_apart_from_an_old_epoch() {
    assert_eq!(steps_with(ErrorCode::PRODUCER_FENCED, Verdict::Fenced), STEPS);
    assert_eq!(steps_with(ErrorCode::INVALID_PRODUCER_EPOCH, Verdict::Fenced), [T::Initialise]);
    assert_eq!(steps_with(ErrorCode::INVALID_PRODUCER_EPOCH, Verdict::AbortAndRenew).len(), 6);
    assert_eq!(steps_with(ErrorCode::TRANSACTION_ABORTABLE, Verdict::Fatal), [T::Abort]);
    assert_eq!(steps_with(ErrorCode::CONCURRENT_TRANSACTIONS, Verdict::RetrySoon), STEPS);
}
