use std::fs;

use super::*;

fn records_of(content: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
    let path = std::env::temp_dir().join(format!("klamm-lines-{}-{}", std::process::id(), content.len()));
    fs::write(&path, content).unwrap();
    let mut lines = Lines::new(std::slice::from_ref(&path), delimiter.to_vec(), 1000).unwrap();
    let mut out = Vec::new();
    while let Some(line) = lines.next().unwrap() {
        out.push(line.to_vec());
    }
    fs::remove_file(path).unwrap();
    out
}

#[test]
fn lines_end_with_or_without_a_delimiter() {
    assert_eq!(records_of(b"a\nb\n", b"\n"), [b"a", b"b"]);
    assert_eq!(records_of(b"a\n\nlast", b"\n"), [&b"a"[..], b"", b"last"]);
    assert!(records_of(b"", b"\n").is_empty());
}

#[test]
fn delimiters_may_have_several_bytes() {
    assert_eq!(records_of(b"a;b;;c;;", b";;"), [&b"a;b"[..], b"c"]);
}

#[test]
fn a_missing_file_is_a_usage_error() {
    let error = Lines::new(&[PathBuf::from("no/such/file")], b"\n".to_vec(), 1000).err().unwrap();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("no/such/file"));
}

#[test]
fn keys_are_split_at_the_first_separator() {
    assert_eq!(split_key(b"k:v:w", b":"), (Some(&b"k"[..]), &b"v:w"[..]));
    assert_eq!(split_key(b"kv", b":"), (None, &b"kv"[..]));
    assert_eq!(split_key(b":v", b":"), (Some(&b""[..]), &b"v"[..]));
    assert_eq!(split_key(b"v", b"long"), (None, &b"v"[..]));
}

#[test]
fn the_largest_record_is_accepted_and_a_larger_one_is_named() {
    let records = [vec![b'x'; 1000], vec![b'y'; 1000]];
    assert_eq!(records_of(&records.join(&b"\n"[..]), b"\n"), records);

    let path = std::env::temp_dir().join(format!("klamm-lines-{}-long", std::process::id()));
    fs::write(&path, [&b"short\n"[..], &[b'x'; 1001]].concat()).unwrap();
    let mut lines = Lines::new(std::slice::from_ref(&path), b"\n".to_vec(), 1000).unwrap();
    assert_eq!(lines.next().unwrap(), Some(&b"short"[..]));
    let error = lines.next().unwrap_err().to_string();
    fs::remove_file(path).unwrap();
    assert!(error.contains("record 2 is longer than 1000 bytes"), "{error}");
    assert!(error.contains("--max-request-size"), "{error}");
}

#[test]
fn a_directory_is_a_usage_error() {
    let error = Lines::new(&[std::env::temp_dir()], b"\n".to_vec(), 1000).err().unwrap();
    assert_eq!(error.exit_code(), 2);
}
