//! Secured listeners: who gets in and who does not, in words that help.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use klamm_engine::{BearerToken, Mechanism, Sasl, Secret, Tls, block_on};
use klamm_tests::Outcome;
use klamm_tests::client::{Message, ProducerSettings, read};
use klamm_tests::scenario::Stage;
use klamm_tests::security::{Credentials, Door, Secured, USER, unsecured_token};

/// Produces and consumes through a door.
fn round_trip(
    stage: &Stage,
    secured: &Secured,
    door: Door,
    name: &str,
    credentials: Credentials,
) -> Outcome<()> {
    let client = stage.connect_through(&secured.bootstrap(door), credentials)?;
    let topic = stage.topic(name);
    client.create_topic(&topic, 1, 1)?;
    let producer = client.producer(&ProducerSettings::default())?;
    // More than TLS takes at once.
    let value = vec![7; 300_000];
    for key in ["a", "b", "c"] {
        producer.send(&Message::to(&topic).key(key).value(value.clone()))?;
    }
    let mut consumer = client.consumer(&topic, &[0])?;
    let records = read(&mut *consumer, 3)?;
    assert!(records.iter().all(|record| record.value.as_deref() == Some(&*value)));
    Ok(())
}

pub(crate) fn tls(stage: &Stage) -> Outcome<()> {
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let tls = Some(secured.tls());
    round_trip(stage, &secured, Door::Ssl, "tls", Credentials { tls, sasl: None })
}

pub(crate) fn mutual_tls(stage: &Stage) -> Outcome<()> {
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let own = &secured.identity;
    let tls = Some(secured.tls().client_certificate_pem(&own.certificate, &own.key));
    round_trip(stage, &secured, Door::Mtls, "mtls", Credentials { tls, sasl: None })
}

pub(crate) fn sasl(stage: &Stage) -> Outcome<()> {
    let secured = Secured::of(stage.cluster().spec().kind)?;
    for mechanism in Mechanism::BUILT_IN {
        let sasl = Some(secured.sasl(mechanism));
        let name = format!("plain-{mechanism}");
        let credentials = Credentials { tls: None, sasl: sasl.clone() };
        round_trip(stage, &secured, Door::SaslPlaintext, &name, credentials)?;
        let name = format!("tls-{mechanism}");
        let credentials = Credentials { tls: Some(secured.tls()), sasl };
        round_trip(stage, &secured, Door::SaslSsl, &name, credentials)?;
    }
    Ok(())
}

/// Why a client does not get in.
fn refusal(stage: &Stage, secured: &Secured, door: Door, credentials: Credentials) -> Outcome<String> {
    match stage.connect_through(&secured.bootstrap(door), credentials) {
        Ok(_) => Err(format!("{door:?} is open").into()),
        Err(error) => Ok(error.to_string()),
    }
}

fn expect(refusal: &str, told: &[&str]) {
    assert!(told.iter().any(|told| refusal.contains(told)), "{refusal}");
    assert!(!refusal.contains("secret"), "a password is shown: {refusal}");
}

pub(crate) fn wrong_credentials(stage: &Stage) -> Outcome<()> {
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let user = USER.0;
    for (sasl, told) in [
        (Sasl::plain(user, "another-secret"), &["Invalid username or password"]),
        (Sasl::plain("nobody", "another-secret"), &["Invalid username or password"]),
        (Sasl::scram_sha_256(user, "another-secret"), &["invalid credentials"]),
        (Sasl::scram_sha_512("nobody", "another-secret"), &["invalid credentials"]),
        (
            Sasl::oauth_bearer(unsecured_token(1_700_000_001)),
            &["the broker does not accept the token: invalid_token"],
        ),
    ] {
        let refusal =
            refusal(stage, &secured, Door::SaslPlaintext, Credentials { tls: None, sasl: Some(sasl) })?;
        expect(&refusal, told);
    }
    Ok(())
}

pub(crate) fn wrong_certificates(stage: &Stage) -> Outcome<()> {
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let own = &secured.identity;
    let with = |tls: Tls| Credentials { tls: Some(tls), sasl: None };
    let refused = refusal(stage, &secured, Door::Ssl, with(Tls::new().ca_pem(secured.rogue.pem())))?;
    expect(&refused, &["not among the trusted"]);
    let refused = refusal(stage, &secured, Door::Ssl, with(secured.tls().server_name("kafka.example")))?;
    expect(&refused, &["wanted kafka.example, it has localhost, 127.0.0.1"]);
    let refused = refusal(stage, &secured, Door::Mtls, with(secured.tls()))?;
    expect(&refused, &["certificate"]);
    let unknown = secured.rogue.issue("mallory", &[], 2096)?;
    let unknown = secured.tls().client_certificate_pem(&unknown.certificate, &unknown.key);
    let refused = refusal(stage, &secured, Door::Mtls, with(unknown))?;
    expect(&refused, &["the client's certificate", "demands a certificate"]);
    // Without the name's check, the right authority is enough.
    let tls = secured.tls().server_name("kafka.example").skip_host_name_check();
    let tls = tls.client_certificate_pem(&own.certificate, &own.key);
    round_trip(stage, &secured, Door::Mtls, "unnamed", with(tls))
}

pub(crate) fn wrong_doors(stage: &Stage) -> Outcome<()> {
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let tls = || Credentials { tls: Some(secured.tls()), sasl: None };
    let sasl = || Credentials { tls: None, sasl: Some(secured.sasl(Mechanism::Plain)) };
    let refused = refusal(stage, &secured, Door::Plaintext, tls())?;
    expect(&refused, &["does the port speak TLS?", "the peer does not speak TLS"]);
    let refused = refusal(stage, &secured, Door::Ssl, Credentials::default())?;
    expect(&refused, &["the port expects TLS", "does the port expect TLS"]);
    let refused = refusal(stage, &secured, Door::Plaintext, sasl())?;
    expect(&refused, &["this port of the broker knows no SASL"]);
    let refused = refusal(stage, &secured, Door::SaslPlaintext, Credentials::default())?;
    expect(&refused, &["does the port require authentication?"]);
    Ok(())
}

/// Brokers before 1.0 take the messages of the mechanisms without headers.
pub(crate) fn old_brokers(stage: &Stage) -> Outcome<()> {
    let spec = stage.cluster().spec();
    let (addresses, _brokers) = Secured::of_version(spec.kind, spec.version)?;
    for (name, sasl) in [
        ("plain", Sasl::plain(USER.0, USER.1)),
        ("scram-256", Sasl::scram_sha_256(USER.0, USER.1)),
        ("scram-512", Sasl::scram_sha_512(USER.0, USER.1)),
    ] {
        let client = stage.connect_through(&addresses, Credentials { tls: None, sasl: Some(sasl) })?;
        let topic = stage.topic(name);
        client.create_topic(&topic, 1, 1)?;
        let producer =
            client.producer(&ProducerSettings { idempotent: false, ..ProducerSettings::default() })?;
        producer.send(&Message::to(&topic).value("v"))?;
        let records = read(&mut *client.consumer(&topic, &[0])?, 1)?;
        assert_eq!(records[0].value.as_deref(), Some(&b"v"[..]));
    }
    let sasl = Some(Sasl::scram_sha_256(USER.0, "another-secret"));
    match stage.connect_through(&addresses, Credentials { tls: None, sasl }) {
        Ok(_) => Err("any password is right".into()),
        Err(refusal) => {
            expect(
                &refusal.to_string(),
                &["during authentication (are the credentials right?)", "does not accept"],
            );
            Ok(())
        }
    }
}

/// Sessions of four seconds are renewed while records flow, and none is lost or doubled. A token is asked for when the one
/// before is used up.
pub(crate) fn renewal_under_load(stage: &Stage) -> Outcome<()> {
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let (sasl, mut requests) = Sasl::asking(Mechanism::OAuthBearer);
    let issuer = std::thread::spawn(move || {
        let mut issued = 0;
        while let Some(request) = block_on(requests.next()) {
            issued += 1;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let token = Secret::from(unsecured_token(i64::try_from(now).unwrap_or(0) + 4));
            let lifetime = Some(Duration::from_secs(4));
            request.answer::<_, String>(Ok(BearerToken { token, lifetime, extensions: Vec::new() }));
        }
        issued
    });
    for (name, sasl) in [("scram", secured.sasl(Mechanism::ScramSha512)), ("token", sasl)] {
        let credentials = Credentials { tls: None, sasl: Some(sasl) };
        let client = stage.connect_through(&secured.bootstrap(Door::SaslPlaintext), credentials)?;
        let topic = stage.topic(name);
        client.create_topic(&topic, 1, 1)?;
        let producer = client.producer(&ProducerSettings::default())?;
        let mut consumer = client.consumer(&topic, &[0])?;
        let begun = Instant::now();
        let mut next = 0_i64;
        while begun.elapsed() < Duration::from_secs(13) {
            let places: Vec<_> =
                (0..20).map(|_| producer.send(&Message::to(&topic).value("v"))).collect::<Outcome<_>>()?;
            for record in read(&mut *consumer, places.len())? {
                assert_eq!(record.offset, next, "it skips or repeats");
                next += 1;
            }
        }
        assert_eq!(client.diagnosis(), None, "connections were lost");
    }
    let issued = issuer.join().map_err(|_| "the issuer panicked")?;
    assert!((3..60).contains(&issued), "{issued} tokens");
    Ok(())
}
