//! Tokens of an endpoint, tokens that real brokers verify, and delegation tokens.

use std::time::{Duration, Instant};

use klamm_auth::oidc::{Oidc, TokenError};
use klamm_engine::{Mechanism, Sasl};
use klamm_tests::Outcome;
use klamm_tests::client::transfer;
use klamm_tests::oauth::{CLIENT, Issuer, TokenEndpoint, seconds_since_1970};
use klamm_tests::real::{RealKafka, RealKafkaOptions};
use klamm_tests::scenario::Stage;
use klamm_tests::security::{Credentials, Door, Secured, unsecured_token};

fn by(sasl: Sasl) -> Credentials {
    Credentials { tls: None, sasl: Some(sasl) }
}

/// Tokens that last for three seconds, from an endpoint: the transfer outlives several of them, and no connection is lost.
pub(crate) fn of_an_endpoint(stage: &Stage) -> Outcome<()> {
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let addresses = secured.bootstrap(Door::SaslPlaintext);
    let endpoint = TokenEndpoint::start(|| Ok(unsecured_token(seconds_since_1970() + 4)))?;
    let (id, secret) = CLIENT;
    let sasl = Oidc::client_credentials(endpoint.url(), id, secret).scope("kafka").serve()?;
    let client = stage.connect_through(&addresses, by(sasl))?;
    transfer(&*client, &stage.topic("tokens"), Duration::from_secs(9))?;
    assert_eq!(client.diagnosis(), None, "connections were lost");
    assert!((3..40).contains(&endpoint.issued()), "{} tokens", endpoint.issued());
    drop(client);

    let refused = |sasl: Sasl| match stage.connect_through(&addresses, by(sasl)) {
        Ok(_) => Err("it is open"),
        Err(error) => Ok(error.to_string()),
    };
    let said = refused(Oidc::client_credentials(endpoint.url(), id, "another-secret").serve()?)?;
    assert!(said.contains("the token endpoint answered 401, invalid_client: who is that?"), "{said}");
    assert!(!said.contains("another-secret"), "{said}");
    Ok(())
}

/// Brokers that verify signature, audience and expiry, as at companies.
pub(crate) fn verified(stage: &Stage) -> Outcome<()> {
    let issuer = Issuer::new()?;
    let keys = std::env::temp_dir().join(format!("klamm-jwks-{}.json", std::process::id()));
    std::fs::write(&keys, issuer.jwks())?;
    let url = format!("file://{}", keys.display());
    let handler = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler";
    let kafka = RealKafka::start(
        "jwks",
        RealKafkaOptions {
            security: "sasl-oauth".into(),
            settings: vec![
                format!(
                    "listener.name.sasl_plaintext.oauthbearer.sasl.server.callback.handler.class={handler}"
                ),
                format!("sasl.oauthbearer.jwks.endpoint.url={url}"),
                "sasl.oauthbearer.expected.audience=kafka".into(),
                "connections.max.reauth.ms=3000".into(),
            ],
            java_options: format!(
                "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={url} \
                 -Dorg.apache.kafka.sasl.oauthbearer.allowed.files={}",
                keys.display()
            ),
            ..RealKafkaOptions::default()
        },
    )?;
    let addresses: Vec<_> =
        kafka.variable("KAFKA_BOOTSTRAP_SASL_PLAINTEXT").split(',').map(str::to_owned).collect();
    let rogue = Issuer::new()?.token("orders", "kafka", 60)?;
    let elsewhere = issuer.token("orders", "elsewhere", 60)?;
    let late = issuer.token("orders", "kafka", -60)?;
    let endpoint = TokenEndpoint::start(move || issuer.token("orders", "kafka", 8))?;
    let (id, secret) = CLIENT;
    let sasl = Oidc::client_credentials(endpoint.url(), id, secret).serve()?;
    let client = stage.connect_through(&addresses, by(sasl))?;
    transfer(&*client, &stage.topic("verified"), Duration::from_secs(8))?;
    assert_eq!(client.diagnosis(), None, "connections were lost");
    for token in [rogue, elsewhere, late.clone(), unsecured_token(i64::MAX / 2_000)] {
        let Err(error) = stage.connect_through(&addresses, by(Sasl::oauth_bearer(token))) else {
            return Err("any token is taken".into());
        };
        let said = error.to_string();
        assert!(said.contains("the broker does not accept the token: invalid_token"), "{said}");
    }
    // The client sees by itself that it is late, and does not bother the broker.
    let late = TokenEndpoint::start(move || Ok(late.clone()))?;
    let error = Oidc::client_credentials(late.url(), id, secret).fetch();
    assert_eq!(error.err(), Some(TokenError::Expired));
    std::fs::remove_file(keys)?;
    Ok(())
}

/// A token that a user made by Apache's tool stands for that user (KIP-48), under both hashes.
pub(crate) fn delegated(stage: &Stage) -> Outcome<()> {
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let kafka = secured.kafka().ok_or("it takes real brokers")?;
    let profile =
        format!("{}/SASL_SSL.SCRAM-SHA-256.alice.properties", kafka.variable("KAFKA_CLIENT_PROPERTIES"));
    let listener = kafka.variable("KAFKA_BOOTSTRAP_SASL_SSL");
    let made = kafka.tool_elsewhere(
        "delegation-tokens",
        listener,
        &["--command-config", &profile, "--create", "--max-life-time-period", "-1"],
        &[],
    )?;
    let made = String::from_utf8_lossy(&made).into_owned();
    // Columns: token id, HMAC, owner, and what follows.
    let line = made.lines().find(|line| line.contains("User:alice")).ok_or_else(|| made.clone())?;
    let mut columns = line.split_whitespace();
    let (Some(id), Some(hmac)) = (columns.next(), columns.next()) else { return Err(made.into()) };
    for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha512] {
        let with = |hmac: &str| Credentials {
            tls: Some(secured.tls()),
            sasl: Some(Sasl::delegation_token(mechanism, id, hmac)),
        };
        // A broker learns of a token a moment after it was made.
        let begun = Instant::now();
        let client = loop {
            match stage.connect_through(&secured.bootstrap(Door::SaslSsl), with(hmac)) {
                Err(_) if begun.elapsed() < Duration::from_secs(20) => {}
                result => break result?,
            }
        };
        let topic = format!("{}{}", kafka.variable("KAFKA_LIMITED_PREFIX"), stage.topic(mechanism.name()));
        client.create_topic(&topic, 1, 1)?;
        let refused = client.create_topic(&stage.topic("not-of-alice"), 1, 1);
        let said = refused.err().ok_or("the token stands for more than alice")?.to_string();
        assert!(said.contains("TOPIC_AUTHORIZATION_FAILED"), "{said}");
        let Err(error) = stage.connect_through(&secured.bootstrap(Door::SaslSsl), with("AAAA")) else {
            return Err("any HMAC is right".into());
        };
        assert!(error.to_string().contains("invalid credentials"), "{error}");
    }
    Ok(())
}
