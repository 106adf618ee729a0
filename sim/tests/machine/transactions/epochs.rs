//! Epochs that rise, and come to their end.

use std::time::Duration;

use klamm_protocol::ErrorCode;

use super::driver::{Producer, cluster, stable};

#[test]
fn the_last_epoch_is_followed_by_another_producer_id() {
    for is_new in [false, true] {
        let mut wire = cluster(Duration::ZERO);
        // The next producer id begins with this epoch.
        wire.inject("producer-epoch epoch=32765");
        let mut producer = Producer::new(&mut wire, is_new);
        let first = producer.id;
        assert_eq!(producer.epoch, 32_765);
        if is_new {
            producer.write(&mut wire, &["a"]);
            assert_eq!(producer.end(&mut wire, true), ErrorCode::NONE);
        } else {
            assert_eq!(producer.init(&mut wire), ErrorCode::NONE);
        }
        assert_eq!((producer.id, producer.epoch), (first, 32_766));
        producer.write(&mut wire, &["b"]);
        let before = (producer.id, producer.epoch);
        assert_eq!(producer.end(&mut wire, true), ErrorCode::NONE);
        if is_new {
            // Asking again is answered the same.
            let after = (producer.id, producer.epoch);
            (producer.id, producer.epoch) = before;
            assert_eq!(producer.end(&mut wire, true), ErrorCode::NONE);
            assert_eq!((producer.id, producer.epoch), after);
        } else {
            assert_eq!(producer.init_as(&mut wire, before), ErrorCode::NONE);
        }
        assert_ne!(producer.id, first);
        assert_eq!(producer.epoch, 0);
        producer.write(&mut wire, &["c"]);
        assert_eq!(producer.end(&mut wire, true), ErrorCode::NONE);
        let end = wire.cluster.partition("t", 0).unwrap().high_watermark;
        assert_eq!(stable(&mut wire), end);
        assert_eq!(wire.cluster.records("t", 0).unwrap().len(), if is_new { 3 } else { 2 });
    }
}

#[test]
fn a_second_producer_fences_the_first_one() {
    for is_new in [false, true] {
        let mut wire = cluster(Duration::ZERO);
        let mut first = Producer::new(&mut wire, is_new);
        first.write(&mut wire, &["a"]);
        let mut second = Producer { id: -1, epoch: -1, sequence: 0, is_new };
        assert_eq!(second.init(&mut wire), ErrorCode::CONCURRENT_TRANSACTIONS, "the first one's is aborted");
        assert_eq!(second.init(&mut wire), ErrorCode::NONE);
        assert!(second.epoch > first.epoch);
        assert_eq!(first.produce(&mut wire, &["b"]), ErrorCode::INVALID_PRODUCER_EPOCH);
        assert_eq!(first.end(&mut wire, true), ErrorCode::PRODUCER_FENCED);
        second.write(&mut wire, &["c"]);
        assert_eq!(second.end(&mut wire, true), ErrorCode::NONE);
    }
}
