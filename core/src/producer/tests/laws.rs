//! The laws of all machines, on random scripts.

use core::time::Duration;
use std::{vec, vec::Vec};

use klamm_protocol::ErrorCode;
use proptest::{prelude::*, test_runner::RngSeed};

use super::fixture::{Fixture, Reply};
use crate::{
    Instant, PartitionIndex,
    laws::{Machine, Step, check},
    producer::{BatchId, Lost, ProducerConfig, ProducerOutput, Signal},
};

#[derive(Clone, Debug)]
enum Input {
    Append(u32),
    /// The oldest request is answered with this code for all of its partitions.
    Answer(ErrorCode),
    Lose(Lost),
    Leader(i32),
    Unready,
    Flush,
    Abort,
    /// A signal that no append gave.
    Misuse(u32, u64, Signal),
}

struct Subject(Fixture);

impl Machine for Subject {
    type Input = Input;
    type Output = ProducerOutput;

    fn apply(&mut self, now: Instant, input: &Input) {
        let f = &mut self.0;
        f.now = now;
        match input {
            Input::Append(partition) => {
                f.append(*partition, "value");
            }
            Input::Answer(code) => {
                if let Some(request) = f.requests.pop_front() {
                    let reply =
                        |partition| Reply { partition, code: *code, base_offset: 5, log_start_offset: 2 };
                    let replies: Vec<_> =
                        request.batches.iter().map(|batch| reply(batch.partition)).collect();
                    let response = super::fixture::response(&replies);
                    f.producer.handle_response(now, request.number, &response.into()).unwrap();
                }
            }
            Input::Lose(lost) => {
                if let Some(request) = f.requests.pop_front() {
                    f.producer.handle_lost(now, request.number, *lost);
                }
            }
            Input::Leader(leader) => f.metadata(2, &[*leader, 1]),
            Input::Unready => f.producer.handle_unready(now, crate::BrokerId(0)),
            Input::Flush => {
                f.producer.flush(now);
            }
            Input::Abort => f.producer.abort(now),
            Input::Misuse(partition, batch, signal) => {
                f.producer.handle_signal(now, PartitionIndex(*partition), BatchId(*batch), *signal);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.now = now;
        self.0.producer.handle_timeout(now);
    }

    fn poll(&mut self, now: Instant, _origin: Instant) -> Option<ProducerOutput> {
        self.0.now = now;
        let output = self.0.producer.poll(now, &self.0.cluster)?;
        // The driver's part of an output is done at once; the trace has the output itself.
        self.0.act(output.clone());
        Some(output)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.producer.poll_timeout()
    }
}

fn make(_now: Instant) -> Subject {
    Subject(Fixture::new(2, 2, ProducerConfig::default()))
}

fn input() -> impl Strategy<Value = Input> {
    let code = prop::sample::select(vec![
        ErrorCode::NONE,
        ErrorCode::NONE,
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode::UNKNOWN_PRODUCER_ID,
        ErrorCode::MESSAGE_TOO_LARGE,
        ErrorCode::INVALID_RECORD,
        ErrorCode::UNKNOWN_SERVER_ERROR,
    ]);
    let signal = prop::sample::select(vec![Signal::Quiet, Signal::Opened, Signal::Full, Signal::OpenedFull]);
    prop_oneof![
        8 => (0..2_u32).prop_map(Input::Append),
        4 => code.prop_map(Input::Answer),
        1 => prop::sample::select(vec![Lost::NotSent, Lost::MaybeSent, Lost::Unsupported]).prop_map(Input::Lose),
        1 => (-1..2).prop_map(Input::Leader),
        1 => Just(Input::Unready),
        1 => Just(Input::Flush),
        1 => Just(Input::Abort),
        1 => (0..3_u32, 0..5_u64, signal).prop_map(|(partition, batch, signal)| Input::Misuse(partition, batch, signal)),
    ]
}

fn script() -> impl Strategy<Value = Vec<Step<Input>>> {
    let step = (0..400_u64, input())
        .prop_map(|(millis, input)| Step { after: Duration::from_millis(millis / 4), input });
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn the_producer_obeys_the_laws(script in script()) {
        check(make, &script);
    }
}
