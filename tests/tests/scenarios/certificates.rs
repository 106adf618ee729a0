//! Certificates that do not hold, of brokers and of clients: nobody gets in, and the error says what is wrong with which.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use klamm_engine::Tls;
use klamm_sim::EmbeddedCluster;
use klamm_tests::Outcome;
use klamm_tests::cluster::Kind;
use klamm_tests::real::{RealKafka, RealKafkaOptions};
use klamm_tests::scenario::Stage;
use klamm_tests::security::{Authority, Credentials, Identity};
use rcgen::ExtendedKeyUsagePurpose;

const HOSTS: &[&str] = &["localhost", "127.0.0.1"];

/// The certificates, each good but for one thing.
struct Certificates {
    authority: Authority,
    expired: Identity,
    early: Identity,
    elsewhere: Identity,
    for_clients: Identity,
    for_servers: Identity,
}

impl Certificates {
    fn new() -> Outcome<Self> {
        let authority = Authority::new("the root of these")?;
        let of = |years, hosts, purpose| authority.issue_for("broker", hosts, years, purpose);
        Ok(Self {
            expired: of((2001, 2003), HOSTS, None)?,
            early: of((2090, 2095), HOSTS, None)?,
            elsewhere: of((2001, 2095), &["kafka.example"], None)?,
            for_clients: of((2001, 2095), HOSTS, Some(ExtendedKeyUsagePurpose::ClientAuth))?,
            for_servers: of((2001, 2095), HOSTS, Some(ExtendedKeyUsagePurpose::ServerAuth))?,
            authority,
        })
    }
}

/// Why a client does not get in.
fn refusal(stage: &Stage, addresses: &[String], tls: Tls) -> Outcome<String> {
    match stage.connect_through(addresses, Credentials { tls: Some(tls), sasl: None }) {
        Ok(_) => Err(format!("{addresses:?} is open").into()),
        Err(error) => Ok(error.to_string()),
    }
}

fn expect(refusal: &str, told: &[&str]) {
    assert!(told.iter().any(|told| refusal.contains(told)), "none of {told:?}: {refusal}");
}

/// What a client says of a broker's certificate.
const EXPIRED: &str = "expired on 2003-06-30";
const EARLY: &str = "valid only from 2090-01-01 on; is the clock right?";
const ELSEWHERE: &str = "is for another host: wanted 127.0.0.1, it has kafka.example";
const NOT_FOR_SERVERS: &str = "is not meant for servers";

/// What it says of the broker's verdict on its own: brokers in Java are less exact.
const OWN_EXPIRED: &[&str] =
    &["the client's certificate has expired", "does not accept the client's certificate"];
const OWN_UNFIT: &[&str] = &["does not accept the client's certificate", "closed", "demands a certificate"];

pub(crate) fn embedded(stage: &Stage) -> Outcome<()> {
    let all = Certificates::new()?;
    let tls = || Tls::new().ca_pem(all.authority.pem());
    for (identity, told) in [
        (&all.expired, EXPIRED),
        (&all.early, EARLY),
        (&all.elsewhere, ELSEWHERE),
        (&all.for_clients, NOT_FOR_SERVERS),
    ] {
        let cluster = EmbeddedCluster::builder().tls(&identity.certificate, &identity.key).start()?;
        expect(&refusal(stage, &addresses(&cluster), tls())?, &[told]);
    }
    let good = &all.for_servers;
    let builder = EmbeddedCluster::builder().tls(&good.certificate, &good.key);
    let cluster = builder.client_ca(all.authority.pem()).start()?;
    own_certificates(stage, &all, &addresses(&cluster), tls)
}

fn addresses(cluster: &EmbeddedCluster) -> Vec<String> {
    cluster.addresses().iter().map(ToString::to_string).collect()
}

/// What a listener says that wants certificates of its clients.
fn own_certificates(
    stage: &Stage,
    all: &Certificates,
    addresses: &[String],
    tls: impl Fn() -> Tls,
) -> Outcome<()> {
    let with = |own: &Identity| tls().client_certificate_pem(&own.certificate, &own.key);
    let credentials = Credentials { tls: Some(with(&all.for_clients)), sasl: None };
    stage.connect_through(addresses, credentials)?.list_topics()?;
    expect(&refusal(stage, addresses, with(&all.expired))?, OWN_EXPIRED);
    expect(&refusal(stage, addresses, with(&all.for_servers))?, OWN_UNFIT);
    Ok(())
}

/// A folder that is deleted at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub(crate) fn real(stage: &Stage) -> Outcome<()> {
    assert_eq!(stage.cluster().spec().kind, Kind::Real);
    let all = Certificates::new()?;
    let folder = Folder(std::env::temp_dir().join(format!("klamm-certificates-{}", std::process::id())));
    fs::create_dir_all(&folder.0)?;
    let expired = key_store(&folder.0, "expired", &all.expired)?;
    let unfit = key_store(&folder.0, "unfit", &all.for_clients)?;
    let trust = trust_store(&folder.0, &all.authority)?;
    let kafka = RealKafka::start(
        "certificates",
        RealKafkaOptions {
            security: "all".into(),
            settings: vec![
                format!("listener.name.ssl.ssl.keystore.location={expired}"),
                format!("listener.name.sasl_ssl.ssl.keystore.location={unfit}"),
                format!("listener.name.mtls.ssl.truststore.location={trust}"),
            ],
            ..RealKafkaOptions::default()
        },
    )?;
    let at = |name: &str| kafka.variable(name).split(',').map(str::to_owned).collect::<Vec<_>>();
    let ours = || Tls::new().ca_pem(all.authority.pem());
    expect(&refusal(stage, &at("KAFKA_BOOTSTRAP_SSL"), ours())?, &[EXPIRED]);
    expect(&refusal(stage, &at("KAFKA_BOOTSTRAP_SASL_SSL"), ours())?, &[NOT_FOR_SERVERS]);
    let theirs = fs::read_to_string(kafka.variable("KAFKA_TLS_CA"))?;
    own_certificates(stage, &all, &at("KAFKA_BOOTSTRAP_MTLS"), || Tls::new().ca_pem(&theirs))
}

/// The password of all stores of the harness.
const PASSWORD: &str = "changeit";

fn key_store(folder: &Path, name: &str, identity: &Identity) -> Outcome<String> {
    let file = |end: &str| folder.join(format!("{name}.{end}")).display().to_string();
    let (certificate, key, store) = (file("crt"), file("key"), file("p12"));
    fs::write(&certificate, &identity.certificate)?;
    fs::write(&key, &identity.key)?;
    let password = format!("pass:{PASSWORD}");
    let export = ["pkcs12", "-export", "-name", name, "-in", &certificate, "-inkey", &key, "-out", &store];
    run(Command::new("openssl").args(export).args(["-passout", &password]))?;
    Ok(store)
}

fn trust_store(folder: &Path, authority: &Authority) -> Outcome<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let (certificate, store) = (file("root.crt"), file("trust.p12"));
    fs::write(&certificate, authority.pem())?;
    let import =
        ["-importcert", "-noprompt", "-alias", "root", "-storetype", "PKCS12", "-storepass", PASSWORD];
    run(Command::new("keytool").args(import).args(["-file", &certificate, "-keystore", &store]))?;
    Ok(store)
}

fn run(command: &mut Command) -> Outcome<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
