//! Real input through the command-line tool, and across between it and Apache's own tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use klamm_tests::Outcome;
use klamm_tests::input::{self, Line};
use klamm_tests::program::klamm;
use klamm_tests::real::{RealKafka, RealKafkaOptions};
use klamm_tests::scenario::Stage;

const LINES: usize = 200_000;
const PARTITIONS: i32 = 6;

/// A record as the tools print it, reduced to what is compared.
type Printed = (i32, i64, Line);

/// A file that is gone with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn with(content: &[u8]) -> Outcome<Self> {
        // Runs against different clusters go on at once.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("klamm-{}-{number}", std::process::id()));
        fs::write(&path, content)?;
        Ok(Self(path))
    }

    fn path(&self) -> Outcome<&str> {
        self.0.to_str().ok_or_else(|| "the path is not UTF-8".into())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

fn new_topic(stage: &Stage) -> Outcome<(String, String)> {
    let (topic, bootstrap) = (stage.topic("lines"), stage.cluster().bootstrap().join(","));
    let partitions = PARTITIONS.to_string();
    klamm(&["topic", "create", &topic, "-p", &partitions, "-b", &bootstrap], b"", None)?.succeeded()?;
    Ok((topic, bootstrap))
}

fn klamm_produces(topic: &str, bootstrap: &str, lines: &[Line], codec: &str) -> Outcome<()> {
    let file = Scratch::with(&input::keyed(lines))?;
    let arguments = ["produce", topic, file.path()?, "-K", "\\t", "-z", codec, "-b", bootstrap];
    klamm(&arguments, b"", None)?.succeeded().map(drop)
}

fn klamm_consumes(topic: &str, bootstrap: &str) -> Outcome<Vec<Printed>> {
    let format = "%p\\t%o\\t%k\\t%v\\n";
    let arguments = ["consume", topic, "--from-beginning", "--exit-at-end", "-f", format, "-b", bootstrap];
    printed(&klamm(&arguments, b"", None)?.succeeded()?, "", "")
}

/// Lines of `PARTITION TAB OFFSET TAB KEY TAB VALUE`.
fn printed(output: &[u8], partition_label: &str, offset_label: &str) -> Outcome<Vec<Printed>> {
    let mut records = Vec::new();
    for line in output.strip_suffix(b"\n").unwrap_or(output).split(|&byte| byte == b'\n') {
        let mut parts = line.splitn(4, |&byte| byte == b'\t');
        let mut number = |label: &str| -> Outcome<i64> {
            let text = std::str::from_utf8(parts.next().unwrap_or(b""))?;
            Ok(text.strip_prefix(label).ok_or_else(|| format!("no {label} in {text}"))?.parse()?)
        };
        let (partition, offset) = (i32::try_from(number(partition_label)?)?, number(offset_label)?);
        let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
            return Err(format!("not a record: {}", String::from_utf8_lossy(line)).into());
        };
        records.push((partition, offset, Line { key: key.to_vec(), value: value.to_vec() }));
    }
    Ok(records)
}

/// Byte for byte: what was read, sorted by key and offset, is what was written, sorted by key.
fn compare(lines: &[Line], mut records: Vec<Printed>) -> Outcome<()> {
    records.sort_by(|a, b| (&a.2.key, a.0, a.1).cmp(&(&b.2.key, b.0, b.1)));
    let used: std::collections::BTreeSet<_> = records.iter().map(|record| record.0).collect();
    assert!(used.len() > 1, "all keys in one partition");
    let read: Vec<Line> = records.into_iter().map(|record| record.2).collect();
    assert_eq!(read.len(), lines.len(), "as many lines as were written");
    if input::keyed(&read) != input::sorted(lines) {
        return Err("the lines that were read are not those that were written".into());
    }
    Ok(())
}

pub(crate) fn real_input(stage: &Stage) -> Outcome<()> {
    let lines = input::lines(LINES);
    let (topic, bootstrap) = new_topic(stage)?;
    klamm_produces(&topic, &bootstrap, &lines, "lz4")?;
    compare(&lines, klamm_consumes(&topic, &bootstrap)?)
}

/// Java's tools read text: its lines end at a carriage return too, and other encodings would be changed.
fn plain_lines() -> Vec<Line> {
    let plain = |line: &Line| !line.value.contains(&b'\r') && std::str::from_utf8(&line.value).is_ok();
    input::lines(30_000).into_iter().filter(plain).collect()
}

/// Apache's tools of the newest version, which a real broker of that version brings.
pub(crate) fn apache() -> Outcome<RealKafka> {
    RealKafka::start("real-4.2.0", RealKafkaOptions::default())
}

pub(crate) fn java_produces_klamm_consumes(stage: &Stage) -> Outcome<()> {
    let lines = plain_lines();
    let (topic, bootstrap) = new_topic(stage)?;
    let arguments = ["--topic", &topic, "--reader-property", "parse.key=true", "--compression-codec", "zstd"];
    apache()?.tool_elsewhere("console-producer", &bootstrap, &arguments, &input::keyed(&lines))?;
    compare(&lines, klamm_consumes(&topic, &bootstrap)?)
}

pub(crate) fn klamm_produces_java_consumes(stage: &Stage) -> Outcome<()> {
    let lines = plain_lines();
    let (topic, bootstrap) = new_topic(stage)?;
    klamm_produces(&topic, &bootstrap, &lines, "zstd")?;
    let mut counts = BTreeMap::new();
    for (partition, ..) in klamm_consumes(&topic, &bootstrap)? {
        *counts.entry(partition).or_insert(0_usize) += 1;
    }
    let (apache, mut records) = (apache()?, Vec::new());
    // By partition, so that each is read in its order and to its end.
    for (partition, count) in counts {
        let (partition, count) = (partition.to_string(), count.to_string());
        let mut arguments = vec!["--topic", &topic, "--partition", &partition, "--offset", "earliest"];
        arguments.extend(["--max-messages", &count, "--timeout-ms", "60000"]);
        for property in ["print.partition=true", "print.offset=true", "print.key=true"] {
            arguments.extend(["--formatter-property", property]);
        }
        let output = apache.tool_elsewhere("console-consumer", &bootstrap, &arguments, b"")?;
        records.extend(printed(&output, "Partition:", "Offset:")?);
    }
    compare(&lines, records)
}
