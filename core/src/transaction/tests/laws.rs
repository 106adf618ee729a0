//! The laws of all machines, on random scripts.

use std::vec::Vec;

use klamm_protocol::ErrorCode;
use proptest::{prelude::*, test_runner::RngSeed};

use super::fixture::{Fixture, OLD, V1, V2};
use crate::{
    Instant,
    laws::{Machine, Step, check},
    transaction::{BatchFailure, Offered, TransactionCommand, TransactionOutput},
};

#[derive(Clone, Debug)]
enum Input {
    Command(u8),
    Want(u32),
    Answer(ErrorCode),
    Lose(bool, bool),
    Drained,
    Fail(BatchFailure),
    Offered(Offered),
    Abandon,
    Close,
}

/// What came out of it: outputs of commands are by their number.
struct Subject(Fixture);

fn command(number: u8) -> TransactionCommand {
    match number % 6 {
        0 => TransactionCommand::Init,
        1 => TransactionCommand::Begin,
        2 => Fixture::offsets("g", 1),
        3 => TransactionCommand::Commit,
        4 => TransactionCommand::Abort,
        _ => TransactionCommand::Resume,
    }
}

impl Machine for Subject {
    type Input = Input;
    type Output = TransactionOutput;

    fn apply(&mut self, now: Instant, input: &Input) {
        let f = &mut self.0;
        f.now = now;
        match input {
            // With its last output it is dropped, and commands are answered by its owner.
            Input::Command(_) if f.said.contains(&TransactionOutput::Closed) => {}
            Input::Command(number) => f.start_quietly(command(*number)),
            Input::Want(partition) => {
                let number = i32::try_from(*partition).unwrap();
                f.machine.handle_wanted(crate::PartitionIndex(*partition), &"t".into(), number);
            }
            Input::Answer(code) => f.reply_quietly(*code),
            Input::Lose(written, unsupported) => {
                if let Some(asked) = f.asked.pop_front() {
                    f.machine.handle_lost(now, asked.number, *written, *unsupported);
                }
            }
            Input::Drained => f.machine.handle_drained(),
            Input::Fail(failure) => f.machine.handle_batch_failed(*failure),
            Input::Offered(offered) => f.machine.handle_offered(*offered),
            Input::Abandon => f.machine.abandon(),
            Input::Close => f.machine.close(now + super::fixture::LIMIT),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.now = now;
        self.0.machine.handle_timeout(now);
    }

    fn poll(&mut self, now: Instant, _origin: Instant) -> Option<TransactionOutput> {
        self.0.now = now;
        let output = self.0.machine.poll(now)?;
        self.0.take(output.clone());
        Some(output)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.machine.poll_timeout()
    }

    fn is_terminal(&self) -> bool {
        self.0.said.contains(&TransactionOutput::Closed)
    }
}

fn code() -> impl Strategy<Value = ErrorCode> {
    prop_oneof![
        5 => Just(ErrorCode::NONE),
        2 => proptest::sample::select(ErrorCode::all().to_vec()),
        2 => proptest::sample::select([14, 15, 16, 47, 48, 49, 51, 59, 90, 120].map(ErrorCode).to_vec()),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let failure = (code(), any::<bool>(), any::<bool>())
        .prop_map(|(code, was_sent, is_fatal)| BatchFailure { code, was_sent, is_fatal });
    prop_oneof![
        6 => (0_u8..6).prop_map(Input::Command),
        3 => (0_u32..4).prop_map(Input::Want),
        12 => code().prop_map(Input::Answer),
        2 => (any::<bool>(), proptest::bool::weighted(0.2)).prop_map(|(w, u)| Input::Lose(w, u)),
        6 => Just(Input::Drained),
        1 => failure.prop_map(Input::Fail),
        1 => proptest::sample::select(&[OLD, V1, V2][..]).prop_map(Input::Offered),
        1 => Just(Input::Abandon),
        1 => proptest::bool::weighted(0.2).prop_map(|close| if close { Input::Close } else { Input::Drained }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, rng_seed: RngSeed::Fixed(11), ..ProptestConfig::default() })]

    #[test]
    fn laws_hold(steps in proptest::collection::vec((0_u64..300, input()), 1..60)) {
        let script: Vec<_> =
            steps.into_iter().map(|(millis, input)| Step { after: core::time::Duration::from_millis(millis), input }).collect();
        check(|start| {
            let mut fixture = Fixture::new(V1);
            fixture.now = start;
            Subject(fixture)
        }, &script);
    }
}
