//! What people write and read.

use std::time::Duration;

use super::{nearest::hint, ranges};
use crate::time;

#[test]
fn points_in_time() {
    let known = [
        ("1970-01-01", 0),
        ("1970-01-02", 86_400_000),
        ("2000-02-29", 951_782_400_000),
        ("2000-03-01", 951_868_800_000),
        ("2026-01-31T12:00:00Z", 1_769_860_800_000),
        ("2026-01-31 12:00", 1_769_860_800_000),
        ("2026-01-31T13:00:00+01:00", 1_769_860_800_000),
        ("2026-01-31T06:30:00.25-0530", 1_769_860_800_250),
        ("@1700000000000", 1_700_000_000_000),
    ];
    for (text, expected) in known {
        assert_eq!(time::point(text), Some(expected), "{text}");
    }
    let none = [
        "",
        "now",
        "2026-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-1-1",
        "2026-01-31T24:00",
        "2026-01-31T12",
        "2026-01-31X12:00",
        "2026-01-31T12:00:00+1",
        "@-5",
        "@",
        "20\u{e9}6-01-31",
        "2026-01-31T12:00:60",
    ];
    for text in none {
        assert_eq!(time::point(text), None, "{text}");
    }
}

#[test]
fn lengths_of_time() {
    let known =
        [("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800), ("PT2H30M", 9_000), ("P1DT1S", 86_401)];
    for (text, seconds) in known {
        assert_eq!(time::length(text), Some(Duration::from_secs(seconds)), "{text}");
    }
    for text in ["", "5", "h", "-5m", "P", "PT", "P5M", "PT5", "PT5D", "99999999999999999999s"] {
        assert_eq!(time::length(text), None, "{text}");
    }
}

#[test]
fn names_that_may_have_been_meant() {
    let known = ["billing", "billing-test", "orders", "payments"];
    assert_eq!(hint("biling", &known), "; did you mean billing?");
    assert_eq!(hint("test", &known), "; did you mean billing-test?");
    assert_eq!(hint("xyz", &known), "");
}

#[test]
fn numbers_as_ranges() {
    assert_eq!(ranges(&[]), "");
    assert_eq!(ranges(&[3, 1, 2, 7]), "1-3 7");
    assert_eq!(ranges(&[i32::MAX, 0]), "0 2147483647");
}
