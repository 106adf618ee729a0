use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rcgen::KeyPair;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use super::super::{Algorithm, Assertion};

// Keys of this test alone.
const RSA: &str = include_str!("rsa.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("rsa.pub.der");
const RSA_ENCRYPTED: &str = include_str!("rsa-encrypted.pem");

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(10_000)
}

/// Header, claims, what was signed, and the signature.
fn parts(token: &str) -> (Value, Value, &str, Vec<u8>) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let json = |text: &str| serde_json::from_slice(&decode(text)).unwrap();
    (json(header), json(claims), signed, decode(signature))
}

#[test]
fn an_assertion_is_signed_with_rsa() {
    let assertion = Assertion::signed_by_pem(Algorithm::Rs256, RSA)
        .issuer("orders")
        .subject("orders")
        .audience("https://login.example");
    let token = assertion.make(now()).unwrap();
    let (header, claims, signed, signature) = parts(&token);
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT"}));
    let wanted = json!({
        "iss": "orders", "sub": "orders", "aud": "https://login.example", "iat": 10_000, "exp": 10_300, "nbf": 9_940,
    });
    assert_eq!(claims, wanted);
    let key = UnparsedPublicKey::new(&RSA_PUBLIC_KEY_ALGORITHM, RSA_PUBLIC);
    key.verify(signed.as_bytes(), &signature).unwrap();
    assert!(key.verify(b"something else", &signature).is_err());
}

use RSA_PKCS1_2048_8192_SHA256 as RSA_PUBLIC_KEY_ALGORITHM;

#[test]
fn an_assertion_is_signed_with_ecdsa() {
    let pair = KeyPair::generate().unwrap();
    let assertion = Assertion::signed_by_pem(Algorithm::Es256, pair.serialize_pem())
        .validity(Duration::from_secs(10), Duration::ZERO)
        .with_id(true);
    let (one, other) = (assertion.make(now()).unwrap(), assertion.make(now()).unwrap());
    let (header, claims, signed, signature) = parts(&one);
    assert_eq!(header["alg"], "ES256");
    assert_eq!((&claims["exp"], &claims["nbf"]), (&json!(10_010), &json!(10_000)));
    assert_ne!(claims["jti"], parts(&other).1["jti"]);
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key_raw());
    key.verify(signed.as_bytes(), &signature).unwrap();
}

#[test]
fn a_template_has_what_is_not_said_otherwise() {
    let path = std::env::temp_dir().join(format!("klamm-auth-{}-template", std::process::id()));
    let template = r#"{"header": {"kid": "k1", "alg": "none"}, "payload": {"iss": "template", "role": "r"}}"#;
    std::fs::write(&path, template).unwrap();
    let assertion = Assertion::signed_by_pem(Algorithm::Rs256, RSA).template_file(&path).issuer("setting");
    let token = assertion.make(now()).unwrap();
    let (header, claims, ..) = parts(&token);
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
    assert_eq!((&claims["iss"], &claims["role"]), (&json!("setting"), &json!("r")));
    std::fs::write(&path, r#"{"payload": []}"#).unwrap();
    let why = assertion.make(now()).unwrap_err().to_string();
    assert!(why.contains("\"payload\" is no object"), "{why}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn keys_that_cannot_sign_are_explained() {
    let why =
        |algorithm, pem: &str| Assertion::signed_by_pem(algorithm, pem).make(now()).unwrap_err().to_string();
    assert!(why(Algorithm::Es256, RSA).contains("does not fit Es256"));
    assert!(why(Algorithm::Rs256, "nothing").contains("no private key in PEM"));
    let old = RSA.replace("PRIVATE KEY", "RSA PRIVATE KEY");
    assert!(why(Algorithm::Rs256, &old).contains("is not in PKCS #8"));
    assert!(why(Algorithm::Rs256, RSA_ENCRYPTED).contains("its passphrase is needed"));
    let missing =
        Assertion::signed(Algorithm::Rs256, "/nowhere/key.pem").make(now()).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/key.pem"), "{missing}");
}

#[cfg(feature = "keystores")]
#[test]
fn an_encrypted_key_is_decrypted() {
    let assertion = Assertion::signed_by_pem(Algorithm::Rs256, RSA_ENCRYPTED);
    let token = assertion.clone().passphrase("of-the-test").make(now()).unwrap();
    let (_, _, signed, signature) = parts(&token);
    let key = UnparsedPublicKey::new(&RSA_PUBLIC_KEY_ALGORITHM, RSA_PUBLIC);
    key.verify(signed.as_bytes(), &signature).unwrap();
    let why = assertion.passphrase("another").make(now()).unwrap_err().to_string();
    assert!(why.contains("is the passphrase right?"), "{why}");
}
