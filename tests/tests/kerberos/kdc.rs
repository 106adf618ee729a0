//! A realm of its own: MIT's KDC on a free port of the loopback interface, with all its files in one folder.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use klamm_tests::Outcome;

const REALM: &str = "KLAMM.TEST";

/// The client's principal.
pub(crate) const CLIENT: &str = "orders@KLAMM.TEST";

/// That of brokers at the address of the harness.
pub(crate) const BROKER: &str = "kafka/127.0.0.1@KLAMM.TEST";

/// A client's in a realm whose KDC does not answer.
pub(crate) const UNREACHABLE: &str = "orders@GONE.TEST";

const PROGRAMS: [&str; 5] = ["krb5kdc", "kdb5_util", "kadmin.local", "kinit", "ktutil"];

/// Why there can be no KDC on this machine.
pub(crate) fn why_unavailable() -> Option<String> {
    let path = search_path();
    let found = |program: &&str| env::split_paths(&path).any(|folder| folder.join(program).exists());
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|program| !found(program)).collect();
    (!missing.is_empty()).then(|| {
        format!("a KDC needs {} (Debian: krb5-kdc, krb5-admin-server, krb5-user)", missing.join(", "))
    })
}

/// Programs of the administrator are not on everybody's path.
fn search_path() -> String {
    format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default())
}

/// The files of a realm.
#[derive(Clone, Debug)]
pub(crate) struct Realm(pub(crate) PathBuf);

impl Realm {
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// A program that works in this realm, and knows no other ticket and no other keytab.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env("PATH", search_path())
            .env("KRB5_CONFIG", self.file("krb5.conf"))
            .env("KRB5_KDC_PROFILE", self.file("kdc.conf"))
            .env("KRB5CCNAME", format!("FILE:{}", self.file("tickets")))
            .env("KRB5_CLIENT_KTNAME", format!("FILE:{}", self.file("no.keytab")));
        command
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str], input: &str) -> Outcome<()> {
        let mut command = self.command(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(format!("{program} failed: {said}").into()) }
    }

    fn write(&self, name: &str, text: &str) -> Outcome<()> {
        Ok(fs::write(self.0.join(name), text)?)
    }

    fn add(&self, principal: &str, keytab: &str) -> Outcome<()> {
        self.run("kadmin.local", &["-q", &format!("addprinc -randkey {principal}")], "")?;
        self.run("kadmin.local", &["-q", &format!("ktadd -k {} {principal}", self.file(keytab))], "")?;
        if fs::exists(self.file(keytab))? { Ok(()) } else { Err(format!("no key of {principal}").into()) }
    }
}

/// The KDC, until it is dropped; then its folder is gone too.
pub(crate) struct Kdc {
    pub(crate) realm: Realm,
    process: Child,
}

impl Kdc {
    pub(crate) fn start() -> Outcome<Self> {
        let folder = env::temp_dir().join(format!("klamm-realm-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let realm = Realm(folder);
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        realm.write(
            "krb5.conf",
            &format!(
                "[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\n\
                 dns_canonicalize_hostname = false\nrdns = false\nudp_preference_limit = 1\n\
                 [realms]\n{REALM} = {{\n kdc = 127.0.0.1:{port}\n}}\n\
                 GONE.TEST = {{\n kdc = 127.0.0.1:{closed}\n}}\n"
            ),
        )?;
        realm.write(
            "kdc.conf",
            &format!(
                "[realms]\n{REALM} = {{\n database_name = {}\n key_stash_file = {}\n acl_file = {}\n \
                 kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n}}\n\
                 [logging]\nkdc = FILE:{}\n",
                realm.file("database"),
                realm.file("stash"),
                realm.file("acl"),
                realm.file("kdc.log"),
            ),
        )?;
        realm.run("kdb5_util", &["create", "-s", "-r", REALM, "-P", "master"], "")?;
        realm.add(CLIENT, "orders.keytab")?;
        realm.add(BROKER, "broker.keytab")?;
        // A service that no broker has the keys of.
        realm.add(&BROKER.replacen("kafka", "stranger", 1), "stranger.keytab")?;
        let keys = format!(
            "addent -password -p {UNREACHABLE} -k 1 -e aes256-cts\nsecret\nwkt {}\nquit\n",
            realm.file("gone.keytab")
        );
        realm.run("ktutil", &[], &keys)?;
        let process =
            realm.command("krb5kdc").arg("-n").stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut kdc = Self { realm, process };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = kdc.process.try_wait()?;
            if ended.is_some() || begun.elapsed() > Duration::from_secs(30) {
                let log = fs::read_to_string(kdc.realm.file("kdc.log")).unwrap_or_default();
                return Err(format!("the KDC does not answer ({ended:?}): {log}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(kdc)
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(fs::remove_dir_all(&self.realm.0));
    }
}
