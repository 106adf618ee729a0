//! The harness itself: a real broker starts and Apache's own tools can use it.

use klamm_tests::Outcome;
use klamm_tests::real::{RealKafka, RealKafkaOptions};

pub(crate) fn real_kafka_starts() -> Outcome<()> {
    let kafka = RealKafka::start("one", RealKafkaOptions::default())?;
    let listed = kafka.tool("topics", &["--create", "--topic", "selftest", "--if-not-exists"], b"")?;
    assert!(String::from_utf8_lossy(&listed).contains("selftest"), "{}", String::from_utf8_lossy(&listed));
    Ok(())
}
