//! Names and values.

use super::{Kind, Setting, Settings, jaas};

fn problem(pairs: &[(&str, &str)]) -> String {
    Settings::parse(pairs.iter().copied()).unwrap_err().to_string()
}

#[test]
fn errors_name_the_setting_the_value_and_what_is_near() {
    for (pairs, told) in [
        (
            &[("bootstrap.server", "a:1")][..],
            "there is no setting \"bootstrap.server\"; is bootstrap.servers meant?",
        ),
        (&[("xyz", "1")], "there is no setting \"xyz\""),
        (&[("linger.ms", "soon")], "linger.ms=\"soon\": it takes a whole number from 0 to 2147483647"),
        (
            &[("queue.buffering.max.ms", "-1")],
            "queue.buffering.max.ms (linger.ms)=\"-1\": it takes a whole number from 0 to 2147483647",
        ),
        (
            &[("compression.type", "zstdd")],
            "compression.type=\"zstdd\": it takes zstd, perhaps, of none, gzip, snappy, lz4, zstd",
        ),
        (&[("check.crcs", "maybe")], "check.crcs=\"maybe\": it takes true or false"),
        (
            &[("sasl.username", "a")],
            "sasl.username has no effect with security.protocol=PLAINTEXT: it takes SASL_SSL or SASL_PLAINTEXT",
        ),
        (
            &[("security.protocol", "SASL_PLAINTEXT")],
            "security.protocol wants SASL, but sasl.mechanism is missing: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI",
        ),
        (
            &[("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN")],
            "security.protocol wants SASL, but sasl.username is missing: or sasl.jaas.config",
        ),
    ] {
        assert_eq!(problem(pairs), told);
    }
}

#[test]
fn names_of_librdkafka_mean_the_same() {
    let settings =
        Settings::parse([("metadata.broker.list", "a:1, b:2"), ("message.timeout.ms", "7")]).unwrap();
    assert_eq!(settings.bootstrap(), ["a:1", "b:2"]);
    assert_eq!(settings.get("delivery.timeout.ms").as_deref(), Some("7"));
    assert_eq!(settings.get("linger.ms"), None);
}

#[test]
fn secrets_are_hidden_everywhere() {
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\" password=\"hunter2\";";
    let given =
        [("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "plain"), ("sasl.jaas.config", jaas)];
    let settings = Settings::parse(given).unwrap();
    assert!(settings.sasl.is_some());
    let shown = format!("{settings:?} {:?}", settings.effective().collect::<Vec<_>>());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(settings.get("sasl.jaas.config").as_deref(), Some("(hidden)"));
    let broken = jaas.replace(';', "");
    let why = problem(&[given[0], given[1], ("sasl.jaas.config", &broken)]);
    assert!(why.contains("semicolon") && !why.contains("hunter2"), "{why}");
}

#[test]
fn login_modules_are_read_as_java_reads_them() {
    let options =
        jaas::options("a.B required  username = \"al\\\"ice\"\n password=plain tokenauth=true ;").unwrap();
    let options: Vec<_> = options.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(options, [("username", &b"al\"ice"[..]), ("password", b"plain"), ("tokenauth", b"true")]);
    for nonsense in ["", ";", "a.B required username=\"x;", "username=\"x\";", "a.B required username=\"x\\"]
    {
        assert!(jaas::options(nonsense).is_err(), "{nonsense}");
    }
}

#[test]
fn the_table_has_no_name_twice_and_defaults_that_are_values() {
    let mut names: Vec<_> = Setting::ALL
        .iter()
        .flat_map(|setting| std::iter::once(setting.name).chain(setting.also.iter().copied()))
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for setting in Setting::ALL.iter().filter(|setting| !setting.default.is_empty()) {
        assert!(super::Value::parse(setting, setting.default).is_ok(), "{}", setting.name);
        assert_ne!(setting.kind, Kind::Secret);
    }
    let lines = Setting::markdown().lines().count();
    assert_eq!(lines, Setting::ALL.len() + 2);
    // Made by: klamm config settings > engine/SETTINGS.md
    assert_eq!(include_str!("../../SETTINGS.md"), Setting::markdown());
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_what_the_settings_say() {
    let settings =
        Settings::parse([("security.protocol", "SSL"), ("ssl.endpoint.identification.algorithm", "")])
            .unwrap();
    assert!(format!("{:?}", settings.tls).contains("checks_host_name: false"));
    let why = problem(&[("security.protocol", "SSL"), ("ssl.key.location", "a.key")]);
    assert!(why.contains("go together"), "{why}");
    let why = problem(&[("ssl.ca.location", "ca.pem")]);
    assert!(why.contains("it takes SSL or SASL_SSL"), "{why}");
}

#[test]
fn a_proxy_is_one_of_url_name_and_password() {
    let parse = |pairs: &[(&str, &str)]| Settings::parse(pairs.iter().copied());
    let whole =
        [("proxy.url", "socks5://proxy:1081"), ("proxy.username", "franz"), ("proxy.password", "odradek")];
    assert_eq!(
        parse(&whole).unwrap().proxy(),
        Some(crate::Proxy::socks5("socks5://proxy:1081").user("franz", "odradek"))
    );
    assert_eq!(parse(&whole[..1]).unwrap().proxy(), Some(crate::Proxy::socks5("socks5://proxy:1081")));
    assert_eq!(
        parse(&whole[..2]).unwrap_err().to_string(),
        "proxy.username is of no use without proxy.password"
    );
    assert_eq!(parse(&whole[1..]).unwrap_err().to_string(), "proxy.username is of no use without proxy.url");
    let wrong = parse(&[("proxy.url", "http://proxy")]).unwrap_err().to_string();
    assert!(wrong.starts_with("proxy.url: ") && wrong.contains("SOCKS5"), "{wrong}");
}
