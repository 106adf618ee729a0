use std::fs;
use std::path::PathBuf;

use crate::schema::parse::parse;
use crate::{
    Files, generate, import, jar, messages_folder, read_files, read_schemas, schema_files, schema_folder,
};

/// Compares what would be written with what is checked in, naming the first file that differs.
fn assert_same(expected: &Files, checked_in: &Files, command: &str) {
    for (name, text) in expected {
        assert!(checked_in.get(name) == Some(text), "{name} is out of date: run `cargo xtask {command}`");
    }
    let surplus: Vec<&String> = checked_in.keys().filter(|name| !expected.contains_key(*name)).collect();
    assert!(surplus.is_empty(), "{surplus:?}: run `cargo xtask {command}`");
}

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("klamm-xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn generated_messages_are_up_to_date() {
    let folder = Folder::new("generated");
    for (name, text) in generate::files(&read_schemas().unwrap()).unwrap() {
        fs::write(folder.0.join(name), text).unwrap();
    }
    generate::format(&folder.0).unwrap();
    let expected = read_files(&folder.0).unwrap();
    assert!(expected.len() > 95);
    assert_same(&expected, &read_files(&messages_folder()).unwrap(), "generate");
}

#[test]
fn schemas_agree_with_the_jars() {
    let [old, new] = match jar::both(jar::Fetch::Never) {
        Ok(jars) => jars,
        Err(missing) => {
            println!("SKIPPED: {missing} (cargo xtask schemas fetches it)");
            return;
        }
    };
    let expected = schema_files(&import::jar(&old).unwrap(), &import::jar(&new).unwrap()).unwrap();
    assert_same(&expected, &read_files(&schema_folder()).unwrap(), "schemas");
}

#[test]
fn schemas_read_as_they_are_written() {
    for (name, text) in read_files(&schema_folder()).unwrap() {
        assert_eq!(parse(&text).unwrap().to_string(), text, "{name}");
    }
}

#[test]
fn malformed_schemas_name_the_line() {
    let line = |text: &str| parse(text).unwrap_err().line;
    assert_eq!(line(""), 0);
    assert_eq!(line("request"), 1);
    assert_eq!(line("request A versions=0 flexible=none\nB int32"), 2);
    assert_eq!(line("request A versions=0 flexible=none\nB int32 0+\n    C int32 0+"), 3);
    assert_eq!(line("request A versions=0 flexible=none\nB int32 0+ colour=red"), 2);
}

#[test]
fn assignors_vectors_are_what_java_makes() {
    if let Err(missing) = jar::both(jar::Fetch::Never) {
        println!("SKIPPED: {missing} (cargo xtask schemas fetches it)");
        return;
    }
    match crate::assignors::make() {
        Ok(made) => {
            let kept = fs::read(crate::root().join("core/tests/vectors/assignors.json")).unwrap();
            assert!(made == kept, "run cargo xtask assignors");
        }
        Err(reason) => println!("SKIPPED: {reason}"),
    }
}
