//! The official jars, through Maven.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The release that still has the versions that 4.0 removed, and the newest one.
pub(crate) const RELEASES: [&str; 2] = ["3.9.1", "4.4.0"];

/// Whether to fetch what is not at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// Let Maven fetch it.
    IfMissing,
    /// Do without.
    #[cfg_attr(not(test), expect(dead_code, reason = "for tests, which work offline too"))]
    Never,
}

/// The paths of the `kafka-clients` jars of both releases in Maven's local repository.
pub(crate) fn both(fetch: Fetch) -> Result<[PathBuf; 2], Box<dyn Error>> {
    let [old, new] = RELEASES;
    Ok([one(old, fetch)?, one(new, fetch)?])
}

fn one(release: &str, fetch: Fetch) -> Result<PathBuf, Box<dyn Error>> {
    let path = local_repository()
        .join("org/apache/kafka/kafka-clients")
        .join(release)
        .join(format!("kafka-clients-{release}.jar"));
    if !path.exists() && fetch == Fetch::IfMissing {
        let artifact = format!("-Dartifact=org.apache.kafka:kafka-clients:{release}");
        let status = Command::new("mvn").args(["-q", "-B", "dependency:get", &artifact]).status()?;
        if !status.success() {
            return Err(format!("mvn dependency:get {artifact}: {status}").into());
        }
    }
    if path.exists() { Ok(path) } else { Err(format!("no {}", path.display()).into()) }
}

/// The class path of the newest release's client: its jar, and what that needs.
pub(crate) fn class_path() -> Result<String, Box<dyn Error>> {
    let [_, newest] = RELEASES;
    let file = env::temp_dir().join(format!("klamm-class-path-{}", std::process::id()));
    // Without the network first: it is faster, and often there is none.
    let found = [true, false].into_iter().any(|offline| {
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:build-classpath"]).args(offline.then_some("-o"));
        maven.arg(format!("-Dkafka.version={newest}")).arg(format!("-Dmdep.outputFile={}", file.display()));
        maven.arg("-f").arg(crate::root().join("protocol/tests/java/pom.xml"));
        maven.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    if !found {
        return Err(format!("Maven does not find kafka-clients {newest}").into());
    }
    let class_path = std::fs::read_to_string(&file)?;
    std::fs::remove_file(file)?;
    Ok(class_path)
}

fn local_repository() -> PathBuf {
    let home = env::var_os("HOME").or_else(|| env::var_os("USERPROFILE")).unwrap_or_default();
    env::var_os("MAVEN_REPOSITORY").map_or_else(|| Path::new(&home).join(".m2/repository"), PathBuf::from)
}

/// The texts of all files of a jar below a folder, with their names, through the JDK's `jar` tool's format: a zip.
pub(crate) fn texts(jar: &Path, folder: &str) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let listing = unzip(&["-Z1"], jar, &format!("{folder}/*.json"))?;
    let mut texts = Vec::new();
    for name in listing.lines() {
        texts.push((name.to_owned(), unzip(&["-p"], jar, name)?));
    }
    Ok(texts)
}

fn unzip(options: &[&str], jar: &Path, name: &str) -> Result<String, Box<dyn Error>> {
    let output = Command::new("unzip").args(options).arg(jar).arg(name).output()?;
    if !output.status.success() {
        return Err(format!("unzip {}: {}", jar.display(), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
