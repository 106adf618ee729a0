use std::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_vector_of_the_java_client_and_librdkafka() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../../tests/vectors/partitioners.json")).unwrap();
    assert_eq!(cases.len(), 16);
    for case in cases {
        let key = hex(case["key_hex"].as_str().unwrap());
        assert_eq!(i64::from(murmur2(&key).cast_signed()), case["murmur2_i32"].as_i64().unwrap());
        assert_eq!(u64::from(murmur2(&key) & 0x7fff_ffff), case["murmur2_positive"].as_u64().unwrap());
        assert_eq!(u64::from(crc32fast::hash(&key)), case["crc32_u32"].as_u64().unwrap());
        assert_eq!(u64::from(fnv1a(&key).cast_signed().unsigned_abs()), case["fnv1a_u32"].as_u64().unwrap());
        for (count, expected) in case["partition"].as_object().unwrap() {
            let mut topic = TopicSpread::new(count.parse().unwrap());
            let mut entropy = Entropy::new(1);
            for (partitioner, name) in [
                (Partitioner::JAVA, "murmur2"),
                (Partitioner::MURMUR2, "murmur2"),
                (Partitioner::CONSISTENT, "consistent"),
                (Partitioner::FNV1A, "fnv1a"),
                (Partitioner::FNV1A_RANDOM, "fnv1a"),
            ] {
                let partition = partitioner.partition(Some(&key), &mut topic, &mut entropy).unwrap();
                assert_eq!(u64::from(partition), expected[name].as_u64().unwrap(), "{name} of {case}");
            }
        }
    }
}

#[test]
fn null_and_empty_keys_as_the_table_says() {
    let hashed = |partitioner: Partitioner, key: Option<&[u8]>| !partitioner.is_spread(key);
    let rows: Vec<(Partitioner, bool, bool)> = vec![
        (Partitioner::JAVA, false, true),
        (Partitioner::MURMUR2, true, true),
        (Partitioner::CONSISTENT_RANDOM, false, false),
        (Partitioner::CONSISTENT, true, true),
        (Partitioner::FNV1A_RANDOM, false, true),
        (Partitioner::FNV1A, true, true),
    ];
    for (partitioner, null, empty) in rows {
        assert_eq!(hashed(partitioner, None), null, "{partitioner:?}");
        assert_eq!(hashed(partitioner, Some(b"")), empty, "{partitioner:?}");
        assert!(hashed(partitioner, Some(b"k")), "{partitioner:?}");
    }
    for partitioner in [Partitioner::STICKY, Partitioner::RANDOM, Partitioner::ROUND_ROBIN] {
        assert!(partitioner.is_spread(Some(b"k")), "{partitioner:?}");
    }
}

#[test]
fn manual_and_topics_without_partitions_give_none() {
    let mut entropy = Entropy::new(1);
    assert_eq!(Partitioner::MANUAL.partition(Some(b"k"), &mut TopicSpread::new(3), &mut entropy), None);
    assert_eq!(Partitioner::JAVA.partition(Some(b"k"), &mut TopicSpread::new(0), &mut entropy), None);
    assert_eq!(Partitioner::JAVA.partition(None, &mut TopicSpread::new(0), &mut entropy), None);
}

/// Appends records of 100 bytes to one topic; returns the partition of each. A batch takes 10 of them.
fn sticky_run(topic: &mut TopicSpread, records: usize, entropy: &mut Entropy) -> Vec<u32> {
    let mut room = vec![1000_usize; topic.count() as usize];
    (0..records)
        .map(|_| {
            let partition = Partitioner::JAVA.partition(None, topic, entropy).unwrap();
            let left = &mut room[partition as usize];
            *left -= 100;
            topic.appended(100, *left, 1000);
            if *left == 0 {
                *left = 1000;
            }
            partition
        })
        .collect()
}

#[test]
fn sticky_stays_for_exactly_one_full_batch() {
    let chosen = sticky_run(&mut TopicSpread::new(7), 70_000, &mut Entropy::new(7));
    for batch in chosen.chunks(10) {
        assert!(batch.iter().all(|partition| *partition == batch[0]), "{batch:?}");
    }
}

#[test]
fn sticky_is_uniform_over_many_batches() {
    let chosen = sticky_run(&mut TopicSpread::new(7), 70_000, &mut Entropy::new(7));
    for partition in 0..7 {
        let share = chosen.iter().filter(|chosen| **chosen == partition).count();
        assert!((9_000..11_000).contains(&share), "partition {partition}: {share} of 70,000");
    }
}

#[test]
fn sticky_moves_on_after_two_batches_worth_even_if_no_batch_is_full() {
    let mut topic = TopicSpread::new(1000);
    let mut entropy = Entropy::new(3);
    let first = Partitioner::JAVA.partition(None, &mut topic, &mut entropy);
    for _ in 0..19 {
        topic.appended(100, 900, 1000);
        assert_eq!(Partitioner::JAVA.partition(None, &mut topic, &mut entropy), first);
    }
    topic.appended(100, 900, 1000);
    assert_ne!(Partitioner::JAVA.partition(None, &mut topic, &mut entropy), first);
}

#[test]
fn keyless_records_avoid_partitions_without_a_leader_unless_all_are() {
    let mut entropy = Entropy::new(5);
    for partitioner in [Partitioner::STICKY, Partitioner::RANDOM, Partitioner::ROUND_ROBIN] {
        let mut topic = TopicSpread::new(4);
        topic.update(4, Some(vec![1, 3]));
        for _ in 0..100 {
            let partition = partitioner.partition(None, &mut topic, &mut entropy).unwrap();
            assert!(partition == 1 || partition == 3);
            topic.appended(1000, 0, 1000);
        }
        topic.update(4, Some(Vec::new()));
        let all: std::collections::BTreeSet<_> = (0..200)
            .map(|_| {
                topic.appended(1000, 0, 1000);
                partitioner.partition(None, &mut topic, &mut entropy).unwrap()
            })
            .collect();
        assert_eq!(all.len(), 4, "{partitioner:?}");
    }
}

#[test]
fn a_sticky_partition_that_lost_its_leader_is_left_at_once() {
    let mut topic = TopicSpread::new(2);
    let mut entropy = Entropy::new(5);
    let first = Partitioner::STICKY.partition(None, &mut topic, &mut entropy).unwrap();
    topic.update(2, Some(vec![1 - first]));
    assert_eq!(Partitioner::STICKY.partition(None, &mut topic, &mut entropy), Some(1 - first));
}

#[test]
fn round_robin_takes_turns() {
    let mut topic = TopicSpread::new(3);
    let mut entropy = Entropy::new(5);
    let turns: Vec<_> = (0..6)
        .map(|_| Partitioner::ROUND_ROBIN.partition(Some(b"k"), &mut topic, &mut entropy).unwrap())
        .collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn equal_keys_go_to_equal_partitions_while_the_count_is_unchanged() {
    let mut entropy = Entropy::new(9);
    let mut topic = TopicSpread::new(12);
    for number in 0..1000 {
        let key = String::from("user-") + &std::format!("{number}");
        let first = Partitioner::JAVA.partition(Some(key.as_bytes()), &mut topic, &mut entropy);
        topic.update(12, Some(vec![2]));
        assert_eq!(Partitioner::JAVA.partition(Some(key.as_bytes()), &mut topic, &mut entropy), first);
    }
}

#[test]
fn the_published_vectors_of_fnv1a_and_the_two_rules_for_its_sign() {
    // From the page of the hash's authors.
    for (key, hash) in [("", 0x811c_9dc5), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
        assert_eq!(fnv1a(key.as_bytes()), hash, "{key}");
    }
    let partition = |partitioner: Partitioner| {
        partitioner.partition(Some(b"a"), &mut TopicSpread::new(100), &mut Entropy::new(1)).unwrap()
    };
    // 0xe40c292c is -468,965,076 as i32; without its sign bit it is 1,678,518,572.
    assert_eq!(partition(Partitioner::FNV1A_RANDOM), 76);
    assert_eq!(partition(Partitioner::FNV1A_REFERENCE), 72);
}

#[test]
fn every_partitioner_has_a_name_and_no_other_name_is_taken() {
    for (name, partitioner) in Partitioner::NAMED {
        assert_eq!(name.parse::<Partitioner>(), Ok(*partitioner));
    }
    let unknown = "Murmur2".parse::<Partitioner>().unwrap_err();
    assert!(unknown.to_string().contains("murmur2_random"), "{unknown}");
}

/// How often each partition is chosen for a batch.
fn shares(topic: &mut TopicSpread, batches: usize, waiting: &[u32]) -> Vec<usize> {
    let (mut entropy, mut shares) = (Entropy::new(3), vec![0; waiting.len()]);
    for _ in 0..batches {
        if topic.wants_loads() {
            topic.set_loads(|partition| waiting[partition as usize]);
        }
        let partition = Partitioner::JAVA.partition(None, topic, &mut entropy).unwrap();
        shares[partition as usize] += 1;
        topic.appended(2_000, 0, 1_000);
    }
    shares
}

#[test]
fn a_partition_is_chosen_the_less_the_more_waits_for_it() {
    // The example of KIP-794: queues of 0, 3 and 1 weigh 4, 1 and 3.
    let shares = shares(&mut TopicSpread::new(3), 80_000, &[0, 3, 1]);
    for (share, weight) in shares.iter().zip([4_usize, 1, 3]) {
        assert!((weight * 10_000).abs_diff(*share) < 500, "{shares:?}");
    }
}

#[test]
fn equal_loads_and_partitions_without_a_leader_are_seen_to() {
    let equal = shares(&mut TopicSpread::new(4), 40_000, &[7, 7, 7, 7]);
    assert!(equal.iter().all(|share| share.abs_diff(10_000) < 500), "{equal:?}");
    let mut topic = TopicSpread::new(4);
    topic.update(4, Some(vec![1, 3]));
    let some = shares(&mut topic, 40_000, &[0, 1, 0, 2]);
    assert_eq!((some[0], some[2]), (0, 0));
    assert!(some[1].abs_diff(26_667) < 800, "{some:?}");
}

#[test]
fn the_loads_of_many_partitions_are_not_looked_at_for_each_choice() {
    let (mut topic, looks) = (TopicSpread::new(6_400), core::cell::Cell::new(0));
    let mut entropy = Entropy::new(3);
    for _ in 0..1_000 {
        if topic.wants_loads() {
            topic.set_loads(|partition| {
                looks.set(looks.get() + 1);
                partition % 5
            });
        }
        Partitioner::JAVA.partition(None, &mut topic, &mut entropy).unwrap();
        topic.appended(2_000, 0, 1_000);
    }
    assert!(looks.get() <= 10 * 3 * 6_400, "{}", looks.get());
}
