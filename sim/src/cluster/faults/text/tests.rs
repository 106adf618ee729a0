use super::*;

fn error(text: &str) -> (usize, String) {
    let error = text.parse::<Fault>().expect_err(text);
    (error.column, error.message)
}

#[test]
fn each_fault_is_read_as_it_is_written() {
    for entry in FAULTS {
        let plain = Fault::new(entry.kind);
        assert_eq!(plain.to_string().parse(), Ok(plain.clone()), "{plain}");
        assert!(plain.to_string().starts_with(entry.name));
        assert_eq!(plain.to_string().matches('=').count(), entry.keys.len(), "{plain}");
        let full = Fault::new(entry.kind)
            .api(ApiKey::FETCH)
            .broker(3)
            .client("app")
            .partition("orders", 7)
            .always()
            .one_in(9)
            .after(Duration::from_micros(1500))
            .lasting(Duration::from_nanos(7))
            .named("f");
        assert_eq!(full.to_string().parse(), Ok(full.clone()), "{full}");
        let each = Fault::new(entry.kind).each().times(3);
        assert_eq!(each.to_string().parse(), Ok(each.clone()), "{each}");
    }
}

#[test]
fn names_and_numbers_mean_the_same() {
    let by_number: Fault = "error code=6 api=0".parse().unwrap();
    assert_eq!(by_number.to_string(), "error code=NOT_LEADER_OR_FOLLOWER api=Produce");
    let unknown: Fault = "  error   code=9999 ".parse().unwrap();
    assert_eq!(unknown.to_string(), "error code=9999");
}

#[test]
fn what_is_wrong_is_said_with_the_nearest_that_is_right() {
    for (text, column, message) in [
        ("", 1, "there is no fault \"\""),
        ("drop_befor", 1, "there is no fault \"drop_befor\"; the nearest is \"drop-before\""),
        ("flip api=produce", 10, "there is no API \"produce\"; the nearest is \"Produce\""),
        ("flip broke=1", 6, "there is no key \"broke\"; the nearest is \"broker\""),
        ("flip broker=x", 13, "\"x\" is no number that fits"),
        ("flip broker", 6, "\"broker\" has no '='"),
        ("flip code=3", 6, "\"code\" has no meaning for \"flip\""),
        ("flip times=1 times=2", 14, "\"times\" has no meaning"),
        ("flip topic=t place=each", 14, "\"place\" has no meaning"),
        ("error", 1, "code= is missing"),
        ("error code=NOT_LEADER", 12, "there is no error \"NOT_LEADER\"; the nearest is "),
        ("delay time=5", 12, "\"5\" is no time such as 250ms or 3s"),
        ("delay time=99999999999s", 12, "\"99999999999s\" is no time"),
        ("flip place=all", 12, "the place is \"each\""),
    ] {
        let (at, told) = error(text);
        assert_eq!(at, column, "{text}: {told}");
        assert!(told.starts_with(message), "{text}: {told}");
    }
}
