use super::*;

const T: Uuid = Uuid([1; 16]);
const U: Uuid = Uuid([2; 16]);

fn partitions(listed: &[(Uuid, &[i32])]) -> Partitions {
    listed.iter().map(|(topic, indexes)| (*topic, indexes.iter().copied().collect())).collect()
}

/// Members `a`, `b` and so on, with what they want and what they have.
fn assign(
    assignor: Assignor,
    members: &[(&[Uuid], Partitions)],
    counts: &[(Uuid, i32)],
    is_even: bool,
) -> Vec<Partitions> {
    let ids: Vec<Str> = ["a", "b", "c", "d"].into_iter().map(Str::from).collect();
    let wanted: Vec<_> = members
        .iter()
        .zip(&ids)
        .map(|((topics, current), member_id)| Wanted {
            member_id,
            instance_id: None,
            topics: topics.iter().copied().collect(),
            current,
        })
        .collect();
    let counts = counts.iter().copied().collect();
    let mut target = assignor.assign(&wanted, &counts, is_even);
    ids.iter().take(members.len()).map(|id| target.remove(id).unwrap_or_default()).collect()
}

#[test]
fn range_gives_each_member_a_range_of_each_topic() {
    let members = [(&[T, U][..], Partitions::new()), (&[T][..], Partitions::new())];
    let target = assign(Assignor::Range, &members, &[(T, 3), (U, 2)], false);
    assert_eq!(target, [partitions(&[(T, &[0, 1]), (U, &[0, 1])]), partitions(&[(T, &[2])])]);
}

#[test]
fn uniform_takes_only_what_is_too_much() {
    let members = [(&[T][..], partitions(&[(T, &[0, 1, 2, 3])])), (&[T][..], Partitions::new())];
    let target = assign(Assignor::Uniform, &members, &[(T, 4)], true);
    assert_eq!(target, [partitions(&[(T, &[0, 1])]), partitions(&[(T, &[2, 3])])]);
}

#[test]
fn uniform_leaves_the_odd_partition_where_it_is() {
    let members = [(&[T][..], Partitions::new()), (&[T][..], partitions(&[(T, &[0, 1, 2])]))];
    let target = assign(Assignor::Uniform, &members, &[(T, 3)], true);
    assert_eq!(target, [partitions(&[(T, &[2])]), partitions(&[(T, &[0, 1])])]);
}

#[test]
fn where_members_want_different_topics_who_has_least_gets_what_is_free() {
    let members = [(&[T, U][..], Partitions::new()), (&[U][..], Partitions::new())];
    let target = assign(Assignor::Uniform, &members, &[(T, 2), (U, 2)], false);
    assert_eq!(target, [partitions(&[(T, &[0, 1])]), partitions(&[(U, &[0, 1])])]);
}

#[test]
fn where_members_want_different_topics_what_they_have_is_balanced() {
    let members = [(&[T, U][..], partitions(&[(T, &[0, 1]), (U, &[0, 1])])), (&[U][..], Partitions::new())];
    let target = assign(Assignor::Uniform, &members, &[(T, 2), (U, 2)], false);
    assert_eq!(target, [partitions(&[(T, &[0, 1])]), partitions(&[(U, &[0, 1])])]);
}

#[test]
fn every_partition_has_one_owner_however_many_members_there_are() {
    for assignor in [Assignor::Uniform, Assignor::Range] {
        for is_even in [true, false] {
            for number in 1..=4 {
                let members = vec![(&[T, U][..], Partitions::new()); number];
                let target = assign(assignor, &members, &[(T, 5), (U, 3)], is_even);
                let mut all: Vec<_> = target.iter().flat_map(listed).collect();
                all.sort_unstable();
                let expected = (0..5).map(|index| (T, index)).chain((0..3).map(|index| (U, index)));
                assert_eq!(all, expected.collect::<Vec<_>>(), "{assignor:?} {is_even} {number}");
            }
        }
    }
}
