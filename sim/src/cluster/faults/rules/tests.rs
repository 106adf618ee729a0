use super::*;

#[test]
fn times_with_a_tail_have_their_mean() {
    let mut draws = Draws::new(1, Domain::Faults, 0);
    let times: Vec<Duration> =
        (0..10_000).map(|_| with_tail(Duration::from_millis(6), draws.next_u64())).collect();
    let sum: Duration = times.iter().sum();
    assert!((58_000..62_000).contains(&sum.as_millis()), "{sum:?}");
    let below = times.iter().filter(|time| **time < Duration::from_millis(4)).count();
    assert!((4_800..5_200).contains(&below), "{below}");
}

#[test]
fn topics_are_found_by_name_or_id() {
    let id = Uuid([7; 16]);
    let spot = |place| Spot::new(&place, |name| if name == "t" { id } else { Uuid::ZERO });
    let t = spot(Place::Partition(Str::from("t"), 1));
    assert!(t.has("t", Uuid::ZERO, 1) && t.has("", id, 1) && t.has_topic("t", Uuid::ZERO));
    assert!(!t.has("t", Uuid::ZERO, 0) && !t.has("u", Uuid::ZERO, 1) && !t.has("", Uuid([8; 16]), 1));
    let missing = spot(Place::Topic(Str::from("u")));
    assert!(missing.has("u", Uuid::ZERO, 5) && !missing.has("", id, 5));
    assert!(spot(Place::Each).has("", id, 5));
}

#[test]
fn rules_that_are_spent_or_over_are_forgotten() {
    let mut faults = Faults::new(0);
    let ask = |faults: &mut Faults, millis| {
        let asked = Asked { now: Instant::from_millis(millis), api: ApiKey(0), broker: 1, client: "" };
        faults.take(&asked, |_| true).and_then(|orders| orders.kind())
    };
    faults.add(Instant::ZERO, &Fault::flip().times(2));
    faults.add(Instant::ZERO, &Fault::truncate().lasting(Duration::from_millis(10)));
    faults.add(Instant::ZERO, &Fault::drop_after().times(0));
    let got = [1, 2, 3, 9, 10].map(|millis| ask(&mut faults, millis));
    let (flip, truncate) = (Some(FaultKind::Flip), Some(FaultKind::Truncate));
    assert_eq!(got, [flip, flip, truncate, truncate, None]);
    assert!(faults.is_empty());
}
