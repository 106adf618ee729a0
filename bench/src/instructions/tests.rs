use super::{CASES, Gates, Verdict};

#[test]
fn gates_are_read_and_judged() {
    let gates = Gates::parse("# comment\na/b 100\n\nc  12.5 # why\n").unwrap();
    assert_eq!(gates.get("c"), Some(12.5));
    assert_eq!(gates.judge("a/b", 102.0), Verdict::Kept);
    assert_eq!(gates.judge("a/b", 102.1), Verdict::Worse);
    assert_eq!(gates.judge("a/b", 97.9), Verdict::Better);
    assert_eq!(gates.judge("other", 1.0), Verdict::Unknown);
    assert_eq!(gates.stale().collect::<Vec<_>>(), ["a/b", "c"]);
    assert!(Gates::parse("nonsense").is_err());
}

#[test]
fn every_case_has_a_committed_gate_and_runs() {
    let gates = Gates::parse(include_str!("../../instructions.txt")).unwrap();
    assert_eq!(gates.stale().count(), 0);
    for case in CASES {
        assert!(gates.get(case.name).is_some(), "{} has no gate", case.name);
        (case.run)(1);
    }
}
