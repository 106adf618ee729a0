//! GSSAPI on real brokers, with tickets of a KDC that is started for it. It takes the feature `gssapi`, and programs of
//! MIT's Kerberos: `cargo test -p klamm-tests --features gssapi --test kerberos`.
//!
//! The library of Kerberos is told by the environment where its realm is, so all of it runs in a child of this program.

mod kdc;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{env, fs};

use klamm_auth::gssapi::Kerberos;
use klamm_engine::Settings;
use klamm_tests::Outcome;
use klamm_tests::adapters::Adapter;
use klamm_tests::client::{Client, transfer};
use klamm_tests::real::{self, RealKafka, RealKafkaOptions};
use klamm_tests::scenario::within;
use klamm_tests::security::Credentials;
use libtest_mimic::{Arguments, Trial};

use crate::kdc::{BROKER, CLIENT, Kdc, Realm, UNREACHABLE};

/// Where the child finds the realm.
const FOLDER: &str = "KLAMM_TESTS_REALM";

fn main() -> ExitCode {
    if let Some(folder) = env::var_os(FOLDER) {
        return child(Realm(PathBuf::from(folder)));
    }
    let required = env::var_os("KLAMM_REQUIRE_KAFKA").is_some_and(|value| value != "0");
    let missing = real::why_unavailable().map(str::to_owned).or_else(kdc::why_unavailable);
    let outcome = match missing {
        Some(why) if !required => {
            tell(&format!("SKIPPED: Kerberos, because {why}"));
            return ExitCode::SUCCESS;
        }
        Some(why) => Err(why.into()),
        None => parent(),
    };
    outcome.unwrap_or_else(|error| {
        tell(&format!("{error}"));
        ExitCode::FAILURE
    })
}

fn tell(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

fn parent() -> Outcome<ExitCode> {
    let kdc = Kdc::start()?;
    let mut command = kdc.realm.command(env::current_exe()?);
    let status = command.args(env::args_os().skip(1)).env(FOLDER, &kdc.realm.0).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

type Test = fn(&Stage) -> Outcome<()>;

const TESTS: [(&str, &[Adapter], Test); 6] = [
    ("ticket_of_the_cache", &Adapter::ALL, ticket_of_the_cache),
    ("keytab_by_settings", &[Adapter::Blocking], keytab_by_settings),
    ("renewal_under_load", &[Adapter::Tokio, Adapter::Blocking], renewal_under_load),
    ("no_ticket", &[Adapter::Tokio], no_ticket),
    ("wrong_services", &[Adapter::Tokio], wrong_services),
    ("no_kdc", &[Adapter::Tokio], no_kdc),
];

fn child(realm: Realm) -> ExitCode {
    let realm = Arc::new(realm);
    let mut arguments = Arguments::from_args();
    // They share the cache of tickets.
    arguments.test_threads = Some(1);
    let trials = TESTS.into_iter().flat_map(|(name, adapters, test)| {
        let realm = &realm;
        adapters.iter().map(move |&adapter| {
            let stage = Stage { adapter, realm: Arc::clone(realm), name };
            Trial::test(format!("{name}::{}", adapter.name()), move || {
                within(Duration::from_secs(240), move || test(&stage))
            })
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

struct Stage {
    adapter: Adapter,
    realm: Arc<Realm>,
    name: &'static str,
}

impl Stage {
    /// One broker for all, which has clients authenticate themselves again every three seconds.
    fn bootstrap(&self) -> Outcome<Vec<String>> {
        static KAFKA: OnceLock<Result<RealKafka, String>> = OnceLock::new();
        let kafka = KAFKA.get_or_init(|| start_kafka(&self.realm).map_err(|error| error.to_string()));
        let addresses = kafka.as_ref().map_err(Clone::clone)?.variable("KAFKA_BOOTSTRAP_SASL_PLAINTEXT");
        Ok(addresses.split(',').map(str::to_owned).collect())
    }

    fn connect(&self, kerberos: Kerberos, wait: Duration) -> Outcome<Box<dyn Client>> {
        let credentials = Credentials { tls: None, sasl: Some(kerberos.serve()?) };
        self.adapter.connect_within(&self.bootstrap()?, credentials, wait)
    }

    /// Why a client does not get in.
    fn refusal(&self, kerberos: Kerberos) -> Outcome<String> {
        match self.connect(kerberos, Duration::from_secs(5)) {
            Ok(_) => Err("it got in".into()),
            Err(error) => Ok(error.to_string()),
        }
    }

    fn keytab(&self) -> Kerberos {
        Kerberos::new().keytab(self.realm.file("orders.keytab"))
    }

    /// Writes and reads for so long, at least once.
    fn transfer(&self, client: &dyn Client, time: Duration) -> Outcome<()> {
        let topic = format!("{}-{}", self.name, self.adapter.name());
        transfer(client, &topic, time)?;
        assert_eq!(client.diagnosis(), None, "connections were lost");
        Ok(())
    }
}

fn start_kafka(realm: &Realm) -> Outcome<RealKafka> {
    let login = format!(
        "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
         keyTab=\"{}\" principal=\"{BROKER}\";",
        realm.file("broker.keytab")
    );
    RealKafka::start(
        "kerberos",
        RealKafkaOptions {
            security: "sasl-plain".into(),
            settings: vec![
                "listener.name.sasl_plaintext.sasl.enabled.mechanisms=GSSAPI".into(),
                format!("listener.name.sasl_plaintext.gssapi.sasl.jaas.config={login}"),
                "sasl.kerberos.service.name=kafka".into(),
                "connections.max.reauth.ms=3000".into(),
            ],
            java_options: format!("-Djava.security.krb5.conf={}", realm.file("krb5.conf")),
            ..RealKafkaOptions::default()
        },
    )
}

/// As after `kinit`.
fn ticket_of_the_cache(stage: &Stage) -> Outcome<()> {
    stage.realm.run("kinit", &["-k", "-t", &stage.realm.file("orders.keytab"), CLIENT], "")?;
    let client = stage.connect(Kerberos::new(), Duration::from_secs(60))?;
    stage.transfer(&*client, Duration::ZERO)?;
    fs::remove_file(stage.realm.file("tickets"))?;
    Ok(())
}

/// As librdkafka's users write it, with the keys of a principal that is named.
fn keytab_by_settings(stage: &Stage) -> Outcome<()> {
    let keytab = stage.realm.file("orders.keytab");
    let mut settings = Settings::parse([
        ("bootstrap.servers", stage.bootstrap()?.join(",").as_str()),
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "GSSAPI"),
        ("sasl.kerberos.service.name", "kafka"),
        ("sasl.kerberos.keytab", &keytab),
        ("sasl.kerberos.principal", CLIENT),
    ])?;
    klamm_auth::provide(&mut settings)?;
    let kafka = klamm_blocking::Kafka::from_settings(&settings).connect()?;
    assert_eq!(kafka.admin().describe_cluster()?.brokers.len(), 1);
    Ok(())
}

/// Several sessions of three seconds each: the tickets are kept, and no request and no connection is lost.
fn renewal_under_load(stage: &Stage) -> Outcome<()> {
    let client = stage.connect(stage.keytab(), Duration::from_secs(60))?;
    stage.transfer(&*client, Duration::from_secs(10))
}

fn expect(said: &str, told: &str) {
    assert!(said.contains(told), "{told:?} is not in: {said}");
}

fn no_ticket(stage: &Stage) -> Outcome<()> {
    expect(&stage.refusal(Kerberos::new())?, "there is no Kerberos ticket: ");
    let said = stage.refusal(Kerberos::new().principal(CLIENT))?;
    expect(&said, "there is no Kerberos ticket for orders@KLAMM.TEST: ");
    let missing = stage.realm.file("no.keytab");
    let said = stage.refusal(Kerberos::new().keytab(&missing))?;
    expect(&said, &format!("the keytab {missing} gives no Kerberos ticket: "));
    let said = stage.refusal(stage.keytab().principal("billing@KLAMM.TEST"))?;
    expect(&said, "gives no Kerberos ticket for billing@KLAMM.TEST: ");
    Ok(())
}

fn wrong_services(stage: &Stage) -> Outcome<()> {
    let said = stage.refusal(stage.keytab().service_name("nobody"))?;
    expect(
        &said,
        "Kerberos gives no ticket for nobody@127.0.0.1: Server nobody/127.0.0.1@KLAMM.TEST not found",
    );
    expect(&said, "is the broker's principal nobody/127.0.0.1?");
    // The KDC knows that service, but it is not the broker.
    let said = stage.refusal(stage.keytab().service_name("stranger"))?;
    expect(&said, "the broker does not accept the credentials: ");
    Ok(())
}

fn no_kdc(stage: &Stage) -> Outcome<()> {
    let kerberos = Kerberos::new().keytab(stage.realm.file("gone.keytab")).principal(UNREACHABLE);
    expect(&stage.refusal(kerberos)?, "Cannot contact any KDC for realm 'GONE.TEST'");
    Ok(())
}
