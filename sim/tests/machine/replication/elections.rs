//! Who leads: clean, unclean, preferred and forced elections, and what followers cut off then.

use klamm_protocol::ErrorCode;
use klamm_protocol::compression::Compression;
use klamm_protocol::records::Stamp;

use super::driver::{MS, three};
use crate::events::story;
use crate::wire::batch;

/// What is in the logs of 1, 2 and 3.
fn ends(wire: &crate::wire::Wire) -> [i64; 3] {
    [wire.ends(1).0, wire.ends(2).0, wire.ends(3).0]
}

#[test]
fn a_clean_leader_has_all_that_is_committed_and_the_rest_is_cut_off() {
    let mut wire = three(|config| config.replication_latency = 10 * MS);
    wire.pass(100 * MS);
    wire.offer(1, 1, "a");
    wire.pass(100 * MS);
    wire.cluster.cut_replication(wire.now, 1, 2);
    wire.offer(1, 1, "b");
    wire.pass(25 * MS);
    assert_eq!((ends(&wire), wire.ends(1)), ([2, 1, 2], (2, 1)), "1 and 3 have b, it is not committed");
    wire.cluster.record_events(true);
    wire.cluster.elect(wire.now, "t", 0, 2).unwrap();
    assert_eq!(wire.leader(), (Some(2), 1, vec![1, 2, 3]));
    wire.cluster.heal_replication(wire.now, None);
    wire.pass(100 * MS);
    assert_eq!(ends(&wire), [1; 3]);
    assert_eq!(wire.values(), ["a"]);
    wire.offer(2, 1, "c");
    wire.pass(100 * MS);
    assert_eq!((wire.values(), ends(&wire)), (vec!["a".to_owned(), "c".to_owned()], [2; 3]));
    assert_eq!(
        story(&mut wire),
        ["elected 2/1 for 0, end 1", "appended 0 at 2/1 from 1", "committed 0 below 2"]
    );
}

#[test]
fn an_unclean_leader_loses_what_was_committed_and_says_so() {
    let mut wire = three(|config| config.replica_max_lag = 100 * MS);
    wire.offer(1, 1, "a");
    wire.cluster.cut_replication(wire.now, 1, 3);
    wire.cluster.cut_replication(wire.now, 2, 3);
    wire.offer(1, 1, "b");
    wire.offer(1, 1, "c");
    wire.pass(200 * MS);
    assert_eq!((wire.leader().2, wire.ends(1), wire.ends(3)), (vec![1, 2], (3, 3), (1, 1)));
    wire.cluster.record_events(true);
    wire.cluster.kill(wire.now, 1);
    wire.cluster.kill(wire.now, 2);
    assert_eq!(wire.leader(), (None, 2, vec![2]));
    assert!(wire.cluster.elect_preferred(wire.now, "t", 0).is_err());
    let unclean = wire.cluster.elect_unclean(wire.now, "t", 0);
    assert_eq!((unclean, wire.leader()), (Ok(()), (Some(3), 3, vec![3])));
    let again = wire.cluster.elect_unclean(wire.now, "t", 0);
    assert_eq!(again.unwrap_err().code, ErrorCode::ELECTION_NOT_NEEDED);
    wire.offer(3, -1, "d");
    wire.cluster.restart(1);
    wire.cluster.heal_replication(wire.now, None);
    wire.cluster.restart(2);
    assert_eq!((ends(&wire), wire.leader().2), ([2; 3], vec![3, 1, 2]));
    assert_eq!(wire.values(), ["a", "d"]);
    assert_eq!(
        story(&mut wire),
        [
            "broker 1 down",
            "elected 2/1 for 0, end 3",
            "broker 2 down",
            "elected -1/2 for 0, end -1",
            "lost 0 from 1 before epoch 3",
            "elected 3/3 for 0 uncleanly, end 1",
            "appended 0 at 3/3 from 1",
            "committed 0 below 2",
            "broker 1 up",
            "broker 2 up",
        ]
    );
}

#[test]
fn a_topic_that_allows_it_elects_uncleanly_by_itself() {
    let mut wire = three(|config| config.replica_max_lag = 100 * MS);
    for broker in [2, 3] {
        wire.cluster.cut_replication(wire.now, 1, broker);
    }
    wire.offer(1, 1, "a");
    wire.pass(200 * MS);
    wire.cluster.kill(wire.now, 1);
    assert_eq!(wire.leader(), (None, 1, vec![1]));
    wire.cluster.configure_topic("t", "unclean.leader.election.enable", Some("true")).unwrap();
    assert_eq!(wire.leader(), (Some(2), 2, vec![2, 3]), "3 follows at once");
    wire.cluster.kill(wire.now, 2);
    assert_eq!(wire.leader(), (Some(3), 3, vec![3]), "cleanly");
    wire.cluster.restart(1);
    wire.cluster.heal_replication(wire.now, None);
    assert_eq!((ends(&wire)[0], wire.leader()), (0, (Some(3), 3, vec![3, 1])));
}

#[test]
fn the_preferred_leader_leads_when_it_is_told_to() {
    let mut wire = three(|_| {});
    let needed = wire.cluster.elect_preferred(wire.now, "t", 0).unwrap_err();
    assert_eq!(needed.code, ErrorCode::ELECTION_NOT_NEEDED);
    wire.cluster.kill(wire.now, 1);
    wire.offer(2, -1, "a");
    let missing = wire.cluster.elect_preferred(wire.now, "t", 0).unwrap_err();
    assert_eq!(missing.code, ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE);
    wire.cluster.restart(1);
    assert_eq!(wire.leader(), (Some(2), 1, vec![2, 3, 1]));
    wire.cluster.elect_preferred(wire.now, "t", 0).unwrap();
    assert_eq!((wire.leader(), wire.values()), ((Some(1), 2, vec![2, 3, 1]), vec!["a".to_owned()]));
    for (partition, broker, expected) in
        [(1, 1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), (0, 9, ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE)]
    {
        assert_eq!(wire.cluster.elect(wire.now, "t", partition, broker).unwrap_err().code, expected);
    }
}

#[test]
fn a_new_leader_knows_the_producers_of_its_log_and_no_others() {
    let at = |sequence| batch(&["x"], Compression::None, &Stamp::idempotent(7, 0, sequence));
    let mut wire = three(|_| {});
    assert_eq!(wire.produce(9, at(0)).base_offset, 0);
    assert_eq!(wire.produce(9, at(1)).base_offset, 1);
    wire.cluster.cut_replication(wire.now, 1, 2);
    let connection = wire.connect(1);
    let request = wire.produce_request(9, 1, at(2));
    assert_eq!(wire.call(connection, 9, &request).responses[0].partition_responses[0].base_offset, 2);
    wire.cluster.elect(wire.now, "t", 0, 2).unwrap();
    wire.cluster.heal_replication(wire.now, None);
    assert_eq!(wire.produce(9, at(1)).base_offset, 1, "a duplicate");
    assert_eq!(wire.produce(9, at(3)).error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(wire.produce(9, at(2)).base_offset, 2, "what 1 had alone is gone: it is appended");
    assert_eq!(wire.values().len(), 3);
    wire.cluster.elect(wire.now, "t", 0, 1).unwrap();
    assert_eq!(wire.produce(9, at(2)).base_offset, 2, "1 has read its producers again after truncating");
    assert_eq!(wire.produce(9, at(3)).base_offset, 3);
}

#[test]
fn readers_that_wait_hear_of_an_election_and_leaders_of_their_epochs() {
    use klamm_protocol::messages::fetch::FetchResponse;
    use klamm_protocol::messages::offset_for_leader_epoch::{
        OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
    };

    use crate::wire::Got;

    let mut wire = three(|_| {});
    wire.offer(1, -1, "a");
    wire.outcome();
    let reader = wire.connect(1);
    let mut request = wire.fetch_request(12, 1);
    (request.min_bytes, request.max_wait_ms) = (1, 60_000);
    request.topics[0].partitions[0].current_leader_epoch = 0;
    wire.send(reader, 12, &request);
    wire.cluster.elect(wire.now, "t", 0, 2).unwrap();
    let (at, Got::Response(response)) = wire.next::<FetchResponse>() else { panic!("it hears at once") };
    let error = response.responses[0].partitions[0].error_code;
    assert_eq!((at, error), (Some(reader), ErrorCode::FENCED_LEADER_EPOCH));
    wire.cluster.elect(wire.now, "t", 0, 3).unwrap();
    wire.offer(3, -1, "b");
    wire.outcome();
    let mut ask = |epoch| {
        let partition =
            OffsetForLeaderPartition { leader_epoch: epoch, ..OffsetForLeaderPartition::default() };
        let topic = OffsetForLeaderTopic {
            topic: "t".into(),
            partitions: vec![partition],
            ..OffsetForLeaderTopic::default()
        };
        let request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
        let found = wire.ask(3, 3, &request).topics.remove(0).partitions.remove(0);
        (found.leader_epoch, found.end_offset)
    };
    assert_eq!([ask(0), ask(1), ask(2), ask(3)], [(0, 1), (0, 1), (2, 2), (-1, -1)]);
}
