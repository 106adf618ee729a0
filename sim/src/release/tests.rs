use super::*;

#[test]
fn every_table_is_read_completely() {
    for release in Release::all() {
        let lines = release.table.text.lines().filter(|line| !line.starts_with('#')).count();
        let apis: Vec<_> = release.apis().collect();
        assert_eq!(apis.len(), lines, "{release}");
        assert!(apis.is_sorted() && apis.iter().all(|(_, min, max)| min <= max), "{release}");
        assert!(apis.iter().any(|(key, ..)| *key == 18), "{release} has ApiVersions");
    }
    assert!(Release::all().map(|release| release.table.version).is_sorted());
}

#[test]
fn a_version_names_a_release() {
    for release in Release::all() {
        assert_eq!(release.to_string().parse(), Ok(release));
    }
    for (text, name) in [("0.10.1.1", "0.10.1"), ("0.11.0.3", "0.11.0"), ("4.2.0", "4.2"), ("2.8.99", "2.8")]
    {
        assert_eq!(text.parse::<Release>().map(|release| release.to_string()).as_deref(), Ok(name));
    }
    for text in ["", "x", "0.9.0", "4.5", "9.0", "4.2.0.1", "0.10.0.1.2", "4.-1", "4..2", "2.9"] {
        assert!(text.parse::<Release>().is_err(), "{text:?}");
    }
    assert_eq!(Release::default().to_string(), "4.2");
}

#[test]
fn the_nearest_release_is_proposed() {
    for (text, name) in
        [("2.13", "2.8"), ("9", "4.4"), ("0.9.0", "0.10.0"), ("latest", "4.2"), ("1.x", "1.0")]
    {
        let error = text.parse::<Release>().unwrap_err().to_string();
        assert!(error.ends_with(&format!("the nearest is {name}")), "{error}");
    }
}

#[test]
fn features_by_release() {
    let release = |text: &str| text.parse::<Release>().unwrap();
    assert_eq!([release("0.10.2").log_magic(), release("0.11.0").log_magic()], [1, 2]);
    assert!(!release("2.8").is_kraft() && release("3.3").is_kraft());
    assert!(release("2.8").at_least([2, 5, 0]) && !release("2.4").at_least([2, 5, 0]));
}
