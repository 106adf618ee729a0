//! Ways to the brokers: through a proxy, and by a connector of one's own.

use klamm_engine::Proxy;
use klamm_tests::Outcome;
use klamm_tests::adapters::Way;
use klamm_tests::client::{Message, ProducerSettings, read};
use klamm_tests::program::klamm;
use klamm_tests::relay::{INSIDE, Manner, Relay};
use klamm_tests::scenario::Stage;
use klamm_tests::security::{Door, Secured};

const USER: (&str, &str) = ("franz", "odradek");

/// The same brokers by names that nobody outside knows.
fn inside(bootstrap: &[String]) -> Vec<String> {
    let port = |address: &String| address.rsplit_once(':').map_or("0", |(_, port)| port).to_owned();
    bootstrap.iter().map(|address| format!("kafka{INSIDE}:{}", port(address))).collect()
}

/// Produces and consumes on this way.
fn round_trip(stage: &Stage, bootstrap: &[String], name: &str, way: Way) -> Outcome<()> {
    let client = stage.connect_by(bootstrap, way)?;
    let topic = stage.topic(name);
    client.create_topic(&topic, 1, 1)?;
    let producer = client.producer(&ProducerSettings::default())?;
    let value = vec![7; 300_000];
    for key in ["a", "b", "c"] {
        producer.send(&Message::to(&topic).key(key).value(value.clone()))?;
    }
    let records = read(&mut *client.consumer(&topic, &[0])?, 3)?;
    assert!(records.iter().all(|record| record.value.as_deref() == Some(&*value)));
    Ok(())
}

fn through(proxy: Proxy) -> Way {
    Way { proxy: Some(proxy), ..Way::default() }
}

pub(crate) fn proxy(stage: &Stage) -> Outcome<()> {
    let bootstrap = inside(&stage.cluster().bootstrap());
    let relay = Relay::socks5(Manner::Open)?;
    round_trip(stage, &bootstrap, "open", through(Proxy::socks5(relay.address())))?;
    let asked = relay.asked();
    assert_eq!(asked.first(), bootstrap.first(), "the proxy resolves the names");
    assert!(asked.len() > 1, "the other connections went past it: {asked:?}");
    let relay = Relay::socks5(Manner::Guarded(USER.0, USER.1))?;
    let proxy = Proxy::socks5(format!("socks5://{}", relay.address())).user(USER.0, USER.1);
    round_trip(stage, &bootstrap, "guarded", through(proxy))?;
    // TLS is between the client and the broker: it is the broker's name that is checked.
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let relay = Relay::socks5(Manner::Open)?;
    let mut way = through(Proxy::socks5(relay.address()));
    way.credentials.tls = Some(secured.tls());
    round_trip(stage, &secured.bootstrap(Door::Ssl), "tls", way)?;
    assert!(!relay.asked().is_empty());
    Ok(())
}

pub(crate) fn unwilling_proxies(stage: &Stage) -> Outcome<()> {
    let bootstrap = stage.cluster().bootstrap();
    for (manner, user, told) in [
        (Manner::Guarded(USER.0, USER.1), None, "without authentication that the client can give"),
        (Manner::Guarded(USER.0, USER.1), Some("another-odradek"), "denies the user's name or password"),
        (Manner::Refusing(2), None, "its rules do not allow the connection"),
        (Manner::Refusing(4), None, "does not resolve there"),
        (Manner::HangingUp, None, "closed the connection"),
        (Manner::Http, None, "it does not speak SOCKS5"),
    ] {
        let relay = Relay::socks5(manner)?;
        let mut proxy = Proxy::socks5(relay.address());
        if let Some(password) = user {
            proxy = proxy.user(USER.0, password);
        }
        match stage.connect_briefly(&bootstrap, through(proxy)) {
            Ok(_) => return Err(format!("{manner:?} lets through").into()),
            Err(refusal) => {
                let refusal = refusal.to_string();
                assert!(
                    refusal.contains(told) && refusal.contains(&relay.address()),
                    "{manner:?}: {refusal}"
                );
                assert!(!refusal.contains("odradek"), "a password is shown: {refusal}");
            }
        }
    }
    // Nobody is there at all.
    let nobody = Relay::socks5(Manner::Open)?.address();
    match stage.connect_briefly(&bootstrap, through(Proxy::socks5(&nobody))) {
        Ok(_) => Err("it went past the proxy".into()),
        Err(refusal) => {
            let refusal = refusal.to_string();
            assert!(refusal.contains(&format!("the proxy {nobody} ")), "{refusal}");
            Ok(())
        }
    }
}

pub(crate) fn own_connector(stage: &Stage) -> Outcome<()> {
    let bootstrap = inside(&stage.cluster().bootstrap());
    let relay = Relay::tunnel()?;
    let way = || Way { tunnel: Some(relay.path().to_owned()), ..Way::default() };
    round_trip(stage, &bootstrap, "tunnel", way())?;
    assert_eq!(relay.asked().first(), bootstrap.first());
    // Security is on top of it.
    let secured = Secured::of(stage.cluster().spec().kind)?;
    let mut secure = way();
    secure.credentials.tls = Some(secured.tls());
    round_trip(stage, &secured.bootstrap(Door::Ssl), "tunnel-tls", secure)?;
    // And so is the proxy.
    let proxy = Relay::socks5(Manner::Open)?;
    let asked = relay.asked().len();
    let both = Way { proxy: Some(Proxy::socks5(proxy.address())), ..way() };
    round_trip(stage, &bootstrap, "tunnel-proxy", both)?;
    assert!(relay.asked()[asked..].iter().all(|asked| *asked == proxy.address()));
    assert_eq!(proxy.asked().first(), bootstrap.first());
    // What a connector says is told.
    drop(relay);
    let gone = Way { tunnel: Some("/nowhere/at/all.sock".into()), ..Way::default() };
    match stage.connect_briefly(&bootstrap, gone) {
        Ok(_) => Err("it went past the tunnel".into()),
        Err(refusal) => {
            assert!(refusal.to_string().contains("No such file"), "{refusal}");
            Ok(())
        }
    }
}

/// The tool takes the proxy by an option, by a variable and by a setting.
pub(crate) fn tool_through_proxy(stage: &Stage) -> Outcome<()> {
    let bootstrap = inside(&stage.cluster().bootstrap()).join(",");
    let relay = Relay::socks5(Manner::Guarded(USER.0, USER.1))?;
    let url = format!("socks5://{}", relay.address());
    let user = format!("proxy.username={}", USER.0);
    let password = format!("proxy.password={}", USER.1);
    let access = ["--proxy", &url, "-X", &user, "-X", &password, "-b", &bootstrap];
    let topic = stage.topic("tool");
    klamm(&[&["topic", "create", &topic][..], &access].concat(), b"", None)?.succeeded()?;
    klamm(&[&["produce", &topic][..], &access].concat(), b"through\n", None)?.succeeded()?;
    let read = ["consume", &topic, "--from-beginning", "--exit-at-end", "-f", "%v\\n"];
    let output = klamm(&[&read[..], &access].concat(), b"", None)?.succeeded()?;
    assert_eq!(output, b"through\n");
    assert!(relay.asked().len() >= 3);
    let wrong = ["topic", "list", "--proxy", "http://proxy:3128", "-b", &bootstrap];
    let refused = klamm(&wrong, b"", None)?;
    assert_eq!(refused.code, Some(2), "{}", refused.errors);
    assert!(refused.errors.contains("proxy.url") && refused.errors.contains("SOCKS5"), "{}", refused.errors);
    Ok(())
}
