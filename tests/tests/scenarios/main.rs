//! Scenarios: one text each, run over every adapter, against the embedded broker and real Kafka.

use libtest_mimic::{Arguments, Completion, Trial};

mod selftest;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    libtest_mimic::run(
        &arguments,
        vec![Trial::ignorable_test("real_kafka::starts", || {
            if let Some(reason) = klamm_tests::real::why_unavailable() {
                return Ok(Completion::ignored_with(reason));
            }
            selftest::real_kafka_starts().map_err(|error| error.to_string())?;
            Ok(Completion::Completed)
        })],
    )
    .exit_code()
}
