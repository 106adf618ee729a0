//! The closest replica (KIP-392).

use super::*;

/// Two partitions that broker 0 leads; the first has a replica close to us, broker 1.
fn world() -> World {
    let config = ConsumerConfig { client_rack: Str::from("here"), ..config() };
    let mut world = World::new(config, 17, 2, 1);
    for partition in 0..2 {
        world.log(partition).append(5);
        world.assign(partition, StartAt::Offset(0));
    }
    world.log(0).closest = Some(BrokerId(1));
    world.drain();
    world
}

/// A world in which the first partition is read from the replica.
fn following() -> World {
    let mut world = world();
    world.answer(0);
    world.drain();
    assert_eq!(asked(&world), [(0, vec![(1, 5)]), (1, vec![(0, 0)])]);
    world
}

/// The fetches under way: by broker, what they tell.
fn asked(world: &World) -> Vec<(i32, Vec<(i32, i64)>)> {
    let fetch = |request: &crate::Request| match (&*request.request, request.to) {
        (AnyRequest::Fetch(fetch), crate::Target::Broker(broker)) => Some((broker.0, offsets(fetch))),
        _ => None,
    };
    let mut fetches: Vec<_> = world.requests.iter().filter_map(fetch).collect();
    fetches.sort();
    fetches
}

/// The fetch under way to a broker, and where it is among the requests.
fn to(world: &World, broker: i32) -> (usize, &FetchRequest) {
    let find = |(at, request): (usize, &'_ crate::Request)| {
        (request.to == crate::Target::Broker(BrokerId(broker))).then_some(at)
    };
    let at = world.requests.iter().enumerate().find_map(find).expect("a request to the broker");
    let AnyRequest::Fetch(fetch) = &*world.requests[at].request else { panic!("not a fetch") };
    (at, fetch)
}

fn answer(world: &mut World, broker: i32) {
    world.answer(to(world, broker).0);
    world.drain();
}

fn fail(world: &mut World, code: ErrorCode) {
    world.log(0).error = Some(code);
    answer(world, 1);
}

#[test]
fn records_come_from_the_replica_that_the_leader_names() {
    let mut world = following();
    let (_, fetch) = to(&world, 0);
    assert_eq!((fetch.rack_id.as_ref(), fetch.session_epoch), ("here", 1));
    assert_eq!(fetch.forgotten_topics_data[0].partitions, [0], "the leader forgets it, within its session");
    answer(&mut world, 1);
    assert_eq!(world.queue.back().unwrap().ticket.partition, P0);
    let (_, fetch) = to(&world, 1);
    assert_eq!(fetch.session_epoch, 1, "the replica has a session too");
    assert_eq!(offsets(fetch), [(0, 5)]);
    world.settle();
    assert_eq!((world.seen[&0].count, world.seen[&1].count), (5, 5));
}

#[test]
fn without_a_rack_nothing_is_asked_for() {
    let mut world = World::new(config(), 17, 1, 1);
    world.log(0).append(5);
    world.log(0).closest = Some(BrokerId(1));
    world.assign(0, StartAt::Offset(0));
    world.drain();
    assert!(fetch(&world).rack_id.is_empty());
    world.answer(0);
    world.drain();
    assert_eq!(world.queue.len(), 1);
}

#[test]
fn the_leader_is_asked_again_after_a_while() {
    let mut world = following();
    answer(&mut world, 1);
    answer(&mut world, 0);
    let age = ConsumerConfig::default().replica_max_age;
    assert_eq!(world.consumer.poll_timeout(), Some(Instant::from_millis(1_000) + age));
    world.advance(u64::try_from(age.as_millis()).unwrap());
    world.drain();
    world.log(0).append(1);
    answer(&mut world, 1);
    assert_eq!(world.queue.back().unwrap().next_offset, 6, "what it was asked for is taken from the replica");
    // A fetch to the leader is under way: the next one tells.
    answer(&mut world, 0);
    assert_eq!(asked(&world), [(0, vec![(0, 6)])]);
    world.log(0).append(1);
    answer(&mut world, 0);
    assert_eq!(asked(&world).last(), Some(&(1, vec![(0, 6)])), "it is named again");
    answer(&mut world, 1);
    assert_eq!(world.queue.back().unwrap().next_offset, 7);
}

#[test]
fn a_replica_is_left_at_once_if_it_is_asked_for_nothing() {
    let mut world = following();
    world.consumer.pause(world.now, &[P0]);
    answer(&mut world, 1);
    let age = ConsumerConfig::default().replica_max_age;
    world.advance(u64::try_from(age.as_millis()).unwrap());
    world.drain();
    world.consumer.resume(world.now, &[P0]);
    world.drain();
    answer(&mut world, 0);
    assert_eq!(asked(&world)[0].0, 0, "the leader is asked: {:?}", asked(&world));
    assert!(asked(&world)[0].1.iter().any(|(partition, _)| *partition == 0), "{:?}", asked(&world));
}

#[test]
fn a_replica_named_while_it_is_asked_for_others_is_asked_before_it_is_left() {
    let mut world = world();
    world.log(0).closest = None;
    world.log(1).closest = Some(BrokerId(1));
    answer(&mut world, 0);
    assert_eq!(asked(&world), [(0, vec![(0, 5)]), (1, vec![(1, 0)])]);
    world.log(0).append(1);
    world.log(0).closest = Some(BrokerId(1));
    answer(&mut world, 0);
    let age = ConsumerConfig::default().replica_max_age;
    world.advance(u64::try_from(age.as_millis()).unwrap());
    world.drain();
    answer(&mut world, 1);
    let to_replica: Vec<_> = asked(&world).into_iter().filter(|(broker, _)| *broker == 1).collect();
    assert_eq!(to_replica, [(1, vec![(0, 5)])], "it was not asked for this one yet");
    answer(&mut world, 1);
    assert_eq!(world.queue.back().unwrap().next_offset, 6);
}

#[test]
fn errors_of_the_replica_lead_back_to_the_leader() {
    let codes = [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::REPLICA_NOT_AVAILABLE,
        ErrorCode::OFFSET_NOT_AVAILABLE,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::KAFKA_STORAGE_ERROR,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::UNKNOWN_TOPIC_ID,
    ];
    for code in codes {
        let mut world = following();
        fail(&mut world, code);
        world.advance(200);
        world.drain();
        answer(&mut world, 0);
        assert!(asked(&world).contains(&(0, vec![(0, 0)])), "{code}: {:?}", asked(&world));
        assert_eq!(world.queue.iter().filter(|chunk| chunk.ticket.partition == P1).count(), 1, "{code}");
    }
    // The replica may be behind with its metadata: it is asked again.
    let mut world = following();
    fail(&mut world, ErrorCode::UNKNOWN_LEADER_EPOCH);
    world.advance(200);
    world.drain();
    assert_eq!(asked(&world)[1], (1, vec![]), "in its session, where it still is");
}

#[test]
fn an_offset_that_the_replica_does_not_have_is_the_leaders_business() {
    let mut world = following();
    fail(&mut world, ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(world.consumer.state(P0), Some(PositionState::Fetching));
    answer(&mut world, 0);
    assert_eq!(asked(&world)[0], (0, vec![(0, 0)]), "at once");
    answer(&mut world, 0);
    assert_eq!(asked(&world)[1], (1, vec![(0, 0)]));
    fail(&mut world, ErrorCode::OFFSET_OUT_OF_RANGE);
    answer(&mut world, 0);
    assert!(asked(&world).iter().all(|(_, told)| told.is_empty()), "but not in circles");
    world.settle();
    assert_eq!(world.seen[&0].count, 5);
}

#[test]
fn a_replica_that_cannot_be_reached_is_avoided_for_a_while() {
    let mut world = following();
    world.lose(to(&world, 1).0, false);
    world.drain();
    answer(&mut world, 0);
    assert_eq!(asked(&world), [(0, vec![(0, 0)])]);
    // The leader still names it, and is then asked to serve the records itself.
    answer(&mut world, 0);
    assert!(to(&world, 0).1.rack_id.is_empty());
    answer(&mut world, 0);
    assert_eq!(world.queue.back().unwrap().ticket.partition, P0);
    world.advance(11_000);
    world.log(0).append(1);
    answer(&mut world, 0);
    assert_eq!(to(&world, 0).1.rack_id, "here");
    answer(&mut world, 0);
    assert_eq!(asked(&world)[1], (1, vec![(0, 6)]));
}

#[test]
fn a_new_leader_ends_it() {
    let mut world = following();
    world.log(0).epoch = 2;
    world.log(0).closest = None;
    world.tell_leader(0);
    world.drain();
    answer(&mut world, 0);
    assert_eq!(asked(&world)[0], (0, vec![(0, 0)]));
    assert_eq!(world.consumer.poll_timeout(), None);
}

#[test]
fn a_place_is_looked_up_at_the_leader() {
    let mut world = following();
    world.consumer.seek(world.now, P0, StartAt::Latest).unwrap();
    world.drain();
    let question = world.requests.last().unwrap();
    assert!(matches!(*question.request, AnyRequest::ListOffsets(_)));
    assert_eq!(question.to, crate::Target::Broker(BrokerId(0)));
    world.answer(world.requests.len() - 1);
    world.drain();
    answer(&mut world, 1);
    assert!(world.queue.iter().all(|chunk| chunk.ticket.partition != P0), "what was under way is dropped");
    assert_eq!(offsets(to(&world, 1).1), [(0, 5)], "and read on from the replica");
}
