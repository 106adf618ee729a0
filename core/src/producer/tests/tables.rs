//! The error table, and the configuration's contradictions.

use core::time::Duration;

use klamm_protocol::ErrorCode;

use crate::producer::{Acks, ConfigError, ProduceErrorKind, Producer, ProducerConfig, verdict::Verdict};
use crate::{Entropy, ProducerHandle};

#[test]
fn every_known_code_has_the_verdict_of_the_table() {
    let retry = [2, 14, 15, 16, 19, 41, 51, 70, 71, 75, 78, 88, 89, 106, 122, 123, 133];
    let elsewhere = [3, 5, 6, 8, 9, 72, 74, 80, 83, 84, 100, 103];
    let unsure = [7, 13, 20, 56];
    let fatal = [31, 35, 49, 53, 90];
    for code in ErrorCode::all() {
        let expected = match code.0 {
            -1 => Verdict::FailUnsure,
            0 => Verdict::Acknowledged,
            10 => Verdict::TooLarge,
            29 => Verdict::Fail(ProduceErrorKind::Unauthorized),
            45 => Verdict::OutOfOrder,
            46 => Verdict::Duplicate,
            59 => Verdict::UnknownProducer,
            number if retry.contains(&number) => Verdict::Retry,
            number if elsewhere.contains(&number) => Verdict::RetryElsewhere,
            number if unsure.contains(&number) => Verdict::RetryUnsure,
            number if fatal.contains(&number) => Verdict::Fatal,
            _ => Verdict::Fail(ProduceErrorKind::Refused),
        };
        assert_eq!(Verdict::of(*code), expected, "{code}");
    }
    assert_eq!(Verdict::of(ErrorCode(999)), Verdict::Fail(ProduceErrorKind::Refused));
}

#[test]
fn configurations_that_contradict_themselves_are_refused() {
    let refused = |config: ProducerConfig| Producer::new(ProducerHandle(0), config, Entropy::new(0)).err();
    let default = ProducerConfig::default;
    assert_eq!(refused(default()), None);
    assert_eq!(
        refused(ProducerConfig { acks: Acks::Leader, ..default() }),
        Some(ConfigError::IdempotenceNeedsAllAcks)
    );
    assert_eq!(
        refused(ProducerConfig { max_in_flight: 6, ..default() }),
        Some(ConfigError::IdempotenceInFlight { max_in_flight: 6 })
    );
    assert_eq!(refused(ProducerConfig { max_in_flight: 6, idempotent: false, ..default() }), None);
    assert_eq!(
        refused(ProducerConfig { max_in_flight: 0, idempotent: false, ..default() }),
        Some(ConfigError::NothingInFlight)
    );
    let short = ProducerConfig { delivery_timeout: Duration::from_secs(30), ..default() };
    assert!(matches!(refused(short), Some(ConfigError::DeliveryTimeoutTooShort { .. })));
    let small = ProducerConfig { max_request_size: 100, ..default() };
    assert_eq!(refused(small), Some(ConfigError::RequestTooSmall { max_request_size: 100 }));
}
