use super::*;

const RECORD: Shown<'static> = Shown {
    topic: "orders",
    partition: 3,
    offset: 42,
    timestamp_ms: 1_700_000_000_000,
    key: Some(b"k"),
    value: None,
    headers: &[("a", Some(b"1")), ("a", None)],
    number: 9,
};

fn shown(format: &str) -> String {
    let mut out = Vec::new();
    Format::parse(format).unwrap().write(&mut out, &RECORD).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_letter_stands_for_its_part() {
    assert_eq!(shown("%t/%p@%o"), "orders/3@42");
    assert_eq!(shown("%k(%K) %v(%V) %s(%S)"), "k(1) (-1) (-1)");
    assert_eq!(shown("%h|%H|%T|%i"), "a=1,a|2|1700000000000|9");
}

#[test]
fn percent_signs_and_escapes() {
    assert_eq!(shown("%%"), "%");
    assert_eq!(shown("100%%\\t%o\\x21\\n"), "100%\t42!\n");
    assert_eq!(shown("%%%o%%"), "%42%");
    assert_eq!(shown(""), "");
}

#[test]
fn unknown_parts_are_refused_with_the_known_ones() {
    let error = Format::parse("%o %q").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("%q") && error.to_string().contains("%k"), "{error}");
    assert!(Format::parse("%").is_err());
    assert!(Format::parse("a\\q").is_err());
    assert!(Format::parse("a\\x1").is_err());
}

#[test]
fn json_loses_nothing() {
    let mut out = Vec::new();
    let record = Shown { value: Some(&[0xff, 0x00]), key: Some("é\"".as_bytes()), ..RECORD };
    write_json(&mut out, &record).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["key"], "é\"");
    assert_eq!(value["value"]["base64"], "/wA=");
    assert_eq!(value["headers"], serde_json::json!([["a", "1"], ["a", null]]));
    assert_eq!(value["offset"], 42);
}
