use super::*;

const WANTED: Wanted = Wanted { offset: 0, max_bytes: 1 << 20, leader_epoch: -1, last_epoch: -1 };
const IDLE: Told =
    Told { high_watermark: 0, log_start_offset: 0, is_error: false, has_records: false, must_tell: false };

fn key(partition: i32) -> Key {
    (TopicRef::Name(Str::from("t")), partition)
}

fn header(id: i32, epoch: i32) -> Header {
    Header { id, epoch, by_topic_id: false }
}

/// Sessions with one of the partitions 0, 1 and 2.
fn opened() -> (Sessions, i32) {
    let mut sessions = Sessions::new(Entropy::new(1), &LimitConfig::default());
    let wanted: Vec<_> = (0..3).map(|partition| (key(partition), WANTED)).collect();
    assert_eq!(sessions.request(Instant::ZERO, header(0, 0), &wanted, &[]), Ok(Context::Full));
    let told: Vec<_> = (0..3).map(|partition| (key(partition), WANTED, IDLE)).collect();
    let id = sessions.open(Instant::ZERO, false, &told);
    assert!(id > 0);
    (sessions, id)
}

fn partitions(sessions: &Sessions, id: i32) -> Vec<i32> {
    sessions.wanted(id).into_iter().map(|(key, _)| key.1).collect()
}

#[test]
fn an_incremental_request_changes_the_set() {
    let (mut sessions, id) = opened();
    let moved = Wanted { offset: 9, ..WANTED };
    let context =
        sessions.request(Instant::ZERO, header(id, 1), &[(key(5), WANTED), (key(1), moved)], &[key(0)]);
    assert_eq!(context, Ok(Context::Incremental(id)));
    assert_eq!(partitions(&sessions, id), [1, 2, 5]);
    assert_eq!(sessions.wanted(id)[0].1, moved);
    assert!(sessions.tell(id, &key(5), &IDLE), "the new partition has not been told of");
    assert!(!sessions.tell(id, &key(1), &IDLE), "nothing new");
}

#[test]
fn epochs_are_checked_and_wrap_to_one() {
    let (mut sessions, id) = opened();
    let mut request = |epoch| sessions.request(Instant::ZERO, header(id, epoch), &[], &[]);
    assert_eq!(request(2), Err(SessionError::InvalidEpoch));
    assert_eq!(request(1), Ok(Context::Incremental(id)));
    assert_eq!(request(1), Err(SessionError::InvalidEpoch));
    assert_eq!(request(2), Ok(Context::Incremental(id)));
    sessions.by_id.get_mut(&id).unwrap().epoch = i32::MAX;
    let mut request = |epoch| sessions.request(Instant::ZERO, header(id, epoch), &[], &[]);
    assert_eq!(request(i32::MAX), Ok(Context::Incremental(id)));
    assert_eq!(request(1), Ok(Context::Incremental(id)));
}

#[test]
fn names_and_ids_do_not_mix_and_unknown_sessions_are_refused() {
    let (mut sessions, id) = opened();
    let by_id = Header { by_topic_id: true, ..header(id, 1) };
    assert_eq!(sessions.request(Instant::ZERO, by_id, &[], &[]), Err(SessionError::TopicIds));
    let unknown = header(id.wrapping_add(1), 1);
    assert_eq!(sessions.request(Instant::ZERO, unknown, &[], &[]), Err(SessionError::NotFound));
}

#[test]
fn a_session_ends_by_a_final_or_full_request_or_when_it_is_empty() {
    for (epoch, expected) in [(-1, Context::Sessionless), (0, Context::Full)] {
        let (mut sessions, id) = opened();
        assert_eq!(sessions.request(Instant::ZERO, header(id, epoch), &[], &[]), Ok(expected));
        assert_eq!(sessions.len(), 0);
    }
    let (mut sessions, id) = opened();
    let all = [key(0), key(1), key(2)];
    assert_eq!(sessions.request(Instant::ZERO, header(id, 1), &[], &all), Ok(Context::Sessionless));
    assert_eq!(sessions.len(), 0);
}

#[test]
fn only_what_changed_is_told() {
    let (mut sessions, id) = opened();
    assert!(!sessions.tell(id, &key(0), &IDLE));
    assert!(sessions.tell(id, &key(0), &Told { high_watermark: 4, ..IDLE }));
    assert!(!sessions.tell(id, &key(0), &Told { high_watermark: 4, ..IDLE }));
    assert!(sessions.tell(id, &key(0), &Told { high_watermark: 4, log_start_offset: 1, ..IDLE }));
    assert!(sessions.tell(id, &key(1), &Told { is_error: true, ..IDLE }));
    assert!(sessions.tell(id, &key(1), &IDLE), "after an error the next answer is told");
    assert!(sessions.tell(id, &key(2), &Told { must_tell: true, ..IDLE }));
}

#[test]
fn partitions_with_records_go_to_the_end() {
    let (mut sessions, id) = opened();
    assert!(sessions.tell(id, &key(0), &Told { has_records: true, ..IDLE }));
    assert_eq!(partitions(&sessions, id), [1, 2, 0]);
}

#[test]
fn idle_sessions_give_way_when_the_cache_is_full() {
    let mut sessions = Sessions::new(Entropy::new(1), &LimitConfig::default());
    let told = [(key(0), WANTED, IDLE)];
    for _ in 0..1000 {
        assert_ne!(sessions.open(Instant::ZERO, false, &told), 0);
    }
    assert_eq!(sessions.open(Instant::ZERO + sessions.eviction_age, false, &told), 0);
    let later = Instant::ZERO + sessions.eviction_age + Duration::from_secs(1);
    assert_ne!(sessions.open(later, false, &told), 0);
    assert_eq!(sessions.len(), 1000);
}
