use std::time::Duration;

use bytes::Bytes;

use klamm_protocol::compression::Compression;
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::records::Stamp;
use klamm_protocol::{ErrorCode, RecordBytes};
use klamm_sim::cluster::ClusterConfig;
use klamm_sim::observe::{ClusterEvent, Refusal};

use crate::wire::{Wire, batch};

fn sequenced(producer_epoch: i16, base_sequence: i32) -> RecordBytes {
    let stamp = Stamp { producer_id: 7, producer_epoch, base_sequence, ..Stamp::default() };
    batch(&["a"], Compression::None, &stamp)
}

#[test]
fn ids_near_the_last_epoch() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.inject("producer-epoch epoch=32767");
    let request = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
    let epochs = [(); 2].map(|()| wire.ask(1, 4, &request).producer_epoch);
    assert_eq!(epochs, [i16::MAX, 0]);
    assert_eq!(wire.produce(9, sequenced(i16::MAX, 0)).error_code, ErrorCode::NONE);
    assert_eq!(wire.produce(9, sequenced(i16::MAX - 1, 1)).error_code, ErrorCode::INVALID_PRODUCER_EPOCH);
}

#[test]
fn a_producer_that_expired_is_unknown_to_old_brokers_and_new_to_others() {
    for (release, expected) in [("2.4", ErrorCode::UNKNOWN_PRODUCER_ID), ("2.5", ErrorCode::NONE)] {
        for expires in [true, false] {
            let mut config = ClusterConfig::default();
            config.release = release.parse().unwrap();
            config.limits.producer_id_expiration = Duration::from_secs(60);
            let mut wire = Wire::new(config);
            wire.cluster.create_topic("t", 1, 1).unwrap();
            for sequence in 0..2 {
                assert_eq!(wire.produce(8, sequenced(0, sequence)).error_code, ErrorCode::NONE);
                wire.advance(Duration::from_secs(60));
            }
            if expires {
                wire.advance(Duration::from_millis(1));
            } else {
                wire.inject("expire-producers topic=t partition=0");
            }
            assert_eq!(wire.produce(8, sequenced(0, 2)).error_code, expected, "{release}");
        }
    }
}

#[test]
fn producers_expire_where_they_were_told_to() {
    let mut wire = Wire::with_topic(1, "2.4");
    wire.produce(8, sequenced(0, 0));
    wire.inject("expire-producers topic=t partition=1");
    wire.inject("expire-producers topic=other");
    assert_eq!(wire.produce(8, sequenced(0, 1)).error_code, ErrorCode::NONE);
    wire.inject("expire-producers");
    assert_eq!(wire.produce(8, sequenced(0, 2)).error_code, ErrorCode::UNKNOWN_PRODUCER_ID);
}

#[test]
fn records_that_no_client_should_send_are_told_of() {
    let mut wire = Wire::with_topic(1, "4.2");
    let mut bytes = sequenced(0, 0).into_bytes().to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    wire.cluster.record_events(true);
    let refused = wire.produce(9, RecordBytes::from(Bytes::from(bytes)));
    assert_eq!(refused.error_code, ErrorCode::CORRUPT_MESSAGE);
    let event = wire.cluster.poll_event();
    let Some(ClusterEvent::Refused { reason: Refusal::Records(code, _), .. }) = event else {
        panic!("{event:?}")
    };
    assert_eq!(code, ErrorCode::CORRUPT_MESSAGE);
}
