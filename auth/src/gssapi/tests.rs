//! What needs no KDC.

use klamm_engine::{CredentialProvider, Settings};

use super::{from_settings, offer::choose};

fn settings(more: &[(&str, &str)]) -> Settings {
    let mut all = vec![("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "GSSAPI")];
    all.extend(more);
    Settings::parse(all).unwrap()
}

#[test]
fn no_layer_is_chosen_of_what_is_offered() {
    assert_eq!(choose(&[0b001, 0, 0, 0]), Ok([1, 0, 0, 0]));
    assert_eq!(choose(&[0b111, 0xff, 0xff, 0xff]), Ok([1, 0, 0, 0]));
    assert!(choose(&[0b110, 0, 16, 0]).unwrap_err().contains("wants a security layer"));
    for nonsense in [&[][..], &[1], &[1, 0, 0], &[1, 0, 0, 0, 0]] {
        assert!(choose(nonsense).unwrap_err().contains("not of four bytes"));
    }
}

#[test]
fn settings_of_librdkafka_and_of_java() {
    let plain = settings(&[]);
    assert_eq!(plain.credential_provider(), Some(CredentialProvider::Kerberos));
    let kerberos = from_settings(&plain).unwrap();
    assert_eq!((&*kerberos.service, kerberos.principal, kerberos.keytab), ("kafka", None, None));

    let librdkafka = [
        ("sasl.kerberos.service.name", "broker"),
        ("sasl.kerberos.principal", "orders@EXAMPLE.COM"),
        ("sasl.kerberos.keytab", "orders.keytab"),
    ];
    let jaas = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true serviceName=\"broker\" \
                principal=\"orders@EXAMPLE.COM\" keyTab=\"orders.keytab\";";
    for settings in [settings(&librdkafka), settings(&[("sasl.jaas.config", jaas)])] {
        let kerberos = from_settings(&settings).unwrap();
        assert_eq!(kerberos.service, "broker");
        assert_eq!(kerberos.principal.as_deref(), Some("orders@EXAMPLE.COM"));
        assert_eq!(kerberos.keytab.as_deref(), Some("orders.keytab"));
    }

    let whole = settings(&[("sasl.kerberos.service.name", "kafka/kafka-1.example.com@EXAMPLE.COM")]);
    assert!(from_settings(&whole).unwrap_err().to_string().contains("the name alone"));
}
