use super::settings::{SETTINGS, Settings};
use super::*;

fn leadership(replicas: &[i32]) -> Leadership {
    Leadership::new(replicas.to_vec(), |_| true)
}

fn state(leadership: &Leadership) -> (i32, i32, &[i32]) {
    (leadership.leader, leadership.leader_epoch, &leadership.isr)
}

#[test]
fn leadership_moves_to_the_next_replica_in_sync() {
    let mut p = leadership(&[2, 3, 1]);
    assert_eq!(state(&p), (2, 0, [2, 3, 1].as_slice()));
    assert!(p.leave(3, false, |broker| broker != 3), "a follower");
    assert_eq!(state(&p), (2, 0, [2, 1].as_slice()));
    assert!(p.leave(2, false, |broker| broker == 1));
    assert_eq!(state(&p), (1, 1, [1].as_slice()));
    assert!(p.leave(1, false, |_| false), "the last one stays in the ISR");
    assert_eq!(state(&p), (NO_LEADER, 2, [1].as_slice()));
    assert!(!p.join(false, |broker| broker == 2), "not in sync: an election would lose records");
    assert_eq!(state(&p), (NO_LEADER, 2, [1].as_slice()));
    assert!(p.join(false, |broker| broker != 3));
    assert_eq!((state(&p), p.is_unclean), ((1, 3, [1].as_slice()), false));
    p.expand(2);
    assert_eq!(state(&p), (1, 3, [1, 2].as_slice()));
    p.shrink(1);
    assert_eq!(state(&p), (1, 3, [1, 2].as_slice()), "the leader is always in sync");
    p.shrink(2);
    assert_eq!((state(&p), p.version), ((1, 3, [1].as_slice()), 7));
}

#[test]
fn an_unclean_leader_is_alone_in_sync() {
    let mut p = leadership(&[2, 3, 1]);
    p.shrink(1);
    assert!(p.leave(3, true, |broker| broker != 3));
    assert!(p.leave(2, true, |broker| broker == 1));
    assert_eq!((state(&p), p.is_unclean), ((1, 1, [1].as_slice()), true));
    p.expand(3);
    p.lead(3);
    assert_eq!((state(&p), p.is_unclean), ((3, 2, [1, 3].as_slice()), false));
}

#[test]
fn without_replication_a_partition_is_leaderless_while_its_broker_is_down() {
    let mut p = leadership(&[1]);
    assert!(p.leave(1, false, |_| false));
    assert_eq!(state(&p), (NO_LEADER, 1, [1].as_slice()));
    assert!(p.join(false, |_| true));
    assert_eq!(state(&p), (1, 2, [1].as_slice()));
    let born_dead = Leadership::new(vec![4], |_| false);
    assert_eq!(state(&born_dead), (NO_LEADER, 0, [4].as_slice()));
}

#[test]
fn names() {
    for good in ["a", "a.b_c-D9", "__consumer_offsets", &"x".repeat(249)] {
        assert_eq!(name::check(good), Ok(()));
    }
    for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
        assert!(name::check(bad).is_err(), "{bad:?}");
    }
    assert!(name::collide("a.b", "a_b") && name::collide("a", "a") && !name::collide("a.b", "a-b"));
}

#[test]
fn settings_have_valid_defaults_and_refuse_nonsense() {
    let mut settings = Settings::new(BTreeMap::from([("min.insync.replicas", Str::from("2"))]));
    assert_eq!(settings.limits().min_insync_replicas, 2);
    for setting in SETTINGS {
        assert_eq!(settings.set(setting.name, Some(setting.default)), Ok(()), "{}", setting.name);
        settings.set(setting.name, None).unwrap();
        assert!(!settings.get(setting).1);
    }
    assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
    settings.set("message.timestamp.type", Some("LogAppendTime")).unwrap();
    settings.set("cleanup.policy", Some("delete, compact")).unwrap();
    assert!(settings.limits().log_append_time && settings.limits().compacted);
    assert_eq!(settings.limits().max_message_bytes, 1_048_588);
    for (name, value) in [
        ("nonsense", "1"),
        ("max.message.bytes", "-1"),
        ("max.message.bytes", "3000000000"),
        ("max.message.bytes", "x"),
        ("preallocate", "yes"),
        ("cleanup.policy", "delete,shred"),
        ("message.timestamp.type", "createtime"),
        ("min.cleanable.dirty.ratio", ""),
    ] {
        assert!(settings.set(name, Some(value)).is_err(), "{name}={value}");
    }
}
