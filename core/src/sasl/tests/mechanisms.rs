//! The dialogues, with the examples of the standards.

use std::{format, string::ToString, vec::Vec};

use bytes::Bytes;
use klamm_protocol::Str;
use proptest::prelude::*;

use crate::{
    Entropy,
    sasl::{
        Answer, AuthenticationError, BearerToken, Credentials, Exchange, Mechanism, Password, Secret, Step,
        scram::{Hash, MAX_ITERATIONS, MIN_ITERATIONS, Scram},
    },
};

fn password(username: &str, password: &str) -> Password {
    Password { username: Str::from(username.to_string()), password: Secret::from(password), is_token: false }
}

fn token(token: &str) -> BearerToken {
    BearerToken { token: Secret::from(token), lifetime: None, extensions: Vec::new() }
}

fn start(
    mechanism: Mechanism,
    credentials: impl Into<Credentials>,
) -> Result<(Exchange, Secret), AuthenticationError> {
    Exchange::start(mechanism, &credentials.into(), &mut Entropy::new(7))
}

fn sent(step: Result<Step, AuthenticationError>) -> std::string::String {
    match step {
        Ok(Step::Send(message)) => std::string::String::from_utf8(message.expose().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn scram_sha_256_as_in_rfc_7677() {
    let nonce = "rOprNGfwEbeRWgbNEkqO".to_string();
    let (mut scram, first) = Scram::start_with(Hash::Sha256, &password("user", "pencil"), nonce);
    assert_eq!(first.expose(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let server_first =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert_eq!(
        sent(scram.handle(server_first)),
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    let server_final = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    assert_eq!(scram.handle(server_final), Ok(Step::Done));
    assert!(scram.handle(server_final).is_err(), "the end is the end");
}

/// Compared with another implementation of the same; the user's name has to be escaped.
#[test]
fn scram_sha_512_with_a_delegation_token() {
    let nonce = "rOprNGfwEbeRWgbNEkqO".to_string();
    let mut user = password("a,b=c", "pencil");
    user.is_token = true;
    let (mut scram, first) = Scram::start_with(Hash::Sha512, &user, nonce);
    assert_eq!(first.expose(), b"n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO,tokenauth=true");
    let server_first = b"r=rOprNGfwEbeRWgbNEkqOxyz,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert_eq!(
        sent(scram.handle(server_first)),
        "c=biws,r=rOprNGfwEbeRWgbNEkqOxyz,p=m/M8t1fzy2DX9MpSSCn3Mr7MuDqrQqOjJSXOSH81Q9s9ODlBp67OG3x/s/hA2chPBF\
         /jxNc0RrVGkX1+Uap9Fw=="
    );
    let server_final =
        b"v=kBNytpG3EhyZEl/k4O4jYGddjbwGvemjuyCJTOsDUfjwqgnOnFAMFOUeydH4oJTK39qQsaSjWsNhHUWgqmAS+w==";
    assert_eq!(scram.handle(server_final), Ok(Step::Done));
}

/// What a client that has sent "n,,n=user,r=abc" makes of the broker's first message.
fn after_first(server_first: &str) -> (Scram, Result<Step, AuthenticationError>) {
    let (mut scram, _) = Scram::start_with(Hash::Sha256, &password("user", "pencil"), "abc".to_string());
    let step = scram.handle(server_first.as_bytes());
    (scram, step)
}

#[test]
fn a_broker_that_does_not_know_the_password_is_no_broker() {
    for wrong in ["v=AAAA", "v=", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "", "nonsense", "v=#"] {
        let (mut scram, step) = after_first("r=abcd,s=AAAA,i=4096");
        assert!(step.is_ok());
        assert_eq!(scram.handle(wrong.as_bytes()), Err(AuthenticationError::Unproven), "{wrong}");
    }
    let (mut scram, _) = after_first("r=abcd,s=AAAA,i=4096");
    let refused = scram.handle(b"e=invalid-proof\r\n");
    assert_eq!(refused, Err(AuthenticationError::Rejected(Some(Str::from_static("invalid-proof  ")))));
}

#[test]
fn a_hostile_number_of_iterations_costs_nothing() {
    for count in [0, 1, u64::from(MIN_ITERATIONS) - 1, u64::from(MAX_ITERATIONS) + 1, u64::MAX] {
        let (_, step) = after_first(&format!("r=abcd,s=AAAA,i={count}"));
        assert_eq!(step, Err(AuthenticationError::Iterations(count)));
    }
    assert!(after_first(&format!("r=abcd,s=AAAA,i={MIN_ITERATIONS}")).1.is_ok());
}

#[test]
fn what_makes_no_sense_is_refused() {
    for nonsense in [
        "",
        "r=abc,s=AAAA,i=4096",
        "r=xabcd,s=AAAA,i=4096",
        "r=abcd,s=,i=4096",
        "r=abcd,s=*,i=4096",
        "r=abcd,i=4096",
        "r=abcd,s=AAAA",
        "r=abcd,s=AAAA,i=-1",
        "r=abcd,s=AAAA,i=99999999999999999999999",
        "m=x,r=abcd,s=AAAA,i=4096",
        "s=AAAA,r=abcd,i=4096",
    ] {
        let (_, step) = after_first(nonsense);
        assert!(matches!(step, Err(AuthenticationError::Nonsense(_))), "{nonsense}: {step:?}");
    }
    assert!(after_first("r=abcd,s=AAAA,i=4096,x=later").1.is_ok(), "what is optional may be there");
    let (mut exchange, _) = start(Mechanism::Plain, password("a", "b")).unwrap();
    assert!(exchange.handle(&[0; 70_000]).is_err(), "too long");
}

#[test]
fn plain_as_in_rfc_4616() {
    let (mut exchange, first) = start(Mechanism::Plain, password("tim", "tanstaaftanstaaf")).unwrap();
    assert_eq!(first.expose(), b"\0tim\0tanstaaftanstaaf");
    assert_eq!(exchange.handle(b""), Ok(Step::Done));
    assert!(exchange.handle(b"").is_err());
}

#[test]
fn a_token_is_accepted_by_silence() {
    let mut bearer = token("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    bearer.extensions = [("host", "server.example.com"), ("port", "143")]
        .map(|(name, value)| (Str::from_static(name), Str::from_static(value)))
        .to_vec();
    let (mut exchange, first) = start(Mechanism::OAuthBearer, bearer).unwrap();
    assert_eq!(
        first.expose(),
        b"n,,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01host=server.example.com\x01port=143\x01\x01"
    );
    assert_eq!(exchange.handle(b""), Ok(Step::Done));
}

/// The example of RFC 7628, section 4.3.
#[test]
fn a_token_is_refused_in_json() {
    let (mut exchange, _) = start(Mechanism::OAuthBearer, token("abc")).unwrap();
    let refusal = br#"{"status":"invalid_token", "scope":"example_scope",
        "openid-configuration":"https://example.com/.well-known/openid-configuration"}"#;
    assert_eq!(sent(exchange.handle(refusal)), "\u{1}");
    let general = AuthenticationError::Rejected(Some(Str::from_static("general")));
    let error = exchange.explain(general);
    assert_eq!(
        error.to_string(),
        "the broker does not accept the token: invalid_token; it wants the scope example_scope; it trusts the issuer \
         of https://example.com/.well-known/openid-configuration"
    );
    assert_eq!(exchange.handle(b""), Err(error), "also if the broker has no other words");
}

#[test]
fn a_refusal_that_is_no_json_is_repeated_and_not_trusted() {
    for (refusal, shown) in [
        ("no\tway", "no way"),
        (r#"{"nested":{"status":"inner"},"list":["status",1],"status":"out\u0065r\n"}"#, "outer "),
        (r#"{"status":7}"#, r#"{"status":7}"#),
        (r#"{"status":"#, r#"{"status":"#),
        (r#"{"a":"b","#, r#"{"a":"b","#),
    ] {
        let (mut exchange, _) = start(Mechanism::OAuthBearer, token("abc")).unwrap();
        assert!(exchange.handle(refusal.as_bytes()).is_ok());
        let error = exchange.handle(b"").unwrap_err();
        assert_eq!(error.to_string(), format!("the broker does not accept the token: {shown}"));
    }
}

#[test]
fn credentials_have_to_fit_the_mechanism() {
    let unusable = |mechanism, credentials: Credentials| {
        matches!(start(mechanism, credentials), Err(AuthenticationError::Unusable(_)))
    };
    assert!(unusable(Mechanism::Plain, token("abc").into()));
    assert!(unusable(Mechanism::ScramSha512, token("abc").into()));
    assert!(unusable(Mechanism::OAuthBearer, password("a", "b").into()));
    assert!(unusable(Mechanism::Plain, password("", "b").into()));
    assert!(unusable(Mechanism::Plain, password("a", "").into()));
    assert!(unusable(Mechanism::Plain, password("a\0b", "c").into()));
    assert!(unusable(Mechanism::ScramSha256, password("", "c").into()));
    assert!(unusable(Mechanism::OAuthBearer, token("abc\n").into()));
    let mut delegated = password("a", "b");
    delegated.is_token = true;
    assert!(unusable(Mechanism::Plain, delegated.into()));
    let mut extended = token("abc");
    extended.extensions = std::vec![(Str::from_static("auth"), Str::from_static("x"))];
    assert!(unusable(Mechanism::OAuthBearer, extended.into()));
}

#[test]
fn nonces_differ_and_are_printable() {
    let nonce = |entropy: &mut Entropy| {
        let credentials = Credentials::from(password("u", "p"));
        let (_, first) = Exchange::start(Mechanism::ScramSha256, &credentials, entropy).unwrap();
        std::string::String::from_utf8(first.expose()["n,,n=u,r=".len()..].to_vec()).unwrap()
    };
    let mut entropy = Entropy::new(1);
    let (one, two) = (nonce(&mut entropy), nonce(&mut entropy));
    assert_ne!(one, two);
    assert_ne!(one, nonce(&mut Entropy::new(2)));
    assert_eq!(one.len(), 24);
    assert!(one.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','));
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?} {:?}", password("alice", "hunter2"), token("eyJhbGciOi"));
    assert!(shown.contains("alice"));
    assert!(!shown.contains("hunter2") && !shown.contains("eyJ"), "{shown}");
    for mechanism in Mechanism::BUILT_IN {
        let credentials = match mechanism {
            Mechanism::OAuthBearer => Credentials::from(token("eyJhbGciOi")),
            _ => password("alice", "hunter2").into(),
        };
        let shown = format!("{:?}", start(mechanism, credentials).unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("eyJ"), "{shown}");
    }
}

#[test]
fn mechanisms_have_names() {
    for mechanism in Mechanism::ALL {
        assert_eq!(mechanism.name().parse(), Ok(mechanism));
        assert_eq!(mechanism.name().to_lowercase().parse(), Ok(mechanism));
    }
    assert!("DIGEST-MD5".parse::<Mechanism>().is_err());
}

#[test]
fn messages_made_elsewhere_go_through_until_the_last_one() {
    let mut exchange = Exchange::elsewhere();
    let message = |text: &str, is_last| Answer { message: Secret::from(text), is_last };
    assert_eq!(exchange.answer(message("a", false)), (Secret::from("a"), false));
    assert_eq!(exchange.handle(b"b"), Ok(Step::Ask(Bytes::from_static(b"b"))));
    assert_eq!(exchange.answer(message("", false)), (Secret::from(""), false));
    assert_eq!(exchange.handle(b""), Ok(Step::Ask(Bytes::new())));
    assert_eq!(exchange.answer(message("c", true)), (Secret::from("c"), true));
    assert_eq!(exchange.handle(b""), Ok(Step::Done));
    assert!(exchange.handle(b"").is_err(), "it is over");

    for credentials in [Credentials::from(password("a", "b")), token("abc").into()] {
        let error = start(Mechanism::Gssapi, credentials).unwrap_err();
        assert!(matches!(error, AuthenticationError::Unusable(_)), "{error}");
    }
}

proptest! {
    #[test]
    fn no_message_makes_an_exchange_panic(messages: Vec<Vec<u8>>, which in 0..4_usize) {
        let mechanism = Mechanism::BUILT_IN[which];
        let credentials = match mechanism {
            Mechanism::OAuthBearer => Credentials::from(token("abc")),
            _ => password("a", "b").into(),
        };
        let (mut exchange, _) = start(mechanism, credentials).unwrap();
        for message in messages {
            let _result = exchange.handle(&message).map_err(|error| error.to_string());
        }
    }
}
