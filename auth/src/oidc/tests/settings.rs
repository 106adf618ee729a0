use klamm_engine::{CredentialProvider, Settings};

use super::{
    super::{Oidc, Source, from_settings},
    server::{Reply, Server, token},
};

const URL: (&str, &str) = ("sasl.oauthbearer.token.endpoint.url", "https://login.example/token");

fn parse(pairs: &[(&str, &str)]) -> Settings {
    let base = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "OAUTHBEARER")];
    Settings::parse(base.iter().chain(pairs).copied()).unwrap()
}

fn of(pairs: &[(&str, &str)]) -> Result<Oidc, String> {
    from_settings(&parse(pairs)).map_err(|error| error.to_string())
}

#[test]
fn the_names_of_java_and_those_of_librdkafka_mean_the_same() {
    let java = [
        URL,
        ("sasl.oauthbearer.client.credentials.client.id", "orders"),
        ("sasl.oauthbearer.client.credentials.client.secret", "hunter2"),
        ("sasl.oauthbearer.scope", "kafka"),
    ];
    let librdkafka = [
        URL,
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.oauthbearer.client.id", "orders"),
        ("sasl.oauthbearer.client.secret", "hunter2"),
        ("sasl.oauthbearer.scope", "kafka"),
    ];
    let login = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                 clientId=\"orders\" clientSecret=\"hunter2\" scope=\"kafka\" extension_pool=\"p1\";";
    for (pairs, extensions) in
        [(&java[..], 0), (&librdkafka[..], 0), (&[URL, ("sasl.jaas.config", login)][..], 1)]
    {
        let oidc = of(pairs).unwrap();
        let Source::Secret { client_id, secret } = &oidc.source else { panic!("no secret") };
        assert_eq!((client_id.as_str(), secret.expose()), ("orders", &b"hunter2"[..]));
        assert_eq!(oidc.scope.as_deref(), Some("kafka"));
        assert_eq!(oidc.extensions.len(), extensions);
        let shown = format!("{oidc:?} {:?}", parse(pairs));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn the_grant_is_what_the_settings_say() {
    let key = ("sasl.oauthbearer.assertion.private.key.file", "key.pem");
    let file = ("sasl.oauthbearer.assertion.file", "assertion.jwt");
    let secret = ("sasl.oauthbearer.client.secret", "s");
    let class = "org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever";
    let class = ("sasl.oauthbearer.jwt.retriever.class", class);
    let grant = ("sasl.oauthbearer.grant.type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert!(matches!(of(&[URL, key, secret]).unwrap().source, Source::ClientAssertion { .. }));
    assert!(matches!(of(&[URL, file]).unwrap().source, Source::ClientAssertion { .. }));
    assert!(matches!(of(&[URL, class, key]).unwrap().source, Source::JwtBearer(_)));
    assert!(matches!(of(&[URL, grant, file]).unwrap().source, Source::JwtBearer(_)));
    let file = of(&[(URL.0, "file:///run/token")]).unwrap();
    assert!(matches!(&file.source, Source::File(path) if path.to_str() == Some("/run/token")));
}

#[test]
fn what_is_missing_is_named() {
    for (pairs, told) in [
        (&[URL][..], "sasl.oauthbearer.client.credentials.client.id is missing"),
        (&[URL, ("sasl.oauthbearer.client.id", "a")], "client.credentials.client.secret is missing"),
        (
            &[URL, ("sasl.oauthbearer.grant.type", "urn:ietf:params:oauth:grant-type:jwt-bearer")],
            "sasl.oauthbearer.assertion.private.key.file is missing",
        ),
        (&[(URL.0, "login.example")], "begins with https:, http: or file:"),
        (
            &[
                URL,
                ("sasl.oauthbearer.client.id", "a"),
                ("sasl.oauthbearer.client.secret", "b"),
                ("sasl.oauthbearer.extensions", "x"),
            ],
            "it takes name=value",
        ),
    ] {
        let why = of(pairs).unwrap_err();
        assert!(why.contains(told), "{why}");
    }
}

#[test]
fn settings_are_provided_with_tokens_of_their_endpoint() {
    let body = format!(r#"{{"access_token":"{}"}}"#, token(9_000_000_000));
    let server = Server::start(vec![Reply::Json(200, body)]);
    let mut settings = parse(&[
        (URL.0, &server.url),
        ("sasl.oauthbearer.client.id", "a"),
        ("sasl.oauthbearer.client.secret", "b"),
    ]);
    assert_eq!(settings.credential_provider(), Some(CredentialProvider::Oidc));
    from_settings(&settings).unwrap().fetch().unwrap();
    server.requests();
    crate::provide(&mut settings).unwrap();
    assert_eq!(settings.credential_provider(), None);
    let mut plain = Settings::parse([("bootstrap.servers", "a:1")]).unwrap();
    crate::provide(&mut plain).unwrap();
    assert_eq!(plain.credential_provider(), None);
}
