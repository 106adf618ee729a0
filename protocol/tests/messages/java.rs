//! The same random messages through Kafka's own classes.
//!
//! Needs a JDK and Maven, and the jars at hand or a network to fetch them; says `SKIPPED` without.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use klamm_protocol::schema::Schema;
use serde_json::Value as Json;

use crate::encoding::hex;
use crate::round_trip::for_each_message;
use crate::vectors::restore_records;
use crate::{AnyMessage, debug, folder, oracle};

const PER_VERSION: u64 = 6;

/// The newest release, and the last one with the versions that 4.0 removed.
const RELEASES: [&str; 2] = ["4.4.0", "3.9.1"];

struct Case {
    schema: Schema,
    version: i16,
    json: Json,
}

/// The class path of a release's client, or `None` when it cannot be had.
fn class_path(release: &str) -> Option<String> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("class-path-{release}"));
    // Without the network first: it is faster, and often there is none.
    let found = [true, false].into_iter().any(|offline| {
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:build-classpath"]);
        maven.args(offline.then_some("-o")).arg(format!("-Dkafka.version={release}"));
        maven.arg(format!("-Dmdep.outputFile={}", file.display()));
        maven.arg("-f").arg(folder().join("java/pom.xml"));
        maven.stdout(Stdio::null()).stderr(Stdio::null());
        maven.status().is_ok_and(|status| status.success())
    });
    if !found {
        return None;
    }
    std::fs::read_to_string(file).ok()
}

/// What the classes of a release answer, or `None` when there is no Java.
fn ask(class_path: &str, cases: &[Case]) -> Option<Vec<String>> {
    let mut java = Command::new("java");
    java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=off").args(["-cp", class_path]);
    java.arg(folder().join("java/Messages.java"));
    java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = java.spawn().ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let lines: String =
        cases.iter().map(|case| format!("{}\t{}\t{}\n", case.schema.name, case.version, case.json)).collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    Some(String::from_utf8(output.stdout).unwrap().lines().map(String::from).collect())
}

fn check(case: &Case, answer: &str) {
    let Case { schema, version, json } = case;
    let context = format!("{} v{version} {json}", schema.name);
    let (bytes, back) = answer.split_once('\t').unwrap_or_else(|| panic!("{context}: {answer}"));
    assert_eq!(hex(&oracle::encode(schema, *version, json)), bytes, "{context}");
    let mut back: Json = serde_json::from_str(back).unwrap();
    restore_records(&mut back, json);
    assert_eq!(&back, json, "{context}");

    let message = AnyMessage::decode_all(schema, *version, &crate::encoding::unhex(bytes)).unwrap();
    debug::check(&message.text(), &back);
    assert_eq!(hex(&message.encode(*version).unwrap()), bytes, "{context}");
}

#[test]
fn random_messages_through_the_java_classes() {
    let mut cases = Vec::new();
    for_each_message(PER_VERSION, |schema, version, json| {
        cases.push(Case { schema: schema.clone(), version, json });
    });
    for release in RELEASES {
        let answers = class_path(release).and_then(|class_path| ask(&class_path, &cases));
        let Some(answers) = answers else {
            println!("SKIPPED: no Java, no Maven, or no kafka-clients {release}");
            return;
        };
        assert_eq!(answers.len(), cases.len(), "{release}");
        let mut left = Vec::new();
        for (case, answer) in cases.into_iter().zip(&answers) {
            match answer.as_str() {
                "-" => left.push(case),
                answer => check(&case, answer),
            }
        }
        println!("{release}: {} messages, {} left", answers.len() - left.len(), left.len());
        cases = left;
    }
    let unchecked: Vec<String> =
        cases.iter().map(|case| format!("{} v{}", case.schema.name, case.version)).collect();
    assert!(unchecked.is_empty(), "{unchecked:?}");
}
